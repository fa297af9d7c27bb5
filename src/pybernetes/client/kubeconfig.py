"""Where a kubeconfig says the API server is, and who we are there.

Merging entries into a user's file is `cluster.kubeconfig_file`; here a file is only read.

Follows: client-go tools/clientcmd/client_config.go; api/v1/types.go.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import yaml

from pybernetes.client.connection import Connection

Document = dict[str, Any]


class KubeconfigError(ValueError):
    """The kubeconfig cannot be used; the message says why and what to do."""


def load(path: Path, context: str = "", *, user_agent: str = "pybernetes") -> Connection:
    """The connection of `context`, or of the current context.

    Raises:
        KubeconfigError: the file is missing or broken, or what it names is not in it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KubeconfigError(f"{path} cannot be read: {error.strerror}; name one with --kubeconfig") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise KubeconfigError(f"{path} is no kubeconfig: it holds no mapping")
    return connection(content, path, context, user_agent=user_agent)


def connection(content: Document, path: Path, context: str = "", *, user_agent: str = "pybernetes") -> Connection:
    """As `load`, of a document; relative file names are relative to the directory of `path`.

    Raises:
        KubeconfigError.
    """
    name = context or content.get("current-context") or ""
    if not name:
        raise KubeconfigError(f"{path} has no current-context: choose one with `kubectl config use-context NAME`")
    chosen = _entry(content, "contexts", "context", name, path)
    cluster = _entry(content, "clusters", "cluster", chosen.get("cluster") or "", path)
    user = _entry(content, "users", "user", chosen.get("user") or "", path) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise KubeconfigError(f"{path}: cluster {chosen.get('cluster')!r} names no server")
    for method in ("exec", "auth-provider"):
        if method in user:
            raise KubeconfigError(f"{path}: user {chosen['user']!r} signs in by {method}; use a certificate or a token")
    base = path.absolute().parent
    return Connection(
        server=str(cluster["server"]).rstrip("/"),
        ca_pem=_pem(cluster, "certificate-authority", base, path),
        certificate_pem=_pem(user, "client-certificate", base, path),
        key_pem=_pem(user, "client-key", base, path),
        token=_token(user, base, path),
        server_name=cluster.get("tls-server-name") or "",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        user_agent=user_agent,
    )


def _entry(content: Document, section: str, inner: str, name: str, path: Path) -> Document:
    entries = content.get(section) or []
    if not isinstance(entries, list):
        raise KubeconfigError(f"{path} is no kubeconfig: {section} is no list")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(inner)
            if not isinstance(value, dict):
                raise KubeconfigError(f"{path}: the entry {name!r} of {section} has no {inner}")
            return value
    raise KubeconfigError(f"{path} has no {inner} {name!r}")


def _pem(entry: Document, field: str, base: Path, path: Path) -> bytes:
    """The PEM of `field-data`, else of the file `field` names; empty when there is neither."""
    data = entry.get(f"{field}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise KubeconfigError(f"{path}: {field}-data is no base64: {error}") from error
    return _file(entry, field, base, path)


def _file(entry: Document, field: str, base: Path, path: Path) -> bytes:
    name = entry.get(field)
    if not name:
        return b""
    try:
        return (base / str(name)).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{path}: {field} {name} cannot be read: {error.strerror}") from error


def _token(user: Document, base: Path, path: Path) -> str:
    if user.get("token"):
        return str(user["token"])
    return _file(user, "tokenFile", base, path).decode(errors="replace").strip()
