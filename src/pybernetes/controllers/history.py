"""ControllerRevisions: what a DaemonSet or StatefulSet looked like, so that a rollout can be told and undone.

A revision's data is the patch that brings its pod template back. Equal data is one revision: going back to an old
template gives its revision the newest number instead of making another. Revisions without an owner that match the
selector are adopted, as pods are.

Follows: kubernetes 1.36 pkg/controller/history/controller_history.go.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.api.object import Object
from pybernetes.controllers import owners, templates

HASH_LABEL = "controller-revision-hash"
"""On pods and revisions: which revision made the pod."""


def template_patch(template: core_v1.PodTemplateSpec) -> dict[str, Any]:
    """The strategic merge patch that replaces a template by this one."""
    return {"spec": {"template": {**msgspec.to_builtins(template), "$patch": "replace"}}}


def data_hash(data: Any, collisions: int | None) -> str:
    return templates.hash_of(msgspec.json.encode(data, order="sorted"), collisions)


def new_revision(
    owner: Object, template: core_v1.PodTemplateSpec, number: int, collisions: int | None
) -> apps_v1.ControllerRevision:
    """The revision of a template, named `OWNER-HASH`, controlled by its owner."""
    data = template_patch(template)
    digest = data_hash(data, collisions)
    return apps_v1.ControllerRevision(
        metadata=meta_v1.ObjectMeta(
            name=f"{owner.name}-{digest}",
            namespace=owner.namespace,
            labels={**template.metadata.labels, HASH_LABEL: digest},
            annotations=owner.metadata.annotations,
            ownerReferences=[owners.controller_reference(owner)],
        ),
        data=data,
        revision=number,
    )


def digest_of(revision: apps_v1.ControllerRevision) -> str:
    """What pods of the revision are labelled with; its name where somebody made it without that label."""
    return revision.metadata.labels.get(HASH_LABEL, "") or revision.name


def equal_to(
    template: core_v1.PodTemplateSpec, revisions: Sequence[apps_v1.ControllerRevision]
) -> apps_v1.ControllerRevision | None:
    """The newest revision with this template."""
    data = template_patch(template)
    same = [revision for revision in revisions if revision.data == data]
    return max(same, key=lambda revision: revision.revision, default=None)


def next_number(revisions: Sequence[apps_v1.ControllerRevision]) -> int:
    return max((revision.revision for revision in revisions), default=0) + 1


def superfluous(
    revisions: Sequence[apps_v1.ControllerRevision], live: set[str], limit: int
) -> Sequence[apps_v1.ControllerRevision]:
    """The oldest revisions beyond `limit` that no pod (by hash) still needs."""
    unused = sorted((r for r in revisions if digest_of(r) not in live), key=lambda r: r.revision)
    return unused[: max(0, len(unused) - limit)]
