"""A pod's status from what the runtime has: phases, conditions, container states."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pybernetes.api import core_v1, meta_v1
from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, RuntimeSandbox, State
from pybernetes.kubelet.status.container_states import StartFailure
from pybernetes.kubelet.status.patch import status_patch
from pybernetes.kubelet.status.pod_status import ProbeFacts, Surroundings, after_termination, pod_status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(*init: core_v1.Container, restart: str = "Always", status: core_v1.PodStatus | None = None) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default", uid="u", generation=2),
        spec=core_v1.PodSpec(
            containers=[core_v1.Container(name=name, image="app:1") for name in ("a", "b")],
            initContainers=[*init],
            restartPolicy=restart,
        ),
        status=status or core_v1.PodStatus(),
    )


def instance(name: str, state: State = State.RUNNING, code: int = 0, restarts: int = 0) -> RuntimeContainer:
    return RuntimeContainer(
        id=f"{name}{restarts}",
        name=name,
        state=state,
        sandbox_id="s",
        exit_code=code,
        reason="" if state is not State.EXITED else "Completed" if code == 0 else "Error",
        created_at=NOW + timedelta(seconds=restarts),
        started_at=NOW,
        finished_at=NOW if state is State.EXITED else None,
        restart_count=restarts,
        image="app:1",
    )


def seen(*containers: RuntimeContainer) -> RuntimePod:
    newest_first = sorted(containers, key=lambda one: one.created_at, reverse=True)
    return RuntimePod("u", sandboxes=(RuntimeSandbox("s", True, 0, NOW, ("10.0.0.1",)),), containers=newest_first)


def status(of: core_v1.Pod, runtime: RuntimePod, **around: Any) -> core_v1.PodStatus:
    return pod_status(of, runtime, of.status, Surroundings(now=NOW, node_ips=("192.0.2.1",), **around))


def condition(of: core_v1.PodStatus, kind: str) -> core_v1.PodCondition:
    return next(one for one in of.conditions if one.type == kind)


RUNNING = (instance("a"), instance("b"))


@pytest.mark.parametrize(
    ("restart", "b", "phase"),
    [
        ("Always", instance("b"), "Running"),
        ("Always", instance("b", State.EXITED, 1), "Running"),
        ("Always", instance("b", State.CREATED), "Pending"),
        ("Always", None, "Pending"),
        ("Never", instance("b", State.EXITED), "Running"),
    ],
)
def test_the_phase_while_one_container_runs(restart: str, b: RuntimeContainer | None, phase: str) -> None:
    runtime = seen(instance("a"), *([b] if b is not None else []))
    assert status(pod(restart=restart), runtime).phase == phase


@pytest.mark.parametrize(
    ("restart", "codes", "phase"),
    [
        ("Always", (0, 0), "Running"),
        ("OnFailure", (0, 0), "Succeeded"),
        ("OnFailure", (0, 1), "Running"),
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
    ],
)
def test_the_phase_when_all_containers_ended(restart: str, codes: tuple[int, int], phase: str) -> None:
    runtime = seen(*(instance(name, State.EXITED, code) for name, code in zip("ab", codes, strict=True)))
    assert status(pod(restart=restart), runtime).phase == phase


def test_a_pod_that_is_over_is_failed_by_one_failure_whatever_its_policy() -> None:
    runtime = seen(instance("a", State.EXITED), instance("b", State.EXITED, 1))
    assert status(pod(), runtime, terminal=True).phase == "Failed"


def test_a_final_phase_stays() -> None:
    of = pod(status=core_v1.PodStatus(phase="Failed", reason="Evicted", message="low"))
    result = status(of, seen(*RUNNING))
    assert (result.phase, result.reason, result.message) == ("Failed", "Evicted", "low")


def test_a_new_pod_waits_for_its_containers() -> None:
    result = status(pod(), RuntimePod("u"))
    waiting = [one.state.waiting.reason for one in result.containerStatuses if one.state.waiting]
    assert waiting == ["ContainerCreating"] * 2
    assert condition(result, "PodReadyToStartContainers").status == "False"
    assert condition(result, "Ready").message == "containers with unready status: [a b]"
    assert condition(result, "Initialized").status == "True"
    assert (result.hostIP, result.podIP, result.qosClass) == ("192.0.2.1", "", "BestEffort")


def test_a_new_pod_with_init_containers_is_initializing() -> None:
    result = status(pod(core_v1.Container(name="i"), core_v1.Container(name="j")), seen(instance("i")))
    assert {one.state.waiting.reason for one in result.containerStatuses if one.state.waiting} == {"PodInitializing"}
    found = condition(result, "Initialized")
    assert (found.status, found.reason) == ("False", "ContainersNotInitialized")
    assert found.message == "containers with incomplete status: [i j]"
    assert result.phase == "Pending"


def test_all_running_is_ready() -> None:
    result = status(pod(), seen(*RUNNING))
    assert {one.type for one in result.conditions if one.status == "True"} == {
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    }
    assert {one.observedGeneration for one in result.conditions} == {2}
    assert result.podIPs == [core_v1.PodIP(ip="10.0.0.1")]


def test_a_container_whose_probe_says_no_makes_the_pod_unready() -> None:
    result = status(pod(), seen(*RUNNING), probes=ProbeFacts(ready={"a0": False}))
    assert condition(result, "Ready").message == "containers with unready status: [a]"
    result = status(pod(), seen(*RUNNING), probes=ProbeFacts(started={"b0": False}))
    assert [one.started for one in result.containerStatuses] == [True, False]
    assert condition(result, "ContainersReady").message == "containers with unready status: [b]"


def test_a_completed_pod_says_so() -> None:
    runtime = seen(*(instance(name, State.EXITED) for name in "ab"))
    result = status(pod(restart="Never"), runtime)
    assert condition(result, "Ready").reason == "PodCompleted"
    assert condition(result, "Initialized").reason == "PodCompleted"


def test_a_container_that_is_to_start_again_shows_why_it_waits_and_how_it_ended() -> None:
    failures = {"a": StartFailure("CrashLoopBackOff", "back-off 10s restarting")}
    result = status(pod(), seen(instance("a", State.EXITED, 7), instance("b")), failures=failures)
    found = result.containerStatuses[0]
    assert found.state.waiting is not None
    assert found.state.waiting.reason == "CrashLoopBackOff"
    assert found.lastState.terminated is not None
    assert found.lastState.terminated.exitCode == 7
    assert result.phase == "Running"


def test_a_restarted_container_shows_its_last_end() -> None:
    runtime = seen(instance("a", State.EXITED, 7), instance("a", restarts=1), instance("b"))
    found = status(pod(), runtime).containerStatuses[0]
    assert found.restartCount == 1
    assert found.state.running is not None
    assert found.lastState.terminated is not None
    assert found.lastState.terminated.exitCode == 7


def test_a_running_container_that_vanished_is_not_back_to_pending() -> None:
    of = pod()
    of = replace(of, status=status(of, seen(*RUNNING)))
    result = status(of, seen(instance("b")))
    found = result.containerStatuses[0]
    assert found.lastState.terminated is not None
    assert found.lastState.terminated.reason == "ContainerStatusUnknown"
    assert (found.restartCount, result.phase) == (1, "Running")


def test_transition_times_move_only_with_the_status() -> None:
    of = pod()
    first = status(of, seen(*RUNNING))
    later = Surroundings(now=NOW + timedelta(minutes=5), node_ips=("192.0.2.1",))
    second = pod_status(of, seen(*RUNNING), first, later)
    assert second == first
    third = pod_status(of, seen(instance("a"), instance("b", State.EXITED, 1)), second, later)
    assert condition(third, "Ready").lastTransitionTime == "2026-01-01T12:05:00Z"
    assert condition(third, "Initialized").lastTransitionTime == "2026-01-01T12:00:00Z"


def test_conditions_of_others_are_kept() -> None:
    foreign = core_v1.PodCondition(type="example.com/gate", status="True")
    of = pod(status=core_v1.PodStatus(conditions=[foreign]))
    assert foreign in status(of, seen(*RUNNING)).conditions


def test_after_the_end_nothing_is_left_running_or_waiting() -> None:
    of = pod()
    last = after_termination(of, status(of, seen(instance("a", State.EXITED)), terminal=True))
    assert last.phase == "Failed"
    reasons = [one.state.terminated.reason for one in last.containerStatuses if one.state.terminated]
    assert reasons == ["Completed", "ContainerStatusUnknown"]


def test_the_patch_names_only_what_changed() -> None:
    of = pod()
    first = status(of, seen(*RUNNING))
    assert status_patch("u", first, first) is None
    second = status(replace(of, status=first), seen(*RUNNING), probes=ProbeFacts(ready={"a0": False}))
    patch = status_patch("u", first, second)
    assert patch is not None
    assert patch["metadata"] == {"uid": "u"}
    assert set(patch["status"]) == {"conditions", "containerStatuses"}
    assert {one["type"] for one in patch["status"]["conditions"]} == {"Ready", "ContainersReady"}


def test_the_patch_takes_back_what_is_gone() -> None:
    old = core_v1.PodStatus(phase="Running", reason="x", podIP="10.0.0.1", podIPs=[core_v1.PodIP(ip="10.0.0.1")])
    new = core_v1.PodStatus(phase="Running", podIP="10.0.0.2", podIPs=[core_v1.PodIP(ip="10.0.0.2")])
    patch = status_patch("u", old, new)
    assert patch is not None
    assert patch["status"] == {
        "reason": None,
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}, {"$patch": "replace"}],
    }
    assert msgspec.json.encode(patch)
