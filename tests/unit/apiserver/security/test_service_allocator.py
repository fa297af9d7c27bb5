from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.apiserver.allocators.pool import Exhausted, Pool, Taken
from pybernetes.apiserver.allocators.services import ServiceAllocator, ips_of, ports_of
from pybernetes.apiserver.request import Document
from pybernetes.effects import Chance
from pybernetes.machinery.errors import InternalError, Invalid
from support.security import Objects, meta


def service(name: str = "web", **spec: Any) -> Document:
    return {"metadata": meta(name, "default"), "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


class Cluster:
    def __init__(self, cidr: str = "10.96.0.0/12", ports: tuple[int, int] = (30000, 32767)) -> None:
        self.objects = Objects()
        self.allocator = ServiceAllocator(cidr, Chance(1), ports)
        self.allocator.follow(self.objects)

    def create(self, document: Document) -> Document:
        reservation = self.allocator.create(document)
        self.objects.put("", "services", document)
        reservation.close()
        return document

    def used(self) -> tuple[int, int]:
        ips, ports = self.allocator.cluster_ips.pool.statistics(), self.allocator.node_ports.pool.statistics()
        assert ips["reserved"] == ports["reserved"] == 0
        return ips["held"], ports["held"]


def test_a_service_gets_an_address_of_the_upper_band_and_the_fields_that_go_with_it() -> None:
    spec = Cluster().create(service())["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["clusterIP"] not in {f"10.96.0.{n}" for n in range(256)}
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert "nodePort" not in spec["ports"][0]


def test_the_static_band_serves_wishes_and_is_given_out_last() -> None:
    cluster = Cluster("10.0.0.0/24")
    assert cluster.create(service(clusterIP="10.0.0.1"))["spec"]["clusterIPs"] == ["10.0.0.1"]
    given_out = [cluster.create(service(f"s{n}"))["spec"]["clusterIP"] for n in range(253)]
    assert len(set(given_out)) == 253
    assert {int(ip.split(".")[3]) for ip in given_out[:238]} == set(range(17, 255))
    with pytest.raises(InternalError, match="failed to allocate a serviceIP: range is full"):
        cluster.create(service("more"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"clusterIP": "10.96.0.10"},
            'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
            "provided IP is already allocated",
        ),
        (
            {"clusterIP": "1.2.3.4"},
            'spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: '
            "the provided network does not match the current range",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 1}]},
            "spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. "
            "The range of valid ports is 30000-32767",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30053}]},
            "spec.ports[0].nodePort: Invalid value: 30053: provided port is already allocated",
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
            "this cluster is not configured for dual-stack services",
        ),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
    ],
)
def test_what_cannot_be_had_is_refused_and_nothing_stays_reserved(spec: Document, message: str) -> None:
    cluster = Cluster()
    cluster.create(service("dns", clusterIP="10.96.0.10", type="NodePort", ports=[{"port": 53, "nodePort": 30053}]))
    before = cluster.used()
    with pytest.raises(Invalid) as caught:
        cluster.allocator.create(service(**spec))
    assert caught.value.message == f'Service "web" is invalid: {message}'
    assert cluster.used() == before


def test_a_headless_and_an_external_service_get_no_address() -> None:
    cluster = Cluster()
    assert cluster.create(service(clusterIP="None"))["spec"]["clusterIPs"] == ["None"]
    external = cluster.create(service("x", type="ExternalName", externalName="example.com"))["spec"]
    assert "clusterIP" not in external
    assert "ipFamilies" not in external
    assert cluster.used() == (0, 0)


def test_one_node_port_serves_a_port_in_two_protocols() -> None:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]
    found = [row["nodePort"] for row in Cluster().create(service(type="NodePort", ports=ports))["spec"]["ports"]]
    assert found[0] == found[1] != found[2]


def test_a_load_balancer_gets_a_health_port_and_may_do_without_node_ports() -> None:
    cluster = Cluster()
    local = cluster.create(service(type="LoadBalancer", externalTrafficPolicy="Local"))["spec"]
    assert local["healthCheckNodePort"] not in {local["ports"][0]["nodePort"], None}
    bare = cluster.create(service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False))["spec"]
    assert "nodePort" not in bare["ports"][0]


def test_two_creates_under_way_never_get_the_same_and_a_failed_one_gives_back() -> None:
    cluster = Cluster("10.0.0.0/29", (30000, 30003))
    first, second = service("a", type="NodePort"), service("b", type="NodePort")
    one, two = cluster.allocator.create(first), cluster.allocator.create(second)
    assert ips_of(first) != ips_of(second)
    assert ports_of(first) != ports_of(second)
    one.close()
    two.close()
    two.close()
    assert cluster.used() == (0, 0)


def test_deleting_and_changing_the_type_release() -> None:
    cluster = Cluster()
    old = cluster.create(service(type="NodePort"))
    new = service(clusterIP=old["spec"]["clusterIP"], clusterIPs=old["spec"]["clusterIPs"], type="ClusterIP")
    reservation = cluster.allocator.update(new, old)
    cluster.objects.put("", "services", new)
    reservation.close()
    assert cluster.used() == (1, 0)
    external = service(type="ExternalName", externalName="x")
    cluster.allocator.update(external, new).close()
    cluster.objects.put("", "services", external)
    assert cluster.used() == (0, 0)
    cluster.objects.remove("", "services", "default", "web")


def test_an_update_keeps_what_the_service_has_and_adds_what_is_missing() -> None:
    cluster = Cluster()
    old = cluster.create(service(type="NodePort"))
    kept = old["spec"]["ports"][0]
    ports = [dict(kept), {"port": 81}, {"port": 82, "nodePort": 30001}]
    new = service(type="NodePort", clusterIP=old["spec"]["clusterIP"], ports=ports)
    cluster.allocator.update(new, old)
    numbers = [row["nodePort"] for row in new["spec"]["ports"]]
    assert numbers[0] == kept["nodePort"]
    assert numbers[2] == 30001
    assert len(set(numbers)) == 3


def test_what_is_held_is_learnt_from_stored_services() -> None:
    objects = Objects()
    objects.put("", "services", service("a", clusterIP="10.96.0.1", type="ClusterIP"))
    allocator = ServiceAllocator("10.96.0.0/12", Chance(1))
    allocator.follow(objects)
    with pytest.raises(Invalid, match="already allocated"):
        allocator.create(service("b", clusterIP="10.96.0.1"))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["take", "store", "fail", "delete"]), st.integers(0, 30)), max_size=60))
def test_no_number_is_given_out_twice_and_none_is_lost(steps: list[tuple[str, int]]) -> None:
    pool = Pool(8, 2, Chance(3))
    under_way: list[int] = []
    stored: list[int] = []
    for step, pick in steps:
        if step == "take":
            try:
                number = pool.reserve_any()
            except Exhausted:
                assert len(under_way) + len(stored) == pool.size
                continue
            assert number not in under_way
            assert number not in stored
            under_way.append(number)
        elif step in {"store", "fail"} and under_way:
            number = under_way.pop(pick % len(under_way))
            if step == "store":
                pool.hold(number)
                stored.append(number)
            pool.unreserve(number)
        elif step == "delete" and stored:
            pool.unhold(stored.pop(pick % len(stored)))
    for number in range(pool.size):
        free = number not in under_way and number not in stored
        assert pool.is_free(number) is free
        if not free:
            with pytest.raises(Taken):
                pool.reserve(number)
