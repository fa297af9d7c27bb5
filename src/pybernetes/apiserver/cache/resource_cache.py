"""All objects under one key prefix as they are now, in key order, and the latest changes of them.

    objects   key → CachedObject                 what LIST and GET read
    keys      sorted                             namespaces are ranges of it
    events    ring of the latest changes         what WATCH replays; watchers are positions in it

Follows: apiserver pkg/storage/cacher/watch_cache.go.
"""

import logging
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence

from pybernetes.apiserver.cache.objects import CachedObject, Event, UnreadableValue, api_version_of, body_of
from pybernetes.apiserver.request import Document
from pybernetes.storage.interface import Change, Entry

log = logging.getLogger("pybernetes.apiserver.cache")

MAX_EVENTS = 8192
"""Changes kept per resource. A watcher further behind is told 410 and lists again."""
MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Bytes of changed objects kept per resource, so that large objects cannot fill the memory."""
MIN_EVENTS = 128
"""Kept whatever their size."""

Observer = Callable[[Document | None, Document | None], None]
_AFTER_SLASH = "0"
"""The character after "/": closes the range of one namespace."""


class ResourceCache:
    """One prefix. Changed only by `apply`, in revision order."""

    def __init__(self, prefix: str, revision: int) -> None:
        self.prefix = prefix
        self.objects: dict[str, CachedObject] = {}
        self.keys: list[str] = []
        self.events: list[Event] = []
        self.first_sequence = 0
        """Sequence number of `events[0]`; numbers never repeat."""
        self.replayable_after = revision
        """Watches may start at this revision or later."""
        self.changed_at = revision
        """Revision of the newest change under the prefix, or of the load."""
        self.keep_documents = False
        """Decoded documents are held: for resources that authorization and admission read all the time."""
        self.on_events: Callable[[], None] | None = None
        """Set by the hub: called when a batch has been applied."""
        self._event_bytes = 0
        self._observers: list[Observer] = []

    # ── filling ──

    def load(self, entry: Entry) -> None:
        """Take an object that was there before."""
        key = entry.key[len(self.prefix) :]
        obj = self._read(key, entry.value, entry.mod_revision, entry.create_revision)
        if obj is not None:
            if key not in self.objects:
                insort(self.keys, key)
            self.objects[key] = obj
            if self.keep_documents:
                obj.keep()
            self.changed_at = max(self.changed_at, entry.mod_revision)

    def _read(self, key: str, value: bytes, revision: int, create_revision: int) -> CachedObject | None:
        try:
            return CachedObject(key, body_of(value, revision), revision, create_revision, api_version_of(value))
        except UnreadableValue as error:
            log.error("stored object cannot be read key=%s%s error=%s", self.prefix, key, error)  # noqa: TRY400
            return None

    def apply(self, change: Change, document: Document | None = None, old: Document | None = None) -> None:
        """Make a committed change visible. `document` and `old`: the new and the previous value, if decoded already."""
        key = change.key[len(self.prefix) :]
        previous = self.objects.get(key)
        if change.value is None:
            if previous is None:
                return
            del self.objects[key]
            del self.keys[bisect_left(self.keys, key)]
            self._append(Event(previous.at(change.mod_revision), previous, deleted=True))
        else:
            current = self._read(key, change.value, change.mod_revision, change.create_revision)
            if current is None:
                return
            if self.keep_documents:
                current.keep(document)
            elif document is not None:
                current.learn(document)
            if previous is None:
                insort(self.keys, key)
            self.objects[key] = current
            self._append(Event(current, previous, deleted=False), document, old)

    def keep(self) -> None:
        """Hold decoded documents from now on."""
        if not self.keep_documents:
            self.keep_documents = True
            for obj in self.objects.values():
                obj.keep()

    def _append(self, event: Event, document: Document | None = None, old: Document | None = None) -> None:
        self.events.append(event)
        self.changed_at = event.revision
        self._event_bytes += len(event.object.body)
        if self._observers:
            if event.previous is None:
                old = None
            elif old is None:
                old = event.previous.document
            new = None if event.deleted else document or event.object.document
            for observer in self._observers:
                observer(old, new)

    def batch_ends(self) -> None:
        """Called after the last `apply` of a commit: trims the ring and wakes the watchers."""
        if len(self.events) > MAX_EVENTS or self._event_bytes > MAX_EVENT_BYTES:
            self._trim()
        if self.on_events is not None:
            self.on_events()

    def _trim(self) -> None:
        """Drop the older half at least: trimming stays cheap per event."""
        drop = 0
        keep = max(MIN_EVENTS, min(len(self.events), MAX_EVENTS) // 2)
        while len(self.events) - drop > keep:
            self._event_bytes -= len(self.events[drop].object.body)
            drop += 1
        if drop:
            self.replayable_after = self.events[drop - 1].revision
            del self.events[:drop]
            self.first_sequence += drop

    # ── reading ──

    @property
    def end_sequence(self) -> int:
        """The sequence number the next event will have."""
        return self.first_sequence + len(self.events)

    def sequence_after(self, revision: int) -> int | None:
        """The position of the first event newer than `revision`; None when it may have been dropped."""
        if revision < self.replayable_after:
            return None
        return self.first_sequence + bisect_right(self.events, revision, key=lambda event: event.revision)

    def events_from(self, sequence: int, end: int) -> Sequence[Event] | None:
        """Events in positions [sequence, end); None when some were dropped."""
        start = sequence - self.first_sequence
        if start < 0:
            return None
        return self.events[start : end - self.first_sequence]

    def key_range(self, namespace: str) -> tuple[int, int]:
        """Where the keys of a namespace ("" for all) lie in `keys`."""
        if not namespace:
            return 0, len(self.keys)
        return bisect_left(self.keys, f"{namespace}/"), bisect_left(self.keys, f"{namespace}{_AFTER_SLASH}")

    def select(self, namespace: str = "") -> list[CachedObject]:
        """The objects of a namespace, or all, in key order: a snapshot."""
        start, end = self.key_range(namespace)
        objects = self.objects
        return [objects[key] for key in self.keys[start:end]]

    def count(self, namespace: str = "") -> int:
        start, end = self.key_range(namespace)
        return end - start

    def observe(self, observer: Observer) -> None:
        """Call `observer(old, new)` for each present object and each change from now on."""
        for obj in self.select():
            observer(None, obj.document)
        self._observers.append(observer)

    def __iter__(self) -> Iterator[CachedObject]:
        return iter(self.select())
