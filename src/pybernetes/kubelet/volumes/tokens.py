"""Tokens of service accounts for pods: asked for once, kept while they are young, replaced before they are old.

A token that was asked for 3607 s is replaced after 80 % of that, a little earlier by chance so that pods started
together do not ask together. While a new one cannot be had, the old one serves until it expires.

Follows: kubernetes pkg/kubelet/token/token_manager.go.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from pybernetes.api import authentication_v1, core_v1, meta_v1
from pybernetes.client.interface import Client, Unreachable
from pybernetes.effects import Chance, Clock, parse_time
from pybernetes.machinery.errors import StatusError

log = logging.getLogger("pybernetes.kubelet.tokens")

DEFAULT_EXPIRATION_SECONDS = 3600
MAX_AGE_SECONDS = 24 * 3600
REFRESH_AT = 0.8
MAX_JITTER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token is for. Pods share none: each is bound to its pod."""

    namespace: str
    service_account: str
    audience: str
    expiration_seconds: int
    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires: datetime
    refresh: datetime

    def __repr__(self) -> str:
        """Without the text, which is secret."""
        return f"Token(expires={self.expires})"


def refresh_time(expires: datetime, lifetime_seconds: int, jitter_seconds: float) -> datetime:
    """When a token must be replaced: at 80 % of its life, at the latest after a day."""
    issued = expires - timedelta(seconds=lifetime_seconds)
    after = min(lifetime_seconds * REFRESH_AT, float(MAX_AGE_SECONDS)) - jitter_seconds
    return issued + timedelta(seconds=max(0.0, after))


class TokenSource:
    """Gets and keeps tokens."""

    def __init__(self, client: Client, clock: Clock, chance: Chance) -> None:
        self._client = client
        self._clock = clock
        self._chance = chance
        self._tokens: dict[TokenKey, Token] = {}

    async def token(self, key: TokenKey) -> Token:
        """A token that is not due for replacement, or the best there is.

        Raises:
            StatusError, Unreachable: there is none and none can be had.
        """
        held, now = self._tokens.get(key), self._clock.now()
        if held is not None and now < held.refresh:
            return held
        try:
            fresh = await self._requested(key)
        except (StatusError, Unreachable) as error:
            if held is None or held.expires <= now:
                raise
            log.warning("token not refreshed pod=%s/%s error=%s", key.namespace, key.pod_name, error)
            return held
        self._tokens[key] = fresh
        return fresh

    def forget_pod(self, uid: str) -> None:
        for key in [key for key in self._tokens if key.pod_uid == uid]:
            del self._tokens[key]

    async def _requested(self, key: TokenKey) -> Token:
        account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(namespace=key.namespace, name=key.service_account))
        answer = await self._client.create_subresource(
            account,
            "token",
            authentication_v1.TokenRequest(
                spec=authentication_v1.TokenRequestSpec(
                    audiences=[key.audience] if key.audience else [],
                    expirationSeconds=key.expiration_seconds,
                    boundObjectRef=authentication_v1.BoundObjectReference(
                        apiVersion="v1", kind="Pod", name=key.pod_name, uid=key.pod_uid
                    ),
                )
            ),
            authentication_v1.TokenRequest,
        )
        lifetime = answer.spec.expirationSeconds or key.expiration_seconds
        expires = (
            parse_time(answer.status.expirationTimestamp)
            if answer.status.expirationTimestamp is not None
            else self._clock.now() + timedelta(seconds=lifetime)
        )
        jitter = self._chance.uniform(0.0, MAX_JITTER_SECONDS)
        return Token(answer.status.token, expires, refresh_time(expires, lifetime, jitter))
