"""Carrying exec and attach between a client's WebSocket and a runtime's SPDY connection.

    WebSocket message              SPDY stream
    0 … stdin       ──────────►    streamtype: stdin
    1 … stdout      ◄──────────    streamtype: stdout
    2 … stderr      ◄──────────    streamtype: stderr
    3 … Status      ◄──────────    streamtype: error
    4 … {"Width":80,"Height":24} ► streamtype: resize
    255 0           ──────────►    FIN of stdin (v5 only)

The first byte (or character, in the base64 protocols) of a message is the channel.

Follows: kubernetes cri-streaming pkg/streaming/remotecommand; KEP-4006.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.machinery.streams.duplex import StreamClosed
from pybernetes.machinery.streams.spdy_client import SpdyClient, SpdyStream
from pybernetes.machinery.streams.websocket import NORMAL_CLOSURE, WebSocket

V5, V4, V4_BASE64 = "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"
V1, V1_BASE64, UNNAMED = "channel.k8s.io", "base64.channel.k8s.io", ""

WEBSOCKET_PROTOCOLS = (V5, V4, V4_BASE64, V1, V1_BASE64)
"""What we speak, the best first."""

SPDY_PROTOCOL = "v4.channel.k8s.io"
"""What we ask of the runtime: exit codes as a Status."""

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams a command has."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


def chosen_protocol(offered: Sequence[str]) -> str | None:
    """The best of the subprotocols a client offers; None when it offers only unknown ones."""
    if not offered:
        return UNNAMED
    return next((protocol for protocol in WEBSOCKET_PROTOCOLS if protocol in offered), None)


class ChannelSocket:
    """Messages by channel, in whichever form the subprotocol has."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._base64 = protocol in (V4_BASE64, V1_BASE64)
        self.status_documents = protocol in (V5, V4, V4_BASE64)
        self.half_close = protocol == V5

    async def read(self) -> tuple[int, bytes] | None:
        """The next message's channel and content; None at the end. Raises: StreamClosed."""
        while True:
            message = await self._socket.read()
            if message is None:
                return None
            if not message:
                continue
            if not self._base64:
                return message[0], message[1:]
            try:
                return message[0] - ord("0"), base64.b64decode(message[1:], validate=True)
            except binascii.Error as error:
                raise StreamClosed("a message is not base64") from error

    async def send(self, channel: int, data: bytes) -> None:
        """Raises: StreamClosed."""
        if self._base64:
            await self._socket.send_text(f"{channel}{base64.b64encode(data).decode()}")
        else:
            await self._socket.send(bytes([channel]) + data)

    async def close(self) -> None:
        await self._socket.close(NORMAL_CLOSURE)


async def translate(socket: ChannelSocket, runtime: SpdyClient, wanted: Wanted) -> None:
    """Carry one command from its start to its end, then close both sides.

    Raises:
        StreamClosed: one side went away in the middle.
    """
    reading = asyncio.create_task(runtime.run(), name="streams/spdy-reader")
    tasks: list[asyncio.Task[Any]] = [reading]
    try:
        # The runtime starts when it has all streams; the error stream comes first, as upstream's client has it.
        error = await runtime.open([("streamtype", "error")], last=True)
        inputs: dict[int, SpdyStream] = {}
        if wanted.stdin:
            inputs[STDIN] = await runtime.open([("streamtype", "stdin")])
        outputs: list[asyncio.Task[None]] = []
        if wanted.stdout:
            stdout = await runtime.open([("streamtype", "stdout")], last=True)
            outputs.append(asyncio.create_task(_outward(stdout, socket, STDOUT), name="streams/stdout"))
        if wanted.stderr and not wanted.tty:
            stderr = await runtime.open([("streamtype", "stderr")], last=True)
            outputs.append(asyncio.create_task(_outward(stderr, socket, STDERR), name="streams/stderr"))
        if wanted.tty:
            inputs[RESIZE] = await runtime.open([("streamtype", "resize")])
        inward = asyncio.create_task(_inward(socket, inputs), name="streams/input")
        status = asyncio.create_task(_collected(error), name="streams/error")
        tasks += [*outputs, inward, status]
        done, _ = await asyncio.wait((inward, status), return_when=asyncio.FIRST_COMPLETED)
        if inward in done and status not in done:
            inward.result()  # a broken client's error, if it was one
            return  # the client is gone: closing the runtime's side ends the command's streams
        await asyncio.gather(*outputs)
        report = _for_client(status.result(), socket)
        if report:
            await socket.send(ERROR, report)
        await socket.close()
    finally:
        runtime.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _outward(stream: SpdyStream, socket: ChannelSocket, channel: int) -> None:
    while data := await stream.read():
        await socket.send(channel, data)


async def _collected(stream: SpdyStream) -> bytes:
    parts = []
    while data := await stream.read():
        parts.append(data)
    return b"".join(parts)


async def _inward(socket: ChannelSocket, inputs: dict[int, SpdyStream]) -> None:
    """Until the client closes the WebSocket."""
    while (message := await socket.read()) is not None:
        channel, data = message
        if channel == CLOSE and socket.half_close:
            if data and (closing := inputs.get(data[0])) is not None:
                await closing.write(b"", last=True)
        elif data and (stream := inputs.get(channel)) is not None:
            await stream.write(data)


def _for_client(status: bytes, socket: ChannelSocket) -> bytes:
    """The runtime's Status as the client's protocol has it: older ones get only the text of a failure."""
    if socket.status_documents:
        return status or b'{"metadata":{},"status":"Success"}'
    try:
        document = json.loads(status or b"{}")
    except ValueError:
        return status
    return b"" if document.get("status") != "Failure" else str(document.get("message", "")).encode()
