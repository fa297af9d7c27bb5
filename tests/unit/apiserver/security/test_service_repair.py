from datetime import timedelta
from typing import Any

import pytest

from pybernetes.apiserver.allocators.ledger import ip_address
from pybernetes.apiserver.allocators.ranges import NodePorts
from pybernetes.apiserver.allocators.repair import (
    Action,
    Create,
    Remove,
    Tell,
    address_repairs,
    port_repairs,
    service_repairs,
)
from pybernetes.apiserver.request import Document
from pybernetes.effects import Chance, VirtualClock, format_time
from support.security import meta

NOW = VirtualClock().now()


def service(name: str = "web", ip: str = "10.96.0.7", **spec: Any) -> Document:
    return {"metadata": meta(name, "default"), "spec": {"clusterIP": ip, "clusterIPs": [ip], **spec}}


def address(owner: str = "web", age_seconds: int = 300, **parent: Any) -> Document:
    found = ip_address("10.96.0.7", service(owner))
    found["metadata"]["creationTimestamp"] = format_time(NOW - timedelta(seconds=age_seconds))
    found["spec"]["parentRef"] |= parent
    return found


def repairs(found: Document | None, *others: Document, inside: bool = True) -> list[Action]:
    others_by_name = {other["metadata"]["name"]: other for other in others}
    return service_repairs(service(), lambda _: found, lambda _, name: others_by_name.get(name), lambda _: inside)


def summary(actions: list[Action]) -> list[str]:
    return [action.reason if isinstance(action, Tell) else type(action).__name__ for action in actions]


def test_a_service_whose_address_names_it_is_left_alone() -> None:
    assert repairs(address()) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, ["ClusterIPNotAllocated", "Create"]),
        (address("gone"), ["ClusterIPNotAllocated", "Remove", "Create"]),
        (address(resource="gateways", group="x"), ["ClusterIPNotAllocated", "Remove", "Create"]),
    ],
    ids=["no object", "names a service that is gone", "names something else"],
)
def test_an_address_that_does_not_name_its_service_is_made_anew(found: Document | None, expected: list[str]) -> None:
    assert summary(repairs(found)) == expected


def test_an_address_that_lost_its_labels_is_made_anew() -> None:
    found = address()
    found["metadata"]["labels"] = {}
    assert repairs(found) == [Remove("10.96.0.7"), Create("10.96.0.7", service())]


def test_two_services_with_one_address_are_told_of_and_nothing_is_changed() -> None:
    actions = repairs(address("other"), service("other"))
    assert [(a.reason, a.message) for a in actions if isinstance(a, Tell)] == [
        (
            "ClusterIPAlreadyAllocated",
            "Cluster IP [IPv4]:10.96.0.7 was assigned to multiple services; please recreate service",
        )
    ]
    assert len(actions) == 1


def test_an_address_outside_of_every_range_is_told_of() -> None:
    assert summary(repairs(address(), inside=False)) == ["ClusterIPOutOfRange"]


def test_a_leaked_address_is_removed_once_its_service_had_time_to_appear() -> None:
    assert address_repairs(address(age_seconds=30), None, NOW) == []
    actions = address_repairs(address(age_seconds=90), None, NOW)
    assert summary(actions) == ["IPAddressNotAllocated", "Remove"]
    assert isinstance(actions[0], Tell)
    assert actions[0].message == "IPAddress: 10.96.0.7 for Service default/web appears to have leaked: cleaning up"


def test_an_address_its_service_no_longer_has_is_removed() -> None:
    assert summary(address_repairs(address(), service(ip="10.96.0.8"), NOW))[-1] == "Remove"
    assert address_repairs(address(), service(), NOW) == []


def test_addresses_of_others_are_never_touched() -> None:
    found = address("gone")
    found["metadata"]["labels"] = {}
    assert address_repairs(found, None, NOW) == []


def test_ports_out_of_range_and_ports_of_two_services_are_told_of() -> None:
    ports = NodePorts(30000, 32767, Chance(1))
    rows = [
        service("a", ports=[{"port": 1, "nodePort": 30000}, {"port": 1, "protocol": "UDP", "nodePort": 30000}]),
        service("b", ports=[{"port": 1, "nodePort": 30000}]),
        service("c", ports=[{"port": 1, "nodePort": 80}]),
    ]
    assert [(told.about["metadata"]["name"], told.reason, told.message) for told in port_repairs(rows, ports)] == [
        ("b", "PortAlreadyAllocated", "Port 30000 was assigned to multiple services; please recreate service"),
        ("c", "PortOutOfRange", "Port 80 is not within the port range 30000-32767; please recreate service"),
    ]
