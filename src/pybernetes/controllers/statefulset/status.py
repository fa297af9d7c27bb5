"""What a StatefulSet's status says. Pure.

Follows: kubernetes 1.36 pkg/controller/statefulset/stateful_set_control.go, updateStatus, completeRollingUpdate.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.history import HASH_LABEL
from pybernetes.controllers.statefulset import identity
from pybernetes.controllers.statefulset.reconcile import ON_DELETE


def calculate(
    stateful_set: apps_v1.StatefulSet,
    pods: Sequence[core_v1.Pod],
    current: str,
    update: str,
    now: datetime,
) -> apps_v1.StatefulSetStatus:
    """Counts by revision; the current revision moves once the update is complete.

    `current` and `update` are hashes; status writes them with the set's name in front.
    """
    mine = [pod for pod in pods if identity.ordinal_of(stateful_set, pod) is not None]
    running = [pod for pod in mine if not pod_facts.is_finished(pod)]
    staying = [pod for pod in running if not pod_facts.is_terminating(pod)]
    ready = [pod for pod in running if pod_facts.is_ready(pod)]
    updated = [pod for pod in staying if pod.metadata.labels.get(HASH_LABEL) == update]
    wanted = len(identity.ordinals(stateful_set))
    on_delete = stateful_set.spec.updateStrategy.type == ON_DELETE
    if not on_delete and len(updated) == len(running) == len(ready) == wanted:
        current = update
    olds = [pod for pod in staying if pod.metadata.labels.get(HASH_LABEL) == current]
    return msgspec.structs.replace(
        stateful_set.status,
        observedGeneration=stateful_set.metadata.generation,
        replicas=len(running),
        readyReplicas=len(ready),
        availableReplicas=sum(pod_facts.is_available(p, stateful_set.spec.minReadySeconds, now) for p in ready),
        currentReplicas=len(olds),
        updatedReplicas=len(updated),
        currentRevision=f"{stateful_set.name}-{current}",
        updateRevision=f"{stateful_set.name}-{update}",
    )
