"""The next step of a Deployment. Pure.

    paused, or scaled in the middle of a rollout   sizes by share, no new ReplicaSet
    RollingUpdate                                  make the newest; grow it; shrink the others
    Recreate                                       shrink the others to nothing; wait for their pods; make the newest

Follows: kubernetes 1.36 pkg/controller/deployment/{deployment_controller,rolling,recreate,sync}.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pybernetes.api import apps_v1, meta_v1
from pybernetes.controllers import owners, templates
from pybernetes.controllers.deployment import revisions, rolling, scaling, status
from pybernetes.controllers.deployment.rolling import ReplicaSets, Resize


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now; `rollout` says whether the status tells of progress."""

    create: bool = False
    resize: Sequence[Resize] = ()
    delete: ReplicaSets = ()
    rollout: bool = True


def decide(
    deployment: apps_v1.Deployment,
    old: ReplicaSets,
    new: apps_v1.ReplicaSet | None,
    *,
    old_pods_running: bool,
) -> Step:
    """The next step towards all replicas being of the newest template."""
    if deployment.metadata.deletionTimestamp is not None:
        return Step(rollout=False)
    every = [*old, *([new] if new is not None else [])]
    if deployment.spec.paused:
        sizes = scaling.plan(deployment, old, new)
        return Step(resize=sizes, delete=revisions.superfluous(deployment, old), rollout=False)
    if scaling.is_scaling(deployment, every):
        return Step(resize=scaling.plan(deployment, old, new), rollout=False)
    if not rolling.is_rolling(deployment):
        return _recreate(deployment, old, new, old_pods_running=old_pods_running)
    if new is None:
        return Step(create=True)
    return _or_tidy(deployment, old, rolling.step_new(deployment, every, new) or rolling.step_old(deployment, old, new))


def _recreate(
    deployment: apps_v1.Deployment, old: ReplicaSets, new: apps_v1.ReplicaSet | None, *, old_pods_running: bool
) -> Step:
    busy = rolling.active(old)
    if busy:
        return Step(resize=[Resize(s, 0) for s in busy])
    if old_pods_running or any(s.status.replicas for s in old):
        return Step()
    if new is None:
        return Step(create=True)
    wanted = rolling.desired(deployment)
    return _or_tidy(deployment, old, [Resize(new, wanted)] if rolling.size(new) != wanted else [])


def _or_tidy(deployment: apps_v1.Deployment, old: ReplicaSets, resize: Sequence[Resize]) -> Step:
    if resize or not status.is_complete(deployment, deployment.status):
        return Step(resize=resize)
    return Step(delete=revisions.superfluous(deployment, old))


def new_replica_set(deployment: apps_v1.Deployment, old: ReplicaSets) -> apps_v1.ReplicaSet:
    """The ReplicaSet of the Deployment's template, at the size it may start with."""
    hashed = templates.template_hash(deployment.spec.template, deployment.status.collisionCount)
    template = deployment.spec.template
    labels = {**template.metadata.labels, templates.POD_TEMPLATE_HASH: hashed}
    template = msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))
    selector = deployment.spec.selector or meta_v1.LabelSelector()
    selector = msgspec.structs.replace(
        selector, matchLabels={**selector.matchLabels, templates.POD_TEMPLATE_HASH: hashed}
    )
    return apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(
            name=f"{deployment.name}-{hashed}",
            namespace=deployment.namespace,
            labels=labels,
            annotations=revisions.of_new(deployment, {}, revisions.next_revision(old), exists=False),
            ownerReferences=[owners.controller_reference(deployment)],
        ),
        spec=apps_v1.ReplicaSetSpec(
            replicas=rolling.new_replicas(deployment, old, 0),
            minReadySeconds=deployment.spec.minReadySeconds,
            selector=selector,
            template=template,
        ),
    )


def refreshed(deployment: apps_v1.Deployment, old: ReplicaSets, new: apps_v1.ReplicaSet) -> apps_v1.ReplicaSet:
    """The newest ReplicaSet with the annotations and minReadySeconds it should have by now."""
    annotations = revisions.of_new(deployment, new.metadata.annotations, revisions.next_revision(old), exists=True)
    seconds = deployment.spec.minReadySeconds
    spec = msgspec.structs.replace(new.spec, minReadySeconds=seconds)
    return msgspec.structs.replace(revisions.with_annotations(new, annotations), spec=spec)


def resized(deployment: apps_v1.Deployment, resize: Resize) -> apps_v1.ReplicaSet:
    """The ReplicaSet with its new size, and the sizes it was scaled for."""
    value = resize.replica_set
    annotated = revisions.with_annotations(value, revisions.sized(value.metadata.annotations, deployment))
    return msgspec.structs.replace(annotated, spec=msgspec.structs.replace(value.spec, replicas=resize.replicas))
