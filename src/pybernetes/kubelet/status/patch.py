"""The strategic merge patch that turns one status of a pod into another. Pure.

Conditions are merged by type, so those of others stay; lists of container statuses are replaced as a whole; of
`podIPs`, which would be merged, it is said that they are replaced.

Follows: kubernetes pkg/util/pod/pod.go, PatchPodStatus.
"""

from typing import Any

import msgspec

from pybernetes.api import core_v1
from pybernetes.kubelet.status.reasons import KUBELET_CONDITIONS

Json = dict[str, Any]


def status_patch(uid: str, old: core_v1.PodStatus, new: core_v1.PodStatus) -> Json | None:
    """The patch for the status subresource, valid only for the pod with `uid`; None when nothing differs."""
    before: Json = msgspec.to_builtins(old)
    after: Json = msgspec.to_builtins(new)
    changes: Json = {name: None for name in before if name not in after}
    changes |= {name: value for name, value in after.items() if before.get(name) != value}
    conditions = _conditions(before.get("conditions", []), after.get("conditions", []))
    changes.pop("conditions", None)
    if conditions:
        changes["conditions"] = conditions
    if changes.get("podIPs"):
        changes["podIPs"] = [*changes["podIPs"], {"$patch": "replace"}]
    return {"metadata": {"uid": uid}, "status": changes} if changes else None


def _conditions(before: list[Json], after: list[Json]) -> list[Json]:
    """Conditions of the kubelet that changed; a field that is gone is null."""
    known = {condition["type"]: condition for condition in before}
    changed: list[Json] = []
    for condition in after:
        old = known.get(condition["type"])
        if condition == old or (condition["type"] not in KUBELET_CONDITIONS and old is not None):
            continue
        gone = {name: None for name in old or () if name not in condition}
        changed.append({**condition, **gone})
    return changed
