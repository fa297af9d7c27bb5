"""Who a proxy in front says is asking: headers, believed because of the proxy's own certificate.

    connection   its certificate was issued by the proxies' authority, its name is allowed    decided once
    request      X-Remote-User, -Uid, -Group, -Extra-KEY                                      read every time

The TLS layer lets in certificates of the clients' authority and of the proxies'; which of the two it was is found out
here, so that a proxy's name is never taken for a user's.

Follows: apiserver pkg/authentication/request/headerrequest/requestheader.go.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from pybernetes.apiserver.config import RequestHeaderConfig
from pybernetes.apiserver.request import AUTHENTICATED_GROUP, User


class UnusableAuthority(ValueError):
    """A file holds no certificates; the message says which and what to do."""


def _load(path: str) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(Path(path).read_bytes()))
    except (OSError, ValueError) as error:
        raise UnusableAuthority(f"{path} holds no PEM certificates: {error}; name the authority's file") from None


class RequestHeader:
    """See the module."""

    def __init__(self, config: RequestHeaderConfig, client_ca: str = "") -> None:
        """Raises: UnusableAuthority."""
        self._proxies = _load(config.client_ca)
        self._clients = _load(client_ca) if client_ca else ()
        self._config = config

    def is_proxy(self, der: bytes) -> bool:
        """Whether a certificate is that of a proxy which may say who asks."""
        certificate = x509.load_der_x509_certificate(der)
        if not _issued(certificate, self._proxies):
            return False
        names = [row.value for row in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        return not self._config.allowed_names or bool(set(names) & set(self._config.allowed_names))

    def is_client(self, der: bytes) -> bool:
        """Whether a certificate names a user: the clients' authority itself has issued it."""
        return _issued(x509.load_der_x509_certificate(der), self._clients)

    def user_of(self, headers: Mapping[str, str]) -> User | None:
        """The user the headers name, None where they name none. Several values of one header are joined by NUL."""
        config = self._config
        name = next((v[0] for v in (_values(headers, n) for n in config.username_headers) if v and v[0]), "")
        if not name:
            return None
        uid = next((v[0] for v in (_values(headers, n) for n in config.uid_headers) if v and v[0]), "")
        groups = [group for header in config.group_headers for group in _values(headers, header)]
        extra: dict[str, tuple[str, ...]] = {}
        for prefix in (prefix.lower() for prefix in config.extra_prefixes):
            for header in headers:
                if header.startswith(prefix):
                    key = unquote(header[len(prefix) :])
                    extra[key] = (*extra.get(key, ()), *_values(headers, header))
        return User(name, uid, tuple(dict.fromkeys([*groups, AUTHENTICATED_GROUP])), extra)


def _values(headers: Mapping[str, str], name: str) -> Sequence[str]:
    value = headers.get(name.lower())
    return value.split("\0") if value is not None else ()


def _issued(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> bool:
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def settings(config: RequestHeaderConfig) -> dict[str, object]:
    """What extension servers read in `extension-apiserver-authentication`."""
    if not config.client_ca:
        return {}
    return {
        "requestheader-client-ca-file": Path(config.client_ca).read_text(encoding="ascii"),
        "requestheader-allowed-names": list(config.allowed_names),
        "requestheader-username-headers": list(config.username_headers),
        "requestheader-uid-headers": list(config.uid_headers),
        "requestheader-group-headers": list(config.group_headers),
        "requestheader-extra-headers-prefix": list(config.extra_prefixes),
    }
