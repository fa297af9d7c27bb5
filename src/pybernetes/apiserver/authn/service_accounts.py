"""Service-account tokens: what stands in them, and whether what they are bound to is still there.

A token is bound to its ServiceAccount and, when a kubelet asks for a pod, to that pod: it is worth nothing once either
is gone, whatever its expiry says.

    issue(request, account, now)    TokenRequest → claims and the moment the client is told
    user_of(claims, …, now)         claims → user, after a look at the live objects

Follows: kubernetes pkg/serviceaccount/claims.go; pkg/registry/core/serviceaccount/storage/token.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pybernetes.apiserver.authn.certificate import CREDENTIAL_ID
from pybernetes.apiserver.authn.keys import InvalidToken
from pybernetes.apiserver.request import AUTHENTICATED_GROUP, Document, ObjectReader, User
from pybernetes.effects import parse_time
from pybernetes.machinery import errors
from pybernetes.machinery.errors import BadRequest
from pybernetes.machinery.field_errors import FieldError, invalid, invalid_value

USERNAME_PREFIX: Final = "system:serviceaccount:"
ALL_GROUP: Final = "system:serviceaccounts"
CLAIM: Final = "kubernetes.io"
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
NODE_NAME, NODE_UID = "authentication.kubernetes.io/node-name", "authentication.kubernetes.io/node-uid"

DEFAULT_SECONDS: Final = 3600
MIN_SECONDS: Final = 600
MAX_SECONDS: Final = 1 << 32
WARN_ONLY_SECONDS: Final = 3607
"""What kubelets ask for. Such tokens live a year, for clients that never read the refreshed one again."""
EXTENDED_SECONDS: Final = 365 * 24 * 3600
LEEWAY = timedelta(seconds=60)
"""A bound object counts as there for this long after its deletionTimestamp; also the tolerated clock difference."""


def user_name(namespace: str, name: str) -> str:
    return f"{USERNAME_PREFIX}{namespace}:{name}"


def split_user_name(user: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user, None for other users."""
    parts = user.removeprefix(USERNAME_PREFIX).split(":")
    return (parts[0], parts[1]) if user.startswith(USERNAME_PREFIX) and len(parts) == 2 else None


def groups_of(namespace: str) -> tuple[str, ...]:
    return (ALL_GROUP, f"{ALL_GROUP}:{namespace}", AUTHENTICATED_GROUP)


@dataclass(frozen=True, slots=True)
class Issued:
    """The claims to sign, and the expiry a client is told (earlier than the real one for kubelets)."""

    claims: dict[str, Any]
    expires: datetime


def check_request(spec: Document) -> list[FieldError]:
    """What is wrong with a TokenRequest's spec. Follows: apis/authentication/validation."""
    seconds = spec.get("expirationSeconds", DEFAULT_SECONDS)
    path = "spec.expirationSeconds"
    if seconds < MIN_SECONDS:
        return [invalid_value(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MAX_SECONDS:
        return [invalid_value(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def issue(
    reader: ObjectReader,
    request: Document,
    account: Document,
    *,
    issuer: str,
    audiences: Sequence[str],
    token_id: str,
    now: datetime,
) -> Issued:
    """What to sign for a TokenRequest, with `request["spec"]` defaulted in place.

    Raises:
        Invalid, BadRequest, NotFound, Conflict: the request or what it is to be bound to is not right.
    """
    spec = request.setdefault("spec", {})
    spec["audiences"] = spec.get("audiences") or list(audiences)
    spec.setdefault("expirationSeconds", DEFAULT_SECONDS)
    complaints = check_request(spec)
    if complaints:
        raise invalid("TokenRequest", "authentication.k8s.io", "", complaints)
    metadata = account["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": metadata["uid"]}}
    bound = spec.get("boundObjectRef")
    if bound:
        private |= _bound_claims(reader, bound, namespace, name)
    seconds = lifetime = spec["expirationSeconds"]
    if seconds == WARN_ONLY_SECONDS and "pod" in private and set(spec["audiences"]) <= set(audiences):
        lifetime = EXTENDED_SECONDS
        private["warnafter"] = int(now.timestamp()) + seconds
    issued_at = int(now.timestamp())
    claims = {
        "aud": spec["audiences"],
        "exp": issued_at + lifetime,
        "iat": issued_at,
        "iss": issuer,
        "jti": token_id,
        CLAIM: private,
        "nbf": issued_at,
        "sub": user_name(namespace, name),
    }
    return Issued(claims, now + timedelta(seconds=seconds))


def _bound_claims(reader: ObjectReader, bound: Document, namespace: str, account: str) -> dict[str, Any]:
    version, kind = bound.get("apiVersion", ""), bound.get("kind", "")
    plural = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}.get(kind)
    if version != "v1" or plural is None:
        raise BadRequest(f"cannot bind token to object of type {version}, Kind={kind}")
    name = bound.get("name", "")
    found = reader.get("", plural, "" if kind == "Node" else namespace, name)
    if found is None:
        raise errors.not_found(plural, "", name)
    if kind == "Pod" and found.get("spec", {}).get("serviceAccountName") != account:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
        )
    uid = found["metadata"]["uid"]
    if bound.get("uid") and bound["uid"] != uid:
        why = (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(plural, "", name, why)
    bound["uid"] = uid
    claims: dict[str, Any] = {kind.lower(): {"name": name, "uid": uid}}
    node_name = found.get("spec", {}).get("nodeName") if kind == "Pod" else None
    if node_name:
        node = reader.get("", "nodes", "", node_name)
        claims["node"] = {"name": node_name, **({"uid": node["metadata"]["uid"]} if node else {})}
    return claims


def user_of(reader: ObjectReader, claims: dict[str, Any], issuers: Sequence[str], now: datetime) -> User:
    """The user a verified token stands for.

    Raises:
        InvalidToken: it is not valid now, or what it is bound to is gone.
    """
    _check_time(claims, issuers, now)
    private = claims.get(CLAIM)
    if not isinstance(private, dict):
        raise InvalidToken("service account token claims are invalid")
    namespace = private.get("namespace", "")
    account = private.get("serviceaccount") or {}
    name = account.get("name", "")
    if claims.get("sub") != user_name(namespace, name):
        raise InvalidToken("service account token claims are invalid")
    found = reader.get("", "serviceaccounts", namespace, name)
    if found is None or _is_gone(found, now):
        raise InvalidToken("service account token has been invalidated: service account not found")
    uid = account.get("uid", "")
    if found["metadata"].get("uid") != uid:
        raise InvalidToken(f"service account UID ({found['metadata'].get('uid')}) does not match claim ({uid})")
    extra: dict[str, tuple[str, ...]] = {}
    if claims.get("jti"):
        extra[CREDENTIAL_ID] = (f"JTI={claims['jti']}",)
    if "secret" in private:
        _check_bound(reader, "secrets", namespace, private["secret"], now)
    if "pod" in private:
        _check_bound(reader, "pods", namespace, private["pod"], now)
        extra[POD_NAME], extra[POD_UID] = (private["pod"]["name"],), (private["pod"].get("uid", ""),)
    node = private.get("node")
    if node:
        if "pod" not in private:
            _check_bound(reader, "nodes", "", node, now)
        extra[NODE_NAME] = (node["name"],)
        if node.get("uid"):
            extra[NODE_UID] = (node["uid"],)
    return User(claims["sub"], uid, groups_of(namespace), extra)


def _check_time(claims: dict[str, Any], issuers: Sequence[str], now: datetime) -> None:
    if claims.get("iss") not in issuers:
        raise InvalidToken("invalid bearer token")
    moment = now.timestamp()
    leeway = LEEWAY.total_seconds()
    if not isinstance(claims.get("exp"), int | float):
        raise InvalidToken("invalid bearer token")
    if moment > claims["exp"] + leeway:
        raise InvalidToken("service account token has expired")
    if moment < claims.get("nbf", 0) - leeway:
        raise InvalidToken("service account token is not valid yet")


def _is_gone(document: Document, now: datetime) -> bool:
    deleted = document["metadata"].get("deletionTimestamp")
    return deleted is not None and parse_time(deleted) < now - LEEWAY


def _check_bound(reader: ObjectReader, plural: str, namespace: str, claim: Document, now: datetime) -> None:
    found = reader.get("", plural, namespace, claim.get("name", ""))
    kind = plural.removesuffix("s")
    if found is None or _is_gone(found, now):
        raise InvalidToken(f"service account token has been invalidated: bound {kind} is gone")
    if found["metadata"].get("uid") != claim.get("uid"):
        raise InvalidToken(f"{kind} UID ({found['metadata'].get('uid')}) does not match claim ({claim.get('uid')})")
