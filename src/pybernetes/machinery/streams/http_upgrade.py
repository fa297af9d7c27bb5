"""Asking an HTTP server to speak another protocol on the connection."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pybernetes.machinery.streams.duplex import SocketDuplex, StreamClosed, close_writer

MAX_HEAD_BYTES = 64 * 1024
MAX_ERROR_BODY_BYTES = 64 * 1024


class UpgradeRefused(Exception):
    """The server answered with something else than 101; `code` and the body's text say what."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the server refused to switch protocols: {code} {text}")
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Upgraded:
    head: bytes
    """Status line and headers of the answer, with the empty line."""
    connection: SocketDuplex


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to where a plain `http://` URL points.

    Raises:
        StreamClosed: nobody answers there.
    """
    parts = urlsplit(url)
    try:
        return await asyncio.open_connection(parts.hostname, parts.port or 80, limit=MAX_HEAD_BYTES)
    except OSError as error:
        raise StreamClosed(f"cannot connect to {parts.hostname}:{parts.port}: {error}") from error


def request_head(method: str, url: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of a request for `url`, its Host included."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def upgrade(method: str, url: str, headers: Sequence[tuple[str, str]]) -> Upgraded:
    """The connection after the server agreed.

    Raises:
        UpgradeRefused: it did not.
        StreamClosed: it went away.
    """
    reader, writer = await connect(url)
    try:
        writer.write(request_head(method, url, headers))
        head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        await close_writer(writer)
        raise StreamClosed(f"no answer to the upgrade: {error}") from error
    except BaseException:
        writer.close()
        raise
    status = head.split(b"\r\n", 1)[0].split(b" ", 2)
    code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
    if code != 101:
        body = await reader.read(MAX_ERROR_BODY_BYTES)
        await close_writer(writer)
        raise UpgradeRefused(code, body.decode(errors="replace").strip())
    return Upgraded(head, SocketDuplex(reader, writer))
