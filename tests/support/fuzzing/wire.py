"""HTTP as bytes, from the other side: what a server that is being fuzzed sends back, and how long it took."""

import asyncio
import gzip
from dataclasses import dataclass

WATCH_SECONDS = 0.05
"""A growing answer is read for this long; then its connection is closed."""
ANSWER_SECONDS = 20.0
"""A server that is silent for longer hangs."""
READ_BYTES = 1 << 20
READ_LIMIT_BYTES = 64 << 20


class Hung(AssertionError):
    """No answer in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `status` 0 when the server closed the connection instead."""

    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool
    """The body came to its end; otherwise it is a stream that goes on."""


CLOSED = Reply(0, {}, b"", ended=True)


class Wire:
    """One connection at a time to `port`; opens another when the server or a stream ended the last one."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=READ_LIMIT_BYTES)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Reply:
        """The answer to one request.

        Raises:
            Hung.
        """
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {self._token}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
        for last in (False, True):
            reader, writer = await self._open()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    writer.write(data)
                    reply = await self.receive(reader, head_only=method == "HEAD")
            except TimeoutError:
                self.close()
                raise Hung(f"no answer within {ANSWER_SECONDS} s") from None
            except ConnectionError:
                reply = CLOSED
            if reply.status == 101 or not reply.ended or reply.headers.get("connection") == "close" or not reply.status:
                self.close()
            if reply.status or last:
                return reply
            # An idle connection may have been closed while the request was on its way: once more on a fresh one.
        raise AssertionError("the second attempt returns")

    @staticmethod
    async def receive(reader: asyncio.StreamReader, *, head_only: bool = False) -> Reply:
        """Read one answer."""
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise ValueError(f"the answer breaks off in its head: {error.partial[:200]!r}") from None
                return CLOSED
            status = int(head[0].split(" ")[1])
            if status != 100:
                break
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        if status == 101:
            return Reply(status, headers, b"", ended=False)
        if head_only or status in {204, 304}:
            return Reply(status, headers, b"", ended=True)
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            return Reply(status, headers, body, ended=True)
        return await _chunked(reader, status, headers)


async def _chunked(reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> Reply:
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(WATCH_SECONDS):
            while size := int(await reader.readuntil(b"\r\n"), 16):
                parts.append(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readexactly(2)
    except TimeoutError:
        return Reply(status, headers, b"".join(parts), ended=False)
    return Reply(status, headers, b"".join(parts), ended=True)
