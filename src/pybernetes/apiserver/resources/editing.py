"""Changing a stored object from within the server: read, change, store, again when somebody else was faster.

For doors that are no update of the client's making: binding a pod, counting an eviction. Neither admission nor
validation of updates runs here; the callers know what they do.
"""

from collections.abc import Callable

from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Core
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.scheme import Served
from pybernetes.apiserver.store import ChangedMeanwhile
from pybernetes.machinery import errors

MAX_ATTEMPTS = 20
"""Arbitrary; each attempt means that somebody else's write succeeded."""


async def edit(
    core: Core, served: Served, namespace: str, name: str, change: Callable[[Document], Document]
) -> CachedObject:
    """The object after `change`, which gets a document of its own and raises to refuse.

    Raises:
        NotFound, Conflict, and whatever `change` raises.
    """
    await core.store.catch_up()
    current = core.store.read(served, namespace, name)
    for _ in range(MAX_ATTEMPTS):
        changed = change(core.store.document(served, current))
        try:
            return await core.store.update(served, current, changed)
        except ChangedMeanwhile as meanwhile:
            if meanwhile.current is None:
                raise errors.not_found(served.resource.plural, served.resource.group, name) from None
            current = meanwhile.current
    raise errors.conflict(served.resource.plural, served.resource.group, name)
