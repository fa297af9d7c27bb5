"""Image references and the credentials that go with them. Pure.

Follows: distribution/reference; kubernetes pkg/credentialprovider/{config,keyring}.go; pkg/util/parsers.
"""

import base64
import binascii
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from pybernetes.api import core_v1

DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"
DOCKER_CFG = "kubernetes.io/dockercfg"
DEFAULT_REGISTRY = "docker.io"
_DOCKER_HUB_NAMES = ("index.docker.io", "registry-1.docker.io")

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?"
)


class InvalidImageName(ValueError):
    """The text names no image."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a registry is shown. Never printed."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


def with_default_tag(image: str) -> str:
    """The reference to pull: `:latest` is added where neither tag nor digest is given.

    Raises:
        InvalidImageName: with upstream's text.
    """
    match = _REFERENCE.fullmatch(image)
    if match is None:
        why = "invalid reference format"
        if _REFERENCE.fullmatch(image.lower()):
            why = "invalid reference format: repository name must be lowercase"
        raise InvalidImageName(
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}'
        )
    return image if match["tag"] or match["digest"] else f"{image}:latest"


def repository(image: str) -> str:
    """`registry/path` without tag and digest; the registry is Docker Hub where none is named."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"{DEFAULT_REGISTRY}/{name if rest else 'library/' + name}"


def credentials_from(secrets: Iterable[core_v1.Secret]) -> list[tuple[str, Credentials]]:
    """(registry or repository prefix, credentials) of image pull secrets; what cannot be read is passed over."""
    found: list[tuple[str, Credentials]] = []
    for secret in secrets:
        try:
            if secret.type == DOCKER_CONFIG_JSON or ".dockerconfigjson" in secret.data:
                document = msgspec.json.decode(base64.b64decode(secret.data[".dockerconfigjson"]))
                entries = document.get("auths", {})
            elif secret.type == DOCKER_CFG or ".dockercfg" in secret.data:
                entries = msgspec.json.decode(base64.b64decode(secret.data[".dockercfg"]))
            else:
                continue
            found += [(_location(name), _entry(entry)) for name, entry in entries.items()]
        except (KeyError, AttributeError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def _location(name: str) -> str:
    """`https://index.docker.io/v1/` as `docker.io`."""
    plain = re.sub(r"^https?://", "", name)
    plain = re.sub(r"/v[12]/?$", "", plain).rstrip("/")
    return DEFAULT_REGISTRY if plain in _DOCKER_HUB_NAMES else plain


def _entry(entry: dict[str, str]) -> Credentials:
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        username, _, password = base64.b64decode(entry["auth"]).decode().rstrip("\0").partition(":")
    return Credentials(username, password, entry.get("identitytoken", ""), entry.get("registrytoken", ""))


def matching(image: str, known: Iterable[tuple[str, Credentials]]) -> list[Credentials]:
    """Credentials to try for an image, the most specific location first. `*` matches one part of a host name."""
    name = repository(image)
    fitting = [(location, credentials) for location, credentials in known if _matches(location, name)]
    return [credentials for _, credentials in sorted(fitting, key=lambda pair: len(pair[0]), reverse=True)]


def _matches(location: str, name: str) -> bool:
    host, _, path = location.partition("/")
    wanted_host, _, wanted_path = name.partition("/")
    parts, wanted_parts = host.split("."), wanted_host.split(".")
    if len(parts) != len(wanted_parts):
        return False
    if not all(fnmatch.fnmatchcase(wanted, part) for wanted, part in zip(wanted_parts, parts, strict=True)):
        return False
    return wanted_path.startswith(path)
