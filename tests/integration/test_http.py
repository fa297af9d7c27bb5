"""HTTP itself, byte by byte over TLS: what no client library shows."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator

import orjson
import pytest

from integration.conftest import Served

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def connection(api_server: Served) -> AsyncIterator[Connection]:
    context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
    context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", api_server.server.port, ssl=context)
    async with asyncio.timeout(20):
        yield reader, writer
    writer.close()


async def send(connection: Connection, method: str, path: str, body: bytes = b"", *headers: str) -> None:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    connection[1].write("\r\n".join([*lines, "", ""]).encode() + body)


async def receive(connection: Connection) -> tuple[int, dict[str, str], bytes]:
    reader = connection[0]
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else b""
    return int(head[0].split()[1]), headers, body


def config_map(name: str, size: int = 1) -> bytes:
    return orjson.dumps({"metadata": {"name": name}, "data": {"x": "y" * size}})


async def test_many_requests_share_a_connection_also_when_sent_at_once(connection: Connection) -> None:
    for name in ("a", "b", "c"):
        await send(connection, "POST", MAPS, config_map(name), "Content-Type: application/json")
    await send(connection, "GET", MAPS)
    for _ in range(3):
        assert (await receive(connection))[0] == 201
    status, headers, body = await receive(connection)
    assert status == 200
    assert [item["metadata"]["name"] for item in orjson.loads(body)["items"]] == ["a", "b", "c"]
    assert headers["cache-control"] == "no-cache, private"
    assert headers["audit-id"]


async def test_a_body_too_large_is_413(connection: Connection) -> None:
    await send(connection, "POST", MAPS, b"")
    await receive(connection)
    connection[1].write(f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n".encode())
    status, _, body = await receive(connection)
    assert status == 413
    assert orjson.loads(body)["reason"] == "RequestEntityTooLarge"


async def test_nonsense_is_400_and_the_end(connection: Connection) -> None:
    connection[1].write(b"HELLO\r\n\r\n")
    assert (await receive(connection))[0] == 400
    assert await connection[0].read() == b""


async def test_head_has_the_length_but_no_body(connection: Connection) -> None:
    await send(connection, "HEAD", MAPS)
    head = (await connection[0].readuntil(b"\r\n\r\n")).decode()
    assert "200 OK" in head
    await send(connection, "GET", "/healthz")
    assert (await receive(connection))[2] == b"ok"


async def test_large_answers_are_compressed_when_accepted(connection: Connection) -> None:
    for name in ("a", "b"):
        await send(connection, "POST", MAPS, config_map(name, 100_000), "Content-Type: application/json")
        await receive(connection)
    for expected in (2, 2, 3):  # compressed, taken from what was kept, and compressed anew after a change
        if expected == 3:
            await send(connection, "POST", MAPS, config_map("c", 10), "Content-Type: application/json")
            await receive(connection)
        await send(connection, "GET", MAPS, b"", "Accept-Encoding: gzip")
        _, headers, body = await receive(connection)
        assert headers["content-encoding"] == "gzip"
        assert len(body) < 10_000
        assert len(orjson.loads(gzip.decompress(body))["items"]) == expected


async def test_a_very_large_list_arrives_whole(connection: Connection) -> None:
    for number in range(40):
        await send(connection, "POST", MAPS, config_map(f"m{number:02}", 50_000), "Content-Type: application/json")
        assert (await receive(connection))[0] == 201
    await send(connection, "GET", MAPS)
    _, _, body = await receive(connection)
    assert len(orjson.loads(body)["items"]) == 40


async def test_a_watch_is_chunked_and_ends_cleanly(connection: Connection) -> None:
    await send(connection, "GET", f"{MAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true")
    head = (await connection[0].readuntil(b"\r\n\r\n")).decode()
    assert "Transfer-Encoding: chunked" in head
    rest = await connection[0].readuntil(b"0\r\n\r\n")
    assert rest.endswith(b"0\r\n\r\n")
    await send(connection, "GET", "/healthz")
    assert (await receive(connection))[0] == 200


async def test_yaml_goes_in_and_comes_out(connection: Connection) -> None:
    body = b"metadata:\n  name: a\ndata:\n  x: 'yes'\n"
    await send(connection, "POST", MAPS, body, "Content-Type: application/yaml", "Accept: application/yaml")
    status, headers, answer = await receive(connection)
    assert status == 201
    assert headers["content-type"] == "application/yaml"
    assert b"kind: ConfigMap" in answer
