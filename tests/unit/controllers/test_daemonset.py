from datetime import UTC, datetime

import pytest

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.api.scalars import IntOrString
from pybernetes.controllers import history
from pybernetes.controllers.daemonset import placement, reconcile, status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = "old", "new"


def daemon_set(
    *, unavailable: IntOrString | None = 1, surge: IntOrString | None = None, selector: dict[str, str] | None = None
) -> apps_v1.DaemonSet:
    rolling = apps_v1.RollingUpdateDaemonSet(maxUnavailable=unavailable, maxSurge=surge)
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c")], nodeSelector=selector or {})
    return apps_v1.DaemonSet(
        metadata=meta_v1.ObjectMeta(name="agent", namespace="default", uid="uid"),
        spec=apps_v1.DaemonSetSpec(
            template=core_v1.PodTemplateSpec(spec=spec),
            updateStrategy=apps_v1.DaemonSetUpdateStrategy(type="RollingUpdate", rollingUpdate=rolling),
        ),
    )


def node(name: str, *taints: core_v1.Taint, **labels: str) -> core_v1.Node:
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels), spec=core_v1.NodeSpec(taints=list(taints))
    )


def pod(name: str, on: str, digest: str = NEW, *, ready: bool = True, phase: str = "Running") -> core_v1.Pod:
    condition = core_v1.PodCondition(
        type="Ready", status="True" if ready else "False", lastTransitionTime="2025-12-31T00:00:00Z"
    )
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=name,
            namespace="default",
            labels={history.HASH_LABEL: digest},
            creationTimestamp=f"2025-12-31T00:00:0{len(name)}Z",
        ),
        spec=core_v1.PodSpec(nodeName=on),
        status=core_v1.PodStatus(phase=phase, conditions=[condition]),
    )


def names(pods: list[core_v1.Pod]) -> list[str]:
    return [one.name for one in pods]


def test_every_node_that_fits_gets_one_pod_and_no_more() -> None:
    nodes = [node("a"), node("b"), node("c")]
    plan = reconcile.manage(daemon_set(), nodes, [pod("x", "a"), pod("y", "b"), pod("zz", "b")], NEW, NOW)
    assert plan.create == ["c"]
    assert names(plan.delete) == ["zz"], "the younger one goes"


def test_a_node_that_no_longer_fits_loses_its_pod_unless_only_newcomers_are_kept_away() -> None:
    away = core_v1.Taint(key="k", effect="NoExecute")
    keep = core_v1.Taint(key="k", effect="NoSchedule")
    pods = [pod("x", "a"), pod("y", "b"), pod("z", "c")]
    nodes = [node("a", away), node("b", keep), node("c", disk="hdd")]
    assert names(reconcile.manage(daemon_set(), nodes, pods, NEW, NOW).delete) == ["x"]
    assert names(reconcile.manage(daemon_set(selector={"disk": "ssd"}), nodes, pods, NEW, NOW).delete) == [
        "x",
        "y",
        "z",
    ]


def test_conditions_of_the_node_keep_no_daemon_pod_away() -> None:
    sick = [
        core_v1.Taint(key="node.kubernetes.io/not-ready", effect="NoExecute"),
        core_v1.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule"),
    ]
    assert placement.runs_on(daemon_set(), node("a", *sick)) == (True, True)


def test_a_failed_pod_is_replaced() -> None:
    plan = reconcile.manage(daemon_set(), [node("a")], [pod("x", "a", phase="Failed")], NEW, NOW)
    assert names(plan.failed) == ["x"]
    assert plan.create == [], "after the failed one has gone"


@pytest.mark.parametrize(
    ("what", "unavailable", "old_ready", "expected"),
    [
        ("one at a time", 1, [True, True, True], 1),
        ("half of three, rounded up", "50%", [True, True, True], 2),
        ("those that are away already cost nothing", 1, [False, True, True], 1),
        ("all that are away go at once", 1, [False, False, True], 2),
    ],
)
def test_a_rolling_update_takes_no_more_pods_away_than_allowed(
    what: str, unavailable: IntOrString, old_ready: list[bool], expected: int
) -> None:
    nodes = [node(n) for n in "abc"]
    pods = [pod(f"p{n}", n, OLD, ready=ready) for n, ready in zip("abc", old_ready, strict=True)]
    plan = reconcile.rolling_update(daemon_set(unavailable=unavailable), nodes, pods, NEW, NOW)
    assert len(plan.delete) == expected, what


def test_with_surge_the_new_pod_comes_first_and_the_old_one_goes_when_it_is_available() -> None:
    one = daemon_set(unavailable=0, surge=1)
    nodes = [node("a"), node("b")]
    pods = [pod("x", "a", OLD), pod("y", "b", OLD)]
    assert reconcile.rolling_update(one, nodes, pods, NEW, NOW).create == ["a"]
    waiting = [*pods, pod("xx", "a", NEW, ready=False)]
    assert reconcile.manage(one, nodes, waiting, NEW, NOW).delete == []
    assert reconcile.rolling_update(one, nodes, waiting, NEW, NOW).create == []
    done = [*pods, pod("xx", "a", NEW)]
    assert names(reconcile.manage(one, nodes, done, NEW, NOW).delete) == ["x"]


def test_the_status_counts_nodes() -> None:
    nodes = [node("a"), node("b"), node("c", core_v1.Taint(key="k", effect="NoSchedule"))]
    pods = [pod("x", "a"), pod("y", "b", OLD, ready=False), pod("z", "c")]
    found = status.calculate(daemon_set(), nodes, pods, NEW, NOW)
    assert (found.desiredNumberScheduled, found.currentNumberScheduled, found.numberMisscheduled) == (2, 2, 1)
    assert (found.numberReady, found.updatedNumberScheduled, found.numberUnavailable) == (1, 1, 1)


def test_a_pod_that_is_not_scheduled_yet_counts_for_the_node_it_is_meant_for() -> None:
    spec = placement.bound_to(core_v1.PodSpec(), "a")
    assert placement.target_node(core_v1.Pod(spec=spec)) == "a"


def test_going_back_to_an_old_template_finds_its_revision_and_the_oldest_unused_ones_are_forgotten() -> None:
    owner = daemon_set()
    template = owner.spec.template
    other = core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels={"v": "2"}))
    revisions = [history.new_revision(owner, template, 1, None), history.new_revision(owner, other, 2, None)]
    assert history.equal_to(template, revisions) == revisions[0]
    assert history.superfluous(revisions, {history.digest_of(revisions[1])}, 0) == [revisions[0]]
    assert history.superfluous(revisions, set(), 5) == []
