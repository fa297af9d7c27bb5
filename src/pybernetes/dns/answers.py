"""Questions and answers on the wire: what the zone knows is put into a DNS message here, nothing is decided.

Follows: RFC 1035, RFC 2308 (negative answers carry the SOA), RFC 6891 (EDNS).
"""

import struct

from dnslib import (  # type: ignore[import-untyped,unused-ignore]
    AAAA,
    CLASS,
    CNAME,
    EDNS0,
    PTR,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    TXT,
    A,
    DNSError,
    DNSRecord,
)

from pybernetes.dns.zone import TTL_SECONDS, Kind, Record, Srv, Zone

MAX_UDP_BYTES = 512
"""Of an answer when the client says nothing else."""
EDNS_UDP_BYTES = 1232
"""What we offer, and the most we send: below any sensible path MTU."""
NEGATIVE_TTL_SECONDS = 5

_RDATA = {Kind.A: A, Kind.AAAA: AAAA, Kind.CNAME: CNAME, Kind.PTR: PTR}


class MalformedQuery(Exception):
    """Bytes that are no DNS question."""


def parse(data: bytes) -> DNSRecord:
    """The question in a message.

    Raises:
        MalformedQuery: it is none, or holds not exactly one question.
    """
    try:
        query = DNSRecord.parse(data)
    except (DNSError, struct.error, ValueError, IndexError, UnicodeError) as error:
        raise MalformedQuery(str(error)) from error
    if query.header.qr or len(query.questions) != 1:
        raise MalformedQuery("one question is expected")
    return query


def question_name(query: DNSRecord) -> str:
    """Lower case, without the trailing dot."""
    return str(query.q.qname).rstrip(".").lower()


def kind_of(number: int) -> Kind | None:
    try:
        return Kind(number)
    except ValueError:
        return None


def from_zone(query: DNSRecord, zone: Zone) -> DNSRecord:
    """The authoritative answer. The question's spelling of the name is kept."""
    found = zone.lookup(question_name(query), kind_of(query.q.qtype))
    reply = query.reply(ra=1, aa=1)
    for record in found.records:
        reply.add_answer(to_rr(record, str(query.q.qname)))
    for record in found.additional:
        reply.add_ar(to_rr(record))
    if not found.records:
        reply.header.rcode = RCODE.NOERROR if found.exists else RCODE.NXDOMAIN
        reply.add_auth(start_of_authority(zone.domain))
    return with_edns(query, reply)


def to_rr(record: Record, name: str = "") -> RR:
    """A record for the wire, under the spelling `name` when given."""
    data = record.data
    if isinstance(data, Srv):
        rdata = SRV(data.priority, data.weight, data.port, data.target)
    elif record.kind is Kind.TXT:
        rdata = TXT(data)
    else:
        rdata = _RDATA[record.kind](data)
    return RR(name or record.name, record.kind.value, CLASS.IN, ttl=TTL_SECONDS, rdata=rdata)


def start_of_authority(domain: str) -> RR:
    times = (1, 7200, 1800, 86400, NEGATIVE_TTL_SECONDS)
    rdata = SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times)
    return RR(domain, QTYPE.SOA, CLASS.IN, ttl=NEGATIVE_TTL_SECONDS, rdata=rdata)


def refusal(query: DNSRecord, code: int) -> DNSRecord:
    """An answer that carries only a code: SERVFAIL, REFUSED, NOTIMP."""
    reply = query.reply(ra=1, aa=0)
    reply.header.rcode = code
    return with_edns(query, reply)


def with_edns(query: DNSRecord, reply: DNSRecord) -> DNSRecord:
    """Answer EDNS with EDNS."""
    if any(rr.rtype == QTYPE.OPT for rr in query.ar):
        reply.add_ar(EDNS0(udp_len=EDNS_UDP_BYTES))
    return reply


def udp_limit(query: DNSRecord) -> int:
    """How many bytes of answer the client takes over UDP."""
    for rr in query.ar:
        if rr.rtype == QTYPE.OPT:
            return max(MAX_UDP_BYTES, min(int(rr.rclass), EDNS_UDP_BYTES))
    return MAX_UDP_BYTES


def pack_udp(reply: DNSRecord, limit: int) -> bytes:
    """Bytes within `limit`; what does not fit is cut and the client told to come over TCP."""
    packed = bytes(reply.pack())
    if len(packed) <= limit:
        return packed
    truncated = reply.truncate()
    truncated.header.tc = 1
    return bytes(truncated.pack())
