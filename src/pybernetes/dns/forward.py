"""Names outside the cluster: asked of the upstream resolvers, and remembered for as long as they allow.

One question is asked once, however many clients wait for it. Without upstream resolvers, or when none answers,
the client gets SERVFAIL at once or after the last attempt.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnslib import QTYPE, RCODE, DNSError, DNSRecord  # type: ignore[import-untyped,unused-ignore]

from pybernetes.dns.answers import refusal, with_edns
from pybernetes.effects import Chance, Clock

log = logging.getLogger("pybernetes.dns")

ATTEMPT_SECONDS = 2.0
MAX_CACHED = 10_000
MAX_TTL_SECONDS = 3600
MAX_NEGATIVE_TTL_SECONDS = 30
MAX_IN_FLIGHT = 1000
"""Different questions under way; more are answered SERVFAIL rather than kept waiting."""


@dataclass(frozen=True, slots=True)
class Cached:
    reply: DNSRecord
    stored: float
    expires: float


def resolvers_of(resolv_conf: Path) -> list[str]:
    """The nameservers a resolv.conf names; none when the file is absent."""
    if not resolv_conf.exists():
        return []
    words = [line.split() for line in resolv_conf.read_text().splitlines()]
    return [line[1] for line in words if len(line) >= 2 and line[0] == "nameserver"]


class Forwarder:
    """Asks upstream resolvers in order, over UDP, and over TCP where the answer is cut."""

    def __init__(self, resolvers: Sequence[str], clock: Clock, chance: Chance) -> None:
        self._resolvers = [split_port(resolver) for resolver in resolvers]
        self._clock, self._chance = clock, chance
        self._cache: OrderedDict[tuple[str, int], Cached] = OrderedDict()
        self._in_flight: dict[tuple[str, int], asyncio.Future[DNSRecord | None]] = {}

    async def answer(self, query: DNSRecord) -> DNSRecord:
        """The upstream's answer under the client's id; SERVFAIL when there is none."""
        key = (str(query.q.qname).lower(), int(query.q.qtype))
        cached = self._cached(key)
        if cached is not None:
            return addressed_to(query, cached)
        waiting = self._in_flight.get(key)
        if waiting is None:
            if len(self._in_flight) >= MAX_IN_FLIGHT or not self._resolvers:
                return refusal(query, RCODE.SERVFAIL)
            waiting = self._in_flight[key] = asyncio.get_running_loop().create_future()
            try:
                found = await self._ask(key)
            except BaseException:
                waiting.set_result(None)
                raise
            finally:
                del self._in_flight[key]
            waiting.set_result(found)
        else:
            found = await asyncio.shield(waiting)
        if found is None:
            return refusal(query, RCODE.SERVFAIL)
        return addressed_to(query, self._cached(key) or found)

    async def _ask(self, key: tuple[str, int]) -> DNSRecord | None:
        name, kind = key
        for host, port in self._resolvers:
            question = DNSRecord.question(name, QTYPE[kind])
            question.header.id = self._chance.randint(0, 0xFFFF)
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    reply = DNSRecord.parse(await ask_udp(host, port, bytes(question.pack()), question.header.id))
                    if reply.header.tc:
                        reply = DNSRecord.parse(await ask_tcp(host, port, bytes(question.pack())))
            except (TimeoutError, OSError, DNSError, EOFError) as error:
                log.info("upstream did not answer resolver=%s name=%s error=%r", host, name, error)
                continue
            self._remember(key, reply)
            return reply
        return None

    def _cached(self, key: tuple[str, int]) -> DNSRecord | None:
        entry = self._cache.get(key)
        now = self._clock.monotonic()
        if entry is None or entry.expires <= now:
            return None
        self._cache.move_to_end(key)
        age = int(now - entry.stored)
        copy = DNSRecord.parse(entry.reply.pack())
        for rr in [*copy.rr, *copy.auth, *copy.ar]:
            if rr.rtype != QTYPE.OPT:
                rr.ttl = max(0, rr.ttl - age)
        return copy

    def _remember(self, key: tuple[str, int], reply: DNSRecord) -> None:
        seconds = cache_seconds(reply)
        if seconds <= 0:
            return
        now = self._clock.monotonic()
        self._cache[key] = Cached(reply, now, now + seconds)
        self._cache.move_to_end(key)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


def cache_seconds(reply: DNSRecord) -> int:
    """How long an answer may be kept: its smallest TTL; for a negative one what the SOA allows (RFC 2308)."""
    if reply.header.rcode not in (RCODE.NOERROR, RCODE.NXDOMAIN):
        return 0
    if reply.rr:
        return min(MAX_TTL_SECONDS, *(int(rr.ttl) for rr in reply.rr), MAX_TTL_SECONDS)
    soa = [rr for rr in reply.auth if rr.rtype == QTYPE.SOA]
    if not soa:
        return 0
    return min(MAX_NEGATIVE_TTL_SECONDS, int(soa[0].ttl), int(soa[0].rdata.times[4]))


def addressed_to(query: DNSRecord, reply: DNSRecord) -> DNSRecord:
    """The same records as an answer to this client's question."""
    answer = query.reply(ra=1, aa=0)
    answer.header.rcode = reply.header.rcode
    for rr in reply.rr:
        answer.add_answer(rr)
    for rr in reply.auth:
        answer.add_auth(rr)
    for rr in reply.ar:
        if rr.rtype != QTYPE.OPT:
            answer.add_ar(rr)
    return with_edns(query, answer)


def split_port(resolver: str) -> tuple[str, int]:
    """`10.0.0.1`, `10.0.0.1:5353`, `fd00::1` or `[fd00::1]:5353` as host and port; 53 when it names none."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        return host, int(port[1:] or 53)
    if resolver.count(":") == 1:
        host, _, port = resolver.partition(":")
        return host, int(port)
    return resolver, 53


class _UdpClient(asyncio.DatagramProtocol):
    def __init__(self, wanted_id: int) -> None:
        self.wanted_id = wanted_id
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr  # the socket is connected: the kernel drops what others send
        if not self.reply.done() and int.from_bytes(data[:2], "big") == self.wanted_id:
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def ask_udp(host: str, port: int, question: bytes, wanted_id: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _UdpClient(wanted_id), remote_addr=(host, port))
    try:
        transport.sendto(question)
        return await protocol.reply
    finally:
        transport.close()


async def ask_tcp(host: str, port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(len(question).to_bytes(2, "big") + question)
        length = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(length)
    finally:
        writer.close()
