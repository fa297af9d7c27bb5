"""Groups and versions that another server answers for: which they are, and the way there.

    GET /apis/metrics.k8s.io/v1beta1/nodes     client → authenticate, authorize → here → a ready endpoint of the Service

The server behind learns who asks from `X-Remote-*` headers and believes them because of our certificate; what the
client sent under these names, and its credentials, end here.

Follows: kube-aggregator pkg/apiserver/handler_proxy.go; apiserver pkg/server/options, requestheader.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pybernetes.api.registry import Resource
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.request import ObjectReader, User
from pybernetes.apiserver.resources.upstream import Target, Upstream, answer_of, open_upstream, passed_headers
from pybernetes.apiserver.webhooks.targets import Location, Unresolvable, resolve
from pybernetes.effects import Chance
from pybernetes.machinery.errors import ServiceUnavailable

USER_HEADER, UID_HEADER = "X-Remote-User", "X-Remote-Uid"
GROUP_HEADER, EXTRA_PREFIX = "X-Remote-Group", "X-Remote-Extra-"
OWN: Final = User("system:kube-aggregator", groups=("system:masters",))
"""Who asks when we ask for ourselves."""
TEXT: Final = "text/plain; charset=utf-8"
MAX_CONTEXTS: Final = 64
"""Different CA bundles whose parsed form is kept; arbitrary."""
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Of a document asked for ourselves: discovery, OpenAPI."""
DOCUMENT_SECONDS: Final = 5.0
"""Follows: remote_available_controller.go, the client's timeout."""
_OPENAPI: Final = "/openapi/v3/apis/"


@dataclass(frozen=True, slots=True)
class Remote:
    """One APIService with a Service behind it, and what its server was last heard to say."""

    name: str
    group: str
    version: str
    location: Location
    insecure: bool
    priorities: tuple[int, int]
    available: bool = False
    resources: tuple[Resource, ...] = ()
    openapi: str = ""
    """Where its OpenAPI v3 document is, with the hash; empty when it has none."""


class Remotes:
    """All of them, by group and version."""

    def __init__(self, config: Config, reader: ObjectReader, chance: Chance) -> None:
        self.rows: dict[tuple[str, str], Remote] = {}
        self.generation = 0
        """Grows with every change, for caches of what is served."""
        self._config = config
        self._reader = reader
        self._chance = chance
        self._contexts: dict[tuple[bytes, bool], ssl.SSLContext] = {}

    def put(self, remote: Remote) -> None:
        if self.rows.get((remote.group, remote.version)) != remote:
            self.rows[remote.group, remote.version] = remote
            self.generation += 1

    def drop(self, group: str, version: str) -> None:
        if self.rows.pop((group, version), None) is not None:
            self.generation += 1

    def claims(self, path: str) -> Remote | None:
        """Whose business a path is; None when it is our own."""
        parts = (path[len("/openapi/v3") :] if path.startswith(_OPENAPI) else path).split("/", 4)
        if len(parts) < 4 or parts[1] != "apis":
            return None
        return self.rows.get((parts[2], parts[3]))

    def target(self, remote: Remote, path: str) -> Target:
        """A ready endpoint, and how to know it.

        Raises:
            Unresolvable.
        """
        host, port = resolve(remote.location, self._reader, self._chance)
        return Target(host, port, path, self._context(remote), remote.location.server_name)

    def _context(self, remote: Remote) -> ssl.SSLContext:
        key = (remote.location.ca_bundle, remote.insecure)
        found = self._contexts.get(key)
        if found is None:
            try:
                data = remote.location.ca_bundle.decode("ascii")
                found = ssl.create_default_context(cadata=data or None)
            except (ssl.SSLError, UnicodeDecodeError, ValueError):
                raise Unresolvable("unable to load root certificates: unable to parse bytes as PEM block") from None
            if remote.insecure:
                found.check_hostname = False
                found.verify_mode = ssl.CERT_NONE
            if self._config.proxy_client_certificate:
                found.load_cert_chain(self._config.proxy_client_certificate, self._config.proxy_client_key)
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = found
        return found

    async def forward(self, remote: Remote, request: Request, user: User) -> Answer:
        """The answer of the server behind; 503 while it is not available."""
        if not remote.available:
            return unavailable("service unavailable")
        path = f"{request.raw_path}?{request.query_text}" if request.query_text else request.raw_path
        try:
            target = self.target(remote, path)
        except Unresolvable:
            return unavailable("service unavailable")
        upgrade = "upgrade" in request.headers
        headers = [
            (name, value)
            for name, value in passed_headers(request.headers, upgrade=upgrade)
            if not name.lower().startswith("x-remote-")
        ]
        headers += user_headers(user)
        if request.connection.peer:
            headers.append(("X-Forwarded-For", request.connection.peer))
        try:
            return answer_of(
                await open_upstream(target, request.method, headers, request.body, request.reader),
                bodiless=request.method == "HEAD",
            )
        except ServiceUnavailable as error:
            return unavailable(str(error))

    async def document(self, remote: Remote, path: str) -> bytes:
        """The body at `path`, asked for ourselves.

        Raises:
            ServiceUnavailable, Unresolvable: there is none; the text says why.
        """
        headers = [("Accept", "application/json"), *user_headers(OWN)]
        upstream: Upstream | None = None
        try:
            async with asyncio.timeout(DOCUMENT_SECONDS):
                upstream = await open_upstream(self.target(remote, path), "GET", headers)
                found = bytearray()
                async for piece in upstream.body():
                    found += piece
                    if len(found) > MAX_DOCUMENT_BYTES:
                        raise ServiceUnavailable(f"the answer is larger than {MAX_DOCUMENT_BYTES} bytes")
        except TimeoutError:
            raise ServiceUnavailable("context deadline exceeded") from None
        except OSError as error:
            raise ServiceUnavailable(str(error)) from None
        finally:
            if upstream is not None:
                with contextlib.suppress(OSError):
                    upstream.close()
        if not 200 <= upstream.status < 300:
            raise ServiceUnavailable(f"bad status from https://{target_text(remote)}{path}: {upstream.status}")
        return bytes(found)


def target_text(remote: Remote) -> str:
    return remote.location.authority


def unavailable(text: str) -> Response:
    """A refusal as plain text: nobody knows the group's own error documents."""
    return Response(text.encode() + b"\n", 503, TEXT, (("X-Content-Type-Options", "nosniff"),))


def user_headers(user: User) -> list[tuple[str, str]]:
    """Who asks, for a server that believes us. Follows: client-go transport, SetAuthProxyHeaders."""
    headers = [(USER_HEADER, user.name)]
    if user.uid:
        headers.append((UID_HEADER, user.uid))
    headers += [(GROUP_HEADER, group) for group in user.groups]
    for key, values in user.extra.items():
        name = EXTRA_PREFIX + quote(key, safe="!#$&'*+-.^_`|~")
        headers += [(name, value) for value in values]
    return [(name, value.replace("\r", " ").replace("\n", " ")) for name, value in headers]
