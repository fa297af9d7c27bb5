"""What a pod asks for and may use as a whole, and the quality of service that follows.

Ordinary init containers run one after the other before the others, so only the largest counts; sidecars (init
containers that restart always) run beside everything that starts after them, so they add up.

    containers 100m + 100m, init 500m                 → 500m
    containers 100m + 100m, sidecar 50m, then init 500m → max(100+100+50, 50+500) = 550m

Follows: kubernetes component-helpers/resource/helpers.go, PodRequests and PodLimits; pkg/apis/core/v1/helper/qos.
"""

from collections.abc import Callable, Iterable, Mapping

from pybernetes.api import core_v1
from pybernetes.api.scalars import Quantity as QuantityText
from pybernetes.machinery import quantity
from pybernetes.machinery.quantity import Quantity

CPU, MEMORY, EPHEMERAL_STORAGE = "cpu", "memory", "ephemeral-storage"
HUGEPAGES_PREFIX = "hugepages-"

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

Amounts = dict[str, Quantity]
Part = Callable[[core_v1.ResourceRequirements], Mapping[str, QuantityText]]


def _requests(resources: core_v1.ResourceRequirements) -> Mapping[str, QuantityText]:
    return resources.requests


def _limits(resources: core_v1.ResourceRequirements) -> Mapping[str, QuantityText]:
    return resources.limits


def requests(pod: core_v1.Pod) -> Amounts:
    """What the pod asks for, overhead included."""
    total = _combined(pod, _requests)
    for name, amount in _parsed(pod.spec.overhead).items():
        total[name] = total[name] + amount if name in total else amount
    return total


def limits(pod: core_v1.Pod) -> Amounts:
    """What the pod may use; overhead is added where there is a limit. A container without limit adds nothing."""
    total = _combined(pod, _limits)
    for name, amount in _parsed(pod.spec.overhead).items():
        if total.get(name):
            total[name] += amount
    return total


def is_sidecar(container: core_v1.Container) -> bool:
    """An init container that keeps running."""
    return container.restartPolicy == "Always"


def is_pod_level(name: str) -> bool:
    """Whether `spec.resources` of a pod can name the resource."""
    return name in (CPU, MEMORY) or name.startswith(HUGEPAGES_PREFIX)


def _parsed(amounts: Mapping[str, QuantityText]) -> Amounts:
    return {name: quantity.parse(amount) for name, amount in amounts.items()}


def _combined(pod: core_v1.Pod, part: Part) -> Amounts:
    total: Amounts = {}
    for container in pod.spec.containers:
        total = _sum(total, _parsed(part(container.resources)))
    sidecars: Amounts = {}
    most_of_init: Amounts = {}
    for container in pod.spec.initContainers:
        own = _parsed(part(container.resources))
        if is_sidecar(container):
            total, sidecars = _sum(total, own), _sum(sidecars, own)
            most_of_init = _maximum(most_of_init, sidecars)
        else:
            most_of_init = _maximum(most_of_init, _sum(sidecars, own))
    total = _maximum(total, most_of_init)
    if pod.spec.resources is not None:
        total.update({name: own for name, own in _parsed(part(pod.spec.resources)).items() if is_pod_level(name)})
    return total


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {
        name: one[name] + other[name]
        if name in one and name in other
        else one.get(name) or other.get(name, quantity.ZERO)
        for name in [*one, *(name for name in other if name not in one)]
    }


def _maximum(one: Amounts, other: Amounts) -> Amounts:
    result = dict(one)
    for name, amount in other.items():
        if name not in result or result[name] < amount:
            result[name] = amount
    return result


def qos_class(pod: core_v1.Pod) -> str:
    """The class the API server recorded, else the one that follows from the spec."""
    return pod.status.qosClass or computed_qos_class(pod)


def computed_qos_class(pod: core_v1.Pod) -> str:
    """Guaranteed: cpu and memory limited to what is requested, everywhere. BestEffort: nothing said anywhere."""
    if pod.spec.resources is not None:
        everything: Iterable[core_v1.ResourceRequirements] = [pod.spec.resources]
    else:
        everything = [container.resources for container in [*pod.spec.containers, *pod.spec.initContainers]]
    any_set, all_guaranteed = False, True
    for resources in everything:
        asked = {name: amount for name, amount in _parsed(resources.requests).items() if _counts(name, amount)}
        limited = {name: amount for name, amount in _parsed(resources.limits).items() if _counts(name, amount)}
        any_set = any_set or bool(asked) or bool(limited)
        wanted = {**limited, **asked}  # a request that is not set is the limit
        all_guaranteed = all_guaranteed and limited.keys() == {CPU, MEMORY} and wanted == limited
    if not any_set:
        return BEST_EFFORT
    return GUARANTEED if all_guaranteed else BURSTABLE


def _counts(name: str, amount: Quantity) -> bool:
    return name in (CPU, MEMORY) and amount > quantity.ZERO
