"""A small HTTP/1.1 server on asyncio's streams, made for answers that stream and connections that change protocol.

Only the API server, collectors of metrics and people with curl talk to it, a few requests a second; what it needs is
the raw connection for upgrades and back-pressure everywhere. Parsing is httptools'.

Follows: RFC 9112.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

import httptools

from pybernetes.machinery.errors import StatusError
from pybernetes.machinery.streams.duplex import SocketDuplex, StreamClosed, close_writer

log = logging.getLogger("pybernetes.kubelet.server")

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_CONNECTIONS = 1000
"""Connections at once; further ones are closed. Arbitrary: a person's exec holds one, a collector one."""
IDLE_SECONDS = 300.0
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """Names in lower case; values of repeated headers joined by `, `."""
    body: bytes = b""
    certificate: Mapping[str, object] = field(default_factory=dict)
    """The client's certificate, verified, as `SSLSocket.getpeercert` gives it; empty without one."""

    def first(self, name: str, default: str = "") -> str:
        return next(iter(self.query.get(name, ())), default)

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes. Follows: Go's strconv.ParseBool as the API's conversions use it."""
        return self.first(name).lower() in ("1", "t", "true")


class Exchange:
    """One request's answer: exactly one of `respond`, `stream` or `hijack`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.begun = False
        self.keep = True
        """Whether the connection can serve another request."""

    async def respond(
        self, code: int, body: bytes, content_type: str = TEXT, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """A whole answer. Raises: StreamClosed."""
        self._head(code, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers])
        await self._write(body)

    async def stream(self, code: int, content_type: str) -> None:
        """Begin an answer whose length nobody knows yet; `write` and `finish` follow."""
        self._head(code, [("Content-Type", content_type), ("Transfer-Encoding", "chunked")])
        await self._write(b"")

    async def write(self, data: bytes) -> None:
        """Another piece. Raises: StreamClosed."""
        if data:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data))

    async def finish(self) -> None:
        """The end of a streamed answer. Raises: StreamClosed."""
        await self._write(b"0\r\n\r\n")

    def hijack(self) -> SocketDuplex:
        """The raw connection; nothing was answered yet."""
        self.begun, self.keep = True, False
        return SocketDuplex(self._reader, self._writer)

    async def wait_closed(self) -> None:
        """Until the client is gone. Only during an answer; what the client sends meanwhile is dropped."""
        self.keep = False
        while await self._reader.read(MAX_HEAD_BYTES):
            continue

    def _head(self, code: int, headers: Sequence[tuple[str, str]]) -> None:
        self.begun = True
        lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}", *(f"{name}: {value}" for name, value in headers)]
        if not self.keep:
            lines.append("Connection: close")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))

    async def _write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise StreamClosed(str(error)) from error


Handler = Callable[[Request, Exchange], Awaitable[None]]


class _Head:
    """What the parser reports of one request's head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text


def parse_head(data: bytes) -> tuple[str, str, dict[str, str], bool]:
    """Method, URL, headers, and whether the connection stays open after it.

    Raises:
        ValueError: it is no HTTP.
    """
    head = _Head()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise ValueError(f"malformed HTTP request: {error}") from error
    return (
        parser.get_method().decode("latin-1"),
        head.url.decode("latin-1"),
        head.headers,
        bool(parser.should_keep_alive()),
    )


class HttpServer:
    """Serves `handler` on one address."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, address: str, port: int, context: ssl.SSLContext | None) -> None:
        """Listen. Raises: OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._connected, address, port, ssl=context, limit=MAX_HEAD_BYTES, reuse_address=True
        )

    async def stop(self) -> None:
        """Listen no more, and end every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            log.warning("connection refused reason=%s connections=%d", "too many", len(self._connections))
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="kubelet/server-connection")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                continue
        except (StreamClosed, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.debug("connection ended error=%s", error)
        finally:
            await close_writer(writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        exchange = Exchange(reader, writer)
        exchange.keep = False
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                data = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await exchange.respond(431, b"request headers are too large\n")
            return False
        except asyncio.IncompleteReadError:
            return False  # an idle connection was closed
        try:
            method, url, headers, keep = parse_head(data)
        except ValueError as error:
            await exchange.respond(400, f"{error}\n".encode())
            return False
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            await exchange.respond(413, f"bodies must have a length of at most {MAX_BODY_BYTES} bytes\n".encode())
            return False
        exchange.keep = keep
        body = await reader.readexactly(int(length))
        path, _, query = url.partition("?")
        ssl_object = writer.get_extra_info("ssl_object")
        request = Request(
            method,
            unquote(path),
            parse_qs(query, keep_blank_values=True),
            headers,
            body,
            (ssl_object.getpeercert() or {}) if ssl_object is not None else {},
        )
        await self._answer(request, exchange)
        return exchange.keep

    async def _answer(self, request: Request, exchange: Exchange) -> None:
        try:
            await self._handler(request, exchange)
        except StatusError as error:
            if exchange.begun:
                raise StreamClosed("failed after the answer began") from error
            await exchange.respond(error.http_code, error.message.encode())
        except StreamClosed:
            raise
        except Exception:
            log.exception("request failed method=%s path=%s", request.method, request.path)
            if exchange.begun:
                raise StreamClosed("failed after the answer began") from None
            await exchange.respond(500, b"internal error: see the kubelet's log\n")
