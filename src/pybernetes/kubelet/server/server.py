"""The paths of the kubelet's server, and who answers them.

    /healthz  /pods  /runningpods/  /stats/summary  /metrics  /metrics/resource  /metrics/cadvisor
    /containerLogs/NS/POD/CONTAINER
    /exec/NS/POD[/UID]/CONTAINER   /attach/…   /run/…   /portForward/NS/POD[/UID]

Follows: kubernetes pkg/kubelet/server/server.go.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pybernetes.api import core_v1
from pybernetes.api.object import encode
from pybernetes.effects import Clock
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.cri.errors import RuntimeFailure, RuntimeTimeout
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.server import lookup, metrics, stats
from pybernetes.kubelet.server.access import Access
from pybernetes.kubelet.server.container_logs import ContainerLogs
from pybernetes.kubelet.server.http import JSON, Exchange, HttpServer, Request
from pybernetes.kubelet.server.streaming import Streaming
from pybernetes.machinery.errors import BadRequest, InternalError, MethodNotSupported, NotFound

log = logging.getLogger("pybernetes.kubelet.server")

RUN_TIMEOUT_SECONDS = 120


class KubeletServer:
    """One node's server. `access` of None lets everybody do everything, which only tests on loopback want."""

    def __init__(
        self,
        pods: Callable[[], Sequence[core_v1.Pod]],
        runtime: RuntimeService,
        cgroups: CgroupManager,
        clock: Clock,
        access: Access | None,
        *,
        node_name: str,
        root: Path,
        healthy: Callable[[], str] = lambda: "",
    ) -> None:
        """`pods` gives all pods of the node with their newest status; `healthy` says what is wrong, or nothing."""
        self._pods = pods
        self._runtime = runtime
        self._clock = clock
        self._access = access
        self._node_name = node_name
        self._root = root
        self._healthy = healthy
        self._logs = ContainerLogs(pods, runtime, clock)
        self._streaming = Streaming(pods, runtime)
        self._readings = stats.Readings(pods, cgroups, clock)
        self._http = HttpServer(self._handle)

    @property
    def port(self) -> int:
        return self._http.port

    async def start(self, address: str, port: int, context: ssl.SSLContext | None) -> None:
        """Listen on `address`; port 0 takes any. Raises: OSError."""
        await self._http.start(address, port, context)
        log.info("listening address=%s port=%d", address, self.port)

    async def stop(self) -> None:
        await self._http.stop()

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        if self._access is not None:
            await self._access.check(request)
        match [part for part in request.path.split("/") if part]:
            case ["containerLogs", namespace, pod, container]:
                _only(request, "GET")
                await self._logs.serve(request, exchange, namespace, pod, container)
            case ["exec" | "attach" | "run" as verb, namespace, pod, *uid, container] if len(uid) <= 1:
                found = lookup.find_pod(self._pods, namespace, pod, uid[0] if uid else "")
                if verb == "exec":
                    await self._streaming.exec(request, exchange, found, container)
                elif verb == "attach":
                    await self._streaming.attach(request, exchange, found, container)
                else:
                    await self._run(request, exchange, found, container)
            case ["portForward", namespace, pod, *uid] if len(uid) <= 1:
                found = lookup.find_pod(self._pods, namespace, pod, uid[0] if uid else "")
                await self._streaming.port_forward(request, exchange, found)
            case path:
                await self._document(request, exchange, "/".join(path))

    async def _document(self, request: Request, exchange: Exchange, path: str) -> None:
        """Everything that is read whole."""
        _only(request, "GET", "HEAD")
        match path:
            case "healthz" | "healthz/ping" | "healthz/log" | "healthz/syncloop":
                problem = self._healthy()
                await exchange.respond(500 if problem else 200, (problem or "ok").encode())
            case "pods":
                await exchange.respond(200, _pod_list(self._pods()), JSON)
            case "runningpods":
                running = [pod for pod in self._pods() if pod.status.phase == "Running"]
                await exchange.respond(200, _pod_list(running), JSON)
            case "stats/summary" | "stats":
                usage = await asyncio.to_thread(self._readings.read)
                document = stats.summary(usage, self._readings, self._node_name, self._root, self._clock.now())
                await exchange.respond(200, msgspec.json.encode(document), JSON)
            case "metrics":
                families = metrics.kubelet_families(self._pods(), self._node_name)
                await exchange.respond(200, metrics.text(families), metrics.CONTENT_TYPE)
            case "metrics/resource" | "metrics/cadvisor":
                usage = await asyncio.to_thread(self._readings.read)
                make = metrics.resource_families if path.endswith("resource") else metrics.cadvisor_families
                body = metrics.text(make(usage), self._clock.now())
                await exchange.respond(200, body, metrics.CONTENT_TYPE)
            case "metrics/probes":
                await exchange.respond(200, b"", metrics.CONTENT_TYPE)
            case _:
                raise NotFound("404 page not found\n")

    async def _run(self, request: Request, exchange: Exchange, pod: core_v1.Pod, container: str) -> None:
        _only(request, "POST")
        command = request.first("cmd").split(" ")
        if command == [""]:
            raise BadRequest("parameter cmd is missing")
        container_id = await lookup.running_container(self._runtime, pod, container)
        try:
            result = await self._runtime.exec_sync(container_id, command, RUN_TIMEOUT_SECONDS)
        except RuntimeTimeout as error:
            raise InternalError(f"the command ran longer than {RUN_TIMEOUT_SECONDS} s and was killed") from error
        except RuntimeFailure as error:
            raise InternalError(str(error)) from error
        await exchange.respond(200 if result.exit_code == 0 else 500, result.stdout + result.stderr)


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotSupported(f"405: Method Not Allowed: use {' or '.join(methods)}")


def _pod_list(pods: Sequence[core_v1.Pod]) -> bytes:
    items = b",".join(encode(pod) for pod in pods)
    return b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[' + items + b"]}"
