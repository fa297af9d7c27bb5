"""HTTP as no client library sends it, on real sockets: each gets a clear Status, and no other connection suffers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.http import protocol
from pybernetes.apiserver.interfaces import NoAdmission
from pybernetes.apiserver.server import IDLE_SWEEP_SECONDS, RECEIVING_SWEEPS, ApiServer, Parts
from pybernetes.effects import Chance, Ids, VirtualClock
from pybernetes.storage.memory import open_memory

Json = dict[str, Any]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
MAPS = "/api/v1/namespaces/default/configmaps"
AUTH = "Authorization: Bearer secret\r\n"


@asynccontextmanager
async def listening(tmp_path: Any) -> AsyncIterator[tuple[ApiServer, VirtualClock]]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('secret,admin,admin,"system:masters"\n')
    clock, chance = VirtualClock(), Chance(1)
    storage = open_memory(clock)
    parts = Parts(clock=clock, chance=chance, ids=Ids(chance), admission=NoAdmission())
    server = ApiServer(Config(port=0, token_auth_file=str(tokens)), storage, parts)
    await server.load()
    await server.listen()
    try:
        async with asyncio.timeout(30):
            yield server, clock
    finally:
        await server.stop()
        await storage.close()


@pytest.fixture
async def served(tmp_path: Any) -> AsyncIterator[ApiServer]:
    async with listening(tmp_path) as (server, _):
        yield server


async def connect(server: ApiServer) -> Streams:
    return await asyncio.open_connection("127.0.0.1", server.port, limit=8 << 20)


async def receive(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def exchange(server: ApiServer, data: bytes) -> tuple[int, Json]:
    """Status and document of the first answer to raw bytes."""
    reader, writer = await connect(server)
    writer.write(data)
    status, _, body = await receive(reader)
    writer.close()
    return status, orjson.loads(body)


def request(method: str, target: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", "Host: x", "Authorization: Bearer secret", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(name: str, *headers: str) -> bytes:
    body = orjson.dumps({"metadata": {"name": name}})
    return request("POST", MAPS, f"Content-Length: {len(body)}", *headers) + body


def assert_failure(document: Json, code: int, reason: str, text: str) -> None:
    assert (document["kind"], document["status"], document["code"]) == ("Status", "Failure", code)
    assert document["reason"] == reason
    assert text in document["message"]


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"HELLO\r\n\r\n", 400, "malformed HTTP request"),
        (b"GET / HTTP/3.7\r\n\r\n", 400, "malformed HTTP request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed HTTP request"),
        (b"GET /version HTTP/1.1\r\n\r\n", 400, "missing required Host header"),
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed HTTP request"),
        (request("POST", MAPS, "Content-Length: -1"), 400, "malformed HTTP request"),
        (request("POST", MAPS, "Content-Length: 5", "Content-Length: 6"), 400, "malformed HTTP request"),
        (request("POST", MAPS, "Content-Length: 5", "Transfer-Encoding: chunked"), 400, "malformed HTTP request"),
        (request("POST", MAPS, "Transfer-Encoding: chunked") + b"zz\r\n", 400, "malformed HTTP request"),
        (request("POST", MAPS, "Transfer-Encoding: chunked") + b"f" * 40 + b"\r\n", 400, "malformed HTTP request"),
        (request("POST", MAPS, "X: a\x00b"), 400, "malformed HTTP request"),
        (request("POST", MAPS, "Expect: miracles", "Content-Length: 0"), 417, "expectation"),
    ],
)
async def test_what_is_not_http_is_answered(served: ApiServer, data: bytes, code: int, text: str) -> None:
    status, document = await exchange(served, data)
    assert status == code
    assert_failure(document, code, "BadRequest", text)


@pytest.mark.parametrize(
    "part",
    [
        b"GET /" + b"x" * 2_000_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2_000_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 400_000,
    ],
    ids=["target", "one header without end", "many headers"],
)
async def test_a_head_that_never_ends_is_431_and_is_not_kept(served: ApiServer, part: bytes) -> None:
    status, document = await exchange(served, part)
    assert status == 431
    assert_failure(document, 431, "BadRequest", f"limit is {protocol.MAX_HEAD_BYTES}")


@pytest.mark.parametrize(
    "framing", ["Content-Length: 4000000", "Transfer-Encoding: chunked", f"Content-Length: {'9' * 19}"]
)
async def test_a_body_too_large_is_413_and_the_answer_arrives_although_it_is_still_being_sent(
    served: ApiServer, framing: str
) -> None:
    reader, writer = await connect(served)
    writer.write(request("POST", MAPS, framing))
    piece = b"x" * 65536
    for _ in range(61):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if "chunked" in framing else piece)
        await asyncio.sleep(0)  # noqa: TID251 - lets the socket work
    status, headers, body = await receive(reader)
    assert status == 413
    assert headers["connection"] == "close"
    assert_failure(orjson.loads(body), 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    writer.close()


async def test_a_large_body_is_refused_before_it_is_asked_for(served: ApiServer) -> None:
    data = request("POST", MAPS, "Content-Length: 4000000", "Expect: 100-continue")
    status, _ = await exchange(served, data)
    assert status == 413


async def test_a_body_is_asked_for_when_the_client_waits(served: ApiServer) -> None:
    reader, writer = await connect(served)
    body = orjson.dumps({"metadata": {"name": "a"}})
    writer.write(request("POST", MAPS, f"Content-Length: {len(body)}", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await receive(reader))[0] == 201
    writer.close()


async def test_http_1_0_is_answered_and_closed(served: ApiServer) -> None:
    reader, writer = await connect(served)
    writer.write(b"GET /version HTTP/1.0\r\n" + AUTH.encode() + b"\r\n")
    status, headers, _ = await receive(reader)
    assert (status, headers["connection"]) == (200, "close")
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PURGE", "PROPFIND"])
async def test_strange_methods_are_answered(served: ApiServer, method: str) -> None:
    status, document = await exchange(served, request(method, MAPS))
    assert status == 405
    assert_failure(document, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


async def test_the_asterisk_form_is_answered(served: ApiServer) -> None:
    status, document = await exchange(served, request("OPTIONS", "*"))
    assert_failure(document, status, document["reason"], document["message"])
    assert status in {404, 405}


@pytest.mark.parametrize(
    ("segment", "code", "text"),
    [
        ("%2e%2e", 400, "Name parameter invalid: \"..\": may not be '..'"),
        ("..", 400, "Name parameter invalid: \"..\": may not be '..'"),
        ("%2E", 400, "Name parameter invalid: \".\": may not be '.'"),
        ("a%25b", 400, "Name parameter invalid: \"a%b\": may not contain '%'"),
        ("%00", 404, "not found"),
        ("%ff", 404, "not found"),
    ],
)
async def test_names_that_would_leave_their_place_name_nothing(
    served: ApiServer, segment: str, code: int, text: str
) -> None:
    status, document = await exchange(served, request("GET", f"{MAPS}/{segment}"))
    assert status == code
    assert text in document["message"]


async def test_a_half_closed_connection_still_gets_its_answers(served: ApiServer) -> None:
    reader, writer = await connect(served)
    writer.write(post("a") + post("b"))
    writer.write_eof()
    assert (await receive(reader))[0] == 201
    status, headers, _ = await receive(reader)
    assert (status, headers["connection"]) == (201, "close")
    assert await reader.read() == b""
    writer.close()


async def test_requests_before_one_that_closes_are_answered_first(served: ApiServer) -> None:
    reader, writer = await connect(served)
    writer.write(post("a") + request("GET", "/version", "Connection: close"))
    first, second = await receive(reader), await receive(reader)
    assert (first[0], first[1].get("connection")) == (201, None)
    assert (second[0], second[1]["connection"]) == (200, "close")
    writer.close()


async def test_a_refusal_waits_for_the_answers_before_it(served: ApiServer) -> None:
    reader, writer = await connect(served)
    writer.write(post("a") + b"nonsense\r\n\r\n")
    assert (await receive(reader))[0] == 201
    assert (await receive(reader))[0] == 400
    assert await reader.read() == b""
    writer.close()


async def test_the_head_of_a_watch_is_its_whole_answer_to_head(served: ApiServer) -> None:
    reader, writer = await connect(served)
    writer.write(request("HEAD", f"{MAPS}?watch=true") + request("GET", "/version"))
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    assert (await receive(reader))[0] == 200
    writer.close()


async def test_a_request_that_does_not_arrive_loses_its_connection(tmp_path: Any) -> None:
    async with listening(tmp_path) as (server, clock):
        slow, writer = await connect(server)
        writer.write(b"GET /version HTTP/1.1\r\nHost:")
        working, other = await connect(server)
        for _ in range(RECEIVING_SWEEPS + 1):
            other.write(request("GET", "/version"))
            assert (await receive(working))[0] == 200
            await clock.advance(IDLE_SWEEP_SECONDS)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await slow.readexactly(1)
        writer.close()
        other.close()


async def test_warnings_are_utf_8_and_hold_no_control_characters(served: ApiServer) -> None:
    body = orjson.dumps({"metadata": {"name": "a"}, "schlüssel\u0007": 1})
    reader, writer = await connect(served)
    writer.write(request("POST", MAPS, f"Content-Length: {len(body)}") + body)
    _, headers, _ = await receive(reader)
    assert headers["warning"] == '299 - "unknown field \\"schlüssel \\""'
    writer.close()


@pytest.mark.parametrize("body", [b'{"preconditions": 5}', b'{"gracePeriodSeconds": "x"}', b"[]"])
async def test_options_of_the_wrong_shape_are_400(served: ApiServer, body: bytes) -> None:
    status, document = await exchange(served, request("DELETE", f"{MAPS}/a", f"Content-Length: {len(body)}") + body)
    assert status == 400
    assert_failure(document, 400, "BadRequest", "DeleteOptions" if body != b"[]" else "unrecognized")
