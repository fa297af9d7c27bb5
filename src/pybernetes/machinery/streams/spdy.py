"""SPDY/3.1 frames, as far as streaming to containers uses them. No I/O here.

A frame is 8 bytes of head and a body. Data frames carry a stream's bytes; control frames open, answer and end
streams, and ping. Headers are compressed with one zlib stream per direction and connection.

    client                                    runtime
    SYN_STREAM 1  streamtype: error     ──►
                                        ◄──   SYN_REPLY 1
    SYN_STREAM 3  streamtype: stdin     ──►
    DATA 3 "input" FIN                  ──►
                                        ◄──   DATA 5 "output" FIN
                                        ◄──   DATA 1 {"status":"Success"} FIN, or RST_STREAM

Flow control is left out, as the implementation on the other side leaves it out: TCP's is enough.

Follows: SPDY protocol draft 3.1; moby/spdystream.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FLAG_FIN = 1
RST_CANCEL = 5

_CONTROL = 0x8003
_HEAD_BYTES = 8
MAX_FRAME_BYTES = (1 << 24) - 1
MAX_DATA_BYTES = 32 * 1024
"""Longer data is sent in several frames."""


class SpdyError(Exception):
    """The peer sent what is no SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Control:
    """`stream` is 0 for frames about the connection."""

    type: int
    stream: int
    last: bool
    body: bytes


Frame = Data | Control


class Encoder:
    """Makes frames; one per connection and direction, because header compression has memory."""

    def __init__(self) -> None:
        self._compress = zlib.compressobj()

    def syn_stream(self, stream: int, headers: Sequence[tuple[str, str]], *, last: bool = False) -> bytes:
        """A frame that opens a stream; names are lower case."""
        block = struct.pack(">I", len(headers)) + b"".join(_text(name) + _text(value) for name, value in headers)
        packed = self._compress.compress(block) + self._compress.flush(zlib.Z_SYNC_FLUSH)
        return control(SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + packed, FLAG_FIN if last else 0)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", _CONTROL, kind, flags << 24 | len(body)) + body


def data_frames(stream: int, data: bytes, *, last: bool = False) -> bytes:
    """The frames of `data`; with `last`, also when it is empty, the stream's end from this side."""
    parts = [data[at : at + MAX_DATA_BYTES] for at in range(0, len(data), MAX_DATA_BYTES)] or ([b""] if last else [])
    return b"".join(
        struct.pack(">II", stream, (FLAG_FIN if last and number == len(parts) - 1 else 0) << 24 | len(part)) + part
        for number, part in enumerate(parts)
    )


def ping(number: int) -> bytes:
    return control(PING, struct.pack(">I", number))


def goaway() -> bytes:
    return control(GOAWAY, struct.pack(">II", 0, 0))


def rst_stream(stream: int) -> bytes:
    return control(RST_STREAM, struct.pack(">II", stream, RST_CANCEL))


class Decoder:
    """Cuts bytes into frames. Header blocks are passed over: nothing needed stands in those the runtime sends."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames complete with `data`.

        Raises:
            SpdyError: the version is another one.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD_BYTES:
            first, second = struct.unpack_from(">II", self._buffer)
            flags, length = second >> 24, second & MAX_FRAME_BYTES
            if len(self._buffer) < _HEAD_BYTES + length:
                return
            body = bytes(self._buffer[_HEAD_BYTES : _HEAD_BYTES + length])
            del self._buffer[: _HEAD_BYTES + length]
            last = bool(flags & FLAG_FIN)
            if not first >> 31:
                yield Data(first, body, last)
                continue
            if first >> 16 != _CONTROL:
                raise SpdyError(f"SPDY version {(first >> 16) & 0x7FFF} where 3 was expected")
            kind = first & 0xFFFF
            about_stream = kind in (SYN_STREAM, SYN_REPLY, RST_STREAM, HEADERS, WINDOW_UPDATE)
            if about_stream and length < 4:
                raise SpdyError(f"control frame of type {kind} is too short")
            stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF if about_stream else 0
            yield Control(kind, stream, last, body)
