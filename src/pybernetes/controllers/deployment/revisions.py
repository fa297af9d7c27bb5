"""Which ReplicaSet is the newest, and the annotations that remember revisions and sizes. Pure.

    deployment.kubernetes.io/revision           on both: `kubectl rollout history` and `undo` read it
    deployment.kubernetes.io/revision-history   on a ReplicaSet rolled back to: the revisions it was before
    deployment.kubernetes.io/desired-replicas   on a ReplicaSet: the Deployment's size it was last scaled for
    deployment.kubernetes.io/max-replicas       on a ReplicaSet: that plus the surge, for proportional scaling

Follows: kubernetes 1.36 pkg/controller/deployment/util/deployment_util.go.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pybernetes.api import apps_v1
from pybernetes.controllers import templates
from pybernetes.controllers.deployment import rolling

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)
MAX_HISTORY_CHARACTERS = 2000

ReplicaSets = Sequence[apps_v1.ReplicaSet]


def find_new(deployment: apps_v1.Deployment, sets: Iterable[apps_v1.ReplicaSet]) -> apps_v1.ReplicaSet | None:
    """The ReplicaSet with the Deployment's template; of several equal ones the oldest."""
    for candidate in by_age(sets):
        if templates.equal(candidate.spec.template, deployment.spec.template):
            return candidate
    return None


def by_age(sets: Iterable[apps_v1.ReplicaSet]) -> ReplicaSets:
    """Oldest first, then by name."""
    return sorted(sets, key=lambda s: (s.metadata.creationTimestamp or "", s.metadata.name))


def revision(value: apps_v1.ReplicaSet | apps_v1.Deployment) -> int:
    """The revision in the annotation; 0 when there is none or it is no number."""
    return _number(value.metadata.annotations.get(REVISION, ""))


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def next_revision(old: Iterable[apps_v1.ReplicaSet]) -> int:
    return max(map(revision, old), default=0) + 1


def sized(annotations: Mapping[str, str], deployment: apps_v1.Deployment) -> dict[str, str]:
    """The annotations with the sizes a ReplicaSet is scaled for now."""
    desired = rolling.desired(deployment)
    return {
        **annotations,
        DESIRED_REPLICAS: str(desired),
        MAX_REPLICAS: str(desired + rolling.max_surge(deployment)),
    }


def desired_annotation(replica_set: apps_v1.ReplicaSet) -> int | None:
    text = replica_set.metadata.annotations.get(DESIRED_REPLICAS)
    return None if text is None else _number(text)


def max_annotation(replica_set: apps_v1.ReplicaSet) -> int | None:
    text = replica_set.metadata.annotations.get(MAX_REPLICAS)
    return None if text is None else _number(text)


def of_new(
    deployment: apps_v1.Deployment, present: Mapping[str, str], new_revision: int, *, exists: bool
) -> dict[str, str]:
    """The annotations of the newest ReplicaSet: those of the Deployment, its revision, and what it was before."""
    copied = {k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED}
    result = {**present, **copied}
    old_text = present.get(REVISION)
    old = _number(old_text or "")
    if old < new_revision:
        result[REVISION] = str(new_revision)
        if old_text is not None:
            result[REVISION_HISTORY] = _history(present.get(REVISION_HISTORY, ""), old_text)
    return result if exists else sized(result, deployment)


def _history(text: str, left: str) -> str:
    """`1,3` and then `5` is `1,3,5`, the oldest dropped as it grows too long."""
    entries = [entry for entry in text.split(",") if entry]
    while entries and len(",".join([*entries, left])) > MAX_HISTORY_CHARACTERS:
        entries.pop(0)
    return ",".join([*entries, left])


def with_annotations(value: apps_v1.ReplicaSet, annotations: dict[str, str]) -> apps_v1.ReplicaSet:
    return msgspec.structs.replace(value, metadata=msgspec.structs.replace(value.metadata, annotations=annotations))


def superfluous(deployment: apps_v1.Deployment, old: Iterable[apps_v1.ReplicaSet]) -> ReplicaSets:
    """Old ReplicaSets beyond the history limit that nothing depends on any more, oldest revision first."""
    limit = deployment.spec.revisionHistoryLimit
    if limit is None or limit == 2**31 - 1:
        return []
    candidates = sorted(
        (s for s in old if s.metadata.deletionTimestamp is None),
        key=lambda s: (revision(s), s.metadata.creationTimestamp or "", s.metadata.name),
    )
    return [
        s
        for s in candidates[: max(0, len(candidates) - limit)]
        if not s.status.replicas and not s.spec.replicas and s.metadata.generation <= s.status.observedGeneration
    ]
