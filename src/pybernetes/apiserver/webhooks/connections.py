"""Connections to webhooks: TLS with the bundle given, one request at a time, kept open for the next one.

Follows: client-go rest (transport with up to 25 idle connections per host); net/http for the words of failures.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Final

import httptools

from pybernetes.effects import Clock

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Of an answer: a mutated object and its patch are smaller; more is refused. Arbitrary."""
MAX_IDLE_PER_HOST: Final = 25
IDLE_SECONDS: Final = 90.0
MAX_CONTEXTS: Final = 128
"""Different CA bundles whose parsed form is kept; arbitrary."""
READ_BYTES: Final = 64 * 1024

_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
_EXPIRED: Final = frozenset({9, 10})
_WRONG_NAME: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR numbers."""


class Failed(Exception):
    """The webhook could not be asked; the text says why, as Go's net/http would."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class _Parsed:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    begun: bool = False
    parser: Any = None
    reusable: bool = False
    """Both sides keep the connection; the parser knows only until the next message."""

    def on_message_begin(self) -> None:
        self.begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > MAX_ANSWER_BYTES:
            raise Failed(f"the webhook's answer is larger than {MAX_ANSWER_BYTES} bytes")

    def on_message_complete(self) -> None:
        self.ended = True
        self.reusable = self.parser.should_keep_alive()


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to connect to, and how to know them."""

    host: str
    port: int
    server_name: str
    ca_bundle: bytes = b""

    @property
    def key(self) -> tuple[str, int, str, bytes]:
        return self.host, self.port, self.server_name, hashlib.sha256(self.ca_bundle).digest()


class Stale(Exception):
    """A kept connection was closed by the other side before it answered anything."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.idle_since = 0.0

    async def exchange(self, request: bytes) -> tuple[Reply, bool]:
        """The reply, and whether the connection may serve again.

        Raises:
            Stale, Failed, OSError.
        """
        parsed = _Parsed()
        parser: Any = httptools.HttpResponseParser(parsed)
        parsed.parser = parser
        try:
            self.writer.write(request)
            await self.writer.drain()
            while not parsed.ended:
                data = await self.reader.read(READ_BYTES)
                if not data:
                    if parsed.begun and "content-length" not in parsed.headers and parsed.headers:
                        return Reply(parser.get_status_code(), parsed.headers, bytes(parsed.body)), False
                    raise Failed("unexpected EOF") if parsed.begun else Stale("EOF")
                parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise _cause(error) from None
        except httptools.HttpParserError as error:
            raise Failed(f"net/http: HTTP/1.x transport connection broken: malformed HTTP response: {error}") from None
        except (ConnectionError, ssl.SSLError) as error:
            if parsed.begun:
                raise Failed(_plain(error)) from None
            raise Stale(_plain(error)) from None
        return Reply(parser.get_status_code(), parsed.headers, bytes(parsed.body)), parsed.reusable

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.writer.close()


def _cause(error: BaseException) -> Failed:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, Failed):
            return found
        found = found.__context__
    return Failed(str(error))


class Connections:
    """All connections of one server to webhooks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._idle: dict[tuple[str, int, str, bytes], list[_Connection]] = {}
        self._contexts: dict[bytes, ssl.SSLContext] = {}

    async def exchange(self, peer: Peer, request: bytes) -> Reply:
        """Send one request and read its reply; the caller limits the time.

        Raises:
            Failed.
        """
        kept = self._take(peer)
        if kept is not None:
            try:
                return await self._use(peer, kept, request)
            except Stale:
                pass  # it hung up while nobody looked: nothing was answered, so asking again asks once
        connection = await self._connect(peer)
        try:
            return await self._use(peer, connection, request)
        except Stale as error:
            raise Failed(str(error)) from None

    async def _use(self, peer: Peer, connection: _Connection, request: bytes) -> Reply:
        try:
            reply, reusable = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        idle = self._idle.setdefault(peer.key, [])
        if reusable and len(idle) < MAX_IDLE_PER_HOST:
            connection.idle_since = self._clock.monotonic()
            idle.append(connection)
        else:
            connection.close()
        return reply

    def _take(self, peer: Peer) -> _Connection | None:
        self._drop_old()
        idle = self._idle.get(peer.key)
        while idle:
            connection = idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.close()
        return None

    def _drop_old(self) -> None:
        oldest = self._clock.monotonic() - IDLE_SECONDS
        for key, connections in list(self._idle.items()):
            while connections and connections[0].idle_since < oldest:
                connections.pop(0).close()
            if not connections:
                del self._idle[key]

    async def _connect(self, peer: Peer) -> _Connection:
        shown = f"[{peer.host}]:{peer.port}" if ":" in peer.host else f"{peer.host}:{peer.port}"
        context = self._context(peer.ca_bundle)
        try:
            reader, writer = await asyncio.open_connection(
                peer.host, peer.port, ssl=context, server_hostname=peer.server_name
            )
        except ssl.SSLCertVerificationError as error:
            raise Failed(f"tls: failed to verify certificate: {_verification(error, peer.server_name)}") from None
        except ssl.SSLError as error:
            raise Failed(f"tls: {error.reason or error}") from None
        except socket.gaierror:
            raise Failed(f"dial tcp: lookup {peer.host}: no such host") from None
        except ConnectionResetError:
            raise Failed("EOF") from None
        except OSError as error:
            raise Failed(f"dial tcp {shown}: connect: {_plain(error)}") from None
        return _Connection(reader, writer)

    def _context(self, ca_bundle: bytes) -> ssl.SSLContext:
        found = self._contexts.get(ca_bundle)
        if found is None:
            try:
                found = ssl.create_default_context(cadata=ca_bundle.decode("ascii") if ca_bundle else None)
            except (ssl.SSLError, UnicodeDecodeError, ValueError):
                raise Failed("unable to load root certificates: unable to parse bytes as PEM block") from None
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[ca_bundle] = found
        return found

    def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def statistics(self) -> dict[str, int]:
        """Idle connections by host."""
        return {f"{key[0]}:{key[1]}": len(connections) for key, connections in self._idle.items()}


def _verification(error: ssl.SSLCertVerificationError, name: str) -> str:
    """Why a certificate is not believed. Follows: crypto/x509, verify.go."""
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "x509: certificate signed by unknown authority"
    if error.verify_code in _EXPIRED:
        return "x509: certificate has expired or is not yet valid"
    if error.verify_code in _WRONG_NAME:
        return f"x509: certificate is valid for other names, not {name}"
    return f"x509: {error.verify_message}"


def _plain(error: OSError) -> str:
    """`connection refused`, as Go names it."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
