"""Who may ask the kubelet for what.

A client is known by its certificate (signed by the cluster's CA) or by a bearer token that the API server reviews.
The API server's own identity may do everything; of everybody else the API server is asked whether they may use the
`nodes` subresource the path stands for.

Follows: kubernetes pkg/kubelet/server/auth.go; pkg/kubelet/server/server.go, InstallAuthFilter.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pybernetes.api import authentication_v1, authorization_v1
from pybernetes.client.interface import Client, Unreachable
from pybernetes.effects import Clock
from pybernetes.kubelet.server.http import Request
from pybernetes.machinery.errors import Forbidden, ServiceUnavailable, StatusError, Unauthorized

TRUSTED_GROUPS = frozenset({"system:masters", "kubeadm:cluster-admins"})
"""Members may do everything without the API server being asked, as it is itself a member."""

AUTHENTICATION_SECONDS, ALLOWED_SECONDS, DENIED_SECONDS = 120.0, 300.0, 30.0
"""How long answers are believed; upstream's defaults."""
MAX_REMEMBERED = 1024

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCES = (("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log"), ("/checkpoint", "checkpoint"))
_FINE_GRAINED = (("/healthz", "healthz"), ("/configz", "configz"), ("/pods", "pods"), ("/runningpods", "pods"))


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: frozenset[str] = frozenset()
    uid: str = ""


def user_of_certificate(certificate: Mapping[str, object]) -> User | None:
    """The user a client certificate names: common name and organizations."""
    subject = certificate.get("subject")
    if not isinstance(subject, tuple):
        return None
    pairs = [pair for part in subject for pair in part]
    name = next((value for key, value in pairs if key == "commonName"), "")
    return User(name, frozenset(value for key, value in pairs if key == "organizationName")) if name else None


def subresources(path: str) -> list[str]:
    """Subresources of `nodes` that allow a path; one is enough. The last is the general one."""
    for prefix, name in _SUBRESOURCES:
        if path == prefix or path.startswith(f"{prefix}/"):
            return [name]
    fine = [name for prefix, name in _FINE_GRAINED if path == prefix or path.startswith(f"{prefix}/")]
    return [*fine, "proxy"]


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS for the server; certificates of clients are asked for and verified when they come.

    Raises:
        OSError: a file is missing, or is no PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Access:
    """Decides over requests to one node's kubelet."""

    def __init__(self, client: Client, clock: Clock, node_name: str) -> None:
        self._client = client
        self._clock = clock
        self._node_name = node_name
        self._users: dict[str, tuple[float, User]] = {}
        self._answers: dict[tuple[User, str, str], tuple[float, bool]] = {}

    async def check(self, request: Request) -> User:
        """Who asks, when they may.

        Raises:
            Unauthorized, Forbidden; ServiceUnavailable when the API server had to be asked and cannot be.
        """
        user = user_of_certificate(request.certificate) or await self._user_of_token(request)
        if user is None:
            raise Unauthorized("Unauthorized")
        if user.groups & TRUSTED_GROUPS:
            return user
        verb, wanted = _VERBS.get(request.method, ""), subresources(request.path)
        for subresource in wanted:
            if await self._may(user, verb, subresource):
                return user
        raise Forbidden(
            f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(wanted)}])"
        )

    async def _user_of_token(self, request: Request) -> User | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        now = self._clock.monotonic()
        held = self._users.get(token)
        if held is not None and held[0] > now:
            return held[1]
        try:
            review = await self._client.create(
                authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
            )
        except (StatusError, Unreachable) as error:
            raise ServiceUnavailable(f"the token cannot be reviewed: {error}") from error
        if not review.status.authenticated:
            return None
        found = review.status.user
        user = User(found.username, frozenset(found.groups), found.uid)
        _remember(self._users, token, (now + AUTHENTICATION_SECONDS, user))
        return user

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        now = self._clock.monotonic()
        key = (user, verb, subresource)
        held = self._answers.get(key)
        if held is not None and held[0] > now:
            return held[1]
        try:
            review = await self._client.create(
                authorization_v1.SubjectAccessReview(
                    spec=authorization_v1.SubjectAccessReviewSpec(
                        user=user.name,
                        groups=sorted(user.groups),
                        uid=user.uid,
                        resourceAttributes=authorization_v1.ResourceAttributes(
                            verb=verb, version="v1", resource="nodes", subresource=subresource, name=self._node_name
                        ),
                    )
                )
            )
        except (StatusError, Unreachable) as error:
            raise ServiceUnavailable(f"the access cannot be reviewed: {error}") from error
        allowed = review.status.allowed
        _remember(self._answers, key, (now + (ALLOWED_SECONDS if allowed else DENIED_SECONDS), allowed))
        return allowed


def _remember(memory: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    """Keep an answer; when there are too many, the oldest goes."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
