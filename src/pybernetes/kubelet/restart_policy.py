"""Whether a container that ended is started again, and what makes two containers the same.

Follows: kubernetes pkg/api/v1/pod/util.go, ContainerShouldRestart; pkg/kubelet/container/helpers.go,
ShouldContainerBeRestarted and HashContainer.
"""

from collections.abc import Iterable

import msgspec

from pybernetes.api import core_v1
from pybernetes.kubelet.runtime_status import RuntimePod, State
from pybernetes.kubelet.seam import ContainerLike

ALWAYS = "Always"
ON_FAILURE = "OnFailure"
NEVER = "Never"

FNV32_OFFSET = 0x811C9DC5
FNV32_PRIME = 0x01000193


def is_sidecar(container: ContainerLike) -> bool:
    """An init container that stays beside the main ones: `restartPolicy: Always`."""
    return isinstance(container, core_v1.Container) and container.restartPolicy == ALWAYS


def is_regular(pod: core_v1.Pod, name: str) -> bool:
    return any(container.name == name for container in pod.spec.containers)


def all_containers(pod: core_v1.Pod) -> Iterable[ContainerLike]:
    """Init, main and ephemeral containers in the order of the spec."""
    yield from pod.spec.initContainers
    yield from pod.spec.containers
    yield from pod.spec.ephemeralContainers


def find_container(pod: core_v1.Pod, name: str) -> ContainerLike | None:
    return next((container for container in all_containers(pod) if container.name == name), None)


def matching_rule(container: ContainerLike, exit_code: int) -> core_v1.ContainerRestartRule | None:
    """The first of the container's own rules that speaks about `exit_code`."""
    rules = container.restartPolicyRules if isinstance(container, core_v1.Container) else []
    for rule in rules:
        codes = rule.exitCodes
        if codes is None:
            continue
        if (codes.operator == "In" and exit_code in codes.values) or (
            codes.operator == "NotIn" and exit_code not in codes.values
        ):
            return rule
    return None


def restarts_after(container: ContainerLike, pod: core_v1.Pod, exit_code: int) -> bool:
    """Whether an end with `exit_code` leads to a new start: its rules decide first, then its policy, then the pod's."""
    policy = pod.spec.restartPolicy or ALWAYS
    if isinstance(container, core_v1.EphemeralContainer):
        return False
    if container.restartPolicy:
        rule = matching_rule(container, exit_code)
        if rule is not None and rule.action in ("Restart", "RestartAllContainers"):
            return True
        policy = container.restartPolicy
    if policy == ON_FAILURE:
        return exit_code != 0
    return policy == ALWAYS


def should_be_restarted(container: ContainerLike, pod: core_v1.Pod, runtime: RuntimePod) -> bool:
    """Whether the container, as the runtime has it, is to be started by the next sync."""
    if pod.metadata.deletionTimestamp is not None:
        return False
    newest = runtime.find(container.name)
    if newest is None:
        return True
    match newest.state:
        case State.RUNNING:
            return False
        case State.UNKNOWN | State.CREATED:
            return True
        case State.EXITED:
            return restarts_after(container, pod, newest.exit_code)


def pod_restarts_on_failure(pod: core_v1.Pod) -> bool:
    return pod.spec.restartPolicy != NEVER


def fnv32a(data: bytes) -> int:
    value = FNV32_OFFSET
    for byte in data:
        value = ((value ^ byte) * FNV32_PRIME) & 0xFFFFFFFF
    return value


def spec_hash(container: ContainerLike) -> str:
    """Changes when the container must be made anew: name and image are all of a running pod's spec that can."""
    return f"{fnv32a(msgspec.json.encode({'name': container.name, 'image': container.image})):x}"
