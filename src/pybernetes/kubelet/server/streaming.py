"""exec, attach and port-forward: between a client and the streams the container runtime offers.

The runtime gives a URL that speaks SPDY/3.1 and old WebSocket protocols. Clients come in three ways:

1. SPDY (old kubectl, an upstream API server): the request is passed on, then bytes are copied both ways.
2. WebSocket with command channels (kubectl, Python client): ended here and translated to SPDY, because the runtime
   does not know v5, whose half-close `kubectl exec -i` and `cp` need.
3. WebSocket carrying SPDY (kubectl port-forward): unwrapped; the SPDY inside goes to the runtime as it is.

Follows: kubernetes pkg/kubelet/server/server.go; cri-streaming; KEP-4006.
"""

import logging
from collections.abc import Callable, Sequence

from pybernetes.api import core_v1
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.server import lookup
from pybernetes.kubelet.server.http import Exchange, Request
from pybernetes.machinery.errors import BadRequest, InternalError
from pybernetes.machinery.streams import remote_command
from pybernetes.machinery.streams.duplex import SocketDuplex, StreamClosed, splice
from pybernetes.machinery.streams.http_upgrade import UpgradeRefused, upgrade
from pybernetes.machinery.streams.remote_command import ChannelSocket, Wanted
from pybernetes.machinery.streams.spdy_client import SpdyClient
from pybernetes.machinery.streams.websocket import WebSocket, WebSocketBytes, accept_head

log = logging.getLogger("pybernetes.kubelet.server")

SPDY = "SPDY/3.1"
PORT_FORWARD = "portforward.k8s.io"
TUNNEL = f"{SPDY}+{PORT_FORWARD}"
"""The WebSocket subprotocol that carries SPDY."""

_NOT_PASSED_ON = frozenset({"host", "content-length", "authorization", "origin", "x-forwarded-for", "user-agent"})


def upgrade_kind(request: Request) -> str:
    """`spdy` or `websocket`. Raises: BadRequest when the client asks for neither."""
    wanted = request.headers.get("upgrade", "").lower()
    if wanted.startswith("spdy/"):
        return "spdy"
    if wanted == "websocket":
        return "websocket"
    raise BadRequest("unable to upgrade: missing upgrade headers in request: ask for SPDY/3.1 or websocket")


def offered(request: Request, header: str) -> list[str]:
    return [name.strip() for name in request.headers.get(header, "").split(",") if name.strip()]


def wanted_streams(request: Request) -> Wanted:
    """Which streams the parameters name, by their names here (`input`) or at the API server (`stdin`).

    Raises:
        BadRequest: none.
    """
    wanted = Wanted(
        stdin=request.flag("input") or request.flag("stdin"),
        stdout=request.flag("output") or request.flag("stdout"),
        stderr=request.flag("error") or request.flag("stderr"),
        tty=request.flag("tty"),
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if wanted.tty and wanted.stderr:  # a terminal has one output
        wanted = Wanted(wanted.stdin, wanted.stdout, stderr=False, tty=True)
    return wanted


class Streaming:
    """Answers requests that become streams."""

    def __init__(self, pods: Callable[[], Sequence[core_v1.Pod]], runtime: RuntimeService) -> None:
        self._pods, self._runtime = pods, runtime

    async def exec(self, request: Request, exchange: Exchange, pod: core_v1.Pod, container: str) -> None:
        """Run a command in a container. Raises: StatusError."""
        upgrade_kind(request)
        wanted = wanted_streams(request)
        command = list(request.query.get("command", ()))
        if not command:
            raise BadRequest("you must specify a command to run: parameter command is missing")
        container_id = await lookup.running_container(self._runtime, pod, container)
        try:
            url = await self._runtime.exec(
                container_id,
                command,
                stdin=wanted.stdin,
                stdout=wanted.stdout,
                stderr=wanted.stderr,
                tty=wanted.tty,
            )
        except RuntimeFailure as error:
            raise InternalError(str(error)) from error
        await self._command(request, exchange, url, wanted)

    async def attach(self, request: Request, exchange: Exchange, pod: core_v1.Pod, container: str) -> None:
        """Join the streams of a container's first process. Raises: StatusError."""
        upgrade_kind(request)
        wanted = wanted_streams(request)
        container_id = await lookup.running_container(self._runtime, pod, container)
        try:
            url = await self._runtime.attach(
                container_id, stdin=wanted.stdin, stdout=wanted.stdout, stderr=wanted.stderr, tty=wanted.tty
            )
        except RuntimeFailure as error:
            raise InternalError(str(error)) from error
        await self._command(request, exchange, url, wanted)

    async def port_forward(self, request: Request, exchange: Exchange, pod: core_v1.Pod) -> None:
        """Carry connections to ports of the pod. Raises: StatusError."""
        kind = upgrade_kind(request)
        ports = [int(text) for text in ",".join(request.query.get("port", ())).split(",") if text.isdigit()]
        sandbox = await lookup.ready_sandbox(self._runtime, pod)
        try:
            url = await self._runtime.port_forward(sandbox, ports)
        except RuntimeFailure as error:
            raise InternalError(str(error)) from error
        if kind == "websocket" and TUNNEL in offered(request, "sec-websocket-protocol"):
            await self._tunnel(request, exchange, url)
        else:
            await self._pass_on(request, exchange, url)

    async def _command(self, request: Request, exchange: Exchange, url: str, wanted: Wanted) -> None:
        if upgrade_kind(request) == "spdy":
            await self._pass_on(request, exchange, url)
            return
        protocol = remote_command.chosen_protocol(offered(request, "sec-websocket-protocol"))
        if protocol is None:
            raise BadRequest(
                "unable to upgrade: none of the requested subprotocols is known: "
                f"speak one of {', '.join(remote_command.WEBSOCKET_PROTOCOLS)}"
            )
        runtime = await self._spdy(url, remote_command.SPDY_PROTOCOL)
        client = exchange.hijack()
        socket = ChannelSocket(WebSocket(client), protocol)
        try:
            await client.write(accept_head(request.headers.get("sec-websocket-key", ""), protocol))
            await remote_command.translate(socket, SpdyClient(runtime), wanted)
        except StreamClosed as error:
            log.debug("stream ended early path=%s error=%s", request.path, error)
        finally:
            client.close()
            await runtime.wait_closed()

    async def _spdy(self, url: str, protocol: str) -> SocketDuplex:
        """A SPDY connection to the runtime. Raises: InternalError."""
        headers = [("Connection", "Upgrade"), ("Upgrade", SPDY), ("X-Stream-Protocol-Version", protocol)]
        try:
            upgraded = await upgrade("POST", url, [*headers, ("Content-Length", "0")])
        except (UpgradeRefused, StreamClosed) as error:
            raise InternalError(f"unable to upgrade connection: {error}") from error
        return upgraded.connection

    async def _pass_on(self, request: Request, exchange: Exchange, url: str) -> None:
        """Ask the runtime what the client asked, and copy bytes both ways if it agrees."""
        headers = [
            (name, part.strip())
            for name, value in request.headers.items()
            if name not in _NOT_PASSED_ON
            # Old runtimes read one protocol per header line.
            for part in (value.split(",") if name == "x-stream-protocol-version" else [value])
        ]
        if request.method != "GET":
            headers.append(("content-length", "0"))
        try:
            upgraded = await upgrade(request.method, url, headers)
        except UpgradeRefused as error:
            raise InternalError(f"unable to upgrade connection: {error.text}", code=error.code or 500) from error
        except StreamClosed as error:
            raise InternalError(f"unable to upgrade connection: {error}") from error
        client = exchange.hijack()
        try:
            await client.write(upgraded.head)
            await splice(client, upgraded.connection)
        finally:
            await upgraded.connection.wait_closed()

    async def _tunnel(self, request: Request, exchange: Exchange, url: str) -> None:
        runtime = await self._spdy(url, PORT_FORWARD)
        client = exchange.hijack()
        socket = WebSocket(client)
        try:
            await client.write(accept_head(request.headers.get("sec-websocket-key", ""), TUNNEL))
            await splice(WebSocketBytes(socket), runtime)
        except StreamClosed as error:
            log.debug("tunnel ended early path=%s error=%s", request.path, error)
        finally:
            await socket.close()
            client.close()
            await runtime.wait_closed()
