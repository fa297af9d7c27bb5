from typing import Any

from pybernetes.api import core_v1, discovery_v1
from pybernetes.controllers.endpointslicemirroring import reconcile
from support.objects import made, with_meta
from support.world import World

SUBSET = {"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}], "ports": [{"name": "http", "port": 80}]}


def endpoints(*subsets: dict[str, Any], **metadata: Any) -> core_v1.Endpoints:
    return made(
        core_v1.Endpoints, {"metadata": {"name": "db", "namespace": "default", **metadata}, "subsets": list(subsets)}
    )


def service(**spec: Any) -> core_v1.Service:
    return made(core_v1.Service, {"metadata": {"name": "db", "namespace": "default"}, "spec": spec})


def shown(value: discovery_v1.EndpointSlice) -> tuple[str, list[tuple[str, bool | None]], list[int | None]]:
    rows = [(row.addresses[0], row.conditions.ready) for row in value.endpoints]
    return value.addressType, rows, [port.port for port in value.ports]


def test_families_get_slices_of_their_own_and_equal_ports_share_one() -> None:
    other = {"notReadyAddresses": [{"ip": "10.0.0.3"}, {"ip": "fd00::1"}], "ports": SUBSET["ports"]}
    found = reconcile.plan(endpoints(SUBSET, other), [])
    assert sorted(map(shown, found.create)) == [
        ("IPv4", [("10.0.0.1", True), ("10.0.0.2", True), ("10.0.0.3", False)], [80]),
        ("IPv6", [("fd00::1", False)], [80]),
    ]


def test_a_slice_is_kept_while_its_ports_are() -> None:
    (present,) = reconcile.plan(endpoints(SUBSET), []).create
    assert reconcile.plan(endpoints(SUBSET), [present]) == reconcile.Changes([], [], [])
    more = {**SUBSET, "addresses": [{"ip": "10.0.0.9"}]}
    (changed,) = reconcile.plan(endpoints(more), [present]).update
    assert shown(changed) == ("IPv4", [("10.0.0.9", True)], [80])
    moved = reconcile.plan(endpoints({**SUBSET, "ports": [{"port": 81}]}), [present])
    assert (len(moved.create), moved.delete) == (1, [present])


def test_labels_are_mirrored_and_what_tools_note_is_not() -> None:
    notes = {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    (found,) = reconcile.plan(endpoints(SUBSET, labels={"team": "x"}, annotations=notes), []).create
    assert found.metadata.labels.items() >= {"team": "x", "kubernetes.io/service-name": "db"}.items()
    assert found.metadata.annotations == {"a": "b"}


def test_only_what_people_wrote_for_a_service_without_selector_is_mirrored() -> None:
    own = endpoints(SUBSET)
    assert reconcile.should_mirror(own, service())
    assert not reconcile.should_mirror(own, None)
    assert not reconcile.should_mirror(own, service(selector={"app": "db"}))
    assert not reconcile.should_mirror(endpoints(labels={reconcile.SKIP_LABEL: "true"}), service())
    assert not reconcile.should_mirror(endpoints(annotations={reconcile.LEADER_ANNOTATION: "{}"}), service())


async def test_slices_come_and_go_with_the_endpoints_and_their_service() -> None:
    async with World("endpointslice-mirroring-controller").started() as world:
        await world.client.create(endpoints(SUBSET))
        await world.settle()
        assert await world.all(discovery_v1.EndpointSlice) == []
        await world.client.create(service())
        await world.settle()
        (found,) = await world.all(discovery_v1.EndpointSlice)
        assert [owner.kind for owner in found.metadata.ownerReferences] == ["Endpoints"]
        world.client.writes()
        await world.client.update(with_meta(found, labels={**found.metadata.labels, "strange": "yes"}))
        await world.settle()
        (found,) = await world.all(discovery_v1.EndpointSlice)
        assert "strange" not in found.metadata.labels
        world.client.remove_now(core_v1.Service, "default/db")
        await world.settle()
        assert await world.all(discovery_v1.EndpointSlice) == []
