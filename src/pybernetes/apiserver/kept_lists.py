"""Whole lists as bytes, kept until their collection changes: informers that start together ask for the same list.

Only lists without selector, limit or token, of built-in kinds, as JSON. Pages are joined once and written as they are
to everybody who asks before the next change; for those who take gzip they are also kept compressed.
"""

from collections import OrderedDict
from typing import Final

from pybernetes.apiserver.scheme import Served

MAX_KEPT_BYTES: Final = 32 * 1024 * 1024
"""Of all lists together; those not asked for longest go first."""
MAX_LIST_BYTES: Final = 8 * 1024 * 1024
"""Longer lists are made anew each time: they would drive out all others."""

Key = tuple[Served, str, str]
"""Resource, namespace, empty for all, and how the bytes are coded: plainly, empty, or `gzip`."""


class KeptLists:
    """See the module."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, tuple[int, list[bytes], int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key, changed_at: int) -> list[bytes] | None:
        """The items of the list, if nothing has changed since; `changed_at` is the revision of the newest change."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] != changed_at:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: Key, changed_at: int, items: list[bytes]) -> None:
        """Keep the items of a list, unless it is too long."""
        size = sum(map(len, items))
        if size > MAX_LIST_BYTES:
            return
        self._drop(key)
        self._kept[key] = (changed_at, items, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= found[2]

    def statistics(self) -> dict[str, int]:
        return {"lists": len(self._kept), "bytes": self._bytes, "max_bytes": self._max_bytes}
