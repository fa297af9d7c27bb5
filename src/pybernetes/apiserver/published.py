"""A document the server publishes about itself: its bytes, with a tag that lets clients keep their copy."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"
GZIP_FROM_BYTES = 128 * 1024
"""Smaller answers are not worth compressing. Follows: apiserver pkg/endpoints/handlers/responsewriters."""
GZIP_LEVEL = 1
"""As upstream: a level that costs little."""


@dataclass(frozen=True, slots=True)
class Published:
    """One answer for a non-resource path. `etag` is empty where the answer is not worth keeping."""

    body: bytes
    """Empty where only the compressed form of a large document is kept."""
    content_type: str = JSON
    status: int = 200
    etag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    compressed: bytes | None = None
    """The body under gzip, where it is large."""

    def encoded(self, accept_encoding: str) -> tuple[bytes, str]:
        """The bytes to send and their Content-Encoding, empty for none."""
        if self.compressed is not None and "gzip" in accept_encoding:
            return self.compressed, "gzip"
        return self.data, ""

    @property
    def data(self) -> bytes:
        """The body as it is without compression."""
        if not self.body and self.compressed is not None:
            return gzip.decompress(self.compressed)
        return self.body

    def matches(self, if_none_match: str) -> bool:
        """The client's copy is this very document: answer 304."""
        return bool(self.etag) and self.etag in (tag.strip() for tag in if_none_match.split(","))


def hash_of(data: bytes) -> str:
    """The hash that names a document's content: 128 hexadecimal digits, upper case."""
    return hashlib.sha512(data).hexdigest().upper()


def tagged(body: bytes, content_type: str = JSON, headers: Mapping[str, str] | None = None) -> Published:
    """A document with an ETag from its content, compressed where that pays."""
    compressed = gzip.compress(body, GZIP_LEVEL, mtime=0) if len(body) >= GZIP_FROM_BYTES else None
    return Published(body, content_type, etag=f'"{hash_of(body)}"', headers=headers or {}, compressed=compressed)
