"""Carrying out what `owners.claim` decides: adopt matching orphans, release what matches no more.

Follows: kubernetes pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pybernetes.api.object import Object
from pybernetes.client.informer import Informer
from pybernetes.client.interface import PatchType
from pybernetes.controllers import owners
from pybernetes.controllers.framework import Controller
from pybernetes.machinery.errors import Invalid, NotFound

T = TypeVar("T", bound=Object)


async def claim(
    controller: Controller,
    owner: Object,
    informer: Informer[T],
    matches: Callable[[T], bool],
    *,
    may_adopt: Callable[[T], bool] = lambda _: True,
) -> Sequence[T]:
    """The objects of this kind that `owner` controls, in the cache, after adopting and releasing.

    `informer` has `owners.index_by_controller`.

    Raises:
        StatusError, Unreachable: a patch failed for another reason than that the object has gone.
    """
    decided = owners.claim(
        owner,
        owners.owned(informer, owner.metadata.uid),
        [value for value in owners.orphans(informer, owner.metadata.namespace) if may_adopt(value)],
        matches,
    )
    if not decided.adopt and not decided.release:
        return decided.mine
    # The cache may be behind: only an owner that is alive right now may adopt.
    live = await controller.client.get(type(owner), owner.name, owner.namespace)
    if live.metadata.uid != owner.metadata.uid or live.metadata.deletionTimestamp is not None:
        return decided.mine
    changed = [await _patch(controller, value, owners.adoption_patch(owner, value)) for value in decided.adopt]
    changed += [await _patch(controller, value, owners.release_patch(owner, value)) for value in decided.release]
    versions = [value.metadata.resourceVersion for value in changed if value is not None]
    await controller.observed(*map(informer.wait_until_observed, versions))
    return [value for value in owners.owned(informer, owner.metadata.uid) if matches(value)]


async def _patch(controller: Controller, value: T, patch: object) -> T | None:
    try:
        return await controller.client.patch(
            type(value), value.name, value.namespace, patch=patch, patch_type=PatchType.STRATEGIC
        )
    except (NotFound, Invalid):
        return None  # gone, or adopted by another meanwhile: the next event tells
