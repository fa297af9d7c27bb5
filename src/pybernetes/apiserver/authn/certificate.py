"""Who a client certificate names: common name → user, organizations → groups.

The TLS layer has already checked that an authority of ours signed it for clients.

Follows: apiserver pkg/authentication/request/x509/x509.go, CommonNameUserConversion.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from pybernetes.apiserver.request import AUTHENTICATED_GROUP, User

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
UID_OID = "1.3.6.1.4.1.57683.2"
"""The attribute of the subject that carries a user's uid."""


def user_of(certificate: Mapping[str, Any], der: bytes | None = None) -> User | None:
    """The user, or None where the certificate names none. `certificate` is what `ssl` tells of the peer's."""
    names: dict[str, list[str]] = {}
    for relative_name in certificate.get("subject", ()):
        for attribute, value in relative_name:
            names.setdefault(attribute, []).append(value)
    common = names.get("commonName")
    if not common or not common[0]:
        return None
    groups = tuple(dict.fromkeys([*names.get("organizationName", ()), AUTHENTICATED_GROUP]))
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)} if der else {}
    return User(common[0], names.get(UID_OID, [""])[0], groups, extra)
