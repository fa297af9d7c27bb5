"""A raw connection, as the protocols here need one, over asyncio's streams or anything with these four methods."""

import asyncio
from typing import Protocol

READ_BYTES = 64 * 1024
CLOSE_SECONDS = 5.0
"""How long a peer may take to accept the end of a connection."""


class StreamClosed(Exception):
    """The peer is gone, or broke the protocol; nothing more comes or can be sent."""


class Duplex(Protocol):
    """Bytes both ways. `read` answers b"" at the end; `write` returns when there is room for more."""

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None:
        """Nothing more will be written; does nothing where the transport cannot say so (TLS)."""
        ...

    def close(self) -> None: ...


class SocketDuplex:
    """A connection of asyncio's streams; `rest` was read already."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes = b"") -> None:
        self._reader, self._writer, self._rest = reader, writer, rest

    async def read(self) -> bytes:
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        try:
            return await self._reader.read(READ_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise StreamClosed(str(error)) from error

    def write_eof(self) -> None:
        if not self._writer.is_closing() and self._writer.can_write_eof():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    async def wait_closed(self) -> None:
        """Close, and return when what was written is on its way; a peer that does not take it is cut off."""
        await close_writer(self._writer)


async def close_writer(writer: asyncio.StreamWriter) -> None:
    """The connection is closed, in the end by force."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def pump(source: Duplex, sink: Duplex) -> None:
    """Carry bytes one way until they end, then say so."""
    try:
        while data := await source.read():
            await sink.write(data)
    except StreamClosed:
        sink.close()
    else:
        sink.write_eof()


async def splice(one: Duplex, other: Duplex) -> None:
    """Carry bytes both ways until `other`, the answering side, has ended, or both have; then close both.

    The asking side may end first and still wait for the answer.
    """
    forth = asyncio.ensure_future(pump(one, other))
    back = asyncio.ensure_future(pump(other, one))
    try:
        await back
    finally:
        for task in (forth, back):
            task.cancel()
        await asyncio.gather(forth, back, return_exceptions=True)
        one.close()
        other.close()
