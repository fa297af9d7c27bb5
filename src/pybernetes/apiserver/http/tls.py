"""TLS as API servers speak it: HTTP/1.1 only, a client certificate asked for but not required.

Follows: apiserver pkg/server/secure_serving.go.
"""

import ssl
from pathlib import Path


class TlsFilesUnusable(ValueError):
    """A certificate or key cannot be used; the message says which and what to do."""


def server_context(certificate: str, key: str, client_ca: str = "", proxy_ca: str = "") -> ssl.SSLContext:
    """The context of a listening socket; files are PEM.

    Certificates of both authorities are let in; `authn/request_header.py` tells them apart.

    Raises:
        TlsFilesUnusable.
    """
    for path in filter(None, (certificate, key, client_ca, proxy_ca)):
        if not Path(path).is_file():
            raise TlsFilesUnusable(f"{path} does not exist; the API server needs it for TLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # No session tickets: clients keep their connections, and each ticket costs as much as a request.
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise TlsFilesUnusable(f"{certificate} and {key} are no matching PEM certificate and key: {error}") from None
    for authority in filter(None, (client_ca, proxy_ca)):
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError as error:
            raise TlsFilesUnusable(f"{authority} holds no PEM certificates: {error}") from None
    return context
