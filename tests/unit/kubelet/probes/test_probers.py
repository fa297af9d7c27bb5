"""Probes against servers on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pybernetes.api import core_v1
from pybernetes.effects import VirtualClock
from pybernetes.kubelet.cri.fake import FakeRuntime
from pybernetes.kubelet.probes.probers import Outcome, Probers, Result, Target


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[int]:
    """A port that gives these answers in turn; an empty one hangs up."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0))
        writer.close()

    one = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield one.sockets[0].getsockname()[1]
    finally:
        one.close()
        await one.wait_closed()


async def http(port: int, path: str = "/") -> Outcome:
    probe = core_v1.Probe(httpGet=core_v1.HTTPGetAction(port=port, path=path), timeoutSeconds=5)
    return await Probers(FakeRuntime(VirtualClock())).run(probe, Target("", "127.0.0.1", {}))


def answer(status: str, *headers: str, body: str = "body") -> bytes:
    head = "".join(f"{line}\r\n" for line in headers)
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("200 OK", Outcome(Result.SUCCESS, "body")),
        ("399 Odd", Outcome(Result.SUCCESS, "body")),
        ("404 Not Found", Outcome(Result.FAILURE, "HTTP probe failed with statuscode: 404")),
        ("500 Error", Outcome(Result.FAILURE, "HTTP probe failed with statuscode: 500")),
    ],
)
async def test_the_status_decides(status: str, outcome: Outcome) -> None:
    async with server(answer(status)) as port:
        assert await http(port) == outcome


async def test_redirects_to_the_same_host_are_followed() -> None:
    async with server(answer("302 Found", "Location: /next"), answer("200 OK", body="there")) as port:
        assert await http(port) == Outcome(Result.SUCCESS, "there")


async def test_redirects_elsewhere_are_success_with_a_warning() -> None:
    async with server(answer("302 Found", "Location: http://example.com/")) as port:
        assert await http(port) == Outcome(Result.WARNING, "Probe terminated redirects, Response body: body")


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async with server(b"HTTP/1.0 200 OK\r\n\r\nold style") as port:
        assert await http(port) == Outcome(Result.SUCCESS, "old style")


async def test_nobody_there_is_a_failure_in_gos_words() -> None:
    async with server() as port:
        pass
    outcome = await http(port, "/x")
    where = f"127.0.0.1:{port}"
    assert outcome == Outcome(Result.FAILURE, f'Get "http://{where}/x": dial tcp {where}: connect: connection refused')


async def test_hanging_up_without_an_answer_is_a_failure() -> None:
    async with server(b"") as port:
        assert (await http(port)).output.endswith(": EOF")


async def test_what_is_not_http_is_a_failure() -> None:
    async with server(b"SSH-2.0-OpenSSH\r\n") as port:
        outcome = await http(port)
    assert outcome.result is Result.FAILURE
    assert "malformed HTTP response" in outcome.output


async def test_a_tcp_probe_wants_a_connection() -> None:
    async with server() as port:
        probe = core_v1.Probe(tcpSocket=core_v1.TCPSocketAction(port=port))
        assert (await Probers(FakeRuntime(VirtualClock())).run(probe, Target("", "127.0.0.1", {}))).result == "success"
    outcome = await Probers(FakeRuntime(VirtualClock())).run(probe, Target("", "127.0.0.1", {}))
    assert outcome == Outcome(Result.FAILURE, f"dial tcp 127.0.0.1:{port}: connect: connection refused")
