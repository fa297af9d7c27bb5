"""One request on its way through the pipeline, and the parts of the server every stage may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pybernetes.api.registry import Subresource
from pybernetes.apiserver.aggregation.remotes import Remotes
from pybernetes.apiserver.allocators.services import ServiceAllocator
from pybernetes.apiserver.cache.watch_cache import WatchCache
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.flowcontrol.fairness import Fairness, Flow
from pybernetes.apiserver.flowcontrol.level import Ticket
from pybernetes.apiserver.form_choice import Forms
from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.http.negotiation import Output, negotiate
from pybernetes.apiserver.interfaces import Admission, Authenticator, Authorizer, Documents
from pybernetes.apiserver.metrics import Metrics
from pybernetes.apiserver.request import ANONYMOUS, RequestInfo, User
from pybernetes.apiserver.resources.kubelets import Kubelets
from pybernetes.apiserver.scheme import Scheme, Served
from pybernetes.apiserver.security import Security
from pybernetes.apiserver.store import ObjectStore
from pybernetes.apiserver.watches import Watches
from pybernetes.apiserver.webhooks.client import WebhookClient
from pybernetes.effects import Chance, Clock, Ids


@dataclass(slots=True)
class Core:
    """The parts of one API server. Made by `server.ApiServer`, read by stages and handlers."""

    config: Config
    scheme: Scheme
    store: ObjectStore
    cache: WatchCache
    watches: Watches
    forms: Forms
    metrics: Metrics
    clock: Clock
    chance: Chance
    ids: Ids
    authenticator: Authenticator | None
    authorizer: Authorizer
    admission: Admission
    documents: Documents | None
    kubelets: Kubelets
    security: Security
    allocator: ServiceAllocator
    webhooks: WebhookClient
    remotes: Remotes
    """Groups other servers answer for."""
    fairness: Fairness


@dataclass(slots=True)
class Seat:
    """What a request holds of its priority level while it waits for something; no seats: it is still queued."""

    seats: int = 0
    started: float = 0.0
    """Monotonic seconds."""
    ticket: Ticket | None = None
    """Of requests that were queued."""


@dataclass(slots=True)
class Context:
    """One request. Stages fill it in from top to bottom."""

    core: Core
    request: Request
    info: RequestInfo
    started: float
    """Monotonic seconds."""
    audit_id: str
    user: User = ANONYMOUS
    served: Served | None = None
    subresource: Subresource | None = None
    warnings: list[str] = field(default_factory=list)
    """Become Warning headers."""
    flow: Flow | None = None
    seat: Seat | None = None

    @property
    def resource(self) -> Served:
        """The resource asked for; only where the pipeline has found one."""
        assert self.served is not None
        return self.served

    def output(self, *, streaming: bool = False, tables: bool = True) -> Output:
        """The form the client wants.

        Raises:
            NotAcceptable.
        """
        accept = self.request.headers.get("accept", "")
        if "proto" in accept and self.served is not None and self.served.custom:
            return negotiate(accept, streaming=streaming, tables=tables, binary=False)
        return negotiate(accept, streaming=streaming, tables=tables)

    def query(self, name: str) -> str:
        return self.request.query.get(name, "") if self.request.query_text else ""


Handler = Callable[[Context], Answer | Awaitable[Answer]]
