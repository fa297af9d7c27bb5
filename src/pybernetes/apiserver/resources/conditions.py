"""Conditions of an object's status, set as upstream's helpers set them.

Follows: pkg/api/v1/pod/util.go, UpdatePodCondition; apimachinery pkg/api/meta/conditions.go.
"""

from pybernetes.apiserver.request import Document


def set_condition(status: Document, condition: Document, now: str) -> None:
    """Put `condition` into `status`, in place; its transition time moves only when its status changes."""
    conditions = list(status.get("conditions") or ())
    for index, present in enumerate(conditions):
        if present.get("type") == condition["type"]:
            same = present.get("status") == condition["status"]
            conditions[index] = {
                **present,
                **condition,
                "lastTransitionTime": present.get("lastTransitionTime", now) if same else now,
            }
            break
    else:
        conditions.append({**condition, "lastTransitionTime": now})
    status["conditions"] = conditions
