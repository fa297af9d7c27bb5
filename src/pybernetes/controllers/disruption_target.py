"""The condition that tells a pod's owner it was taken away, and by whom.

Follows: kubernetes pkg/api/v1/pod/util.go, UpdatePodCondition; pkg/util/pod, PatchPodStatus.
"""

from datetime import datetime

import msgspec

from pybernetes.api import core_v1
from pybernetes.client.interface import Client
from pybernetes.effects import format_time
from pybernetes.machinery.errors import Conflict, NotFound

DISRUPTION_TARGET = "DisruptionTarget"


def marked(pod: core_v1.Pod, reason: str, message: str, now: datetime, *, phase: str = "") -> core_v1.Pod:
    """The pod with the condition, and with another phase if one is given. Pure."""
    present = next((c for c in pod.status.conditions if c.type == DISRUPTION_TARGET), None)
    same = present is not None and (present.status, present.reason, present.message) == ("True", reason, message)
    conditions = pod.status.conditions
    if not same:
        new = core_v1.PodCondition(
            type=DISRUPTION_TARGET,
            status="True",
            reason=reason,
            message=message,
            lastTransitionTime=format_time(now),
            observedGeneration=pod.metadata.generation,
        )
        conditions = [*(c for c in conditions if c.type != DISRUPTION_TARGET), new]
    status = msgspec.structs.replace(pod.status, conditions=conditions, phase=phase or pod.status.phase)
    return msgspec.structs.replace(pod, status=status)


async def mark(client: Client, pod: core_v1.Pod, reason: str, message: str, now: datetime, *, phase: str = "") -> None:
    """Write the condition; a pod that has gone needs none.

    Raises:
        Conflict: the pod has changed since; look again.
    """
    changed = marked(pod, reason, message, now, phase=phase)
    if changed == pod:
        return
    try:
        await client.update(changed, subresource="status")
    except NotFound:
        return
    except Conflict:
        live = await client.get(core_v1.Pod, pod.name, pod.namespace)
        if live.metadata.uid == pod.metadata.uid:
            await client.update(marked(live, reason, message, now, phase=phase), subresource="status")
