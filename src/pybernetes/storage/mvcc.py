"""The state every embedded store keeps in memory: the newest version of each key, and recent history.

    now       key → Entry, keys in order
    history   the changes of the revisions (compacted, newest], oldest first

An older revision is read by undoing history from now backwards, so that only what changed since costs anything:

    revision      5        6         7
    change        put a    put b     delete a
    now           {b@6}
    at 5          undo 7: {a@5, b@6}, undo 6: {a@5}

Follows: etcd server/storage/mvcc, in one process and for one writer.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Sequence

from pybernetes.storage.interface import Change, Compacted, Entry, FutureRevision, KeyNotFound, Page, Revision

LAST = "\U0010ffff"
"""Sorts after every character of a key."""


class State:
    """Visible state. Not for threads: it changes only in the event loop, by `apply`."""

    def __init__(self, entries: Iterable[Entry] = (), revision: int = 0, compacted: int = 0) -> None:
        self._now = {entry.key: entry for entry in entries}
        self._keys = sorted(self._now)
        self._history: deque[Change] = deque()
        self.history_bytes = 0
        """Of the superseded values in history."""
        self.revision = Revision(revision)
        self.compacted = Revision(compacted)
        """Reads before and watches from before this revision are refused."""

    def __len__(self) -> int:
        return len(self._now)

    @property
    def history_changes(self) -> int:
        return len(self._history)

    def newest(self, key: str) -> Entry | None:
        return self._now.get(key)

    def apply(self, changes: Sequence[Change]) -> None:
        """Make the changes of one commit visible, in order."""
        for change in changes:
            if change.value is None:
                del self._now[change.key]
                del self._keys[bisect_left(self._keys, change.key)]
            else:
                if change.key not in self._now:
                    insort(self._keys, change.key)
                self._now[change.key] = Entry(change.key, change.value, change.create_revision, change.mod_revision)
            self._history.append(change)
            if change.previous is not None:
                self.history_bytes += len(change.previous)
            self.revision = change.mod_revision

    def get(self, key: str, revision: Revision | None = None) -> Entry:
        entry = self._now.get(key) if self._is_now(revision) else self._at(revision, key, key).get(key)
        if entry is None:
            raise KeyNotFound(key)
        return entry

    def range(self, prefix: str, start: str, limit: int, revision: Revision | None) -> Page:
        low, high = max(prefix, start), prefix + LAST
        if self._is_now(revision):
            return self._page_now(low, high, limit)
        found = self._at(revision, low, high)
        keys = sorted(key for key in found if low <= key < high)
        chosen = keys[:limit] if limit else keys
        remaining = len(keys) - len(chosen)
        return Page([found[key] for key in chosen], revision or self.revision, remaining > 0, remaining)

    def _page_now(self, low: str, high: str, limit: int) -> Page:
        first, last = bisect_left(self._keys, low), bisect_left(self._keys, high)
        end = min(last, first + limit) if limit else last
        entries = [self._now[key] for key in self._keys[first:end]]
        return Page(entries, self.revision, end < last, last - end)

    def _is_now(self, revision: Revision | None) -> bool:
        if revision is None or revision == self.revision:
            return True
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if revision < self.compacted:
            raise Compacted(self.compacted)
        return False

    def _at(self, revision: Revision | None, low: str, high: str) -> dict[str, Entry]:
        """Entries of the keys from `low` to `high`, both included, as they were."""
        first, last = bisect_left(self._keys, low), bisect_right(self._keys, high)
        found = {key: self._now[key] for key in self._keys[first:last]}
        for change in reversed(self._history):
            if revision is not None and change.mod_revision <= revision:
                break
            if not low <= change.key <= high:
                continue
            if change.previous is None:
                found.pop(change.key, None)
            else:
                # The revision the previous value had is that of an older change, found further back or compacted.
                found[change.key] = Entry(change.key, change.previous, change.create_revision, change.previous_revision)
        return found

    def since(self, prefix: str, revision: Revision) -> list[Change]:
        """Changes under `prefix` after `revision`, oldest first.

        Raises:
            Compacted: some of them are forgotten.
        """
        if revision < self.compacted:
            raise Compacted(self.compacted)
        found: list[Change] = []
        for change in reversed(self._history):
            if change.mod_revision <= revision:
                break
            if change.key.startswith(prefix):
                found.append(change)
        found.reverse()
        return found

    def compact(self, revision: Revision) -> None:
        """Forget the changes up to `revision`; nothing happens when that is done already.

        Raises:
            FutureRevision: it has not happened.
        """
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if revision <= self.compacted:
            return
        while self._history and self._history[0].mod_revision <= revision:
            self._forget_oldest()
        self.compacted = revision

    def shorten(self, limit_bytes: int) -> None:
        """Forget the oldest changes until superseded values take at most `limit_bytes`."""
        while self._history and self.history_bytes > limit_bytes:
            self.compacted = self._forget_oldest()

    def _forget_oldest(self) -> Revision:
        change = self._history.popleft()
        if change.previous is not None:
            self.history_bytes -= len(change.previous)
        return change.mod_revision
