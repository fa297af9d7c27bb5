"""One attempt of a probe: exec, httpGet, tcpSocket or grpc.

Follows: kubernetes pkg/probe/{exec,http,tcp,grpc}; pkg/kubelet/prober/prober.go.
"""

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin, urlsplit

import grpc
import grpc.aio

from pybernetes.api import core_v1
from pybernetes.api.scalars import IntOrString
from pybernetes.kubelet.cri.errors import RuntimeFailure, RuntimeTimeout
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.probes.http_get import BadAnswer, get

MAX_OUTPUT_BYTES = 10 * 1024
MAX_REDIRECTS = 10
USER_AGENT = "kube-probe/1.36"


class Result(StrEnum):
    """In the words of messages."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    output: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a probe goes."""

    container_id: str
    pod_ip: str
    ports: Mapping[str, int]
    """Named ports of the container."""


class ProbeError(Exception):
    """The probe itself could not be made; the text goes into the event."""


def port_number(port: IntOrString, ports: Mapping[str, int]) -> int:
    """The number behind a port number or name.

    Raises:
        ProbeError: no such name, or no such port.
    """
    number = port if isinstance(port, int) else ports.get(port)
    if number is None:
        try:
            number = int(port)
        except ValueError:
            raise ProbeError(f"couldn't find port: {port}") from None
    if not 0 < number < 65536:
        raise ProbeError(f"invalid port number: {number}")
    return number


class Probers:
    """Runs probes. Their time limits are the event loop's, because networks do not keep virtual time."""

    def __init__(self, runtime: RuntimeService) -> None:
        self._runtime = runtime

    async def run(self, probe: core_v1.Probe, target: Target) -> Outcome:
        """What one attempt showed.

        Raises:
            ProbeError: it could not be made.
        """
        timeout = probe.timeoutSeconds or 1
        if probe.exec is not None:
            return await self._exec(probe.exec.command, target, timeout)
        if probe.httpGet is not None:
            return await self._http(probe.httpGet, target, timeout)
        if probe.tcpSocket is not None:
            host = probe.tcpSocket.host or target.pod_ip
            return await self._tcp(host, port_number(probe.tcpSocket.port, target.ports), timeout)
        if probe.grpc is not None:
            return await self._grpc(probe.grpc, target, timeout)
        raise ProbeError("missing probe handler")

    async def _exec(self, command: list[str], target: Target, timeout_seconds: int) -> Outcome:
        try:
            done = await self._runtime.exec_sync(target.container_id, command, timeout_seconds)
        except RuntimeTimeout:
            text = " ".join(shlex.quote(word) for word in command)
            return Outcome(Result.FAILURE, f'command timed out: "{text}" timed out after {timeout_seconds}s')
        except RuntimeFailure as error:
            raise ProbeError(str(error)) from error
        output = (done.stdout + done.stderr)[:MAX_OUTPUT_BYTES].decode(errors="replace")
        return Outcome(Result.SUCCESS if done.exit_code == 0 else Result.FAILURE, output)

    async def _http(self, action: core_v1.HTTPGetAction, target: Target, timeout_seconds: int) -> Outcome:
        url = http_url(action, target)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._get(url, http_headers(action))
        except TimeoutError:
            return Outcome(
                Result.FAILURE,
                f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
            )
        except (OSError, BadAnswer, ValueError) as error:
            return Outcome(Result.FAILURE, f'Get "{url}": {network_error(error, urlsplit(url).netloc)}')

    async def _get(self, url: str, headers: Mapping[str, str]) -> Outcome:
        asked = urlsplit(url).hostname
        for _ in range(MAX_REDIRECTS + 1):
            answer = await get(url, headers)
            if answer.status in (301, 302, 303, 307, 308) and answer.location:
                url = urljoin(url, answer.location)
                if urlsplit(url).hostname == asked:
                    continue
                body = answer.body.decode(errors="replace")
                return Outcome(Result.WARNING, f"Probe terminated redirects, Response body: {body}")
            if 200 <= answer.status < 400:
                return Outcome(Result.SUCCESS, answer.body.decode(errors="replace"))
            return Outcome(Result.FAILURE, f"HTTP probe failed with statuscode: {answer.status}")
        return Outcome(Result.FAILURE, f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')

    async def _tcp(self, host: str, port: int, timeout_seconds: int) -> Outcome:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            async with asyncio.timeout(timeout_seconds):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return Outcome(Result.FAILURE, f"dial tcp {where}: i/o timeout")
        except OSError as error:
            return Outcome(Result.FAILURE, network_error(error, where))
        writer.close()
        return Outcome(Result.SUCCESS)

    async def _grpc(self, action: core_v1.GRPCAction, target: Target, timeout_seconds: int) -> Outcome:
        where = f"{target.pod_ip}:{port_number(action.port, target.ports)}"
        service = (action.service or "").encode()
        request = b"\n" + bytes([len(service)]) + service if service else b""
        channel: Any = grpc.aio.insecure_channel(where, options=[("grpc.primary_user_agent", USER_AGENT)])
        try:
            method = channel.unary_unary("/grpc.health.v1.Health/Check")
            answer: bytes = await method(request, timeout=timeout_seconds, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return Outcome(Result.FAILURE, _grpc_failure(error, where, timeout_seconds))
        finally:
            await channel.close()
        status = answer[1] if len(answer) >= 2 and answer[0] == 0x08 else 0
        if status == 1:
            return Outcome(Result.SUCCESS, "service healthy")
        names = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
        return Outcome(Result.FAILURE, f'service unhealthy (responded with "{names.get(status, status)}")')


def _grpc_failure(error: Any, where: str, timeout_seconds: int) -> str:
    match error.code().name:
        case "UNIMPLEMENTED":
            return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {where}"
        case "DEADLINE_EXCEEDED" | "UNAVAILABLE":
            return f'timeout: failed to connect service "{where}" within {timeout_seconds}s: context deadline exceeded'
        case name:
            return f"error: health rpc probe failed: rpc error: code = {name} desc = {error.details()}"


def http_url(action: core_v1.HTTPGetAction, target: Target) -> str:
    """The address of an httpGet. Raises: ProbeError."""
    scheme = (action.scheme or "HTTP").lower()
    host = action.host or target.pod_ip
    shown = f"[{host}]" if ":" in host else host
    path = action.path or "/"
    return f"{scheme}://{shown}:{port_number(action.port, target.ports)}{path if path.startswith('/') else '/' + path}"


def http_headers(action: core_v1.HTTPGetAction) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    for header in action.httpHeaders:
        headers = {name: value for name, value in headers.items() if name.lower() != header.name.lower()}
        if header.value or header.name.lower() not in ("user-agent", "accept"):
            headers[header.name] = header.value
    return headers


def network_error(error: Exception, where: str) -> str:
    """A failed connection in Go's words, which users search for."""
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {where}: connect: connection refused"
    if isinstance(error, ConnectionAbortedError):
        return "EOF"
    if isinstance(error, ConnectionResetError):
        return f"read tcp {where}: read: connection reset by peer"
    if isinstance(error, OSError) and error.strerror:
        return f"dial tcp {where}: connect: {error.strerror.lower()}"
    return str(error) or type(error).__name__
