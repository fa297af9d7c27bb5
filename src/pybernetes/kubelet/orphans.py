"""Pods the runtime has and nobody knows: made into pods that only end.

Follows: kubernetes pkg/kubelet/kubelet_pods.go, HandlePodCleanups.
"""

from datetime import datetime

from pybernetes.api import core_v1, meta_v1
from pybernetes.effects import format_time
from pybernetes.kubelet.runtime_status import RuntimePod


def pod_to_end(runtime: RuntimePod, now: datetime) -> core_v1.Pod:
    """A pod as far as the runtime's labels tell it, marked as deleted."""
    grace = max((one.grace_period_seconds or 0 for one in runtime.containers), default=0)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=runtime.name,
            namespace=runtime.namespace,
            uid=runtime.uid,
            deletionTimestamp=format_time(now),
            deletionGracePeriodSeconds=grace,
        ),
        spec=core_v1.PodSpec(
            containers=[core_v1.Container(name=name) for name in sorted({one.name for one in runtime.containers})]
        ),
    )
