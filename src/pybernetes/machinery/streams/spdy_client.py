"""The asking side of a SPDY connection: opens streams, sends on them, and hears what comes back."""

import asyncio
import struct
from collections import deque
from collections.abc import Sequence

from pybernetes.machinery.streams import spdy
from pybernetes.machinery.streams.duplex import Duplex, StreamClosed

MAX_QUEUED_CHUNKS = 16
"""Chunks of one stream that wait for their reader before reading from the connection stops."""


class SpdyStream:
    """One stream. `read` answers b"" at the end, which the other side may also make by resetting the stream."""

    def __init__(self, client: "SpdyClient", number: int) -> None:
        self._client = client
        self.number = number
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Condition()
        self._ended = False
        self._sent_last = False

    async def read(self) -> bytes:
        async with self._changed:
            await self._changed.wait_for(lambda: self._chunks or self._ended)
            if not self._chunks:
                return b""
            data = self._chunks.popleft()
            self._changed.notify_all()
            return data

    async def put(self, data: bytes) -> None:
        """What arrived; returns when there is room for more. Called by the client alone."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._chunks) < MAX_QUEUED_CHUNKS or self._ended)
            if not self._ended:
                self._chunks.append(data)
                self._changed.notify_all()

    async def end(self) -> None:
        """Nothing more comes. Called by the client alone."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Send; with `last` nothing more follows. Raises: StreamClosed."""
        if not self._sent_last:
            self._sent_last = last
            await self._client.send(spdy.data_frames(self.number, data, last=last))


class SpdyClient:
    """Streams over `connection`; `run` reads it until it ends."""

    def __init__(self, connection: Duplex) -> None:
        self._connection = connection
        self._encoder = spdy.Encoder()
        self._decoder = spdy.Decoder()
        self._streams: dict[int, SpdyStream] = {}
        self._next = 1

    async def open(self, headers: Sequence[tuple[str, str]], *, last: bool = False) -> SpdyStream:
        """A new stream; with `last` nothing will be sent on it. Raises: StreamClosed."""
        stream = SpdyStream(self, self._next)
        self._next += 2
        self._streams[stream.number] = stream
        await self.send(self._encoder.syn_stream(stream.number, headers, last=last))
        return stream

    async def send(self, data: bytes) -> None:
        """Write frames. Raises: StreamClosed."""
        if data:
            await self._connection.write(data)

    async def run(self) -> None:
        """Hand out what comes until the connection ends; then every stream has ended."""
        try:
            while data := await self._connection.read():
                for frame in self._decoder.feed(data):
                    await self._take(frame)
        except spdy.SpdyError as error:
            raise StreamClosed(str(error)) from error
        finally:
            for stream in list(self._streams.values()):
                await stream.end()
            self._streams.clear()

    async def _take(self, frame: spdy.Frame) -> None:
        stream = self._streams.get(frame.stream)
        if isinstance(frame, spdy.Data):
            if stream is not None and frame.data:
                await stream.put(frame.data)
        elif frame.type == spdy.PING and len(frame.body) == 4:
            number = struct.unpack(">I", frame.body)[0]
            if not number % 2:  # the server's pings are even; odd ones answer ours
                await self.send(spdy.ping(number))
        ended = frame.last or (isinstance(frame, spdy.Control) and frame.type == spdy.RST_STREAM)
        if ended and stream is not None:
            del self._streams[frame.stream]
            await stream.end()

    def close(self) -> None:
        self._connection.close()
