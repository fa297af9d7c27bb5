"""What is to be done so that a pod comes one step closer to its spec. Pure; `pod_worker` carries it out.

The worker applies the actions in the order of the fields of `PodActions` and then asks again, until nothing is left
to do. Back-off is not decided here: a container that is due is named even if it must still wait.

Follows: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions; kuberuntime_container.go,
computeInitContainerActions; util/util.go, PodSandboxChanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pybernetes.api import core_v1
from pybernetes.kubelet.restart_policy import (
    ON_FAILURE,
    is_sidecar,
    pod_restarts_on_failure,
    restarts_after,
    should_be_restarted,
    spec_hash,
)
from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, State


class KillReason(StrEnum):
    """Why a single container is killed; decides which grace period counts."""

    SPEC_CHANGED = ""
    LIVENESS_PROBE = "LivenessProbe"
    STARTUP_PROBE = "StartupProbe"
    UNKNOWN = "Unknown"
    RESIZE = "Resize"


@dataclass(frozen=True, slots=True)
class ContainerToKill:
    name: str
    message: str
    reason: KillReason


@dataclass(frozen=True, slots=True)
class ProbeVerdicts:
    """Results of probes by container id; None or absent while there is none. `False` is a failure."""

    liveness: Mapping[str, bool | None] = field(default_factory=dict)
    startup: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(slots=True)
class PodActions:
    """One step. Indices are positions in the lists of the spec."""

    kill_pod: bool = False
    """Stop every container and the sandbox first."""
    containers_to_kill: dict[str, ContainerToKill] = field(default_factory=dict)
    """By container id."""
    create_sandbox: bool = False
    sandbox_id: str = ""
    """The sandbox to use; when one is created, the id of the one it replaces."""
    attempt: int = 0
    ephemeral_containers_to_start: list[int] = field(default_factory=list)
    init_containers_to_start: list[int] = field(default_factory=list)
    containers_to_start: list[int] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        return bool(
            self.kill_pod
            or self.create_sandbox
            or self.containers_to_kill
            or self.ephemeral_containers_to_start
            or self.init_containers_to_start
            or self.containers_to_start
        )


def sandbox_changed(pod: core_v1.Pod, runtime: RuntimePod) -> tuple[bool, int, str]:
    """Whether a new sandbox is needed, the attempt it gets (or has), and the present sandbox's id."""
    if not runtime.sandboxes:
        return True, 0, ""
    newest = runtime.sandboxes[0]
    if sum(1 for sandbox in runtime.sandboxes if sandbox.ready) > 1 or not newest.ready:
        return True, newest.attempt + 1, newest.id
    if newest.host_network != pod.spec.hostNetwork:
        return True, newest.attempt + 1, ""
    if not pod.spec.hostNetwork and not newest.ips:
        return True, newest.attempt + 1, newest.id
    return False, newest.attempt, newest.id


def pod_actions(pod: core_v1.Pod, runtime: RuntimePod, probes: ProbeVerdicts) -> PodActions:
    """The next step for a pod that is not being terminated."""
    create_sandbox, attempt, sandbox_id = sandbox_changed(pod, runtime)
    actions = PodActions(kill_pod=create_sandbox, create_sandbox=create_sandbox, sandbox_id=sandbox_id, attempt=attempt)
    if create_sandbox:
        _from_the_beginning(pod, runtime, actions)
        return actions
    for index, ephemeral in enumerate(pod.spec.ephemeralContainers):
        if runtime.find(ephemeral.name) is None:  # never restarted, and not held up by initialization
            actions.ephemeral_containers_to_start.append(index)
    initialized = _init_containers(pod, runtime, probes, actions)
    if actions.kill_pod or not initialized:
        return actions
    kept = 0
    for index, container in enumerate(pod.spec.containers):
        newest = runtime.find(container.name)
        if newest is None or newest.state is not State.RUNNING:
            if should_be_restarted(container, pod, runtime):
                actions.containers_to_start.append(index)
                if newest is not None and newest.state is State.UNKNOWN:
                    actions.containers_to_kill[newest.id] = ContainerToKill(
                        container.name,
                        f'Container is in "{newest.state}" state, try killing it before restart',
                        KillReason.UNKNOWN,
                    )
            continue
        why = _why_kill(container, newest, probes, "Container")
        if why is None:
            kept += 1
            continue
        message, reason = why
        if reason is KillReason.SPEC_CHANGED or restarts_after(container, pod, 137):
            message += ", will be restarted"
            actions.containers_to_start.append(index)
        actions.containers_to_kill[newest.id] = ContainerToKill(container.name, message, reason)
    if not kept and not actions.containers_to_start:
        actions.kill_pod = True
        actions.init_containers_to_start.clear()  # sidecars must not keep a finished pod alive
    return actions


def _why_kill(
    container: core_v1.Container, running: RuntimeContainer, probes: ProbeVerdicts, what: str
) -> tuple[str, KillReason] | None:
    if running.spec_hash and running.spec_hash != spec_hash(container):
        return f"{what} {container.name} definition changed", KillReason.SPEC_CHANGED
    if probes.liveness.get(running.id) is False:
        return f"{what} {container.name} failed liveness probe", KillReason.LIVENESS_PROBE
    if probes.startup.get(running.id) is False:
        return f"{what} {container.name} failed startup probe", KillReason.STARTUP_PROBE
    return None


def any_regular_container_created(pod: core_v1.Pod, runtime: RuntimePod) -> bool:
    """Whether a main container was ever made: then initialization is a thing of the past."""
    return any(runtime.find(container.name) is not None for container in pod.spec.containers)


def any_regular_container_active(pod: core_v1.Pod, runtime: RuntimePod) -> bool:
    """Whether a main container was made in the present sandbox."""
    return any(runtime.find_active(container.name) is not None for container in pod.spec.containers)


def _from_the_beginning(pod: core_v1.Pod, runtime: RuntimePod, actions: PodActions) -> None:
    """A new sandbox is due: what starts in it, or that the pod is over and needs none."""
    if not _could_restart(pod) and actions.attempt != 0 and runtime.containers:
        actions.create_sandbox = False
        return
    to_start = [
        index
        for index, container in enumerate(pod.spec.containers)
        if not (pod.spec.restartPolicy == ON_FAILURE and _succeeded(container, runtime))
    ]
    if not to_start and any_regular_container_created(pod, runtime):
        actions.create_sandbox = False
    elif pod.spec.initContainers:
        actions.init_containers_to_start = [0]
    else:
        actions.containers_to_start = to_start


def _could_restart(pod: core_v1.Pod) -> bool:
    """Whether anything in the pod can ever be started a second time."""
    return pod_restarts_on_failure(pod) or any(
        container.restartPolicy in ("Always", "OnFailure") or container.restartPolicyRules
        for container in pod.spec.containers
    )


def _succeeded(container: core_v1.Container, runtime: RuntimePod) -> bool:
    newest = runtime.find(container.name)
    return newest is not None and newest.state is State.EXITED and newest.exit_code == 0


def _init_containers(pod: core_v1.Pod, runtime: RuntimePod, probes: ProbeVerdicts, actions: PodActions) -> bool:
    """Whether initialization is over; adds what is to be done about init containers and sidecars.

    Read from the last one backwards: earlier ones that completed may long have been removed from the runtime, so the
    last one that is known tells how far initialization came.
    """
    spec = pod.spec.initContainers
    if not spec:
        return True
    initialized = any_regular_container_active(pod, runtime)
    later_one_known = initialized
    start: list[int] = []
    last = len(spec) - 1
    for index in range(last, -1, -1):
        container = spec[index]
        sidecar = is_sidecar(container)
        newest = runtime.find_active(container.name)
        if newest is None:
            if later_one_known and sidecar:
                start.append(index)
            continue
        if later_one_known and not sidecar:
            continue
        done = False
        match newest.state:
            case State.CREATED:  # made, but its start failed
                start.append(index)
            case State.RUNNING if sidecar:
                verdict = probes.startup.get(newest.id)
                why = _why_kill(container, newest, probes, "Init container")
                started = container.startupProbe is None or verdict is True
                if why is not None and (started or why[1] is not KillReason.LIVENESS_PROBE):
                    actions.containers_to_kill[newest.id] = ContainerToKill(container.name, *why)
                    start.append(index)
                done = started
            case State.RUNNING:
                pass
            case State.EXITED if sidecar:
                start.append(index)
            case State.EXITED if newest.exit_code == 0:
                done = True
            case State.EXITED:
                if not restarts_after(container, pod, newest.exit_code):
                    actions.kill_pod = True
                    return False
                start.append(index)
            case State.UNKNOWN:
                if not sidecar and not pod_restarts_on_failure(pod):
                    actions.kill_pod = True
                    return False
                actions.containers_to_kill[newest.id] = ContainerToKill(
                    container.name,
                    f'Init container is in "{newest.state}" state, try killing it before restart',
                    KillReason.UNKNOWN,
                )
                start.append(index)
        if done and index == last:
            initialized = True
        elif done and not later_one_known:
            start.append(index + 1)
        later_one_known = True
    if not later_one_known:
        start.append(0)
    actions.init_containers_to_start = sorted(set(start))
    return initialized
