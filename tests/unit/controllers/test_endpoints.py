from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.controllers.endpoints import reconcile as endpoints_reconcile
from pybernetes.controllers.endpointslice import reconcile
from support.objects import node, with_meta, with_spec, with_status
from support.world import World

CONTROLLERS = ("endpointslice-controller", "endpoints-controller")


def service(**spec: object) -> core_v1.Service:
    fields: dict[str, object] = {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.7",
        "ports": [core_v1.ServicePort(name="http", port=80, targetPort=8080, protocol="TCP")],
        **spec,
    }
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default", uid="svc"),
        spec=core_v1.ServiceSpec(**fields),  # type: ignore[arg-type]
    )


def pod(name: str = "web-0", *, ready: bool = True, address: str = "10.244.0.5", **meta: object) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=name, labels={"app": "web"}, **meta),  # type: ignore[arg-type]
        spec=core_v1.PodSpec(
            nodeName="n1",
            containers=[core_v1.Container(name="c", ports=[core_v1.ContainerPort(name="web", containerPort=9090)])],
        ),
        status=core_v1.PodStatus(
            phase="Running",
            podIP=address,
            conditions=[core_v1.PodCondition(type="Ready", status="True" if ready else "False")],
        ),
    )


NODES: dict[str, core_v1.Node | None] = {"n1": node("n1", **{"topology.kubernetes.io/zone": "z1"})}


@pytest.mark.parametrize(
    ("given_pod", "publish", "expected"),
    [
        (pod(), False, (True, True, False)),
        (pod(ready=False), False, (False, False, False)),
        (pod(ready=False), True, (True, False, False)),
        (pod(deletionTimestamp="2026-01-01T00:00:00Z"), False, (False, True, True)),
        (pod(ready=False, deletionTimestamp="2026-01-01T00:00:00Z"), False, (False, False, True)),
    ],
)
def test_ready_serving_and_terminating_say_what_the_pod_is_good_for(
    given_pod: core_v1.Pod, publish: bool, expected: tuple[bool, bool, bool]
) -> None:
    groups = reconcile.desired(service(publishNotReadyAddresses=publish), [given_pod], NODES, "IPv4")
    ((endpoint,),) = groups.values()
    conditions = endpoint.conditions
    assert (conditions.ready, conditions.serving, conditions.terminating) == expected
    assert endpoint.zone == "z1"


def test_a_named_target_port_is_looked_up_in_the_pod() -> None:
    named = service(ports=[core_v1.ServicePort(name="http", port=80, targetPort="web", protocol="TCP")])
    (ports,) = reconcile.desired(named, [pod()], NODES, "IPv4")
    assert [port.port for port in ports] == [9090]
    absent = service(ports=[core_v1.ServicePort(name="http", port=80, targetPort="other", protocol="TCP")])
    assert reconcile.desired(absent, [pod()], NODES, "IPv4") == {}


def test_finished_pods_and_pods_without_address_are_left_out() -> None:
    pods = [with_status(pod("a"), phase="Succeeded"), pod("b", address="")]
    assert reconcile.desired(service(), pods, NODES, "IPv4") == {}


def test_near_endpoints_are_hinted_when_the_service_prefers_them() -> None:
    groups = reconcile.desired(service(trafficDistribution="PreferSameNode"), [pod()], NODES, "IPv4")
    ((endpoint,),) = groups.values()
    assert endpoint.hints is not None
    assert [zone.name for zone in endpoint.hints.forZones] == ["z1"]
    assert [entry.name for entry in endpoint.hints.forNodes] == ["n1"]


PORTS: reconcile.Ports = (discovery_v1.EndpointPort(name="http", port=8080, protocol="TCP"),)


def endpoint_of(number: int, version: int = 0) -> discovery_v1.Endpoint:
    name = f"p{number:03}"
    reference = core_v1.ObjectReference(kind="Pod", namespace="default", name=name, uid=name)
    return discovery_v1.Endpoint(addresses=[f"10.0.{version}.{number}"], targetRef=reference)


def carried_out(changes: reconcile.Changes, existing: Sequence[reconcile.Slice]) -> list[reconcile.Slice]:
    gone = {s.metadata.name for s in changes.delete}
    updated = {s.metadata.name: s for s in changes.update}
    kept = [updated.get(s.metadata.name, s) for s in existing if s.metadata.name not in gone]
    start = len(existing) + 100
    return kept + [with_meta(s, name=f"s{start + n}") for n, s in enumerate(changes.create)]


@given(
    st.lists(st.dictionaries(st.integers(0, 60), st.integers(0, 2), max_size=50), min_size=1, max_size=6),
    st.integers(1, 12),
)
def test_slices_hold_exactly_what_is_wanted_within_the_limit_and_a_second_look_changes_nothing(
    rounds: list[dict[int, int]], limit: int
) -> None:
    slices: list[reconcile.Slice] = []
    for wanted in rounds:
        endpoints = [endpoint_of(number, version) for number, version in wanted.items()]
        groups = {"IPv4": {PORTS: endpoints} if endpoints else {}}
        slices = carried_out(reconcile.plan(service(), groups, slices, limit), slices)
        held = [e for s in slices for e in s.endpoints]
        assert sorted(map(msgspec.json.encode, held)) == sorted(map(msgspec.json.encode, endpoints))
        assert all(len(s.endpoints) <= limit for s in slices)
        assert slices
        assert reconcile.plan(service(), groups, slices, limit) == reconcile.Changes()
        slices = [with_meta(s, name=f"s{n}") for n, s in enumerate(slices)]


def test_one_changed_endpoint_among_many_rewrites_one_slice() -> None:
    endpoints = [endpoint_of(n) for n in range(250)]
    slices = carried_out(reconcile.plan(service(), {"IPv4": {PORTS: endpoints}}, [], 100), [])
    assert sorted(len(s.endpoints) for s in slices) == [50, 100, 100]
    endpoints[120] = endpoint_of(120, 1)
    changes = reconcile.plan(service(), {"IPv4": {PORTS: endpoints}}, slices, 100)
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)


def test_subsets_part_ready_from_not_ready_addresses() -> None:
    pods = [pod("b", address="10.0.0.2"), pod("a", address="10.0.0.1"), pod("c", address="10.0.0.3", ready=False)]
    (subset,) = endpoints_reconcile.subsets(service(), pods)
    assert [a.ip for a in subset.addresses] == ["10.0.0.1", "10.0.0.2"]
    assert [a.ip for a in subset.notReadyAddresses] == ["10.0.0.3"]
    assert [(p.name, p.port) for p in subset.ports] == [("http", 8080)]


async def test_both_forms_follow_the_pods_of_a_service() -> None:
    async with World(*CONTROLLERS).started() as world:
        await world.client.create(node("n1"))
        await world.client.create(service())
        await world.settle()
        (slice_,) = await world.all(discovery_v1.EndpointSlice)
        assert slice_.endpoints == []
        assert slice_.metadata.labels["kubernetes.io/service-name"] == "web"
        template = pod()
        made = await world.client.create(with_spec(with_meta(template, uid=""), nodeName=""))
        await world.set_phase(made, "Running", ready=True)
        await world.settle()
        (slice_,) = await world.all(discovery_v1.EndpointSlice)
        ready = await world.one(core_v1.Pod, "web-0")
        assert [e.addresses for e in slice_.endpoints] == [[ready.status.podIP]]
        assert slice_.endpoints[0].conditions.ready is True
        (subset,) = (await world.one(core_v1.Endpoints, "web")).subsets
        assert [a.ip for a in subset.addresses] == [ready.status.podIP]
        await world.set_phase(ready, "Running", ready=False)
        await world.settle()
        (slice_,) = await world.all(discovery_v1.EndpointSlice)
        assert slice_.endpoints[0].conditions.ready is False
        (subset,) = (await world.one(core_v1.Endpoints, "web")).subsets
        assert [a.ip for a in subset.notReadyAddresses] == [ready.status.podIP]
        world.client.writes()
        for controller in world.manager.controllers:
            controller.queue.add("default/web")
        await world.settle(60)
        assert world.client.writes() == []
        await world.client.delete(core_v1.Service, "web", "default")
        await world.settle()
        assert await world.all(core_v1.Endpoints) == []


async def test_a_service_without_selector_keeps_the_endpoints_its_user_made() -> None:
    async with World(*CONTROLLERS).started() as world:
        subset = core_v1.EndpointSubset(addresses=[core_v1.EndpointAddress(ip="192.0.2.1")])
        meta = meta_v1.ObjectMeta(name="web", namespace="default")
        await world.client.create(core_v1.Endpoints(metadata=meta, subsets=[subset]))
        await world.client.create(service(selector={}))
        await world.settle()
        assert (await world.one(core_v1.Endpoints, "web")).subsets == [subset]
        assert await world.all(discovery_v1.EndpointSlice) == []
