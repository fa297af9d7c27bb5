"""HTTP/1.1 on a socket: bytes become a `Request`, an `Answer` becomes bytes.

An answer that needs no waiting (reads from the watch cache) is written within `data_received`; everything else runs
as one task per request, owned by its connection. Requests of one connection are answered one after the other.

    reading ── head, body ──► answering ──► reading …
                                  │
                                  └── Hijack ──► tunnel (raw bytes until either side closes)

Follows: RFC 9112; apiserver pkg/server/filters/timeout.go for what happens to a request that outlives its client.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import unquote

import httptools

from pybernetes.apiserver.http.message import Answer, Chunk, Connection, Hijack, Request, Response, Streaming
from pybernetes.machinery.errors import BadRequest, RequestEntityTooLarge, StatusError

log = logging.getLogger("pybernetes.apiserver.http")

MAX_BODY_BYTES = 3 * 1024 * 1024
"""Follows: apiserver pkg/server/config.go, MaxRequestBodyBytes."""
MAX_HEAD_BYTES = 1024 * 1024
"""Follows: net/http DefaultMaxHeaderBytes."""
MAX_QUEUED_REQUESTS = 16
"""Requests sent ahead of their answers before reading stops; arbitrary, no known client sends any."""
WRITE_HIGH_WATER_BYTES = 1024 * 1024
JOINED_BYTES = 16 * 1024
"""Smaller parts of a large answer are joined before they are written."""
SLICE_BYTES = 256 * 1024
"""A large answer is written in slices of about this size, other connections get their turn in between."""
LINGER_SECONDS = 0.5
"""After a refusal the rest of the request is read and dropped for this long: closing at once would reset the
connection, and the refusal could be lost with it. Follows: net/http server.go, rstAvoidanceDelay."""
MAX_STREAMED_CHUNKS = 16
"""Received but unread pieces of a streamed body before reading stops."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Application(Protocol):
    """The pipeline, as a connection sees it."""

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """The answer, at once where nothing has to be waited for. Never raises StatusError."""
        ...

    def failure(self, request: Request, error: StatusError) -> Response:
        """The answer to a request that did not reach the pipeline."""
        ...

    def wants_streamed_body(self, method: str, path: str) -> bool:
        """The body is passed on while it arrives, whatever its size."""
        ...


def head(
    status: int, content_type: str, headers: Any, length: int | None, *, close: bool = False, lines_made: str = ""
) -> bytes:
    """Status line and headers of an answer; without `length` the body is framed in chunks.

    `lines_made` are headers that somebody has written out already.
    """
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n", lines_made]
    if content_type:
        lines.append(f"Content-Type: {content_type}\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in headers)
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    elif status != 101:
        lines.append("Transfer-Encoding: chunked\r\n")
    if close:
        lines.append("Connection: close\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("utf-8", "replace")


class StreamedBody:
    """A request body on its way through. Holds at most MAX_STREAMED_CHUNKS pieces."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._arrived = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._arrived.set()
        if len(self._chunks) >= MAX_STREAMED_CHUNKS:
            self._transport.pause_reading()

    def end(self) -> None:
        self._ended = True
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._chunks:
                data = self._chunks.popleft()
                if not self._chunks and not self._transport.is_closing():
                    self._transport.resume_reading()
                yield data
            elif self._ended:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()


class SocketStream:
    """The body of a streaming answer on a connection."""

    def __init__(self, protocol: "HttpProtocol", *, chunked: bool) -> None:
        self._protocol = protocol
        self._chunked = chunked
        self.on_resume: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        return self._protocol.lost

    @property
    def paused(self) -> bool:
        return self._protocol.write_paused

    def write(self, chunk: Chunk) -> None:
        if not self._protocol.lost and chunk.data:
            self._protocol.transport.write(chunk.framed if self._chunked else chunk.data)

    async def drain(self) -> None:
        await self._protocol.drain()

    async def wait_closed(self) -> None:
        await self._protocol.wait_lost()


class SocketTunnel:
    """The raw connection after an upgrade."""

    def __init__(self, protocol: "HttpProtocol", body: StreamedBody) -> None:
        self._protocol = protocol
        self._body = body
        self._pieces = aiter(body)

    async def read(self) -> bytes:
        return await anext(self._pieces, b"")

    async def write(self, data: bytes) -> None:
        if not self._protocol.lost:
            self._protocol.transport.write(data)
            await self._protocol.drain()

    def write_eof(self) -> None:
        transport = self._protocol.transport
        if not self._protocol.lost and transport.can_write_eof():
            transport.write_eof()

    def close(self) -> None:
        self._protocol.transport.close()


class HttpProtocol(asyncio.Protocol):
    """One connection. `connections` is the server's register of the living ones."""

    def __init__(self, application: Application, connections: set["HttpProtocol"]) -> None:
        self._application = application
        self._connections = connections
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else happens
        self.connection = Connection()
        self.lost = False
        self.write_paused = False
        self.idle = True
        """No request is being read or answered."""
        self.sweeps_idle = 0
        """How often the server's sweep has found the connection idle in a row."""
        self.sweeps_receiving = 0
        """How often it has found the same request still on its way here."""
        self._parser: Any = None
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        """The task has had its first turn."""
        self._queued: deque[Request] = deque()
        self._stream: SocketStream | None = None
        self._drained: asyncio.Future[None] | None = None
        self._lost_waiters: list[asyncio.Future[None]] = []
        self._tunnel_body: StreamedBody | None = None
        self._body_stream: StreamedBody | None = None
        self._refused = False
        self._refusal: Response | None = None
        """Waits for the answers to earlier requests."""
        self._close_after = False
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = self._unfinished_bytes = 0
        self._reading_head = True
        self._body: list[bytes] = []
        self._body_bytes = 0

    # ── connection ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without being a subclass
        self._connections.add(self)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.connection.peer = peer[0]
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object is not None:
            self.connection.secure = True
            self.connection.certificate = ssl_object.getpeercert() or None
            self.connection.certificate_der = ssl_object.getpeercert(binary_form=True)
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        self.lost = True
        self._connections.discard(self)
        self._queued.clear()
        self.resume_writing()
        for waiter in self._lost_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._lost_waiters.clear()
        for body in (self._tunnel_body, self._body_stream):
            if body is not None:
                body.end()
        if self._task is not None and self._tunnel_body is None and self._begun:
            self._task.cancel()
        self._parser = None

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._stream is not None and self._stream.on_resume is not None:
            self._stream.on_resume()

    async def drain(self) -> None:
        """Return when the peer has caught up or is gone."""
        if self.write_paused and not self.lost:
            if self._drained is None or self._drained.done():
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    async def wait_lost(self) -> None:
        if not self.lost:
            waiter = asyncio.get_running_loop().create_future()
            self._lost_waiters.append(waiter)
            await waiter

    def close(self) -> None:
        """End the connection and the request on it."""
        if not self.lost:
            self.transport.abort()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The request being answered."""
        return self._task

    # ── reading ──

    def data_received(self, data: bytes) -> None:
        self.sweeps_idle = 0
        if self._tunnel_body is not None:
            self._tunnel_body.feed(data)
            return
        if self._refused or self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The parser stops at the end of the head; what follows already belongs to the new protocol.
            rest = data[upgrade.args[0] :]
            self._tunnel_body = StreamedBody(self.transport)
            if rest:
                self._tunnel_body.feed(rest)
        except httptools.HttpParserError as error:
            if not self._refused:
                self._refuse(400, f"malformed HTTP request: {error}")
        if self._reading_head:
            # The parser shows a header when it is complete; one that never is must not fill its memory.
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > MAX_HEAD_BYTES:
                self._refuse_large_head()

    def eof_received(self) -> bool:
        if self._tunnel_body is not None:
            self._tunnel_body.end()
            return not self.connection.secure  # TLS has no half-close
        if self._task is None or self._stream is not None or self._body_stream is not None:
            return False
        # Nothing more will be asked; what was asked is still answered.
        self._close_after = True
        return not self.connection.secure

    def on_message_begin(self) -> None:
        self.idle = False
        self._url = b""
        self._headers = {}
        self._head_bytes = self._unfinished_bytes = 0
        self._reading_head = True
        self._body = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_large_head()
            return
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "replace")
        present = self._headers.get(key)
        self._headers[key] = text if present is None else f"{present}\0{text}"

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._unfinished_bytes = 0
        if "host" not in self._headers and self._parser.get_http_version() == "1.1":
            self._refuse(400, "malformed HTTP request: missing required Host header")
            return
        length = self._headers.get("content-length", "")
        if "expect" in self._headers and not self._expects(length):
            return
        method = self._parser.get_method().decode("latin-1")
        path = self._url.partition(b"?")[0].decode("latin-1")
        if self._application.wants_streamed_body(method, path) and not self._parser.should_upgrade():
            if length not in {"", "0"} or "transfer-encoding" in self._headers:
                self._body_stream = StreamedBody(self.transport)
                self._begin(self._request(b"", self._body_stream))
        elif _above_limit(length):
            self._refuse_large()

    def on_body(self, body: bytes) -> None:
        if self._body_stream is not None:
            self._body_stream.feed(body)
            return
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse_large()
        else:
            self._body.append(body)

    def _expects(self, length: str) -> bool:
        """Ask for the body if the client waits for that; False when the request was refused."""
        if self._headers["expect"].lower() != "100-continue":
            self._refuse(417, "the expectation of the request cannot be met")
            return False
        if not _above_limit(length) and self._task is None:
            self.transport.write(_CONTINUE)
        return True

    def on_message_complete(self) -> None:
        self._reading_head = True
        self.sweeps_receiving = 0
        if self._refused:
            return
        if self._body_stream is not None:
            self._body_stream.end()
            self._body_stream = None
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._begin(self._request(body, None))

    def _request(self, body: bytes, reader: StreamedBody | None) -> Request:
        raw_path, _, query = self._url.decode("latin-1").partition("?")
        if raw_path.startswith(("http://", "https://")):  # absolute form, as sent to a proxy
            raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
        if self._parser.should_upgrade() or not self._parser.should_keep_alive():
            self._close_after = True  # also when an upgrade is refused: the parser stops at the end of that head
        path = unquote(raw_path) if "%" in raw_path else raw_path
        return Request(
            self._parser.get_method().decode("latin-1"),
            path,
            query,
            self._headers,
            body,
            self.connection,
            raw_path,
            reader,
        )

    @property
    def _closing(self) -> bool:
        """The answer being written is the last one."""
        return self._close_after and not self._queued

    def _refuse_large(self) -> None:
        self._refuse(413, f"Request entity too large: limit is {MAX_BODY_BYTES}")

    def _refuse(self, code: int, message: str) -> None:
        """Answer a request that cannot be read further, and close."""
        if self._refused:
            return
        self._refused = True
        error = RequestEntityTooLarge(message) if code == 413 else BadRequest(message, code=code)
        request = Request("", self._url.decode("latin-1"), connection=self.connection)
        self._refusal = self._application.failure(request, error)
        if self._task is None:
            self._write_refusal()

    def _refuse_large_head(self) -> None:
        self._refuse(431, f"Request Header Fields Too Large: limit is {MAX_HEAD_BYTES}")

    def _write_refusal(self) -> None:
        if self.lost or self._refusal is None:
            return
        answer, self._refusal = self._refusal, None
        body = answer.data
        self.transport.write(head(answer.status, answer.content_type, answer.headers, len(body), close=True) + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    # ── answering ──

    def _begin(self, request: Request) -> None:
        if self._task is not None:
            self._queued.append(request)
            if len(self._queued) >= MAX_QUEUED_REQUESTS:
                self.transport.pause_reading()
            return
        answer = self._application.answer(request)
        if isinstance(answer, Response) and (type(answer.body) is bytes and len(answer.body) <= SLICE_BYTES):
            self._write(answer, head_only=request.method == "HEAD")
            self.idle = True
            return
        self._begun = False
        self._task = asyncio.create_task(self._finish(request, answer), name=f"http/{request.method} {request.path}")

    async def _finish(self, request: Request, answer: Answer | Awaitable[Answer]) -> None:
        self._begun = True
        if self.lost and self._task is not None and self._tunnel_body is None:
            # A coroutine that never began could not clean up what the pipeline holds for it.
            self._task.cancel()
        try:
            if not isinstance(answer, Response | Streaming | Hijack):
                answer = await answer
            match answer:
                case Response():
                    await self._write_sliced(answer, head_only=request.method == "HEAD")
                case Streaming() if request.method == "HEAD":
                    self._write_head(answer)
                    if self._closing and not self.lost:
                        self.transport.close()
                case Streaming():
                    await self._run_stream(answer)
                case Hijack():
                    await self._run_tunnel(answer)
        except asyncio.CancelledError:
            if not self.lost:
                self.transport.abort()
            raise
        except Exception:
            # The head may be out already: a broken connection is the only honest answer left.
            log.exception("request failed while answering method=%s path=%s", request.method, request.path)
            self.close()
        finally:
            self._task = None
            self._stream = None
        self._next()

    def _next(self) -> None:
        self.idle = True
        while self._queued and self._task is None and not self.lost:
            self.idle = False
            self._begin(self._queued.popleft())
        if not self._queued and not self.lost and self._tunnel_body is None:
            self.transport.resume_reading()
        if self._refused and self._task is None and not self._queued:
            self._write_refusal()

    def _write(self, answer: Response, *, head_only: bool = False) -> None:
        if self.lost:
            return
        body = answer.data
        opening = head(
            answer.status,
            answer.content_type,
            answer.headers,
            len(body),
            close=self._closing,
            lines_made=answer.header_lines,
        )
        self.transport.write(opening if head_only else opening + body)
        if self._closing:
            self.transport.close()

    async def _write_sliced(self, answer: Response, *, head_only: bool) -> None:
        parts = [answer.body] if isinstance(answer.body, bytes) else answer.body
        length = sum(map(len, parts))
        if length <= SLICE_BYTES or head_only:
            self._write(answer, head_only=head_only)
            return
        opening = head(
            answer.status,
            answer.content_type,
            answer.headers,
            length,
            close=self._closing,
            lines_made=answer.header_lines,
        )
        self.transport.write(opening)
        for piece in slices(parts):
            if self.lost:
                return
            self.transport.write(piece)
            await yield_to_others()
            await self.drain()
        if self._closing and not self.lost:
            self.transport.close()

    def _write_head(self, answer: Streaming) -> None:
        if not self.lost:
            self.transport.write(
                head(
                    answer.status,
                    answer.content_type,
                    answer.headers,
                    answer.content_length,
                    close=self._closing,
                    lines_made=answer.header_lines,
                )
            )

    async def _run_stream(self, answer: Streaming) -> None:
        chunked = answer.content_length is None
        stream = self._stream = SocketStream(self, chunked=chunked)
        self._write_head(answer)
        await answer.run(stream)
        if not self.lost:
            if chunked:
                self.transport.write(b"0\r\n\r\n")
            if self._closing:
                self.transport.close()

    async def _run_tunnel(self, answer: Hijack) -> None:
        if self._tunnel_body is None:  # nothing but the head has arrived in the parser's view
            self._tunnel_body = StreamedBody(self.transport)
        tunnel = SocketTunnel(self, self._tunnel_body)
        try:
            await answer.run(tunnel)
        finally:
            if not self.lost:
                self.transport.close()


def _above_limit(length: str) -> bool:
    return length.isdigit() and (len(length) > 18 or int(length) > MAX_BODY_BYTES)


def slices(parts: Any) -> Any:
    """The parts in pieces of at most SLICE_BYTES: small ones joined, large ones as they are, larger ones cut."""
    batch: list[bytes] = []
    size = 0
    for part in parts:
        if len(part) < JOINED_BYTES:
            batch.append(part)
            size += len(part)
            if size >= SLICE_BYTES - JOINED_BYTES:
                yield b"".join(batch)
                batch, size = [], 0
            continue
        if batch:
            yield b"".join(batch)
            batch, size = [], 0
        if len(part) <= SLICE_BYTES:
            yield part
            continue
        for start in range(0, len(part), SLICE_BYTES):
            yield part[start : start + SLICE_BYTES]
    if batch:
        yield b"".join(batch)


async def yield_to_others() -> None:
    """Give every other ready callback of the loop one turn."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn
