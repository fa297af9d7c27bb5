"""What the pipeline expects of its neighbours: who asks, whether they may, what admission says, which documents exist.

Each may answer at once or with an awaitable; what is answered at once costs no task.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.request import AdmissionRequest, RequestInfo, User


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go on. `reason` stands at the end of the refusal."""

    allowed: bool
    reason: str = ""


class Authenticator(Protocol):
    def identify(
        self, authorization: str, peer: Mapping[str, Any] | None = None, peer_der: bytes | None = None
    ) -> User | None:
        """Who the client certificate or the Authorization header shows; None when there is neither.

        Raises:
            Unauthorized: credentials are there and wrong.
        """
        ...


class Authorizer(Protocol):
    def authorize(self, user: User, info: RequestInfo) -> Decision | Awaitable[Decision]: ...


class Admission(Protocol):
    async def mutate(self, request: AdmissionRequest) -> None:
        """Change `request.object` in place.

        Raises:
            StatusError: the write is refused.
        """
        ...

    async def validate(self, request: AdmissionRequest) -> None:
        """Refuse what must not be stored.

        Raises:
            StatusError.
        """
        ...


class Documents(Protocol):
    """Everything that is no resource: discovery, OpenAPI, version, health, metrics."""

    def answer(self, request: Request, info: RequestInfo, user: User) -> Answer | Awaitable[Answer] | None:
        """The answer, None when there is no such path."""
        ...


class AllowAll:
    """Authorizes everything: for tests that are about something else."""

    def authorize(self, user: User, info: RequestInfo) -> Decision:  # noqa: ARG002
        return Decision(allowed=True)


class NoAdmission:
    """Admits everything unchanged: for tests that are about something else."""

    async def mutate(self, request: AdmissionRequest) -> None: ...

    async def validate(self, request: AdmissionRequest) -> None: ...
