"""Cluster DNS of one node: watches Services, EndpointSlices and namespaces, and answers over UDP and TCP.

`zone` knows the names, `answers` the wire format, `forward` the rest of the world; this module listens and keeps
the zone current. What was learned stays valid while the API server is away.
"""

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import cast

from dnslib import RCODE, DNSRecord  # type: ignore[import-untyped,unused-ignore]

from pybernetes.api import core_v1, discovery_v1
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client, Unreachable
from pybernetes.dns.answers import MalformedQuery, from_zone, pack_udp, parse, question_name, refusal, udp_limit
from pybernetes.dns.forward import Forwarder
from pybernetes.dns.publish import Publication, publish
from pybernetes.dns.zone import Zone, service_records
from pybernetes.effects import Chance, Clock
from pybernetes.machinery.errors import StatusError

log = logging.getLogger("pybernetes.dns")

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
IP_FREEBIND = 15
"""Linux: bind an address that no interface has yet; the pod bridge appears with the first pod."""
PUBLISH_RETRY_SECONDS = 1.0
TCP_IDLE_SECONDS = 10.0
MAX_TCP_CLIENTS = 200
MAX_FORWARDED = 2000
"""UDP questions waiting for upstream; more are dropped, and the client asks again."""


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """Where to listen and whom to ask about the rest of the world."""

    addresses: tuple[str, ...] = ("127.0.0.1",)
    port: int = 53
    domain: str = "cluster.local"
    upstream: tuple[str, ...] = ()
    service_ip: str = ""
    """Publish this server as an endpoint of Service `kube-dns` at this cluster IP; empty: do not."""
    node_name: str = ""


@dataclass(slots=True)
class DnsStatistics:
    queries: int = 0
    forwarded: int = 0
    malformed: int = 0
    dropped: int = 0


class DnsServer:
    """Answers from memory; asks upstream for what is not the cluster's.

    `ready` is set once the zone is complete and all addresses are bound; `port` is then the one bound.
    """

    def __init__(self, client: Client, config: DnsConfig, clock: Clock, chance: Chance) -> None:
        self.client, self.config, self.clock, self.chance = client, config, clock, chance
        self.statistics = DnsStatistics()
        self.ready = asyncio.Event()
        self.zone = Zone(self.config.domain)
        self._forwarder = Forwarder(self.config.upstream, self.clock, self.chance)
        self._services = Informer(self.client, core_v1.Service)
        self._slices = Informer(self.client, discovery_v1.EndpointSlice)
        self._namespaces = Informer(self.client, core_v1.Namespace)
        self._slices.index("service", service_of)
        self._pending: set[asyncio.Task[None]] = set()
        self._tcp_clients = 0
        self.port = self.config.port

    async def run(self) -> None:
        """Serve until cancelled."""
        self._services.add_handler(self._service_changed, lambda _, new: self._service_changed(new), self._gone)
        self._slices.add_handler(self._slice_changed, lambda _, new: self._slice_changed(new), self._slice_changed)
        self._namespaces.add_handler(self._namespaces_changed, lambda *_: None, self._namespaces_changed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.run(), name="dns/services-informer")
            tasks.create_task(self._slices.run(), name="dns/endpointslices-informer")
            tasks.create_task(self._namespaces.run(), name="dns/namespaces-informer")
            await self._services.wait_synced()
            await self._slices.wait_synced()
            await self._namespaces.wait_synced()
            if self.config.service_ip:
                tasks.create_task(self._publish(), name="dns/publish")
            await self._listen()

    async def _publish(self) -> None:
        """Tell the cluster about this server, as soon as it listens and for as long as it takes."""
        await self.ready.wait()
        here = Publication(self.config.service_ip, self.config.node_name, self.config.addresses[0], self.port)
        while True:
            try:
                await publish(self.client, here)
            except (StatusError, Unreachable) as error:
                log.info("not published yet node=%s error=%s", self.config.node_name, error)
                await self.clock.sleep(PUBLISH_RETRY_SECONDS)
            else:
                return

    def _service_changed(self, service: core_v1.Service) -> None:
        slices = self._slices.by_index("service", service.key)
        self.zone.replace(service.key, service_records(service, slices, self.config.domain))

    def _gone(self, service: core_v1.Service) -> None:
        self.zone.replace(service.key, ())

    def _slice_changed(self, piece: discovery_v1.EndpointSlice) -> None:
        for key in service_of(piece):
            service = self._services.get(key)
            if service is not None and service.spec.clusterIP == "None":
                self._service_changed(service)

    def _namespaces_changed(self, _: core_v1.Namespace) -> None:
        self.zone.set_namespaces(namespace.name for namespace in self._namespaces.list())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        transports: list[asyncio.DatagramTransport] = []
        servers: list[asyncio.Server] = []
        try:
            for address in self.config.addresses:
                udp = bound_socket(address, self.port, socket.SOCK_DGRAM)
                self.port = udp.getsockname()[1]
                transport, _ = await loop.create_datagram_endpoint(lambda: _UdpServer(self), sock=udp)
                transports.append(transport)
                tcp = bound_socket(address, self.port, socket.SOCK_STREAM)
                servers.append(await asyncio.start_server(self._serve_tcp, sock=tcp))
            self.ready.set()
            log.info("serving domain=%s addresses=%s port=%d", self.config.domain, self.config.addresses, self.port)
            await loop.create_future()
        finally:
            for transport in transports:
                transport.close()
            for server in servers:
                server.close()
            for task in self._pending:
                task.cancel()

    def answer_udp(self, data: bytes, address: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """Answer one datagram: the cluster's names at once, others when upstream has answered."""
        query = self._parse(data)
        if query is None:
            return
        if self._is_ours(query):
            transport.sendto(pack_udp(self._local(query), udp_limit(query)), address)
            return
        if len(self._pending) >= MAX_FORWARDED:
            self.statistics.dropped += 1
            return
        task = asyncio.get_running_loop().create_task(self._forward_udp(query, address, transport), name="dns/forward")
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _forward_udp(
        self, query: DNSRecord, address: tuple[str, int], transport: asyncio.DatagramTransport
    ) -> None:
        self.statistics.forwarded += 1
        reply = await self._forwarder.answer(query)
        if not transport.is_closing():
            transport.sendto(pack_udp(reply, udp_limit(query)), address)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._tcp_clients >= MAX_TCP_CLIENTS:
            self.statistics.dropped += 1
            writer.close()
            return
        self._tcp_clients += 1
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_SECONDS):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(length)
                query = self._parse(data)
                if query is None:
                    return
                reply = self._local(query) if self._is_ours(query) else await self._forwarder.answer(query)
                packed = bytes(reply.pack())
                writer.write(len(packed).to_bytes(2, "big") + packed)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return  # the client is done, or gone
        finally:
            self._tcp_clients -= 1
            writer.close()

    def _parse(self, data: bytes) -> DNSRecord | None:
        self.statistics.queries += 1
        try:
            return parse(data)
        except MalformedQuery:
            self.statistics.malformed += 1
            return None

    def _is_ours(self, query: DNSRecord) -> bool:
        return self.zone.owns(question_name(query)) or query.header.opcode != 0

    def _local(self, query: DNSRecord) -> DNSRecord:
        if query.header.opcode != 0:
            return refusal(query, RCODE.NOTIMP)
        return from_zone(query, self.zone)


class _UdpServer(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # By promise of the loop, not by class: uvloop's transports have none of asyncio's.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._server.answer_udp(data, addr, self._transport)


def service_of(piece: discovery_v1.EndpointSlice) -> list[str]:
    """The `namespace/name` of the Service a slice belongs to."""
    name = piece.metadata.labels.get(SERVICE_NAME_LABEL)
    return [f"{piece.metadata.namespace}/{name}"] if name else []


def bound_socket(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A socket on an address that may appear later.

    Raises:
        OSError: the port is taken, or binding it needs root; the message names address and port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, kind)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET and hasattr(socket, "AF_NETLINK"):  # Linux
        found.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    found.setblocking(False)
    try:
        found.bind((address, port))
    except OSError as error:
        found.close()
        raise OSError(error.errno, f"cannot listen on {address}:{port}: {error.strerror}") from error
    return found


async def run(client: Client, config: DnsConfig, clock: Clock, chance: Chance) -> None:
    """Serve until cancelled."""
    await DnsServer(client, config, clock, chance).run()
