"""Bootstrap tokens: what a new node shows before it has a certificate, kept as Secrets in kube-system.

Follows: kubernetes plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go.
"""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime

from pybernetes.apiserver.authn.keys import InvalidToken
from pybernetes.apiserver.request import AUTHENTICATED_GROUP, ObjectReader, User
from pybernetes.effects import parse_time

TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
NAMESPACE = "kube-system"
SECRET_TYPE = "bootstrap.kubernetes.io/token"  # noqa: S105 - the type of a Secret, not a secret
DEFAULT_GROUP = "system:bootstrappers"
EXTRA_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


def user_of(reader: ObjectReader, token: str, now: datetime) -> User | None:
    """The user of a bootstrap token, None for what is no such token.

    Raises:
        InvalidToken: it has the form of one, and is none that is valid now.
    """
    match = TOKEN.fullmatch(token)
    if match is None:
        return None
    token_id, secret = match.groups()
    found = reader.get("", "secrets", NAMESPACE, f"bootstrap-token-{token_id}")
    refused = InvalidToken("invalid bearer token")
    if found is None or found.get("type") != SECRET_TYPE or found["metadata"].get("deletionTimestamp"):
        raise refused
    data = {key: _decode(value) for key, value in (found.get("data") or {}).items()}
    same = hmac.compare_digest(_digest(data.get("token-secret", "")), _digest(secret))
    if not same or data.get("token-id") != token_id or data.get("usage-bootstrap-authentication") != "true":
        raise refused
    if data.get("expiration"):
        try:
            expired = parse_time(data["expiration"]) <= now
        except ValueError as error:
            raise refused from error
        if expired:
            raise refused
    extra = sorted({group for group in data.get("auth-extra-groups", "").split(",") if group})
    if any(EXTRA_GROUP.fullmatch(group) is None for group in extra):
        raise refused
    return User(f"system:bootstrap:{token_id}", groups=(DEFAULT_GROUP, *extra, AUTHENTICATED_GROUP))


def _digest(text: str) -> bytes:
    """Hashed before comparing, so that neither length nor content shows in the time it takes."""
    return hashlib.sha256(text.encode()).digest()


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
