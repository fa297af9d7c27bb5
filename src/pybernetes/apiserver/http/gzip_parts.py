"""Gzip bodies put together from parts, of which the long one was compressed before.

    header · deflate(opening) · deflate(items), kept · deflate(closing), final · CRC-32 · length

Each part ends on a full flush: at a byte, and without references into what stood before, so that it fits after any
other. One stream results, which every reader understands; several gzip members would stop some.

Follows: RFC 1951, 3.2.4; RFC 1952.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

LEVEL: Final = 1
_RAW: Final = -15
"""zlib's window bits for deflate without a wrapper."""
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, fastest level, unknown system."""
_LENGTH_MODULUS: Final = 2**32


def part(pieces: Sequence[bytes], *, last: bool = False) -> bytes:
    """The pieces as a part of a stream; `last` ends it."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    found = [compressor.compress(piece) for piece in pieces]
    found.append(compressor.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH))
    return b"".join(found)


def body(opening: bytes, middle: Sequence[bytes], compressed_middle: bytes, closing: bytes) -> list[bytes]:
    """The parts of a gzip body that says opening, middle, closing; `compressed_middle` is `part(middle)`."""
    checksum, length = zlib.crc32(opening), len(opening) + len(closing)
    for piece in middle:
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
    checksum = zlib.crc32(closing, checksum)
    trailer = struct.pack("<II", checksum, length % _LENGTH_MODULUS)
    return [_HEADER + part([opening]), compressed_middle, part([closing], last=True) + trailer]
