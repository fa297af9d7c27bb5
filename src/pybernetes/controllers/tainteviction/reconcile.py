"""When a pod must leave a tainted node.

    a taint nothing tolerates                       at once
    every taint tolerated, one for 300 s only       300 s after the taint was added; the shortest of several counts
    every taint tolerated without a limit           never

Follows: kubernetes 1.36 pkg/controller/tainteviction/taint_eviction.go, processPodOnNode.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_EXECUTE, tolerates
from pybernetes.effects import parse_time


def leaves_at(
    taints: Sequence[core_v1.Taint], tolerations: Sequence[core_v1.Toleration], noticed: datetime
) -> datetime | None:
    """The moment the pod must go; None when it may stay. A taint without a time counts from `noticed`."""
    moments = []
    for taint in taints:
        if taint.effect != NO_EXECUTE:
            continue
        covering = [toleration for toleration in tolerations if tolerates(toleration, taint)]
        if not covering:
            return noticed
        limits = [t.tolerationSeconds for t in covering if t.tolerationSeconds is not None]
        if limits:
            added = parse_time(taint.timeAdded) if taint.timeAdded else noticed
            moments.append(added + timedelta(seconds=max(0, min(limits))))
    return min(moments, default=None)
