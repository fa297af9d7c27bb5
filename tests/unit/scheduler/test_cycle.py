import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import core_v1, meta_v1
from pybernetes.effects import Chance
from pybernetes.scheduler import preemption
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.cycle import Placement, choose, filter_rows
from pybernetes.scheduler.framework import Diagnosis, explain
from pybernetes.scheduler.plugins.index import FILTERS, SCORES
from pybernetes.scheduler.pod_info import pod_info
from unit.scheduler.builders import node, pod

TAINT = core_v1.Taint(key="dedicated", value="db", effect="NoSchedule")


def columns_of(*nodes: core_v1.Node, placed: dict[str, list[core_v1.Pod]] | None = None) -> Columns:
    columns = Columns()
    for one in nodes:
        columns.set_node(one)
    for name, pods in (placed or {}).items():
        for one_pod in pods:
            columns.place(pod_info(one_pod), name)
    return columns


def decide(one: core_v1.Pod, columns: Columns) -> str:
    """The node's name, or the message users read."""
    answer = choose(pod_info(one), columns, FILTERS, SCORES, Chance(1))
    if isinstance(answer, Placement):
        return answer.node_name
    return explain(answer.node_count, answer.counts())


def test_a_pod_goes_to_the_emptier_node() -> None:
    columns = columns_of(node("a"), node("b"), placed={"a": [pod("x", cpu="3", memory="1Gi")]})
    assert decide(pod("new", cpu="500m"), columns) == "b"


def test_the_message_counts_every_reason_in_alphabetical_order() -> None:
    columns = columns_of(
        node("a", cpu="1"), node("b", taints=[TAINT]), node("c", unschedulable=True), node("d", taints=[TAINT])
    )
    assert decide(pod("big", cpu="2"), columns) == (
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, 2 node(s) had untolerated taint(s)."
    )


def test_without_nodes_the_message_says_so() -> None:
    assert decide(pod("p"), Columns()) == "no nodes available to schedule pods"


def test_a_node_is_full_when_its_pods_are_counted_up() -> None:
    columns = columns_of(node("a", pods="1"), placed={"a": [pod("x")]})
    assert decide(pod("p"), columns) == "0/1 nodes are available: 1 Too many pods."


def test_selectors_and_tolerations_decide_which_nodes_are_possible() -> None:
    columns = columns_of(node("a", labels={"disk": "ssd"}, taints=[TAINT]), node("b"))
    toleration = core_v1.Toleration(key="dedicated", operator="Exists")
    assert decide(pod("p", nodeSelector={"disk": "ssd"}, tolerations=[toleration]), columns) == "a"
    assert "didn't match Pod's node affinity/selector" in decide(pod("p", nodeSelector={"disk": "hdd"}), columns)


def test_the_same_host_port_is_given_once_per_node() -> None:
    columns = columns_of(node("a"), node("b"), placed={"a": [pod("x", host_port=8080)]})
    assert decide(pod("p", host_port=8080), columns) == "b"


def anti_affinity(topology_key: str) -> core_v1.Affinity:
    term = core_v1.PodAffinityTerm(
        topologyKey=topology_key, labelSelector=meta_v1.LabelSelector(matchLabels={"app": "db"})
    )
    return core_v1.Affinity(
        podAntiAffinity=core_v1.PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term])
    )


def test_pods_that_avoid_each_other_get_a_node_each_and_keep_others_away_too() -> None:
    columns = columns_of(node("a"), node("b"))
    apart = anti_affinity("kubernetes.io/hostname")
    columns.place(pod_info(pod("one", labels={"app": "db"}, affinity=apart)), "a")
    assert decide(pod("two", labels={"app": "db"}, affinity=apart), columns) == "b"
    columns.place(pod_info(pod("two", labels={"app": "db"}, affinity=apart)), "b")
    assert decide(pod("three", labels={"app": "db"}), columns) == (
        "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules."
    )


def test_spread_refuses_the_fuller_zone() -> None:
    constraint = core_v1.TopologySpreadConstraint(
        maxSkew=1,
        topologyKey="zone",
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=meta_v1.LabelSelector(matchLabels={"app": "web"}),
    )
    columns = columns_of(
        node("a", labels={"zone": "1"}),
        node("b", labels={"zone": "2"}, cpu="64"),
        placed={"b": [pod("x", labels={"app": "web"})]},
    )
    assert decide(pod("p", labels={"app": "web"}, topologySpreadConstraints=[constraint]), columns) == "a"


def test_the_least_important_pods_make_room_and_no_more_of_them_than_needed() -> None:
    columns = columns_of(
        node("a", cpu="2"),
        placed={"a": [pod("low", cpu="1", priority=1), pod("mid", cpu="1", priority=5)]},
    )
    high = pod_info(pod("high", cpu="1", priority=10))
    _, diagnosis = filter_rows(high, columns, FILTERS)
    candidate, _ = preemption.find(high, columns, diagnosis, FILTERS, [])
    assert candidate is not None
    assert [victim.pod.name for victim in candidate.victims] == ["low"]
    assert columns.requested[0, 0] == 2000, "nothing is taken away for real"


amounts = st.integers(0, 8)


@given(
    nodes=st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8),
    pods=st.lists(st.tuples(amounts, amounts), max_size=30),
    removed=st.sets(st.integers(0, 29)),
)
def test_columns_equal_a_slow_count_and_no_node_is_overfull(
    nodes: list[tuple[int, int]], pods: list[tuple[int, int]], removed: set[int]
) -> None:
    columns = columns_of(*(node(f"n{i}", cpu=str(c), memory=f"{m}Gi") for i, (c, m) in enumerate(nodes)))
    placed: dict[int, str] = {}
    for number, (cpu, memory) in enumerate(pods):
        info = pod_info(pod(f"p{number}", cpu=str(cpu), memory=f"{memory}Gi"))
        answer = choose(info, columns, FILTERS, SCORES, Chance(number))
        if isinstance(answer, Placement):
            columns.place(info, answer.node_name)
            placed[number] = answer.node_name
        else:
            assert isinstance(answer, Diagnosis)
        if number in removed and placed:
            victim = min(placed)
            columns.unplace(f"uid-p{victim}")
            del placed[victim]
    for index, (cpu, memory) in enumerate(nodes):
        mine = [pods[number] for number, name in placed.items() if name == f"n{index}"]
        row = columns.row_of(f"n{index}")
        assert row is not None
        assert columns.requested[row, 0] == 1000 * sum(c for c, _ in mine) <= 1000 * cpu
        assert columns.requested[row, 1] == sum(m for _, m in mine) * 2**30 <= memory * 2**30
    assert np.all(columns.requested >= 0)
