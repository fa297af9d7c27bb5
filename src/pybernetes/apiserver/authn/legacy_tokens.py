"""Tokens that lie in Secrets of type `kubernetes.io/service-account-token`: believed while Secret and account live.

    user_of(reader, claims, token)      claims of a verified token → user
    LegacyUsage                         writes the day of their last use onto the Secrets

Follows: kubernetes pkg/serviceaccount/legacy.go; pkg/controlplane/controller/legacytokentracking.
"""

import asyncio
import base64
import binascii
import hmac
import logging
from typing import Any, Final

from pybernetes.api import core_v1
from pybernetes.apiserver.authn.keys import InvalidToken
from pybernetes.apiserver.authn.service_accounts import groups_of, user_name
from pybernetes.apiserver.request import Document, ObjectReader, User
from pybernetes.client.interface import Client
from pybernetes.effects import Clock
from pybernetes.machinery.errors import StatusError
from pybernetes.machinery.signing import LEGACY_CLAIMS

log = logging.getLogger("pybernetes.apiserver.authn")

LAST_USED: Final = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE: Final = "kubernetes.io/legacy-token-invalid-since"
DATE: Final = "%Y-%m-%d"
MAX_WAITING: Final = 1024
"""Secrets whose use is not written yet; more are noted at their next use. Arbitrary."""


def user_of(reader: ObjectReader, claims: dict[str, Any], token: str) -> tuple[User, Document]:
    """The user a verified token of a Secret stands for, and the Secret.

    Raises:
        InvalidToken.
    """
    namespace = claims.get(f"{LEGACY_CLAIMS}namespace") or ""
    secret_name = claims.get(f"{LEGACY_CLAIMS}secret.name") or ""
    name = claims.get(f"{LEGACY_CLAIMS}service-account.name") or ""
    uid = claims.get(f"{LEGACY_CLAIMS}service-account.uid") or ""
    for value, text in (
        (namespace, "namespace is not provided"),
        (secret_name, "secretName is not provided"),
        (name, "serviceAccountName is not provided"),
        (uid, "serviceAccountUID is not provided"),
    ):
        if not value:
            raise InvalidToken(text)
    if claims.get("sub") != user_name(namespace, name):
        raise InvalidToken("sub claim is invalid")
    secret = reader.get("", "secrets", namespace, secret_name)
    if secret is None or secret["metadata"].get("deletionTimestamp"):
        raise InvalidToken("Token has been invalidated")
    try:
        stored = base64.b64decode((secret.get("data") or {}).get("token") or "")
    except binascii.Error:
        stored = b""
    if not hmac.compare_digest(stored, token.encode()):
        raise InvalidToken("Token does not match server's copy")
    account = reader.get("", "serviceaccounts", namespace, name)
    if account is None or account["metadata"].get("deletionTimestamp"):
        raise InvalidToken(f"ServiceAccount {namespace}/{name} has been deleted")
    if account["metadata"].get("uid") != uid:
        raise InvalidToken(f"ServiceAccount UID ({account['metadata'].get('uid')}) does not match claim ({uid})")
    if (secret["metadata"].get("labels") or {}).get(INVALID_SINCE):
        raise InvalidToken(f"the token in secret {namespace}/{secret_name} has been marked invalid")
    return User(claims["sub"], uid, groups_of(namespace)), secret


class LegacyUsage:
    """Remembers which tokens of Secrets are used, and writes the day onto the Secrets, once a day."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._waiting: dict[tuple[str, str], None] = {}
        self._noted = asyncio.Event()

    def note(self, secret: Document) -> None:
        """A token has been used."""
        metadata = secret["metadata"]
        if (metadata.get("labels") or {}).get(LAST_USED) == self._today() or len(self._waiting) >= MAX_WAITING:
            return
        self._waiting[metadata["namespace"], metadata["name"]] = None
        self._noted.set()

    def _today(self) -> str:
        return self._clock.now().strftime(DATE)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            waiting, self._waiting = self._waiting, {}
            for namespace, name in waiting:
                patch = {"metadata": {"labels": {LAST_USED: self._today()}}}
                try:
                    await self._client.patch(core_v1.Secret, name, namespace, patch=patch)
                except StatusError as error:
                    log.info("token use not noted namespace=%s secret=%s error=%s", namespace, name, error)
