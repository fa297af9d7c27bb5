"""Paths that are no resource: discovery, health, version, metrics, and what other rooms publish (OpenAPI, keys).

Each source answers with a `Published` document or None; the first that answers wins.
"""

from collections.abc import Callable, Sequence

from pybernetes.apiserver.authn.keys import TokenKeys
from pybernetes.apiserver.discovery import Discovery
from pybernetes.apiserver.flowcontrol import dumps
from pybernetes.apiserver.flowcontrol.fairness import Fairness
from pybernetes.apiserver.health import ENDPOINTS, Health, version_document
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.metrics import Metrics
from pybernetes.apiserver.published import JSON, Published
from pybernetes.apiserver.request import RequestInfo, User
from pybernetes.effects import Clock

JWKS_PATH = "/openid/v1/jwks"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[Request], Published | None]
"""The document at a request's path, None where there is none."""


class NonResourceDocuments:
    """See the module. `sources` are asked in order after the server's own."""

    def __init__(self, discovery: Discovery, health: Health, metrics: Metrics, sources: Sequence[Source] = ()) -> None:
        self._discovery = discovery
        self._health = health
        self._metrics = metrics
        self._sources = list(sources)

    def add(self, source: Source) -> None:
        """Ask `source`, too."""
        self._sources.append(source)

    def answer(self, request: Request, info: RequestInfo, user: User) -> Answer | None:  # noqa: ARG002
        """The document at the path; None when there is none, or for methods that do not read."""
        if request.method not in {"GET", "HEAD"}:
            return None
        path = request.path.rstrip("/") or "/"
        found = self._own(request, path)
        for source in self._sources:
            if found is not None:
                break
            found = source(request)
        return respond(request, found) if found is not None else None

    def _own(self, request: Request, path: str) -> Published | None:
        first = path.split("/")[1]
        if first in {"api", "apis"}:
            return self._discovery.answer(path, request.header("accept"))
        if first in ENDPOINTS:
            return self._health.answer(path, request.query)
        match path:
            case "/version":
                return Published(version_document(), JSON)
            case "/metrics":
                return Published(self._metrics.text().encode(), METRICS_TYPE)
            case _:
                return None


def issuer_documents(keys: TokenKeys, issuer: str) -> Source:
    """What others need to check this server's tokens. Follows: pkg/serviceaccount/openidmetadata.go."""

    def answer(request: Request) -> Published | None:
        match request.path.rstrip("/"):
            case "/.well-known/openid-configuration":
                return Published(keys.configuration(issuer, f"{issuer}{JWKS_PATH}"), JSON)
            case path if path == JWKS_PATH:
                return Published(keys.jwks(), "application/jwk-set+json")
            case _:
                return None

    return answer


def fairness_dumps(fairness: Fairness, clock: Clock) -> Source:
    """Levels, queues and requests of priority and fairness, for operators."""

    def answer(request: Request) -> Published | None:
        path = request.path.rstrip("/")
        if not path.startswith(dumps.ROOT):
            return None
        text = dumps.dump(fairness, clock, path, details="includeRequestDetails" in request.query)
        return Published(text.encode(), "text/plain; charset=utf-8") if text is not None else None

    return answer


def respond(request: Request, document: Published) -> Response:
    """The document as an answer; 304 when the client's copy is this very one."""
    headers = list(document.headers.items())
    if document.etag:
        headers.append(("ETag", document.etag))
        if document.matches(request.header("if-none-match")):
            return Response(b"", 304, "", headers)
    body, encoding = document.encoded(request.header("accept-encoding"))
    if encoding:
        headers += [("Content-Encoding", encoding), ("Vary", "Accept-Encoding")]
    return Response(body, document.status, document.content_type, headers)
