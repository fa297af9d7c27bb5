"""A connection from the API server to somebody it speaks for: a kubelet, a pod, the pods of a Service.

    open_upstream     connect, send one request, read the head of the answer
    answer_of         that answer as one of ours: a stream of bytes, or a tunnel when both sides upgrade

HTTP/1.1, one connection per request: what is proxied is rare and long, and the tunnel needs the raw connection.

Follows: apimachinery pkg/util/proxy/upgradeaware.go.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httptools

from pybernetes.apiserver.http.message import Answer, BodyReader, Chunk, Hijack, Response, Stream, Streaming, Tunnel
from pybernetes.machinery.errors import ServiceUnavailable

CONNECT_SECONDS = 10.0
HEAD_SECONDS = 30.0
"""How long the other side may take until its answer begins."""
READ_BYTES = 64 * 1024
MAX_ERROR_BYTES = 64 * 1024
"""Of the text of a refusal that is passed on."""

HOP_HEADERS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "host",
    }
)
"""Headers about one connection; they are not passed on."""
PRIVATE_HEADERS = ("authorization", "impersonate-")
"""Headers for the API server alone: whoever stands behind it must not see credentials."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    host: str
    port: int
    path: str
    """With the query, as it is sent."""
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Head:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    ended: bool = False
    body: list[bytes] = field(default_factory=list)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.complete = True

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.ended = True


class Upstream:
    """One request under way. `status` and `headers` are those of the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._head = _Head()
        self._parser: Any = httptools.HttpResponseParser(self._head)
        self._sender: asyncio.Task[None] | None = None
        self.rest = b""
        """Bytes of the new protocol that came with the head of an upgrade."""

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def headers(self) -> Headers:
        return self._head.headers

    @property
    def upgraded(self) -> bool:
        return self.status == 101

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    async def send(self, head: bytes, body: bytes, source: BodyReader | None) -> None:
        self._writer.write(head + body)
        await self._writer.drain()
        if source is not None:
            self._sender = asyncio.create_task(self._send_body(source), name="apiserver/upstream-body")

    async def _send_body(self, source: BodyReader) -> None:
        async for piece in source:
            self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._writer.drain()
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def read_head(self) -> None:
        """Read until the answer's body begins.

        Raises:
            ServiceUnavailable: the other side hung up, or speaks no HTTP.
        """
        while not self._head.complete:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ServiceUnavailable("the server behind the proxy closed the connection without an answer")
            self._feed(data)
        self._head.status = self._head.status or self._parser.get_status_code()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._head.status = 101
            self.rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            raise ServiceUnavailable(f"the server behind the proxy does not speak HTTP: {error}") from None

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes."""
        head = self._head
        while True:
            pieces, head.body = head.body, []
            for piece in pieces:
                yield piece
            if head.ended:
                return
            data = await self._reader.read(READ_BYTES)
            if not data:
                return
            self._feed(data)

    async def whole_body(self, limit: int) -> bytes | None:
        """The whole body; None when it is larger than `limit` bytes: then `body` begins with what was read."""
        found: list[bytes] = []
        size = 0
        async for piece in self.body():
            found.append(piece)
            size += len(piece)
            if size > limit:
                self._head.body = [*found, *self._head.body]
                return None
        return b"".join(found)

    async def text(self) -> str:
        """The whole body of a refusal, cut at MAX_ERROR_BYTES."""
        found = b""
        async for piece in self.body():
            found += piece
            if len(found) > MAX_ERROR_BYTES:
                break
        return found[:MAX_ERROR_BYTES].decode("utf-8", "replace")

    async def tunnel(self, tunnel: Tunnel) -> None:
        """Carry bytes both ways until both directions have ended."""
        if self.rest:
            await tunnel.write(self.rest)

        async def out() -> None:
            while data := await tunnel.read():
                self._writer.write(data)
                await self._writer.drain()
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                self.close()

        async def back() -> None:
            while data := await self._reader.read(READ_BYTES):
                await tunnel.write(data)
            # The far end has said all it will: whatever the client still sends has no reader.
            tunnel.close()

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(out(), name="apiserver/tunnel-out")
                tasks.create_task(back(), name="apiserver/tunnel-back")
        except* (OSError, ssl.SSLError):
            pass  # either end is gone: that is how tunnels end
        finally:
            self.close()

    def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
        with contextlib.suppress(RuntimeError):
            self._writer.close()


async def open_upstream(
    target: Target, method: str, headers: Headers, body: bytes = b"", source: BodyReader | None = None
) -> Upstream:
    """Connect, send the request, and read the head of the answer.

    Raises:
        ServiceUnavailable: nobody answers there.
    """
    unreachable = f"error trying to reach service: dial tcp {target.host}:{target.port}"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                target.host,
                target.port,
                ssl=target.tls,
                server_hostname=(target.server_name or target.host) if target.tls is not None else None,
            )
    except TimeoutError:
        raise ServiceUnavailable(f"{unreachable}: i/o timeout") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise ServiceUnavailable(f"{unreachable}: connect: {why.lower()}") from None
    upstream = Upstream(reader, writer)
    try:
        await upstream.send(_request_head(target, method, headers, len(body), chunked=source is not None), body, source)
        async with asyncio.timeout(HEAD_SECONDS):
            await upstream.read_head()
    except TimeoutError:
        upstream.close()
        raise ServiceUnavailable("error trying to reach service: the answer did not begin in time") from None
    except OSError as error:
        upstream.close()
        raise ServiceUnavailable(f"error trying to reach service: {error}") from None
    except BaseException:
        upstream.close()
        raise
    return upstream


def _request_head(target: Target, method: str, headers: Headers, length: int, *, chunked: bool) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1\r\n", f"Host: {target.authority}\r\n"]
    names = {name.lower() for name, _ in headers}
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked\r\n")
    elif length or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {length}\r\n")
    if "connection" not in names:
        lines.append("Connection: close\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1", "replace")


def passed_headers(headers: dict[str, str], *, upgrade: bool) -> list[tuple[str, str]]:
    """A client's headers for the server behind: nothing about this connection, no credentials."""
    found = [
        (name, value)
        for name, joined in headers.items()
        if name not in HOP_HEADERS and not name.startswith(PRIVATE_HEADERS)
        for value in joined.split("\0")
    ]
    if upgrade:
        found += [("Connection", "Upgrade"), ("Upgrade", headers.get("upgrade", ""))]
    return found


def answer_of(upstream: Upstream, *, location: str = "", bodiless: bool = False) -> Answer:
    """The answer of the server behind as ours. `location` replaces the one of a redirect, where it is given.

    `bodiless` says that it was asked with HEAD: there is a length, and nothing of that length.
    """
    if upstream.upgraded:
        return Hijack(lambda tunnel: _run_tunnel(upstream, tunnel))
    headers = [
        (name, value)
        for name, value in upstream.headers
        if name.lower() not in HOP_HEADERS and name.lower() not in {"content-type", "audit-id"}
    ]
    if location:
        headers = [(name, value) for name, value in headers if name.lower() != "location"]
        headers.append(("Location", location))
    if bodiless or upstream.status in {204, 304}:
        upstream.close()
        return Response(b"", upstream.status, upstream.header("content-type"), headers)
    length = upstream.header("content-length")
    return Streaming(
        lambda stream: _copy(upstream, stream),
        status=upstream.status,
        content_type=upstream.header("content-type"),
        headers=headers,
        content_length=int(length) if length.isdigit() else None,
    )


async def _copy(upstream: Upstream, stream: Stream) -> None:
    try:
        async for piece in upstream.body():
            stream.write(Chunk(piece))
            await stream.drain()
    finally:
        upstream.close()


async def _run_tunnel(upstream: Upstream, tunnel: Tunnel) -> None:
    lines = ["HTTP/1.1 101 Switching Protocols\r\n", *(f"{name}: {value}\r\n" for name, value in upstream.headers)]
    await tunnel.write("".join([*lines, "\r\n"]).encode("latin-1"))
    await upstream.tunnel(tunnel)
