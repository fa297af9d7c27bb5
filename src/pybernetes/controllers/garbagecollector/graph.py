"""Who owns whom, over all kinds, by uid. Objects themselves stay in the informers' caches.

    put(web)             places: web
    put(web-7c5d)        places: web, web-7c5d       dependents: web → {web-7c5d}
    remove(web)          places: web-7c5d            dependents: web → {web-7c5d}, until it is gone as well

Follows: kubernetes 1.36 pkg/controller/garbagecollector/graph.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.api import meta_v1
from pybernetes.api.object import Object
from pybernetes.client.informer import Informer

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is kept."""

    informer: Informer[Any]
    key: str


def is_deleting(value: Object) -> bool:
    return value.metadata.deletionTimestamp is not None


def deletes_dependents(value: Object) -> bool:
    """On its way out, but only after those who block it."""
    return is_deleting(value) and FOREGROUND in value.metadata.finalizers


def orphans_dependents(value: Object) -> bool:
    return is_deleting(value) and ORPHAN in value.metadata.finalizers


def blocks(value: Object, owner_uid: str) -> bool:
    """Whether this dependent holds up the foreground deletion of the owner."""
    return any(o.uid == owner_uid and o.blockOwnerDeletion for o in value.metadata.ownerReferences)


class Graph:
    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, informer: Informer[Any], value: Object, old: Object | None = None) -> None:
        """Note an object, and in place of which older state of it."""
        uid = value.metadata.uid
        self._places[uid] = Place(informer, value.key)
        owners = value.metadata.ownerReferences
        if old is not None and old.metadata.ownerReferences != owners:
            self._forget(uid, old.metadata.ownerReferences)
        for owner in owners:
            self._dependents.setdefault(owner.uid, set()).add(uid)

    def remove(self, value: Object) -> None:
        self._places.pop(value.metadata.uid, None)
        self._forget(value.metadata.uid, value.metadata.ownerReferences)

    def _forget(self, uid: str, owners: Sequence[meta_v1.OwnerReference]) -> None:
        for owner in owners:
            known = self._dependents.get(owner.uid)
            if known is not None:
                known.discard(uid)
                if not known:
                    del self._dependents[owner.uid]

    def __contains__(self, uid: str) -> bool:
        return uid in self._places

    def get(self, uid: str) -> Object | None:
        """The object as the caches have it."""
        place = self._places.get(uid)
        found: Object | None = place.informer.get(place.key) if place is not None else None
        return found if found is not None and found.metadata.uid == uid else None

    def dependents(self, uid: str) -> Sequence[str]:
        """Who names this uid as an owner, in a fixed order."""
        return sorted(self._dependents.get(uid, ()))
