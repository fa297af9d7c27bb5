"""What becomes of a dependent, given what became of its owners. Pure.

    some owner is there for good          keep it; drop references to owners that are gone or going
    none is, but one waits for it         delete it, its own dependents first if it has any
    all are gone                          delete it

Follows: kubernetes 1.36 pkg/controller/garbagecollector/garbagecollector.go, attemptToDeleteItem.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pybernetes.api import meta_v1
from pybernetes.api.object import Object
from pybernetes.client.interface import Propagation
from pybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN


class Owner(Enum):
    """What became of an owner."""

    SOLID = "is there"
    DANGLING = "is gone"
    WAITING = "waits for its dependents"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Keep with other references, or delete with this policy, or (neither) leave alone."""

    keep_references: Sequence[meta_v1.OwnerReference] | None = None
    delete: Propagation | None = None
    unblock: bool = False
    """Its own dependent waits for it as well, a circle: it stops blocking its owners first."""


def judge(
    value: Object,
    owners: Sequence[tuple[meta_v1.OwnerReference, Owner]],
    *,
    has_dependents: bool,
    dependent_waits: bool,
) -> Verdict:
    """Decide over a dependent that is not being deleted yet."""
    if not owners:
        return Verdict()
    solid = [reference for reference, state in owners if state is Owner.SOLID]
    if solid:
        return Verdict(keep_references=solid) if len(solid) < len(owners) else Verdict()
    if has_dependents and any(state is Owner.WAITING for _, state in owners):
        return Verdict(delete=Propagation.FOREGROUND, unblock=dependent_waits)
    if ORPHAN in value.metadata.finalizers:
        return Verdict(delete=Propagation.ORPHAN)
    if FOREGROUND in value.metadata.finalizers:
        return Verdict(delete=Propagation.FOREGROUND)
    return Verdict(delete=Propagation.BACKGROUND)
