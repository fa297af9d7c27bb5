"""One GET on a connection of its own, at a third of the cost of a client library: a node makes hundreds a second.

The answer's certificate is not checked, nothing is kept or followed, and the body is read up to a limit.

Follows: kubernetes pkg/probe/http/http.go.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

MAX_BODY_BYTES = 10 * 1024
MAX_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str
    body: bytes


class BadAnswer(Exception):
    """What came back is not HTTP."""


def _unchecked_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def get(url: str, headers: Mapping[str, str]) -> Answer:
    """The answer to GET `url`; the caller limits the time.

    Raises:
        OSError: no connection, or it broke before an answer.
        BadAnswer: the other side does not speak HTTP.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    host = next((value for name, value in headers.items() if name.lower() == "host"), parts.netloc)
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value and name.lower() != "host"]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Exchange(request, done),
        parts.hostname or "",
        port,
        ssl=_unchecked_context() if secure else None,
    )
    try:
        return await done
    finally:
        transport.abort()


class _Exchange(asyncio.Protocol):
    """Writes the request, collects the answer into `done`. The parser calls the `on_` methods."""

    def __init__(self, request: bytes, done: asyncio.Future[Answer]) -> None:
        self._request = request
        self._done = done
        self._parser = httptools.HttpResponseParser(self)
        self._location = ""
        self._body = b""
        self._read = 0
        self._has_head = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # of TCP connections it is a WriteTransport

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(BadAnswer(f"malformed HTTP response: {error}"))
            return
        if not self._has_head and self._read > MAX_HEAD_BYTES:
            self._fail(BadAnswer("the response's headers are too large"))
        elif len(self._body) >= MAX_BODY_BYTES:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_head:
            self._finish()
        else:
            self._fail(exc or ConnectionAbortedError("EOF"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        if len(self._body) < MAX_BODY_BYTES:
            self._body += body

    def on_message_complete(self) -> None:
        if self._has_head:
            self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(Answer(self._parser.get_status_code(), self._location, self._body[:MAX_BODY_BYTES]))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
