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
    all_limited = all(_compute(pool.get("limits")).issuperset(_COMPUTE) for pool in pools)
    if not all_limited:
        some = any(_compute(pool.get("requests")) or _compute(pool.get("limits")) for pool in pools)
        return BURSTABLE if some else BEST_EFFORT
    requests: dict[str, quantity.Quantity] = {}
    limits: dict[str, quantity.Quantity] = {}
    for pool in pools:
        _add_up(requests, pool.get("requests") or {})
        _add_up(limits, pool.get("limits") or {})
    if not limits:
        return BEST_EFFORT
    return GUARANTEED if requests == limits else BURSTABLE


def _compute(amounts: dict[str, str] | None) -> set[str]:
    """The compute resources in `amounts` that are not zero."""
    return {name for name in _COMPUTE if name in amounts and quantity.parse(amounts[name])} if amounts else set()


def _add_up(sums: dict[str, quantity.Quantity], amounts: dict[str, str]) -> None:
    for name in _compute(amounts):
        sums[name] = sums.get(name, quantity.ZERO) + quantity.parse(amounts[name])
