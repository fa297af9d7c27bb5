"""The vector plugins against slow ones written from the rules, pod by pod and node by node, on random clusters."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import core_v1, meta_v1
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import FilterPlugin, ScorePlugin
from pybernetes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from pybernetes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from pybernetes.scheduler.pod_info import pod_info
from unit.scheduler.builders import node, pod

ZONE, HOST = "zone", "kubernetes.io/hostname"
Placed = Sequence[tuple[core_v1.Node, core_v1.Pod]]

app_labels = st.fixed_dictionaries({}, optional={"app": st.sampled_from("ab"), "tier": st.sampled_from("xy")})
selectors = st.builds(
    lambda labels: meta_v1.LabelSelector(matchLabels=labels),
    st.fixed_dictionaries({}, optional={"app": st.sampled_from("ab"), "tier": st.sampled_from("xy")}),
)
terms = st.builds(
    lambda key, selector: core_v1.PodAffinityTerm(topologyKey=key, labelSelector=selector),
    st.sampled_from([ZONE, HOST]),
    selectors,
)
weighted = st.builds(
    lambda weight, term: core_v1.WeightedPodAffinityTerm(weight=weight, podAffinityTerm=term),
    st.integers(1, 100),
    terms,
)
some_terms = st.lists(terms, max_size=2)
some_weighted = st.lists(weighted, max_size=2)
affinities = st.builds(
    lambda near, far, liked, disliked: core_v1.Affinity(
        podAffinity=core_v1.PodAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=near, preferredDuringSchedulingIgnoredDuringExecution=liked
        ),
        podAntiAffinity=core_v1.PodAntiAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=far, preferredDuringSchedulingIgnoredDuringExecution=disliked
        ),
    ),
    some_terms,
    some_terms,
    some_weighted,
    some_weighted,
)
constraints = st.builds(
    lambda key, skew, when, selector, least: core_v1.TopologySpreadConstraint(
        topologyKey=key,
        maxSkew=skew,
        whenUnsatisfiable=when,
        labelSelector=selector,
        minDomains=least if when == "DoNotSchedule" else None,
    ),
    st.sampled_from([ZONE, HOST]),
    st.integers(1, 2),
    st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
    selectors,
    st.sampled_from([None, 1, 3]),
)
nodes = st.lists(st.fixed_dictionaries({}, optional={ZONE: st.sampled_from("123")}), min_size=1, max_size=6)
placements = st.lists(
    st.tuples(st.integers(0, 5), app_labels, st.none() | affinities, st.booleans(), st.booleans()), max_size=12
)


def cluster(
    node_labels: Sequence[dict[str, str]],
    pods: Sequence[tuple[int, dict[str, str], core_v1.Affinity | None, bool, bool]],
    plugins: Sequence[FilterPlugin],
    newcomer: core_v1.Pod,
) -> tuple[Columns, list[core_v1.Node], list[tuple[core_v1.Node, core_v1.Pod]]]:
    """Columns that were asked in between, and what is left in the end, as plain objects."""
    made = [node(f"n{i}", labels=labels) for i, labels in enumerate(node_labels)]
    columns = Columns()
    for one in made:
        columns.set_node(one)
    left: list[tuple[core_v1.Node, core_v1.Pod]] = []
    for number, (where, labels, affinity, leaving, gone) in enumerate(pods):
        host = made[where % len(made)]
        one_pod = pod(f"p{number}", labels=labels, affinity=affinity)
        if leaving:
            meta = meta_v1.ObjectMeta(
                name=one_pod.name,
                namespace="default",
                uid=one_pod.metadata.uid,
                labels=labels,
                deletionTimestamp="2026-01-01T00:00:00Z",
            )
            one_pod = core_v1.Pod(metadata=meta, spec=one_pod.spec)
        columns.place(pod_info(one_pod), host.name)
        for plugin in plugins:
            plugin.filter(pod_info(newcomer), columns)
        if gone:
            columns.unplace(one_pod.metadata.uid)
        else:
            left.append((host, one_pod))
    return columns, made, left


def refused(plugin: FilterPlugin, one: core_v1.Pod, columns: Columns, made: Sequence[core_v1.Node]) -> list[str]:
    """Per node the reason, or nothing."""
    reasons = [""] * len(made)
    for rejection in plugin.filter(pod_info(one), columns):
        for index, each in enumerate(made):
            row = columns.row_of(each.name)
            if rejection.rows[row]:
                assert not reasons[index], "a node is refused for one reason"
                reasons[index] = rejection.reason
    return reasons


def scores(plugin: ScorePlugin, one: core_v1.Pod, columns: Columns, made: Sequence[core_v1.Node]) -> list[int] | None:
    rows = np.array([columns.row_of(each.name) for each in made])
    found = plugin.score(pod_info(one), columns, rows)
    return None if found is None else found.tolist()


def selects(selector: meta_v1.LabelSelector | None, one: core_v1.Pod) -> bool:
    assert selector is not None
    return all(one.metadata.labels.get(key) == value for key, value in selector.matchLabels.items())


def same(key: str, a: core_v1.Node, b: core_v1.Node) -> bool:
    return key in a.metadata.labels and a.metadata.labels[key] == b.metadata.labels.get(key)


def affinity_of(one: core_v1.Pod) -> core_v1.Affinity:
    return one.spec.affinity or core_v1.Affinity()


def slow_affinity(one: core_v1.Pod, host: core_v1.Node, placed: Placed) -> str:
    near = affinity_of(one).podAffinity
    required = near.requiredDuringSchedulingIgnoredDuringExecution if near else []
    if required:
        friends = [at for at, other in placed if all(selects(term.labelSelector, other) for term in required)]
        has_keys = all(term.topologyKey in host.metadata.labels for term in required)
        met = has_keys and all(any(same(t.topologyKey, host, at) for at in friends) for t in required)
        # A friend on a node without the label is in no domain: it counts for nobody.
        counted = [at for at in friends if any(t.topologyKey in at.metadata.labels for t in required)]
        first = not counted and all(selects(term.labelSelector, one) for term in required)
        if not met and not (first and has_keys):
            return "node(s) didn't match pod affinity rules"
    apart = affinity_of(one).podAntiAffinity
    for term in apart.requiredDuringSchedulingIgnoredDuringExecution if apart else []:
        if any(selects(term.labelSelector, other) and same(term.topologyKey, host, at) for at, other in placed):
            return "node(s) didn't match pod anti-affinity rules"
    for at, other in placed:
        theirs = affinity_of(other).podAntiAffinity
        for term in theirs.requiredDuringSchedulingIgnoredDuringExecution if theirs else []:
            if selects(term.labelSelector, one) and same(term.topologyKey, at, host):
                return "node(s) didn't satisfy existing pods anti-affinity rules"
    return ""


def slow_attraction(one: core_v1.Pod, host: core_v1.Node, placed: Placed) -> int:
    total = 0
    for at, other in placed:
        for mine, asked, whom in ((one, True, other), (other, False, one)):
            near, apart = affinity_of(mine).podAffinity, affinity_of(mine).podAntiAffinity
            liked = near.preferredDuringSchedulingIgnoredDuringExecution if near else []
            disliked = apart.preferredDuringSchedulingIgnoredDuringExecution if apart else []
            wishes = [(c.weight, c.podAffinityTerm) for c in liked]
            wishes += [(-c.weight, c.podAffinityTerm) for c in disliked]
            if not asked and near:
                wishes += [(1, term) for term in near.requiredDuringSchedulingIgnoredDuringExecution]
            total += sum(
                weight for weight, t in wishes if selects(t.labelSelector, whom) and same(t.topologyKey, at, host)
            )
    return total


@settings(max_examples=150, deadline=None)
@given(node_labels=nodes, pods=placements, labels=app_labels, affinity=affinities)
def test_pod_affinity_equals_the_rule(
    node_labels: list[dict[str, str]],
    pods: list[tuple[int, dict[str, str], core_v1.Affinity | None, bool, bool]],
    labels: dict[str, str],
    affinity: core_v1.Affinity,
) -> None:
    plugin = InterPodAffinity()
    newcomer = pod("new", labels=labels, affinity=affinity)
    columns, made, placed = cluster(node_labels, pods, [plugin], newcomer)
    assert refused(plugin, newcomer, columns, made) == [slow_affinity(newcomer, host, placed) for host in made]
    raw = [slow_attraction(newcomer, host, placed) for host in made]
    low, high = min(raw), max(raw)
    expected = [int(100 * ((value - low) / (high - low))) if high > low else 0 for value in raw]
    assert (scores(plugin, newcomer, columns, made) or [0] * len(made)) == expected


def counted(constraint: core_v1.TopologySpreadConstraint, placed: Placed, host: core_v1.Node, keys: set[str]) -> int:
    return sum(
        selects(constraint.labelSelector, other)
        and other.metadata.deletionTimestamp is None
        and keys <= set(at.metadata.labels)
        and same(constraint.topologyKey, at, host)
        for at, other in placed
    )


def slow_spread(one: core_v1.Pod, host: core_v1.Node, made: Sequence[core_v1.Node], placed: Placed) -> str:
    rules = [c for c in one.spec.topologySpreadConstraints if c.whenUnsatisfiable == "DoNotSchedule"]
    keys = {c.topologyKey for c in rules}
    for rule in rules:
        if rule.topologyKey not in host.metadata.labels:
            return "node(s) didn't match pod topology spread constraints (missing required label)"
        per_domain = {
            at.metadata.labels[rule.topologyKey]: counted(rule, placed, at, keys)
            for at in made
            if keys <= set(at.metadata.labels)
        }
        smallest = min(per_domain.values(), default=0)
        if len(per_domain) < (rule.minDomains or 1):
            smallest = 0
        here = per_domain.get(host.metadata.labels[rule.topologyKey], 0)
        if here + selects(rule.labelSelector, one) - smallest > rule.maxSkew:
            return "node(s) didn't match pod topology spread constraints"
    return ""


def slow_evenness(one: core_v1.Pod, made: Sequence[core_v1.Node], placed: Placed) -> list[int] | None:
    wishes = [c for c in one.spec.topologySpreadConstraints if c.whenUnsatisfiable == "ScheduleAnyway"]
    if not wishes:
        return None
    keys = {c.topologyKey for c in wishes}
    eligible = [host for host in made if keys <= set(host.metadata.labels)]
    raw = {}
    for host in eligible:
        total = 0.0
        for wish in wishes:
            domains = (
                len(eligible)
                if wish.topologyKey == HOST
                else len({at.metadata.labels[wish.topologyKey] for at in eligible})
            )
            total += counted(wish, placed, host, keys) * math.log(domains + 2) + wish.maxSkew - 1
        raw[host.name] = math.floor(total + 0.5)
    if not raw:
        return [0] * len(made)
    low, high = min(raw.values()), max(raw.values())
    return [
        0 if host.name not in raw else 100 if not high else 100 * (high + low - raw[host.name]) // high for host in made
    ]


@settings(max_examples=150, deadline=None)
@given(node_labels=nodes, pods=placements, labels=app_labels, asked=st.lists(constraints, min_size=1, max_size=3))
def test_topology_spread_equals_the_rule(
    node_labels: list[dict[str, str]],
    pods: list[tuple[int, dict[str, str], core_v1.Affinity | None, bool, bool]],
    labels: dict[str, str],
    asked: list[core_v1.TopologySpreadConstraint],
) -> None:
    plugin = PodTopologySpread()
    newcomer = pod("new", labels=labels, topologySpreadConstraints=asked)
    columns, made, placed = cluster(node_labels, pods, [plugin], newcomer)
    assert refused(plugin, newcomer, columns, made) == [slow_spread(newcomer, host, made, placed) for host in made]
    assert scores(plugin, newcomer, columns, made) == slow_evenness(newcomer, made, placed)


@pytest.mark.parametrize("nodes_before", [3, 40])
def test_counts_go_on_when_rows_are_added_and_removed(nodes_before: int) -> None:
    constraint = core_v1.TopologySpreadConstraint(
        topologyKey=ZONE,
        maxSkew=1,
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=meta_v1.LabelSelector(matchLabels={"app": "a"}),
    )
    newcomer = pod("new", labels={"app": "a"}, topologySpreadConstraints=[constraint])
    plugin = PodTopologySpread()
    columns = Columns()
    for number in range(nodes_before):
        columns.set_node(node(f"old{number}", labels={ZONE: "1"}))
    columns.place(pod_info(pod("x", labels={"app": "a"})), "old0")
    assert not any(rejection.rows.any() for rejection in plugin.filter(pod_info(newcomer), columns))
    for number in range(nodes_before):
        columns.set_node(node(f"new{number}", labels={ZONE: "2"}))
    zone_one = [rejection.rows.sum() for rejection in plugin.filter(pod_info(newcomer), columns)]
    assert sum(zone_one) == nodes_before
    columns.remove_node("old0")
    columns.unplace("uid-x")
    assert not any(rejection.rows.any() for rejection in plugin.filter(pod_info(newcomer), columns))
