"""EncryptionConfiguration: which providers encrypt which resources.

Follows: apiserver pkg/server/options/encryptionconfig/config.go; pkg/apis/apiserver/validation.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pybernetes.apiserver.encryption.transformers import (
    ENCRYPTED,
    AesCbc,
    AesGcm,
    Identity,
    Provider,
    Secretbox,
    Transformer,
)

API_VERSION = "apiserver.config.k8s.io/v1"
_AES_SIZES = frozenset({16, 24, 32})
_MAKERS: dict[str, tuple[type[AesGcm | AesCbc | Secretbox], frozenset[int]]] = {
    "aesgcm": (AesGcm, _AES_SIZES),
    "aescbc": (AesCbc, _AES_SIZES),
    "secretbox": (Secretbox, frozenset({32})),
}


class UnusableEncryption(Exception):
    """The encryption configuration cannot be used; the text says why, and never holds a key."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """Rows in the order of the file; the first that names a resource decides."""

    rows: Sequence[tuple[tuple[str, ...], Transformer]]

    def transformer(self, group: str, plural: str) -> Transformer | None:
        """What encrypts a resource; None where nothing does."""
        names = {f"{plural}.{group}" if group else plural, f"*.{group}", "*.*"}
        for resources, found in self.rows:
            if not names.isdisjoint(resources):
                return found
        return None


def load(path: str) -> Encryption:
    """The configuration in a YAML or JSON file.

    Raises:
        UnusableEncryption.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableEncryption(f"encryption configuration {path}: {error}") from error
    except yaml.YAMLError:  # its text may quote keys
        raise UnusableEncryption(f"encryption configuration {path}: not YAML") from None
    return parse(document, path)


def parse(document: Any, path: str = "") -> Encryption:
    """The configuration of a document.

    Raises:
        UnusableEncryption.
    """
    where = f"encryption configuration {path}"
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != "EncryptionConfiguration" or document.get("apiVersion") != API_VERSION:
        raise UnusableEncryption(f"{where}: not an EncryptionConfiguration of {API_VERSION}")
    rows = []
    for number, row in enumerate(document.get("resources") or ()):
        at = f"{where}: resources[{number}]"
        resources, providers = row.get("resources"), row.get("providers")
        if not resources or not providers:
            raise UnusableEncryption(f"{at}: resources and providers must not be empty")
        found = tuple(one for provider in providers for one in _providers(provider, at))
        rows.append((tuple(resources), Transformer(found)))
    if not rows:
        raise UnusableEncryption(f"{where}: resources must not be empty")
    return Encryption(rows)


def _providers(row: Mapping[str, Any], at: str) -> Iterator[Provider]:
    if not isinstance(row, dict) or len(row) != 1:
        raise UnusableEncryption(f"{at}: each provider must be exactly one of aesgcm, aescbc, secretbox, identity")
    ((name, settings),) = row.items()
    if name == "identity":
        yield Identity()
        return
    if name not in _MAKERS:
        raise UnusableEncryption(f"{at}: provider {name} is not supported; use aesgcm, aescbc, secretbox or identity")
    make, sizes = _MAKERS[name]
    keys = (settings or {}).get("keys") or ()
    if not keys:
        raise UnusableEncryption(f"{at}: provider {name} has no keys")
    for key in keys:
        try:
            secret = base64.b64decode(key.get("secret") or "", validate=True)
        except (binascii.Error, ValueError):
            raise UnusableEncryption(f"{at}: a secret of provider {name} is not base64") from None
        if len(secret) not in sizes or not key.get("name") or ":" in key["name"]:
            lengths = " or ".join(map(str, sorted(sizes)))
            raise UnusableEncryption(f"{at}: keys of {name} have a name without colon and a secret of {lengths} bytes")
        yield make(b"%b%b:v1:%b:" % (ENCRYPTED, name.encode(), key["name"].encode()), secret)
