"""Who asks: the client certificate first, else the bearer token, else nobody.

    certificate          CN and O                                                   certificate.py
    Bearer HEADER.…      a service account's token, if this cluster signed it       service_accounts.py
                         or one that lies in a Secret                           legacy_tokens.py
    Bearer abcdef.012…   a bootstrap token                                          bootstrap_tokens.py
    Bearer anything      a token of --token-auth-file                               static_tokens.py

Whoever shows nothing is `system:anonymous`, who may read health and version and nothing else unless a binding says so.
Checking a signature costs far more than looking at the objects a token is bound to: verified claims are remembered,
the objects are looked at every time, so a token ends with its pod at once.

Follows: kubernetes pkg/kubeapiserver/authenticator/config.go.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.apiserver.authn import bootstrap_tokens, certificate, legacy_tokens, service_accounts
from pybernetes.apiserver.authn.keys import InvalidToken, TokenKeys
from pybernetes.apiserver.authn.static_tokens import StaticTokens
from pybernetes.apiserver.request import Document, ObjectReader, User
from pybernetes.effects import Clock
from pybernetes.machinery import errors
from pybernetes.machinery.signing import LEGACY_ISSUER

DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"
MAX_REMEMBERED = 4096
"""Verified tokens remembered: more than the pods of most clusters. Arbitrary."""
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A believed token: who shows it, and for which audiences it may be used (empty: for any)."""

    user: User
    audiences: tuple[str, ...] = ()


class Authenticator:
    """See the module."""

    def __init__(
        self,
        reader: ObjectReader,
        clock: Clock,
        keys: TokenKeys | None = None,
        *,
        static: StaticTokens | None = None,
        issuers: Sequence[str] = (DEFAULT_ISSUER,),
        audiences: Sequence[str] = (),
        bootstrap: bool = True,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._keys = keys
        self._static = static or StaticTokens()
        self._bootstrap = bootstrap
        self.issuers = tuple(issuers)
        self.audiences = tuple(audiences) or self.issuers[:1]
        self.on_legacy_use: Callable[[Document], None] = lambda _: None
        """Told of the Secret whose token has been used."""
        self._verified: OrderedDict[bytes, dict[str, Any]] = OrderedDict()

    def identify(
        self, authorization: str, peer: Mapping[str, Any] | None = None, peer_der: bytes | None = None
    ) -> User | None:
        """The user that the certificate or the Authorization header shows; None where there is neither.

        Raises:
            Unauthorized: the token is not valid.
        """
        if peer:
            user = certificate.user_of(peer, peer_der)
            if user is not None:
                return user
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        token = authorization[len(BEARER) :].strip()
        if not token:
            return None
        try:
            found = self.check(token)
        except InvalidToken as error:
            raise errors.unauthorized() from error
        if found.audiences and not set(found.audiences) & set(self.audiences):
            raise errors.unauthorized()
        return found.user

    def check(self, token: str) -> Authenticated:
        """Who a token stands for, whatever audience it is for.

        Raises:
            InvalidToken.
        """
        static = self._static.user_of(token)
        if static is not None:
            return Authenticated(static)
        if self._bootstrap:
            bootstrapper = bootstrap_tokens.user_of(self._reader, token, self._clock.now())
            if bootstrapper is not None:
                return Authenticated(bootstrapper)
        if self._keys is None:
            raise InvalidToken("invalid bearer token")
        claims = self._claims(self._keys, token)
        if claims.get("iss") == LEGACY_ISSUER:
            user, secret = legacy_tokens.user_of(self._reader, claims, token)
            self.on_legacy_use(secret)
            return Authenticated(user)
        user = service_accounts.user_of(self._reader, claims, self.issuers, self._clock.now())
        given = claims.get("aud") or ()
        return Authenticated(user, (given,) if isinstance(given, str) else tuple(given))

    def _claims(self, keys: TokenKeys, token: str) -> dict[str, Any]:
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verified[digest] = keys.verify(token)
            if len(self._verified) > MAX_REMEMBERED:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(digest)
        return claims

    def statistics(self) -> dict[str, int]:
        return {"remembered_tokens": len(self._verified), "max_remembered_tokens": MAX_REMEMBERED}
