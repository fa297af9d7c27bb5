"""Bootstrap tokens: a public id and a secret, kept as a Secret of the cluster until they expire.

Follows: kubernetes cmd/kubeadm/app/apis/bootstraptoken/v1, staging/src/k8s.io/cluster-bootstrap/token.
"""

import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pybernetes.cluster.errors import BadOption
from pybernetes.effects import format_time

ALPHABET = string.ascii_lowercase + string.digits
TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
DEFAULT_GROUPS = ("system:bootstrappers:kubeadm:default-node-token",)


def generate() -> str:
    """A new token, from the system's own randomness: it is a key."""
    return ".".join("".join(secrets.choice(ALPHABET) for _ in range(length)) for length in (6, 16))


def parse_ttl(text: str) -> timedelta | None:
    """`24h`, `90m`, `1h30m`; None for `0`, which never expires.

    Raises:
        BadOption: it is no duration.
    """
    if text in ("0", "0s"):
        return None
    match = DURATION.fullmatch(text)
    if not text or match is None or not any(match.groups()):
        raise BadOption(f"--ttl {text!r} is no duration", "write it as 24h, 90m or 1h30m; 0 for a token for ever")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def secret(token: str, expires: datetime | None, description: str, groups: Sequence[str]) -> dict[str, Any]:
    """The Secret that makes a token valid.

    Raises:
        BadOption: the token has another form.
    """
    match = TOKEN.fullmatch(token)
    if match is None:
        raise BadOption(
            "the token has not the form of one",
            "six and sixteen lower-case letters and digits: abcdef.0123456789abcdef",
        )
    data = {
        "token-id": match[1],
        "token-secret": match[2],
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": ",".join(groups),
    }
    if expires is not None:
        data["expiration"] = format_time(expires)
    if description:
        data["description"] = description
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{match[1]}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }
