"""Changes of one resource to everyone who watches it.

A watcher is a position in the ring of events, never a queue. Watchers that want the same (selection and form) share a
channel and get the same bytes object. One pass at a time goes over the watchers, a few per turn of the loop; what is
committed meanwhile becomes one chunk of the next pass:

    commits    e1   e2 e3 e4        e5
    pass 1     └─e1 to all─┘
    pass 2                 └─e2 e3 e4 as one chunk to all─┘ …

A watcher whose reader is slow leaves its channel and keeps its own position (a laggard); it catches up from the ring
when the reader does, and is told 410 when the ring has moved past it.

Follows: apiserver pkg/storage/cacher/cacher.go, dispatchEvents; cache_watcher.go.
"""

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol

from pybernetes.apiserver.cache.objects import CachedObject, Event
from pybernetes.apiserver.cache.resource_cache import ResourceCache
from pybernetes.apiserver.cache.selection import TRIGGER_FIELDS, Selection
from pybernetes.apiserver.http.message import Chunk, Stream
from pybernetes.machinery.errors import Expired

WATCHERS_PER_TURN = 64
EVENTS_PER_PASS = 512
"""Bounds the size of one chunk."""


class Form(Protocol):
    """How events look on the wire: version, JSON or table. Equal forms give equal bytes."""

    @property
    def key(self) -> Hashable: ...

    def event(self, event_type: str, obj: CachedObject) -> bytes:
        """One line of a watch."""
        ...

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        """A line that only says how far the watch has come."""
        ...

    def error(self, status: dict[str, Any]) -> bytes:
        """The last line of a watch that failed."""
        ...


class Watcher:
    """One open watch. `done` ends its request: cancelled by the reader, or set with a last chunk to send."""

    __slots__ = ("allow_bookmarks", "bookmark_at", "channel", "deadline", "done", "form", "sequence", "stream")

    def __init__(self, stream: Stream, form: Form, *, allow_bookmarks: bool, deadline: float) -> None:
        self.stream = stream
        self.form = form
        self.allow_bookmarks = allow_bookmarks
        self.deadline = deadline
        """Monotonic seconds."""
        self.bookmark_at = 0.0
        self.sequence = 0
        """Next event to send; meaningful only while the watcher is a laggard."""
        self.channel: Channel | None = None
        self.done: asyncio.Future[Chunk | None] = asyncio.get_running_loop().create_future()

    def end(self, last: Chunk | None = None) -> None:
        """End the watch after `last`."""
        if not self.done.done():
            self.done.set_result(last)


class Channel:
    """Watchers in step that want the same bytes."""

    def __init__(self, selection: Selection, form: Form) -> None:
        self.selection = selection
        self.form = form
        self.watchers: dict[Watcher, None] = {}

    def chunk(self, events: Sequence[Event]) -> Chunk | None:
        """The events this channel is about, encoded; None when there are none."""
        lines = []
        for event in events:
            event_type = self.selection.event_type(event)
            if event_type:
                lines.append(encode(event, event_type, self.form))
        return Chunk(b"".join(lines)) if lines else None


def encode(event: Event, event_type: str, form: Form) -> bytes:
    """One line of a watch, made once per form."""
    return event.encoded((event_type, form.key), lambda: form.event(event_type, shown(event, event_type)))


def shown(event: Event, event_type: str) -> CachedObject:
    """The object a watcher sees: of an object that stopped matching, the old content under the new version."""
    if event_type == "DELETED" and not event.deleted:
        assert event.previous is not None
        return event.previous.at(event.revision)
    return event.object


class Hub:
    """All watchers of one resource."""

    def __init__(self, cache: ResourceCache) -> None:
        self.cache = cache
        self.sequence = cache.end_sequence
        """Everything before it has been sent to the watchers in step."""
        self._channels: dict[Hashable, Channel] = {}
        self._triggered: dict[tuple[str, str], dict[Channel, None]] = {}
        self._untriggered: dict[Channel, None] = {}
        self._laggards: dict[Watcher, None] = {}
        self._followers: dict[Watcher, asyncio.Event] = {}
        """Watchers that read the ring themselves, because their events must be converted first."""
        self._passing = False
        cache.on_events = self.schedule

    @property
    def caught_up(self) -> bool:
        """Watchers in step have seen everything."""
        return not self._passing and self.sequence == self.cache.end_sequence

    def __len__(self) -> int:
        in_step = sum(len(channel.watchers) for channel in self._channels.values())
        return in_step + len(self._laggards) + len(self._followers)

    def watchers(self) -> Iterator[Watcher]:
        """Watchers in step."""
        for channel in list(self._channels.values()):
            yield from list(channel.watchers)

    def laggards(self) -> Iterator[Watcher]:
        """Watchers on their own."""
        return iter([*self._laggards, *self._followers])

    def follow(self, watcher: Watcher) -> asyncio.Event:
        """What is set whenever there are more events, until `unfollow`."""
        woken = self._followers[watcher] = asyncio.Event()
        return woken

    def wake_followers(self, now: float) -> None:
        """Wake those whose bookmark is due at monotonic second `now`."""
        for watcher, woken in self._followers.items():
            if watcher.allow_bookmarks and now >= watcher.bookmark_at:
                woken.set()

    def unfollow(self, watcher: Watcher) -> None:
        self._followers.pop(watcher, None)

    # ── membership ──

    def join(self, watcher: Watcher, selection: Selection, sequence: int) -> None:
        """Send `watcher` everything from `sequence` on."""
        key = (selection.namespace, str(selection.label_selector), str(selection.field_selector), watcher.form.key)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(selection, watcher.form)
            trigger = selection.trigger
            if trigger is None:
                self._untriggered[channel] = None
            else:
                self._triggered.setdefault(trigger, {})[channel] = None
        watcher.channel = channel
        watcher.sequence = sequence
        watcher.stream.on_resume = self.schedule
        if not self._channels_busy() and not self._passing:
            self.sequence = self.cache.end_sequence  # nobody was in step: there was nothing to send
        if not self._passing and sequence == self.sequence:
            channel.watchers[watcher] = None
        else:
            self._laggards[watcher] = None
            self.schedule()

    def _channels_busy(self) -> bool:
        return any(channel.watchers for channel in self._channels.values()) or bool(self._laggards)

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self._laggards.pop(watcher, None)
        watcher.stream.on_resume = None
        channel = watcher.channel
        if channel is None:
            return
        channel.watchers.pop(watcher, None)
        watcher.channel = None
        if channel.watchers or any(laggard.channel is channel for laggard in self._laggards):
            return
        for key, present in list(self._channels.items()):
            if present is channel:
                del self._channels[key]
        self._untriggered.pop(channel, None)
        trigger = channel.selection.trigger
        if trigger is not None and trigger in self._triggered:
            self._triggered[trigger].pop(channel, None)
            if not self._triggered[trigger]:
                del self._triggered[trigger]

    # ── passes ──

    def schedule(self) -> None:
        """Start a pass soon, unless one is under way; that one looks for more work at its end."""
        if self._followers:
            for woken in self._followers.values():
                woken.set()
        if not self._passing and self._channels:
            self._passing = True
            asyncio.get_running_loop().call_soon(self._begin_pass)

    def _begin_pass(self) -> None:
        if self.sequence < self.cache.first_sequence:
            # More happened within one turn than the ring holds: nobody in step can follow.
            for watcher in list(self.watchers()):
                self._fall_behind(watcher, self.sequence)
            self.sequence = self.cache.first_sequence
        end = min(self.cache.end_sequence, self.sequence + EVENTS_PER_PASS)
        events = self.cache.events_from(self.sequence, end) or ()
        work: list[tuple[Watcher, Chunk]] = []
        for channel in self._touched(events):
            chunk = channel.chunk(events) if channel.watchers else None
            if chunk is not None:
                for watcher in list(channel.watchers):
                    if watcher.stream.paused:
                        self._fall_behind(watcher, self.sequence)
                    else:
                        work.append((watcher, chunk))
        self._turn(work, 0, end)

    def _touched(self, events: Sequence[Event]) -> list[Channel]:
        """Channels the events may concern."""
        channels = list(self._untriggered)
        if self._triggered and events:
            getters = _trigger_values(events)
            for trigger in getters:
                channels.extend(self._triggered.get(trigger, ()))
        return channels

    def _fall_behind(self, watcher: Watcher, sequence: int) -> None:
        assert watcher.channel is not None
        watcher.channel.watchers.pop(watcher, None)
        watcher.sequence = sequence
        self._laggards[watcher] = None

    def _turn(self, work: list[tuple[Watcher, Chunk]], start: int, end: int) -> None:
        stop = min(len(work), start + WATCHERS_PER_TURN)
        for watcher, chunk in work[start:stop]:
            if watcher.channel is not None:
                watcher.stream.write(chunk)
        if stop < len(work):
            asyncio.get_running_loop().call_soon(self._turn, work, stop, end)
            return
        self.sequence = end
        self._end_pass()

    def _end_pass(self) -> None:
        progressing = self._serve_laggards()
        self._passing = False
        if self.sequence < self.cache.end_sequence or progressing:
            self.schedule()

    def _serve_laggards(self) -> bool:
        """Give each laggard that can take it its next chunk; True while some are still behind and reading."""
        progressing = False
        for watcher in list(self._laggards):
            assert watcher.channel is not None
            if watcher.sequence < self.cache.first_sequence:
                del self._laggards[watcher]
                watcher.end(expired_chunk(watcher.form))
                continue
            if watcher.stream.paused:
                continue
            if watcher.sequence < self.sequence:
                end = min(self.sequence, watcher.sequence + EVENTS_PER_PASS)
                chunk = watcher.channel.chunk(self.cache.events_from(watcher.sequence, end) or ())
                if chunk is not None:
                    watcher.stream.write(chunk)
                watcher.sequence = end
            if watcher.sequence == self.sequence:
                del self._laggards[watcher]
                watcher.channel.watchers[watcher] = None
            else:
                progressing = True
        return progressing


def _trigger_values(events: Sequence[Event]) -> dict[tuple[str, str], None]:
    """Values of the indexed fields before and after the events, in order."""
    found: dict[tuple[str, str], None] = {}
    for event in events:
        for obj in (event.previous, event.object):
            if obj is not None:
                for field in TRIGGER_FIELDS:
                    found[field, obj.field(field, node_name)] = None
    return found


def node_name(document: dict[str, object]) -> str:
    spec = document.get("spec")
    return str(spec.get("nodeName") or "") if isinstance(spec, dict) else ""


def expired_chunk(form: Form) -> Chunk:
    """The last event of a watcher that fell out of the ring."""
    return Chunk(form.error(Expired("The resourceVersion for the provided watch is too old.").status))
