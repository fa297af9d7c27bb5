"""XSalsa20-Poly1305 ("secretbox"): `nonce (24) ‖ tag (16) ‖ ciphertext` is made of key, nonce and message.

All blocks of a message are computed at once as columns of an array. Follows: D. J. Bernstein, "Extending the Salsa20
nonce"; golang.org/x/crypto/nacl/secretbox.
"""

import numpy as np
from cryptography.hazmat.primitives.poly1305 import Poly1305
from numpy.typing import NDArray

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16

_Words = NDArray[np.uint32]
_SIGMA = np.frombuffer(b"expand 32-byte k", "<u4")
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def _rotated(words: _Words, bits: int) -> _Words:
    return (words << np.uint32(bits)) | (words >> np.uint32(32 - bits))


def _rounds(state: _Words) -> _Words:
    """Twenty rounds over states that stand in columns."""
    x = state.copy()
    for _ in range(10):
        for a, b, c, d in (*_COLUMNS, *_ROWS):
            x[b] ^= _rotated(x[a] + x[d], 7)
            x[c] ^= _rotated(x[b] + x[a], 9)
            x[d] ^= _rotated(x[c] + x[b], 13)
            x[a] ^= _rotated(x[d] + x[c], 18)
    return x


def _state(key: bytes, middle: _Words) -> _Words:
    """The starting states; `middle`: the four words of nonce and counter, 4 × blocks."""
    words = np.frombuffer(key, "<u4")
    state = np.empty((16, middle.shape[1]), np.uint32)
    state[[0, 5, 10, 15]] = _SIGMA[:, None]
    state[1:5] = words[:4, None]
    state[11:15] = words[4:, None]
    state[6:10] = middle
    return state


def hsalsa20(key: bytes, nonce: bytes) -> bytes:
    """A key for the rest of a long nonce; `nonce` has 16 bytes."""
    middle = np.frombuffer(nonce, "<u4").reshape(4, 1)
    found = _rounds(_state(key, middle))
    return found[[0, 5, 10, 15, 6, 7, 8, 9], 0].astype("<u4").tobytes()


def _stream(key: bytes, nonce: bytes, length: int) -> bytes:
    blocks = (length + 63) // 64
    middle = np.zeros((4, blocks), np.uint32)
    middle[:2] = np.frombuffer(nonce[16:], "<u4")[:, None]
    middle[2] = np.arange(blocks, dtype=np.uint32)
    state = _state(hsalsa20(key, nonce[:16]), middle)
    return (_rounds(state) + state).T.astype("<u4").tobytes()[:length]


def _xor(data: bytes, stream: bytes) -> bytes:
    return (np.frombuffer(data, np.uint8) ^ np.frombuffer(stream, np.uint8)).tobytes()


def seal(key: bytes, nonce: bytes, message: bytes) -> bytes:
    """Tag and ciphertext."""
    stream = _stream(key, nonce, 32 + len(message))
    encrypted = _xor(message, stream[32:])
    return Poly1305.generate_tag(stream[:32], encrypted) + encrypted


def open_box(key: bytes, nonce: bytes, box: bytes) -> bytes:
    """The message.

    Raises:
        cryptography.exceptions.InvalidSignature: another key, or not what was written.
    """
    tag, encrypted = box[:TAG_BYTES], box[TAG_BYTES:]
    stream = _stream(key, nonce, 32 + len(encrypted))
    Poly1305.verify_tag(stream[:32], encrypted, tag)
    return _xor(encrypted, stream[32:])
