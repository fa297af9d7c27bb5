"""Answers to reviews about identity, and tokens on request: documents in, documents out; nothing is stored.

    TokenReview           who does this token stand for
    SelfSubjectReview     who am I
    TokenRequest          a token for this service account (`serviceaccounts/token`)

Follows: kubernetes pkg/registry/authentication; pkg/registry/core/serviceaccount/storage/token.go.
"""

from typing import Any

from pybernetes.apiserver.authn import service_accounts
from pybernetes.apiserver.authn.authenticator import Authenticator
from pybernetes.apiserver.authn.keys import InvalidToken, TokenKeys
from pybernetes.apiserver.request import Document, ObjectReader, User
from pybernetes.effects import Clock, Ids, format_time
from pybernetes.machinery import errors
from pybernetes.machinery.errors import BadRequest


def user_info(user: User) -> dict[str, Any]:
    """A user as `authentication.k8s.io` writes it."""
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in sorted(user.extra.items())}
    return info


def review_token(review: Document, authenticator: Authenticator) -> Document:
    """A TokenReview with its status.

    Raises:
        BadRequest: it names no token.
    """
    spec = review.get("spec") or {}
    token = spec.get("token", "")
    if not token:
        raise BadRequest("token is required for TokenReview in authentication")
    wanted = spec.get("audiences") or list(authenticator.audiences)
    status: dict[str, Any] = {}
    try:
        found = authenticator.check(token)
    except InvalidToken as why:
        status = {"user": {}, "error": str(why)}
    else:
        shared = [audience for audience in wanted if audience in (found.audiences or authenticator.audiences)]
        if shared:
            status = {"authenticated": True, "user": user_info(found.user), "audiences": shared}
        else:
            error = f"token audiences {list(found.audiences)} is invalid for the target audiences {wanted}"
            status = {"user": {}, "error": error}
    return {**review, "status": status}


def review_self(review: Document, user: User, created: str) -> Document:
    """A SelfSubjectReview with its status. `created` is the time of the answer."""
    metadata = {**(review.get("metadata") or {}), "creationTimestamp": created}
    return {**review, "metadata": metadata, "status": {"userInfo": user_info(user)}}


class TokenIssuer:
    """Issues tokens for service accounts."""

    def __init__(
        self, reader: ObjectReader, keys: TokenKeys, clock: Clock, ids: Ids, authenticator: Authenticator
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._authenticator = authenticator

    def issue(self, namespace: str, name: str, request: Document) -> Document:
        """The TokenRequest with token and expiry in its status.

        Raises:
            NotFound, Invalid, BadRequest, Conflict.
        """
        account = self._reader.get("", "serviceaccounts", namespace, name)
        if account is None:
            raise errors.not_found("serviceaccounts", "", name)
        given = request.setdefault("metadata", {})
        if given.get("name", name) != name or given.get("namespace", namespace) != namespace:
            raise BadRequest("the name of the object does not match the name on the URL")
        now = self._clock.now()
        issued = service_accounts.issue(
            self._reader,
            request,
            account,
            issuer=self._authenticator.issuers[0],
            audiences=self._authenticator.audiences,
            token_id=self._ids.uid(),
            now=now,
        )
        metadata = {**given, "name": name, "namespace": namespace, "creationTimestamp": format_time(now)}
        status = {"token": self._keys.sign(issued.claims), "expirationTimestamp": format_time(issued.expires)}
        return {**request, "metadata": metadata, "status": status}
