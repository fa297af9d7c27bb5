import asyncio
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong

from pybernetes.machinery.streams import remote_command, spdy
from pybernetes.machinery.streams.duplex import StreamClosed, splice
from pybernetes.machinery.streams.remote_command import ChannelSocket, Wanted
from pybernetes.machinery.streams.spdy_client import SpdyClient
from pybernetes.machinery.streams.websocket import WebSocket, WebSocketBytes, accept_head


class Pipe:
    """One end of a connection in memory; `peer` is the other."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = False
        self.peer: Pipe = self

    async def read(self) -> bytes:
        return await self._arrived.get()

    async def write(self, data: bytes) -> None:
        if self.peer.closed:
            raise StreamClosed("the peer is gone")
        if data:
            self.peer._arrived.put_nowait(data)

    def write_eof(self) -> None:
        self.peer._arrived.put_nowait(b"")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.write_eof()


def pipe() -> tuple[Pipe, Pipe]:
    one, other = Pipe(), Pipe()
    one.peer, other.peer = other, one
    return one, other


@given(data=st.binary(max_size=100_000), cuts=st.lists(st.integers(1, 5000), max_size=40))
def test_frames_survive_being_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    wire = spdy.Encoder().syn_stream(1, [("streamtype", "stdin")]) + spdy.data_frames(1, data, last=True) + spdy.ping(2)
    decoder, at = spdy.Decoder(), 0
    frames: list[spdy.Frame] = []
    for cut in [*cuts, len(wire)]:
        frames += decoder.feed(wire[at : at + cut])
        at += cut
    assert isinstance(frames[0], spdy.Control)
    assert frames[0].type == spdy.SYN_STREAM
    parts = [frame for frame in frames if isinstance(frame, spdy.Data)]
    assert b"".join(part.data for part in parts) == data
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]


def test_another_version_is_refused() -> None:
    with pytest.raises(spdy.SpdyError, match="version 2"):
        list(spdy.Decoder().feed(struct.pack(">HHI", 0x8002, 1, 0)))


def test_headers_are_one_compressed_stream_for_the_connection() -> None:
    encoder = spdy.Encoder()
    first = encoder.syn_stream(1, [("streamtype", "stdin")])
    second = encoder.syn_stream(3, [("streamtype", "stdin")])
    assert len(second) < len(first)


class Runtime:
    """The other end of a SPDY connection: hears streams open, sees what is sent, and answers."""

    def __init__(self, connection: Pipe) -> None:
        self.connection = connection
        self.opened: list[int] = []
        self.received: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.pongs: list[int] = []
        self._decoder = spdy.Decoder()

    async def run(self) -> None:
        while data := await self.connection.read():
            for frame in self._decoder.feed(data):
                if isinstance(frame, spdy.Data):
                    self.received[frame.stream] = self.received.get(frame.stream, b"") + frame.data
                    if frame.last:
                        self.ended.add(frame.stream)
                elif frame.type == spdy.SYN_STREAM:
                    self.opened.append(frame.stream)
                elif frame.type == spdy.PING:
                    self.pongs.append(struct.unpack(">I", frame.body)[0])

    async def say(self, stream: int, data: bytes, *, last: bool = False) -> None:
        await self.connection.write(spdy.data_frames(stream, data, last=last))


class Client:
    """The other end of a WebSocket."""

    def __init__(self, connection: Pipe) -> None:
        self.connection = connection
        self._protocol = Connection(ConnectionType.CLIENT)
        self.messages: list[bytes] = []
        self.pongs = 0
        self.closed = False

    async def run(self) -> None:
        while data := await self.connection.read():
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, BytesMessage):
                    self.messages.append(bytes(event.data))
                elif isinstance(event, Pong):
                    self.pongs += 1
                elif isinstance(event, CloseConnection):
                    self.closed = True

    async def send(self, event: BytesMessage | Ping | CloseConnection) -> None:
        await self.connection.write(self._protocol.send(event))


async def settle() -> None:
    for _ in range(60):
        await asyncio.sleep(0)  # noqa: TID251


class Command:
    """A command between a client and a runtime, translated by the code under test."""

    def __init__(self, wanted: Wanted, protocol: str = remote_command.V5) -> None:
        ours, theirs = pipe()
        self.client = Client(theirs)
        towards, runtime = pipe()
        self.runtime = Runtime(runtime)
        socket = ChannelSocket(WebSocket(ours), protocol)
        self.task = asyncio.create_task(remote_command.translate(socket, SpdyClient(towards), wanted))
        self._peers = [asyncio.create_task(self.client.run()), asyncio.create_task(self.runtime.run())]

    async def stop(self) -> None:
        for task in [self.task, *self._peers]:
            task.cancel()
        await asyncio.gather(self.task, *self._peers, return_exceptions=True)


ALL = Wanted(stdin=True, stdout=True, stderr=True)
STATUS = b'{"metadata":{},"status":"Failure","message":"exit code 7","reason":"NonZeroExitCode"}'


async def test_output_errors_and_status_reach_the_client_and_then_it_is_over() -> None:
    command = Command(ALL)
    await settle()
    error, _stdin, stdout, stderr = command.runtime.opened
    await command.runtime.say(stdout, b"out")
    await command.runtime.say(stderr, b"err", last=True)
    await command.runtime.say(error, STATUS, last=True)
    await settle()
    await command.runtime.say(stdout, b"put", last=True)
    await settle()
    assert [m for m in command.client.messages if m[0] == 1] == [b"\1out", b"\1put"]
    assert [m for m in command.client.messages if m[0] == 2] == [b"\2err"]
    assert command.client.messages[-1] == b"\3" + STATUS, "the status comes when all output has been sent"
    assert command.client.closed
    assert command.task.done()
    await command.stop()


async def test_input_can_end_while_output_goes_on() -> None:
    command = Command(ALL)
    await settle()
    stdin = command.runtime.opened[1]
    await command.client.send(BytesMessage(b"\0input"))
    await command.client.send(BytesMessage(b"\xff\0"))
    await settle()
    assert command.runtime.received[stdin] == b"input"
    assert command.runtime.ended == {stdin}
    assert not command.task.done()
    await command.stop()


async def test_a_terminal_sends_its_size_and_has_no_errors_of_its_own() -> None:
    command = Command(Wanted(stdin=True, stdout=True, tty=True))
    await settle()
    assert len(command.runtime.opened) == 4
    await command.client.send(BytesMessage(b'\4{"Width":80,"Height":24}'))
    await settle()
    assert json.loads(command.runtime.received[command.runtime.opened[3]]) == {"Width": 80, "Height": 24}
    await command.stop()


async def test_a_client_that_leaves_ends_the_command_s_streams() -> None:
    command = Command(ALL)
    await settle()
    await command.client.send(CloseConnection(1000))
    await settle()
    assert command.task.done()
    assert command.runtime.connection.peer.closed
    await command.stop()


async def test_pings_of_both_sides_are_answered() -> None:
    command = Command(ALL)
    await settle()
    await command.runtime.connection.write(spdy.ping(2))
    await command.client.send(Ping())
    await settle()
    assert command.runtime.pongs == [2]
    assert command.client.pongs == 1
    await command.stop()


async def test_older_clients_get_the_text_of_a_failure_and_nothing_of_a_success() -> None:
    for status, expected in ((STATUS, [b"\3exit code 7"]), (b'{"status":"Success"}', [])):
        command = Command(Wanted(stdout=True), remote_command.V1)
        await settle()
        error, stdout = command.runtime.opened
        await command.runtime.say(stdout, b"", last=True)
        await command.runtime.say(error, status, last=True)
        await settle()
        assert command.client.messages == expected
        await command.stop()


async def test_a_reset_stream_is_an_ended_one() -> None:
    command = Command(Wanted(stdout=True))
    await settle()
    error, stdout = command.runtime.opened
    await command.runtime.connection.write(spdy.rst_stream(stdout) + spdy.rst_stream(error))
    await settle()
    assert command.client.messages == [b'\3{"metadata":{},"status":"Success"}']
    await command.stop()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["v5.channel.k8s.io", "v4.channel.k8s.io"], "v5.channel.k8s.io"),
        (["v4.channel.k8s.io", "v5.channel.k8s.io"], "v5.channel.k8s.io"),
        (["base64.channel.k8s.io"], "base64.channel.k8s.io"),
        ([], ""),
        (["v9.channel.k8s.io"], None),
    ],
)
def test_the_best_protocol_both_know_is_spoken(offered: list[str], chosen: str | None) -> None:
    assert remote_command.chosen_protocol(offered) == chosen


async def test_bytes_tunnelled_in_messages_come_out_as_they_went_in() -> None:
    ours, theirs = pipe()
    towards, runtime = pipe()
    client = Client(theirs)
    tasks = [
        asyncio.create_task(splice(WebSocketBytes(WebSocket(ours)), towards)),
        asyncio.create_task(client.run()),
    ]
    await client.send(BytesMessage(b"SPDY in"))
    assert await runtime.read() == b"SPDY in"
    await runtime.write(b"SPDY out")
    await settle()
    assert client.messages == [b"SPDY out"]
    runtime.close()
    await settle()
    assert tasks[0].done()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_handshake_is_that_of_the_rfc() -> None:
    head = accept_head("dGhlIHNhbXBsZSBub25jZQ==", "v5.channel.k8s.io").decode()
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n" in head
