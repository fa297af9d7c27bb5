"""Requests as the pipeline reads them, and the three shapes an answer can take.

    Response    a whole body, written at once, or in slices when it is large
    Streaming   a body that grows: `run` writes to the stream until it returns
    Hijack      the connection itself, after `Upgrade`: bytes both ways, HTTP is over

The same values serve sockets (`protocol.py`) and callers in the same process (`apiserver/inprocess.py`).
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from pybernetes.apiserver.request import User

Query = Mapping[str, str]

_CACHED_QUERIES = 4096
"""Distinct query strings remembered; clients repeat them. Arbitrary."""


REMEMBERED_CHARACTERS = 2048
"""What is longer is worked out anew each time: caches hold few bytes, whatever strangers send."""


def parse_query(text: str) -> Query:
    """The first value of every parameter."""
    return _remembered_query(text) if len(text) <= REMEMBERED_CHARACTERS else _query(text)


def _query(text: str) -> Query:
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(key, value)
    return found


_remembered_query = functools.lru_cache(maxsize=_CACHED_QUERIES)(_query)


@dataclass(slots=True)
class Connection:
    """What is known about who is at the other end, and what was already found out about them.

    `users` remembers the outcome of authentication by credentials: a certificate does not change while the
    connection lives, and the authenticator says for how long a token may be believed.
    """

    peer: str = ""
    secure: bool = False
    certificate: Mapping[str, Any] | None = None
    """As `ssl.SSLSocket.getpeercert` shows it; None without a verified client certificate."""
    certificate_der: bytes | None = None
    user: User | None = None
    """Set for callers in the same process, who need no credentials."""
    is_proxy: bool | None = None
    """The certificate is that of a front proxy, which names the user in headers; None before anybody has looked."""
    users: dict[str, tuple[User, float]] = field(default_factory=dict)


class BodyReader(Protocol):
    """A request body that is read while it arrives; reading slowly slows the sender down."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Request:
    """One request. `path` is percent-decoded, `raw_path` is as it came."""

    __slots__ = ("body", "connection", "headers", "method", "path", "query_text", "raw_path", "reader")

    def __init__(
        self,
        method: str,
        path: str,
        query_text: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        connection: Connection | None = None,
        raw_path: str = "",
        reader: BodyReader | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.raw_path = raw_path or path
        self.query_text = query_text
        self.headers = headers if headers is not None else {}
        """Lower-case names; several values of one name are joined by NUL, see `header_values`."""
        self.body = body
        self.connection = connection or Connection()
        self.reader = reader
        """Set instead of `body` where the body is streamed."""

    @property
    def query(self) -> Query:
        return parse_query(self.query_text)

    def header(self, name: str) -> str:
        return self.headers.get(name, "").replace("\0", ", ")

    def header_values(self, name: str) -> Sequence[str]:
        value = self.headers.get(name)
        return value.split("\0") if value is not None else ()


Headers = Sequence[tuple[str, str]]


class Response:
    """A whole answer. `body` may be in parts, which are written one after the other without being joined.

    `header_lines` are further headers as they are written, each line with its end.
    """

    __slots__ = ("body", "content_type", "header_lines", "headers", "status")

    def __init__(
        self,
        body: bytes | Sequence[bytes] = b"",
        status: int = 200,
        content_type: str = "application/json",
        headers: Headers = (),
    ) -> None:
        self.status = status
        self.content_type = content_type
        self.headers = headers
        self.header_lines = ""
        self.body = body

    @property
    def data(self) -> bytes:
        """The body in one piece."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)


class Chunk:
    """A piece of a stream for many readers: framed for HTTP once, whoever asks first."""

    __slots__ = ("_framed", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._framed: bytes | None = None

    @property
    def framed(self) -> bytes:
        if self._framed is None:
            self._framed = b"%x\r\n%b\r\n" % (len(self.data), self.data)
        return self._framed


class Stream(Protocol):
    """Where a streaming answer goes."""

    @property
    def closed(self) -> bool:
        """The reader is gone; what is written is dropped."""
        ...

    @property
    def paused(self) -> bool:
        """The reader is slow: `drain` before writing more."""
        ...

    on_resume: Callable[[], None] | None
    """Called when `paused` ends."""

    def write(self, chunk: Chunk) -> None: ...

    async def drain(self) -> None:
        """Return when the reader has caught up or is gone."""
        ...

    async def wait_closed(self) -> None: ...


class Tunnel(Protocol):
    """The raw connection after an upgrade. `read` gives b"" at the end."""

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Streaming:
    """An answer that grows. Without a `content_length` HTTP frames it in chunks."""

    run: Callable[[Stream], Awaitable[None]]
    status: int = 200
    content_type: str = "application/json"
    headers: Headers = ()
    content_length: int | None = None
    header_lines: str = ""


@dataclass(slots=True)
class Hijack:
    """The connection is handed over; `run` writes the `101` itself."""

    run: Callable[[Tunnel], Awaitable[None]]
    status: int = 101


Answer = Response | Streaming | Hijack
