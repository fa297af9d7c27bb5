"""Decisions about one pod: a good pod, one thing changed per row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from pybernetes.api import core_v1, meta_v1
from pybernetes.kubelet.pod_actions import KillReason, PodActions, ProbeVerdicts, pod_actions, sandbox_changed
from pybernetes.kubelet.restart_policy import restarts_after, spec_hash
from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, RuntimeSandbox, State

START = datetime(2026, 1, 1, tzinfo=UTC)


def container(name: str, **more: Any) -> core_v1.Container:
    return core_v1.Container(name=name, image="app:1", **more)


def pod(*init: core_v1.Container, restart: str = "Always", **more: Any) -> core_v1.Pod:
    spec = core_v1.PodSpec(
        containers=[container("a"), container("b")], initContainers=[*init], restartPolicy=restart, **more
    )
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name="web", namespace="default", uid="u"), spec=spec)


def instance(name: str, state: State = State.RUNNING, code: int = 0, *, age: int = 0, **more: Any) -> RuntimeContainer:
    return RuntimeContainer(
        id=f"{name}-{age}",
        name=name,
        state=state,
        sandbox_id=more.pop("sandbox_id", "s"),
        exit_code=code,
        created_at=START - timedelta(seconds=age),
        spec_hash=spec_hash(container(name)),
        **more,
    )


def runtime(*containers: RuntimeContainer, ready: bool = True, attempt: int = 0) -> RuntimePod:
    newest_first = sorted(containers, key=lambda one: one.created_at, reverse=True)
    sandbox = RuntimeSandbox("s", ready, attempt, START, ("10.0.0.1",))
    return RuntimePod("u", sandboxes=(sandbox,), containers=newest_first)


def decide(of: core_v1.Pod, seen: RuntimePod, probes: ProbeVerdicts | None = None) -> PodActions:
    return pod_actions(of, seen, probes or ProbeVerdicts())


def test_a_new_pod_gets_a_sandbox_and_its_containers() -> None:
    actions = decide(pod(), RuntimePod("u"))
    assert (actions.create_sandbox, actions.attempt, actions.containers_to_start) == (True, 0, [0, 1])


def test_a_new_pod_with_init_containers_starts_only_the_first() -> None:
    actions = decide(pod(container("i"), container("j")), RuntimePod("u"))
    assert (actions.init_containers_to_start, actions.containers_to_start) == ([0], [])


def test_a_pod_as_it_should_be_needs_nothing() -> None:
    assert not decide(pod(), runtime(instance("a"), instance("b"))).anything


@pytest.mark.parametrize(
    ("restart", "code", "started"),
    [
        ("Always", 0, [1]),
        ("Always", 1, [1]),
        ("OnFailure", 0, []),
        ("OnFailure", 1, [1]),
        ("Never", 0, []),
        ("Never", 1, []),
    ],
)
def test_a_container_that_ended_starts_again_as_the_policy_says(restart: str, code: int, started: list[int]) -> None:
    actions = decide(pod(restart=restart), runtime(instance("a"), instance("b", State.EXITED, code)))
    assert actions.containers_to_start == started
    assert not actions.kill_pod


def test_a_pod_whose_containers_all_ended_for_good_is_killed() -> None:
    ended = [instance(name, State.EXITED) for name in "ab"]
    assert decide(pod(restart="OnFailure"), runtime(*ended)).kill_pod


def test_a_dead_sandbox_is_replaced_with_everything_in_it() -> None:
    actions = decide(pod(container("i")), runtime(instance("i", State.EXITED), instance("a"), ready=False, attempt=3))
    assert (actions.kill_pod, actions.create_sandbox, actions.attempt) == (True, True, 4)
    assert actions.init_containers_to_start == [0]


def test_no_new_sandbox_for_a_pod_that_never_restarts() -> None:
    actions = decide(pod(restart="Never"), runtime(instance("a", State.EXITED, 1), ready=False))
    assert (actions.kill_pod, actions.create_sandbox) == (True, False)


def test_no_new_sandbox_when_everything_succeeded() -> None:
    ended = [instance(name, State.EXITED) for name in "ab"]
    assert not decide(pod(restart="OnFailure"), runtime(*ended, ready=False)).create_sandbox


def test_a_pod_that_moves_to_the_hosts_network_needs_another_sandbox() -> None:
    changed, attempt, _ = sandbox_changed(pod(hostNetwork=True), runtime())
    assert (changed, attempt) == (True, 1)


@pytest.mark.parametrize(
    ("i", "j", "starts"),
    [
        (None, None, [0]),
        (instance("i"), None, []),
        (instance("i", State.EXITED), None, [1]),
        (instance("i", State.EXITED, 1), None, [0]),
        (instance("i", State.CREATED), None, [0]),
        (instance("i", State.EXITED), instance("j"), []),
        (None, instance("j", State.EXITED, 1), [1]),
    ],
    ids=[
        "none ran yet",
        "the first runs",
        "the first succeeded",
        "the first failed",
        "the first could not be started",
        "the second runs",
        "the first was removed long ago, the second failed",
    ],
)
def test_init_containers_run_in_order(
    i: RuntimeContainer | None, j: RuntimeContainer | None, starts: list[int]
) -> None:
    seen = runtime(*(one for one in (i, j) if one is not None))
    actions = decide(pod(container("i"), container("j")), seen)
    assert (actions.init_containers_to_start, actions.containers_to_start) == (starts, [])


def test_main_containers_start_when_the_last_init_container_succeeded() -> None:
    seen = runtime(instance("j", State.EXITED))
    assert decide(pod(container("i"), container("j")), seen).containers_to_start == [0, 1]


def test_a_failed_init_container_of_a_pod_that_never_restarts_ends_the_pod() -> None:
    actions = decide(pod(container("i"), restart="Never"), runtime(instance("i", State.EXITED, 1)))
    assert (actions.kill_pod, actions.init_containers_to_start) == (True, [])


def test_what_initialized_an_earlier_sandbox_does_not_count() -> None:
    seen = runtime(instance("i", State.EXITED, sandbox_id="old"), instance("a", State.EXITED, 1, sandbox_id="old"))
    actions = decide(pod(container("i")), seen)
    assert (actions.init_containers_to_start, actions.containers_to_start) == ([0], [])


SIDECAR = container("side", restartPolicy="Always")
PROBED = container("side", restartPolicy="Always", startupProbe=core_v1.Probe())


def test_a_running_sidecar_lets_the_main_containers_start() -> None:
    assert decide(pod(SIDECAR), runtime(instance("side"))).containers_to_start == [0, 1]


def test_a_sidecar_whose_startup_probe_has_not_succeeded_holds_up_the_rest() -> None:
    assert not decide(pod(PROBED), runtime(instance("side"))).anything
    verdict = ProbeVerdicts(startup={"side-0": True})
    assert decide(pod(PROBED), runtime(instance("side")), verdict).containers_to_start == [0, 1]


def test_a_sidecar_that_ended_is_started_again_beside_running_containers() -> None:
    seen = runtime(instance("side", State.EXITED), instance("a"), instance("b"))
    actions = decide(pod(SIDECAR), seen)
    assert (actions.init_containers_to_start, actions.containers_to_start) == ([0], [])


def test_a_sidecar_is_not_started_again_when_the_pod_is_over() -> None:
    seen = runtime(instance("side", State.EXITED), *(instance(name, State.EXITED) for name in "ab"))
    actions = decide(pod(SIDECAR, restart="Never"), seen)
    assert (actions.kill_pod, actions.init_containers_to_start) == (True, [])


def test_a_failed_liveness_probe_kills_and_restarts() -> None:
    actions = decide(pod(), runtime(instance("a"), instance("b")), ProbeVerdicts(liveness={"a-0": False}))
    (kill,) = actions.containers_to_kill.values()
    assert kill.message == "Container a failed liveness probe, will be restarted"
    assert kill.reason is KillReason.LIVENESS_PROBE
    assert actions.containers_to_start == [0]


def test_a_failed_liveness_probe_only_kills_under_never() -> None:
    failed = ProbeVerdicts(liveness={"a-0": False})
    actions = decide(pod(restart="Never"), runtime(instance("a"), instance("b")), failed)
    (kill,) = actions.containers_to_kill.values()
    assert kill.message == "Container a failed liveness probe"
    assert actions.containers_to_start == []


def test_another_image_restarts_whatever_the_policy() -> None:
    of = pod(restart="Never")
    spec = replace(of.spec, containers=[replace(of.spec.containers[0], image="app:2"), of.spec.containers[1]])
    actions = decide(replace(of, spec=spec), runtime(instance("a"), instance("b")))
    assert [kill.message for kill in actions.containers_to_kill.values()] == [
        "Container a definition changed, will be restarted"
    ]


def test_ephemeral_containers_start_once_and_at_any_time() -> None:
    debug = core_v1.EphemeralContainer(name="debug", image="app:1")
    of = pod(container("i"), ephemeralContainers=[debug])
    assert decide(of, runtime(instance("i"))).ephemeral_containers_to_start == [0]
    assert decide(of, runtime(instance("i"), instance("debug", State.EXITED))).ephemeral_containers_to_start == []


def test_a_container_of_unknown_state_is_killed_before_it_is_started() -> None:
    actions = decide(pod(), runtime(instance("a", State.UNKNOWN), instance("b")))
    assert list(actions.containers_to_kill) == ["a-0"]
    assert actions.containers_to_start == [0]


@pytest.mark.parametrize(
    ("rule", "code", "again"),
    [
        (("In", [42]), 42, True),
        (("In", [42]), 1, False),
        (("NotIn", [42]), 1, True),
        (("NotIn", [42]), 42, False),
    ],
)
def test_a_containers_own_rules_come_before_its_policy(rule: tuple[str, list[int]], code: int, again: bool) -> None:
    rules = core_v1.ContainerRestartRule(
        action="Restart", exitCodes=core_v1.ContainerRestartRuleOnExitCodes(operator=rule[0], values=rule[1])
    )
    own = container("a", restartPolicy="Never", restartPolicyRules=[rules])
    assert restarts_after(own, pod(restart="Always"), code) is again
