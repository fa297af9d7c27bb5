from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.apiserver.allocators.addresses import NETWORKING, family_of
from pybernetes.apiserver.allocators.ledger import ip_address
from pybernetes.apiserver.allocators.pool import Exhausted, Pool, Taken
from pybernetes.apiserver.allocators.services import ServiceAllocator, ips_of, ports_of
from pybernetes.apiserver.request import Document
from pybernetes.effects import Chance
from pybernetes.machinery import errors
from pybernetes.machinery.errors import InternalError, Invalid
from support.security import Objects, meta


def service(name: str = "web", **spec: Any) -> Document:
    return {"metadata": meta(name, "default"), "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


class Store:
    """IPAddress objects of a cluster; `elsewhere` are those another server has made that are not seen yet."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.elsewhere: set[str] = set()

    async def create(self, address: str, service: Document) -> None:
        if address in self.elsewhere or self.objects.get(NETWORKING, "ipaddresses", "", address) is not None:
            raise errors.already_exists("ipaddresses", NETWORKING, address)
        self.objects.put(NETWORKING, "ipaddresses", ip_address(address, service))

    async def delete(self, address: str) -> None:
        if self.objects.get(NETWORKING, "ipaddresses", "", address) is None:
            raise errors.not_found("ipaddresses", NETWORKING, address)
        self.objects.remove(NETWORKING, "ipaddresses", "", address)


class Cluster:
    def __init__(self, cidr: str = "10.96.0.0/12", ports: tuple[int, int] = (30000, 32767)) -> None:
        self.objects = Objects()
        self.store = Store(self.objects)
        self.allocator = ServiceAllocator(cidr, Chance(1), ports)
        self.allocator.follow(self.objects, self.store)

    async def create(self, document: Document) -> Document:
        async with self.allocator.create(document):
            self.objects.put("", "services", document)
        return document

    async def update(self, new: Document, old: Document) -> Document:
        async with self.allocator.update(new, old):
            self.objects.put("", "services", new)
        return new

    def addresses(self) -> set[str]:
        return {found["metadata"]["name"] for found in self.objects.list(NETWORKING, "ipaddresses")}

    def used(self) -> tuple[int, int]:
        ips, ports = self.allocator.addresses.statistics(), self.allocator.node_ports.pool.statistics()
        assert ips["reserved"] == ports["reserved"] == 0
        assert ips["held"] == len(self.addresses())
        return ips["held"], ports["held"]

    def add_range(self, name: str, *cidrs: str, ready: str = "True") -> None:
        condition = {"type": "Ready", "status": ready}
        document = {"metadata": meta(name), "spec": {"cidrs": [*cidrs]}, "status": {"conditions": [condition]}}
        self.objects.put(NETWORKING, "servicecidrs", document)


async def test_a_service_gets_an_address_of_the_upper_band_and_the_fields_that_go_with_it() -> None:
    spec = (await Cluster().create(service()))["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["clusterIP"] not in {f"10.96.0.{n}" for n in range(256)}
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert "nodePort" not in spec["ports"][0]


async def test_the_static_band_serves_wishes_and_is_given_out_last() -> None:
    cluster = Cluster("10.0.0.0/24")
    assert (await cluster.create(service(clusterIP="10.0.0.1")))["spec"]["clusterIPs"] == ["10.0.0.1"]
    given_out = [(await cluster.create(service(f"s{n}")))["spec"]["clusterIP"] for n in range(253)]
    assert len(set(given_out)) == 253
    assert {int(ip.split(".")[3]) for ip in given_out[:238]} == set(range(17, 255))
    with pytest.raises(InternalError, match="failed to allocate a serviceIP: range is full"):
        (await cluster.create(service("more")))


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
async def test_what_cannot_be_had_is_refused_and_nothing_stays_reserved(spec: Document, message: str) -> None:
    cluster = Cluster()
    await cluster.create(
        service("dns", clusterIP="10.96.0.10", type="NodePort", ports=[{"port": 53, "nodePort": 30053}])
    )
    before = cluster.used()
    with pytest.raises(Invalid) as caught:
        await cluster.create(service(**spec))
    assert caught.value.message == f'Service "web" is invalid: {message}'
    assert cluster.used() == before


async def test_a_headless_and_an_external_service_get_no_address() -> None:
    cluster = Cluster()
    assert (await cluster.create(service(clusterIP="None")))["spec"]["clusterIPs"] == ["None"]
    external = (await cluster.create(service("x", type="ExternalName", externalName="example.com")))["spec"]
    assert "clusterIP" not in external
    assert "ipFamilies" not in external
    assert cluster.used() == (0, 0)


async def test_one_node_port_serves_a_port_in_two_protocols() -> None:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]
    found = [
        row["nodePort"] for row in (await Cluster().create(service(type="NodePort", ports=ports)))["spec"]["ports"]
    ]
    assert found[0] == found[1] != found[2]


async def test_a_load_balancer_gets_a_health_port_and_may_do_without_node_ports() -> None:
    cluster = Cluster()
    local = (await cluster.create(service(type="LoadBalancer", externalTrafficPolicy="Local")))["spec"]
    assert local["healthCheckNodePort"] not in {local["ports"][0]["nodePort"], None}
    bare = (await cluster.create(service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)))["spec"]
    assert "nodePort" not in bare["ports"][0]


async def test_two_creates_under_way_never_get_the_same_and_a_failed_one_gives_back() -> None:
    cluster = Cluster("10.0.0.0/29", (30000, 30003))
    first, second = service("a", type="NodePort"), service("b", type="NodePort")
    one, two = cluster.allocator.create(first), cluster.allocator.create(second)
    await one.__aenter__()
    await two.__aenter__()
    assert ips_of(first) != ips_of(second)
    assert ports_of(first) != ports_of(second)
    assert cluster.addresses() == {*ips_of(first), *ips_of(second)}
    for reservation in (one, two):
        await reservation.__aexit__(ValueError, ValueError("refused"), None)
        reservation.close()
    assert cluster.used() == (0, 0)


async def test_deleting_and_changing_the_type_release() -> None:
    cluster = Cluster()
    old = await cluster.create(service(type="NodePort"))
    new = service(clusterIP=old["spec"]["clusterIP"], clusterIPs=old["spec"]["clusterIPs"], type="ClusterIP")
    await cluster.update(new, old)
    assert cluster.used() == (1, 0)
    external = service(type="ExternalName", externalName="x")
    await cluster.update(external, new)
    assert cluster.used() == (0, 0)
    back = await cluster.update(service(type="LoadBalancer"), external)
    assert cluster.used() == (1, 1)
    cluster.objects.remove("", "services", "default", "web")
    await cluster.allocator.service_deleted(back)
    assert cluster.used() == (0, 0)


async def test_an_update_keeps_what_the_service_has_and_adds_what_is_missing() -> None:
    cluster = Cluster()
    old = await cluster.create(service(type="NodePort"))
    kept = old["spec"]["ports"][0]
    ports = [dict(kept), {"port": 81}, {"port": 82, "nodePort": 30001}]
    new = await cluster.update(service(type="NodePort", clusterIP=old["spec"]["clusterIP"], ports=ports), old)
    numbers = [row["nodePort"] for row in new["spec"]["ports"]]
    assert numbers[0] == kept["nodePort"]
    assert numbers[2] == 30001
    assert len(set(numbers)) == 3
    assert cluster.addresses() == {old["spec"]["clusterIP"]}


def test_what_is_held_is_learnt_from_stored_services_and_addresses() -> None:
    objects = Objects()
    objects.put("", "services", service("a", clusterIP="10.96.0.1", type="ClusterIP"))
    objects.put(NETWORKING, "ipaddresses", ip_address("10.96.0.2", service("gone")))
    allocator = ServiceAllocator("10.96.0.0/12", Chance(1))
    allocator.follow(objects, Store(objects))
    for address in ("10.96.0.1", "10.96.0.2"):
        with pytest.raises(Invalid, match="already allocated"):
            allocator.create(service("b", clusterIP=address))


async def test_every_address_has_an_object_that_names_its_service() -> None:
    cluster = Cluster()
    address = (await cluster.create(service()))["spec"]["clusterIP"]
    found = cluster.objects.get(NETWORKING, "ipaddresses", "", address)
    assert found is not None
    assert found["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}
    assert found["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }


async def test_where_another_server_was_faster_another_address_is_taken_but_a_wish_is_refused() -> None:
    cluster = Cluster("10.0.0.0/29")
    cluster.store.elsewhere = {f"10.0.0.{n}" for n in range(1, 6)}
    assert (await cluster.create(service()))["spec"]["clusterIPs"] == ["10.0.0.6"]
    with pytest.raises(Invalid, match=r"10\.0\.0\.3: provided IP is already allocated"):
        await cluster.create(service("b", clusterIP="10.0.0.3"))
    with pytest.raises(InternalError, match="range is full"):
        await cluster.create(service("c"))
    assert cluster.used() == (1, 0)


async def test_addresses_come_from_every_ready_range_and_from_no_other() -> None:
    cluster = Cluster("10.0.0.0/30")
    cluster.add_range("kubernetes", "10.0.0.0/30")
    for name in ("a", "b"):
        await cluster.create(service(name))
    with pytest.raises(InternalError, match="range is full"):
        await cluster.create(service("c"))
    cluster.add_range("more", "10.9.0.0/28", ready="False")
    with pytest.raises(Invalid, match="the provided network does not match the current range"):
        await cluster.create(service("c", clusterIP="10.9.0.3"))
    cluster.add_range("more", "10.9.0.0/28")
    assert (await cluster.create(service("c")))["spec"]["clusterIP"].startswith("10.9.0.")
    with pytest.raises(Invalid, match=r"the provided IP \(10.9.0.0\) is not in the valid range"):
        await cluster.create(service("e", clusterIP="10.9.0.0"))
    cluster.objects.remove(NETWORKING, "servicecidrs", "", "more")
    with pytest.raises(InternalError, match="range is full"):
        await cluster.create(service("f"))


async def test_an_address_of_two_overlapping_ranges_is_given_out_once() -> None:
    cluster = Cluster("10.0.0.0/29")
    cluster.add_range("kubernetes", "10.0.0.0/29")
    cluster.add_range("inside", "10.0.0.0/30")
    found = [(await cluster.create(service(f"s{n}")))["spec"]["clusterIP"] for n in range(6)]
    assert len(set(found)) == 6
    with pytest.raises(InternalError, match="range is full"):
        await cluster.create(service("more"))


async def test_a_dry_run_takes_nothing() -> None:
    cluster = Cluster()
    document = service(type="NodePort", ports=[{"port": 80}, {"port": 81}])
    async with cluster.allocator.create(document, dry_run=True):
        assert cluster.used() == (0, 0)
    assert document["spec"]["clusterIP"] == "10.96.0.0"
    assert [row["nodePort"] for row in document["spec"]["ports"]] == [32768, 32769]
    assert cluster.used() == (0, 0)


DUAL = "10.96.0.0/16,fd00:10:96::/112"


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4"], "SingleStack"),
        ({"ipFamilies": ["IPv6"]}, ["IPv6"], "SingleStack"),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["IPv4", "IPv6"], "PreferDualStack"),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ({"clusterIP": "fd00:10:96::5"}, ["IPv6"], "SingleStack"),
        ({"clusterIP": "None", "selector": None}, ["IPv4", "IPv6"], "RequireDualStack"),
        ({"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack"}, ["IPv4", "IPv6"], "PreferDualStack"),
    ],
)
async def test_families_of_a_dual_stack_cluster(spec: Document, families: list[str], policy: str) -> None:
    found = (await Cluster(DUAL).create(service(**spec)))["spec"]
    assert (found["ipFamilies"], found["ipFamilyPolicy"]) == (families, policy)
    if found["clusterIP"] != "None":
        assert [family_of(ip) for ip in found["clusterIPs"]] == families
        assert found["clusterIP"] == found["clusterIPs"][0]


async def test_headless_without_selector_may_have_both_families_on_any_cluster() -> None:
    found = (await Cluster().create(service(clusterIP="None", selector=None)))["spec"]
    assert (found["ipFamilies"], found["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")


async def test_a_service_gains_and_loses_its_second_family() -> None:
    cluster = Cluster(DUAL)
    old = await cluster.create(service())
    kept = {key: old["spec"][key] for key in ("clusterIP", "clusterIPs", "ipFamilies")}
    both = await cluster.update(service(**{**kept, "ipFamilyPolicy": "PreferDualStack"}), old)
    assert len(both["spec"]["clusterIPs"]) == 2
    assert cluster.used() == (2, 0)
    kept = {key: both["spec"][key] for key in ("clusterIP", "clusterIPs", "ipFamilies")}
    single = await cluster.update(service(**{**kept, "ipFamilyPolicy": "SingleStack"}), both)
    assert (single["spec"]["clusterIPs"], single["spec"]["ipFamilies"]) == (old["spec"]["clusterIPs"], ["IPv4"])
    assert cluster.addresses() == {*old["spec"]["clusterIPs"]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"},
            'spec.ipFamilyPolicy: Invalid value: "SingleStack": '
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"], "ipFamilies": ["IPv6"]},
            'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
        ),
        (
            {
                "clusterIP": "10.96.0.9",
                "clusterIPs": ["10.96.0.9", "10.96.0.8"],
                "ipFamilyPolicy": "RequireDualStack",
            },
            'spec.clusterIPs: Invalid value: ["10.96.0.9","10.96.0.8"]: '
            "may specify no more than one IP for each IP family",
        ),
    ],
)
async def test_families_that_do_not_fit_are_refused(spec: Document, message: str) -> None:
    cluster = Cluster(DUAL)
    with pytest.raises(Invalid) as caught:
        await cluster.create(service(**spec))
    assert caught.value.message == f'Service "web" is invalid: {message}'
    assert cluster.used() == (0, 0)


async def test_losing_a_family_needs_the_policy_to_say_so() -> None:
    cluster = Cluster(DUAL)
    old = await cluster.create(service(ipFamilyPolicy="RequireDualStack"))
    first = old["spec"]["clusterIP"]
    new = service(clusterIP=first, clusterIPs=[first], ipFamilies=["IPv4"], ipFamilyPolicy="RequireDualStack")
    with pytest.raises(Invalid, match="must be 'SingleStack' to release the secondary cluster IP"):
        await cluster.update(new, old)
    assert cluster.used() == (2, 0)


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
