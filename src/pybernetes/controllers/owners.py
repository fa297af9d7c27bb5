"""Who controls what: controller references, adoption of matching orphans, release of what matches no more.

Follows: kubernetes pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pybernetes.api import meta_v1
from pybernetes.api.object import Object, api_version
from pybernetes.client.informer import Informer

T = TypeVar("T", bound=Object)

BY_CONTROLLER = "controller-uid"
"""Index of objects by the uid of their controller; orphans stand under `orphans/<namespace>`."""


def controller_of(value: Object) -> meta_v1.OwnerReference | None:
    """The one owner reference that says `controller`."""
    for owner in value.metadata.ownerReferences:
        if owner.controller:
            return owner
    return None


def controller_uid(value: Object) -> str:
    owner = controller_of(value)
    return owner.uid if owner else ""


def controller_reference(owner: Object) -> meta_v1.OwnerReference:
    """The reference that makes `owner` the controller of what carries it."""
    kind = type(owner)
    return meta_v1.OwnerReference(
        apiVersion=api_version(kind),
        kind=kind.KIND,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def resolve(informer: Informer[T], namespace: str, reference: meta_v1.OwnerReference | None) -> T | None:
    """The controller a reference names, if it is of this kind and still the same object."""
    if reference is None or reference.kind != informer.kind.KIND:
        return None
    found = informer.get(f"{namespace}/{reference.name}" if namespace else reference.name)
    return found if found is not None and found.metadata.uid == reference.uid else None


def index_by_controller(informer: Informer[Any]) -> None:
    """Make `owned` and `orphans` quick on this informer."""
    if not informer.has_index(BY_CONTROLLER):
        informer.index(BY_CONTROLLER, lambda value: [controller_uid(value) or f"orphans/{value.namespace}"])


def owned(informer: Informer[T], uid: str) -> Sequence[T]:
    return informer.by_index(BY_CONTROLLER, uid)


def orphans(informer: Informer[T], namespace: str) -> Sequence[T]:
    return informer.by_index(BY_CONTROLLER, f"orphans/{namespace}")


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """What belongs to an owner, what it should take over and what it should let go."""

    mine: Sequence[T]
    adopt: Sequence[T]
    release: Sequence[T]


def claim(owner: Object, mine: Iterable[T], orphaned: Iterable[T], matches: Callable[[T], bool]) -> Claim[T]:
    """Decide over what names `owner` as its controller and over what has none.

    An owner on its way out adopts and releases nothing.
    """
    leaving = owner.metadata.deletionTimestamp is not None
    kept: list[T] = []
    released: list[T] = []
    for value in mine:
        (kept if matches(value) else released).append(value)
    adopted = [value for value in orphaned if value.metadata.deletionTimestamp is None and matches(value)]
    return Claim(kept, [] if leaving else adopted, [] if leaving else released)


def adoption_patch(owner: Object, value: Object) -> dict[str, Any]:
    """The strategic merge patch that makes `owner` the controller; `uid` guards against a namesake."""
    return {
        "metadata": {
            "ownerReferences": [controller_reference(owner)],
            "uid": value.metadata.uid,
        }
    }


def release_patch(owner: Object, value: Object) -> dict[str, Any]:
    """The strategic merge patch that takes `owner` out of the owner references."""
    return {
        "metadata": {
            "ownerReferences": [{"$patch": "delete", "uid": owner.metadata.uid}],
            "uid": value.metadata.uid,
        }
    }
