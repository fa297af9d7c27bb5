"""The whole status of a pod, from its spec, the runtime, the probes and what was reported before. Pure.

Follows: kubernetes pkg/kubelet/kubelet_pods.go, generateAPIPodStatus; pkg/kubelet/prober/prober_manager.go,
UpdatePodStatus; pkg/kubelet/status/status_manager.go, TerminatePod.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from pybernetes.api import core_v1, pod_resources
from pybernetes.effects import format_time
from pybernetes.kubelet.pod_actions import any_regular_container_active
from pybernetes.kubelet.restart_policy import is_sidecar
from pybernetes.kubelet.runtime_status import RuntimePod
from pybernetes.kubelet.status import conditions, reasons
from pybernetes.kubelet.status.container_states import LOST_EXIT_CODE, LOST_MESSAGE, StartFailure, container_statuses
from pybernetes.kubelet.status.phase import pod_phase


class StartFailures(dict[str, StartFailure]):
    """Why containers could not be started, by name."""


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """What probes say, by container id. A container without probe of a kind is absent from that mapping."""

    started: Mapping[str, bool] = field(default_factory=dict)
    ready: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What besides the pod itself goes into its status."""

    now: datetime
    node_ips: Sequence[str] = ()
    failures: Mapping[str, StartFailure] = field(default_factory=dict)
    """Why containers could not be started, by name."""
    probes: ProbeFacts = field(default_factory=ProbeFacts)
    terminal: bool = False
    """Nothing of this pod will be started any more."""
    verdict: tuple[str, str] | None = None
    """Reason and message with which the pod was made to fail from outside: DeadlineExceeded, Evicted."""


def pod_status(
    pod: core_v1.Pod, runtime: RuntimePod, reported: core_v1.PodStatus, around: Surroundings
) -> core_v1.PodStatus:
    """The status to report. `reported` is what was last written, by us or an earlier kubelet."""
    failures = around.failures
    main = container_statuses(pod, runtime, pod.spec.containers, reported.containerStatuses, failures)
    init = container_statuses(
        pod, runtime, pod.spec.initContainers, reported.initContainerStatuses, failures, init=True
    )
    ephemeral = container_statuses(
        pod, runtime, pod.spec.ephemeralContainers, reported.ephemeralContainerStatuses, failures
    )
    init = _with_probes(pod, init, around.probes, init=True)
    main = _with_probes(pod, main, around.probes, init=False)
    by_name = {status.name: status for status in (*init, *main)}
    phase = pod_phase(pod, by_name, terminal=around.terminal, initialized=any_regular_container_active(pod, runtime))
    for earlier in (reported.phase, pod.status.phase):
        if earlier in (reasons.SUCCEEDED, reasons.FAILED):
            phase = earlier
    reason, message = "", ""
    if phase == reported.phase:
        reason, message = reported.reason, reported.message
    if around.verdict is not None:
        phase, (reason, message) = reasons.FAILED, around.verdict
    now = format_time(around.now)
    of_containers = conditions.containers_ready(pod, by_name, phase)
    foreign = [one for one in pod.status.conditions if one.type not in reasons.KUBELET_CONDITIONS]
    foreign += [
        one
        for one in reported.conditions
        if one.type == reasons.DISRUPTION_TARGET and all(other.type != one.type for other in foreign)
    ]
    own = [
        conditions.ready_to_start_containers(pod, runtime),
        conditions.initialized(pod, by_name, phase),
        conditions.ready(pod, foreign, of_containers),
        of_containers,
        conditions.scheduled(pod),
    ]
    ips = _pod_ips(pod, runtime, reported, around.node_ips)
    return replace(
        pod.status,
        observedGeneration=pod.metadata.generation,
        phase=phase,
        reason=reason,
        message=message,
        conditions=foreign + conditions.with_transition_times(own, reported.conditions or pod.status.conditions, now),
        hostIP=around.node_ips[0] if around.node_ips else "",
        hostIPs=[core_v1.HostIP(ip=ip) for ip in around.node_ips],
        podIP=ips[0] if ips else "",
        podIPs=[core_v1.PodIP(ip=ip) for ip in ips],
        startTime=reported.startTime or pod.status.startTime or now,
        initContainerStatuses=init,
        containerStatuses=main,
        ephemeralContainerStatuses=ephemeral,
        qosClass=pod.status.qosClass or pod_resources.computed_qos_class(pod),
    )


def _pod_ips(pod: core_v1.Pod, runtime: RuntimePod, reported: core_v1.PodStatus, node_ips: Sequence[str]) -> list[str]:
    """The node's addresses on the host's network, else the sandbox's; the last known ones once it is gone."""
    if pod.spec.hostNetwork:
        return list(node_ips)
    found = list(dict.fromkeys(runtime.ips))
    v4 = [ip for ip in found if ":" not in ip][:1]
    v6 = [ip for ip in found if ":" in ip][:1]
    prefers_v6 = bool(node_ips) and ":" in node_ips[0]
    ordered = v6 + v4 if prefers_v6 else v4 + v6
    finished = pod.metadata.deletionTimestamp is not None or reported.phase in (reasons.SUCCEEDED, reasons.FAILED)
    if not ordered and finished:
        return [one.ip for one in reported.podIPs]
    return ordered


def _with_probes(
    pod: core_v1.Pod, statuses: Sequence[core_v1.ContainerStatus], probes: ProbeFacts, *, init: bool
) -> list[core_v1.ContainerStatus]:
    """Statuses with `started` and `ready`."""
    sidecars = {container.name for container in pod.spec.initContainers if is_sidecar(container)}
    result = []
    for status in statuses:
        container_id = status.containerID.partition("://")[2]
        started = status.state.running is not None and probes.started.get(container_id, True)
        if init and status.name not in sidecars:
            ended = status.state.terminated
            ready = ended is not None and ended.exitCode == 0
            started = status.state.running is not None
        else:
            ready = started and probes.ready.get(container_id, True)
        result.append(replace(status, started=started, ready=ready))
    return result


def after_termination(pod: core_v1.Pod, status: core_v1.PodStatus) -> core_v1.PodStatus:
    """The last status of a pod whose containers are all gone: none is left waiting or running, the phase is final.

    Nobody knows how a container ended that the runtime no longer has, so it is reported as failed. Init containers
    count up to the last one that was ever started.
    """
    init, main = status.initContainerStatuses, status.containerStatuses
    started = [index for index, one in enumerate(init) if _ever_started(one)]
    reached = started[-1] + 1 if started else 0
    init = [*map(_ended, init[:reached]), *init[reached:]]
    if _was_initialized(pod, status):
        main = [_ended(one) for one in main]
    phase = status.phase if status.phase in (reasons.SUCCEEDED, reasons.FAILED) else reasons.FAILED
    return replace(status, phase=phase, initContainerStatuses=init, containerStatuses=main)


def _ever_started(status: core_v1.ContainerStatus) -> bool:
    return bool(status.state.running or status.state.terminated or status.lastState.terminated)


def _was_initialized(pod: core_v1.Pod, status: core_v1.PodStatus) -> bool:
    if not pod.spec.initContainers or any(map(_ever_started, status.containerStatuses)):
        return True
    last = status.initContainerStatuses[-1] if status.initContainerStatuses else None
    if last is None:
        return False
    if is_sidecar(pod.spec.initContainers[-1]):
        return last.state.running is not None and bool(last.started)
    return last.state.terminated is not None and last.state.terminated.exitCode == 0


def _ended(status: core_v1.ContainerStatus) -> core_v1.ContainerStatus:
    if status.state.terminated is not None:
        return status
    end = core_v1.ContainerStateTerminated(
        reason=reasons.CONTAINER_STATUS_UNKNOWN, message=LOST_MESSAGE, exitCode=LOST_EXIT_CODE
    )
    return replace(status, state=core_v1.ContainerState(terminated=end), ready=False, started=False)
