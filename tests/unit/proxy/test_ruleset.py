import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.proxy.ruleset import Ruleset, build, difference, lost_udp_flows, reindex, stale_clients
from pybernetes.proxy.services import Backend, ServicePort

A, B, C, D = (Backend(f"10.0.0.{n}", 8080) for n in range(1, 5))
WEB = ServicePort(
    name="default/web:http",
    protocol="tcp",
    port=80,
    cluster_ip="10.96.0.5",
    cluster=(A, B),
    everywhere=(A, B),
    local=(A,),
)
KEY = "10.96.0.5 . tcp . 80"
backends = st.sets(st.builds(Backend, st.sampled_from("abcdefgh"), st.integers(1, 3)))


def made(*ports: ServicePort, previous: Ruleset | None = None) -> Ruleset:
    return build(ports, [], previous or Ruleset())


def test_the_last_endpoint_moves_into_the_hole() -> None:
    assert reindex((A, B, C, D), {B, C, D}) == (D, B, C)


def test_a_newcomer_takes_the_place_of_one_that_went() -> None:
    assert reindex((A, B), {B, C}) == (C, B)


@given(previous=backends, wanted=backends)
def test_indices_are_dense_complete_and_move_no_more_than_needed(previous: set[Backend], wanted: set[Backend]) -> None:
    before = tuple(sorted(previous))
    after = reindex(before, wanted)
    assert set(after) == wanted
    assert len(after) == len(wanted)
    moved = sum(1 for index, one in enumerate(before) if one in wanted and after.index(one) != index)
    assert moved <= max(0, len(previous) - len(wanted))


def test_a_service_without_endpoints_is_known_but_leads_nowhere() -> None:
    rules = made(dataclasses.replace(WEB, cluster=(), everywhere=(), local=(), node_port=30080))
    assert rules.elements["cluster-ips"] == {"10.96.0.5": ""}
    assert rules.elements["cluster-dispatch"] == {}
    assert rules.elements["dead-node"] == {"tcp . 30080": "goto refuse"}


def test_policy_local_without_a_local_endpoint_drops_what_comes_from_outside() -> None:
    rules = made(dataclasses.replace(WEB, node_port=30080, external_local=True, local=()))
    assert rules.elements["dead-node"] == {"tcp . 30080": "drop"}
    assert rules.elements["internal-node-dispatch"] == {"tcp . 30080": "goto node-lb2"}
    assert rules.elements["node-masq"] == {}


def test_one_more_endpoint_changes_three_elements_and_one_chain() -> None:
    before = made(WEB)
    after = made(dataclasses.replace(WEB, cluster=(A, B, C), everywhere=(A, B, C)), previous=before)
    delta = difference(before, after)
    assert delta.added == {
        "cluster-dispatch": {KEY: "goto svc-lb3"},
        "svc-ep": {f"{KEY} . 2": "10.0.0.3 . 8080"},
    }
    assert delta.removed == {"cluster-dispatch": {KEY: "goto svc-lb2"}}
    assert [b.chain for b in delta.new_balancers] == ["svc-lb3"]
    assert [b.chain for b in delta.old_balancers] == ["svc-lb2"]


def test_the_same_services_again_change_nothing() -> None:
    before = made(WEB)
    assert not difference(before, made(WEB, previous=before))


def test_clients_of_an_endpoint_that_went_are_forgotten_and_others_kept() -> None:
    sticky = dataclasses.replace(WEB, affinity_seconds=60)
    before = made(sticky)
    delta = difference(before, made(dataclasses.replace(sticky, cluster=(A,)), previous=before))
    remembered = {"svc-affinity": [(f"{KEY} . 10.244.0.9", 1), (f"{KEY} . 10.244.0.8", 0)]}
    assert stale_clients(delta, remembered) == {"svc-affinity": {f"{KEY} . 10.244.0.9": ""}}


def test_udp_flows_to_a_removed_endpoint_are_forgotten_but_not_those_to_one_that_moved() -> None:
    dns = dataclasses.replace(WEB, protocol="udp", cluster=(A, B, C))
    before = made(dns)
    delta = difference(before, made(dataclasses.replace(dns, cluster=(B, C)), previous=before))
    assert lost_udp_flows(delta) == [("10.96.0.5", "10.0.0.1")]


def test_udp_flows_to_a_service_that_gets_its_first_endpoint_are_forgotten() -> None:
    dns = dataclasses.replace(WEB, protocol="udp")
    before = made(dataclasses.replace(dns, cluster=()))
    assert lost_udp_flows(difference(before, made(dns, previous=before))) == [("10.96.0.5", "")]
