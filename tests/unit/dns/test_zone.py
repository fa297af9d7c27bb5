import pytest
from dnslib import DNSRecord

from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.dns import answers
from pybernetes.dns.zone import Kind, Record, Srv, Zone, service_records

DOMAIN = "cluster.local"
WEB = "web.default.svc.cluster.local"


def service(**spec: object) -> core_v1.Service:
    ports = [core_v1.ServicePort(name="http", port=80, protocol="TCP")]
    fields = {"clusterIP": "10.96.0.5", "ports": ports, **spec}
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=core_v1.ServiceSpec(**fields),  # type: ignore[arg-type]
    )


def slice_of(*endpoints: tuple[str, str, bool]) -> discovery_v1.EndpointSlice:
    return discovery_v1.EndpointSlice(
        addressType="IPv4",
        ports=[discovery_v1.EndpointPort(name="http", port=8080, protocol="TCP")],
        endpoints=[
            discovery_v1.Endpoint(
                addresses=[ip], hostname=hostname or None, conditions=discovery_v1.EndpointConditions(ready=ready)
            )
            for ip, hostname, ready in endpoints
        ],
    )


def zone_of(one: core_v1.Service, *slices: discovery_v1.EndpointSlice) -> Zone:
    zone = Zone(DOMAIN)
    zone.set_namespaces(["default"])
    zone.replace(one.key, service_records(one, slices, DOMAIN))
    return zone


def data(zone: Zone, name: str, kind: Kind) -> set[str | Srv]:
    return {record.data for record in zone.lookup(name, kind).records}


def test_a_cluster_ip_has_an_address_a_port_record_and_a_reverse_name() -> None:
    zone = zone_of(service())
    assert data(zone, WEB, Kind.A) == {"10.96.0.5"}
    assert data(zone, f"_http._tcp.{WEB}", Kind.SRV) == {Srv(80, WEB)}
    assert data(zone, "5.0.96.10.in-addr.arpa", Kind.PTR) == {WEB}


def test_a_headless_service_has_its_ready_endpoints() -> None:
    zone = zone_of(
        service(clusterIP="None"), slice_of(("10.0.0.1", "db-0", True), ("10.0.0.2", "", True), ("10.0.0.3", "", False))
    )
    assert data(zone, WEB, Kind.A) == {"10.0.0.1", "10.0.0.2"}
    assert data(zone, f"db-0.{WEB}", Kind.A) == {"10.0.0.1"}
    assert data(zone, f"_http._tcp.{WEB}", Kind.SRV) == {Srv(8080, f"db-0.{WEB}"), Srv(8080, f"10-0-0-2.{WEB}")}
    assert data(zone, "1.0.0.10.in-addr.arpa", Kind.PTR) == {f"db-0.{WEB}"}


def test_a_headless_service_may_publish_what_is_not_ready() -> None:
    one = service(clusterIP="None", publishNotReadyAddresses=True)
    assert data(zone_of(one, slice_of(("10.0.0.3", "", False))), WEB, Kind.A) == {"10.0.0.3"}


def test_an_external_name_is_an_alias() -> None:
    zone = zone_of(service(type="ExternalName", clusterIP="", externalName="example.org."))
    assert data(zone, WEB, Kind.A) == {"example.org"}


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        (WEB, True),
        ("default.svc.cluster.local", True),
        ("svc.cluster.local", True),
        (f"_tcp.{WEB}", True),
        ("other.default.svc.cluster.local", False),
        ("web.other.svc.cluster.local", False),
    ],
)
def test_a_name_without_records_of_the_type_is_nodata_and_an_unknown_one_nxdomain(name: str, exists: bool) -> None:
    found = zone_of(service()).lookup(name, Kind.AAAA)
    assert not found.records
    assert found.exists is exists


def test_pod_names_answer_in_namespaces_that_exist() -> None:
    zone = zone_of(service())
    assert data(zone, "10-1-2-3.default.pod.cluster.local", Kind.A) == {"10.1.2.3"}
    assert not zone.lookup("10-1-2-3.other.pod.cluster.local", Kind.A).exists


def test_a_removed_service_leaves_no_name_behind() -> None:
    zone = zone_of(service())
    zone.replace("default/web", ())
    assert not zone.lookup(WEB, Kind.A).exists
    assert not zone.lookup(f"_tcp.{WEB}", Kind.A).exists
    assert not zone.owns("5.0.96.10.in-addr.arpa")


def test_the_answer_keeps_the_spelling_of_the_question() -> None:
    query = answers.parse(DNSRecord.question("WEB.default.svc.Cluster.local").pack())
    reply = answers.from_zone(query, zone_of(service()))
    assert str(reply.rr[0].rname) == "WEB.default.svc.Cluster.local."
    assert reply.header.aa == 1


def test_a_negative_answer_carries_the_start_of_authority() -> None:
    query = answers.parse(DNSRecord.question("nope.default.svc.cluster.local").pack())
    reply = answers.from_zone(query, zone_of(service()))
    assert reply.header.rcode == 3
    assert str(reply.auth[0].rname) == "cluster.local."


def test_an_answer_too_large_for_udp_is_cut_and_says_so() -> None:
    zone = Zone(DOMAIN)
    zone.replace("x", [Record(WEB, Kind.A, f"10.0.0.{n}") for n in range(1, 100)])
    query = answers.parse(DNSRecord.question(WEB).pack())
    packed = answers.pack_udp(answers.from_zone(query, zone), answers.udp_limit(query))
    assert len(packed) <= 512
    assert DNSRecord.parse(packed).header.tc == 1


@pytest.mark.parametrize("junk", [b"", b"\x00" * 5, b"\xff" * 40])
def test_junk_is_refused_and_breaks_nothing(junk: bytes) -> None:
    with pytest.raises(answers.MalformedQuery):
        answers.parse(junk)
