"""The server's side of a WebSocket on a raw connection, whole messages at a time.

Follows: RFC 6455; frames are wsproto's.
"""

import base64
import hashlib

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from pybernetes.machinery.streams.duplex import Duplex, StreamClosed

_ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""The largest message taken; kubectl sends at most 32 KiB."""
NORMAL_CLOSURE = 1000


def accept_head(key: str, protocol: str) -> bytes:
    """The answer that agrees to a WebSocket with that subprotocol; the empty one is not named."""
    accept = base64.b64encode(hashlib.sha1((key + _ACCEPT_SUFFIX).encode()).digest()).decode()  # noqa: S324 - RFC 6455
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class WebSocket:
    """Messages over `connection`, after the handshake."""

    def __init__(self, connection: Duplex) -> None:
        self._connection = connection
        self._protocol = Connection(ConnectionType.SERVER)
        self._parts: list[bytes] = []
        self._messages: list[bytes] = []
        self._size = 0
        self._closed = False

    async def read(self) -> bytes | None:
        """The next message, text as its UTF-8; None at the end."""
        while not self._messages:
            if self._closed:
                return None
            data = await self._connection.read()
            if not data:
                self._closed = True
                return None
            try:
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    await self._take(event)
            except RemoteProtocolError as error:
                self._closed = True
                raise StreamClosed(f"broken WebSocket: {error}") from error
        return self._messages.pop(0)

    async def _take(self, event: object) -> None:
        match event:
            case BytesMessage() | TextMessage():
                part = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
                self._size += len(part)
                if self._size > MAX_MESSAGE_BYTES:
                    raise StreamClosed(f"a WebSocket message is longer than {MAX_MESSAGE_BYTES} bytes")
                self._parts.append(part)
                if event.message_finished:
                    self._messages.append(b"".join(self._parts))
                    self._parts, self._size = [], 0
            case Ping():
                await self._connection.write(self._protocol.send(event.response()))
            case CloseConnection():
                self._closed = True
                await self._connection.write(self._protocol.send(event.response()))
            case _:
                pass

    async def send(self, data: bytes) -> None:
        """Send one binary message. Raises: StreamClosed."""
        try:
            await self._connection.write(self._protocol.send(BytesMessage(data=data)))
        except LocalProtocolError as error:
            raise StreamClosed("the WebSocket is closed") from error

    async def send_text(self, text: str) -> None:
        """Send one text message. Raises: StreamClosed."""
        try:
            await self._connection.write(self._protocol.send(TextMessage(data=text)))
        except LocalProtocolError as error:
            raise StreamClosed("the WebSocket is closed") from error

    async def close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Say goodbye, unless the peer did or is gone."""
        if not self._closed:
            self._closed = True
            try:
                await self._connection.write(self._protocol.send(CloseConnection(code=code, reason=reason)))
            except (LocalProtocolError, StreamClosed):
                return


class WebSocketBytes:
    """A raw connection inside a WebSocket's binary messages: how port-forward carries SPDY."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while True:
            message = await self._socket.read()
            if message is None:
                return b""
            if message:
                return message

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    def write_eof(self) -> None:
        """A WebSocket ends as a whole, which its owner does."""

    def close(self) -> None:
        """As `write_eof`."""
