"""A DaemonSet's status from nodes and pods.

Follows: kubernetes 1.36 pkg/controller/daemon/daemon_controller.go, updateDaemonSetStatus.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.daemonset import placement
from pybernetes.controllers.daemonset.reconcile import by_node
from pybernetes.controllers.history import HASH_LABEL


def calculate(
    daemon_set: apps_v1.DaemonSet,
    nodes: Sequence[core_v1.Node],
    pods: Sequence[core_v1.Pod],
    digest: str,
    now: datetime,
) -> apps_v1.DaemonSetStatus:
    """Per node its oldest pod counts."""
    desired = current = misscheduled = ready = updated = available = 0
    placed = by_node(pods)
    for node in nodes:
        here = sorted(placed.get(node.name, ()), key=lambda pod: (pod.metadata.creationTimestamp or "", pod.name))
        if not placement.runs_on(daemon_set, node)[0]:
            misscheduled += bool(here)
            continue
        desired += 1
        if here:
            current += 1
            oldest = here[0]
            if pod_facts.is_ready(oldest):
                ready += 1
                available += pod_facts.is_available(oldest, daemon_set.spec.minReadySeconds, now)
            updated += any(pod.metadata.labels.get(HASH_LABEL) == digest for pod in here)
    return msgspec.structs.replace(
        daemon_set.status,
        desiredNumberScheduled=desired,
        currentNumberScheduled=current,
        numberMisscheduled=misscheduled,
        numberReady=ready,
        updatedNumberScheduled=updated,
        numberAvailable=available,
        numberUnavailable=desired - available,
        observedGeneration=daemon_set.metadata.generation,
    )
