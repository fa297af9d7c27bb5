"""How much a pod may count on: Guaranteed, Burstable or BestEffort.

Follows: pkg/apis/core/v1/helper/qos/qos.go, ComputePodQOS.
"""

from typing import Any, Final

from pybernetes.machinery import quantity

Json = dict[str, Any]

GUARANTEED: Final = "Guaranteed"
BURSTABLE: Final = "Burstable"
BEST_EFFORT: Final = "BestEffort"
_COMPUTE: Final = ("cpu", "memory")


def qos_class(spec: Json) -> str:
    """The class of a pod's spec: resources of the whole pod count alone where it has them."""
    if spec.get("resources"):
        pools = [spec["resources"]]
    else:
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        pools = [container.get("resources") or {} for container in containers]
    requests: dict[str, quantity.Quantity] = {}
    limits: dict[str, quantity.Quantity] = {}
    guaranteed = True
    for pool in pools:
        _add_up(requests, pool.get("requests") or {})
        if not _add_up(limits, pool.get("limits") or {}).issuperset(_COMPUTE):
            guaranteed = False
    if not requests and not limits:
        return BEST_EFFORT
    if guaranteed and requests == limits:
        return GUARANTEED
    return BURSTABLE


def _add_up(sums: dict[str, quantity.Quantity], amounts: dict[str, str]) -> set[str]:
    """The compute resources in `amounts` that are not zero, added to `sums`."""
    found: set[str] = set()
    for name in _COMPUTE:
        if name in amounts and (amount := quantity.parse(amounts[name])):
            sums[name] = sums.get(name, quantity.ZERO) + amount
            found.add(name)
    return found
