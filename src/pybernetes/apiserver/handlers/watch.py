"""GET of a collection with `watch=true`: present state if asked for, then every change as it is committed.

    resourceVersion "" or "0"     ADDED for what is there, then changes
    resourceVersion N             changes after N; too old is an ERROR event with a 410 Status
    sendInitialEvents=true        ADDED for what is there, a BOOKMARK that says so, then changes

Follows: apiserver pkg/endpoints/handlers/watch.go, ServeWatch; pkg/storage/cacher/cacher.go, Watch.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from pybernetes.apiserver.cache.hub import EVENTS_PER_PASS, Hub, Watcher, encode, expired_chunk, shown
from pybernetes.apiserver.cache.objects import Event
from pybernetes.apiserver.cache.resource_cache import ResourceCache
from pybernetes.apiserver.cache.selection import Selection
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.extensions.lens import Lens
from pybernetes.apiserver.form_choice import Form
from pybernetes.apiserver.handlers.selections import selection_of
from pybernetes.apiserver.handlers.versions import check_watch, parse_resource_version, wait_until
from pybernetes.apiserver.http.message import Answer, Chunk, Stream, Streaming
from pybernetes.apiserver.http.negotiation import PROTOBUF, WATCH_PROTOBUF, Output, Shape
from pybernetes.apiserver.routing import is_true
from pybernetes.apiserver.watches import next_bookmark
from pybernetes.machinery import errors
from pybernetes.machinery.errors import Expired, StatusError
from pybernetes.machinery.numbers import NotANumber, parse_int

OBJECTS_PER_SLICE = 64
"""Initial events written at a time."""


def watch(context: Context) -> Answer | Awaitable[Answer]:
    """The stream of changes.

    Raises:
        BadRequest, Invalid, NotAcceptable, Timeout.
    """
    core = context.core
    output = context.output(streaming=True)
    if output.shape is Shape.METADATA_LIST:
        output = Output(output.media_type, Shape.METADATA, output.version)
    query = context.request.query
    initial = is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None
    check_watch(context.query("resourceVersionMatch"), send_initial_events=initial)
    version = parse_resource_version(context.query("resourceVersion"))
    if version > core.store.storage.revision:
        return _watch_later(context, version)
    form = core.forms.of(context.resource, output, context.query("includeObject"))
    session = _Session(
        context,
        form,
        selection_of(context),
        timeout_seconds=_timeout(context),
        bookmarks="allowWatchBookmarks" in query and is_true(query["allowWatchBookmarks"]),
        end_mark=bool(initial),
    )
    replay_after = None if initial or (initial is None and not version) else version
    kind = WATCH_PROTOBUF if output.media_type == PROTOBUF else output.media_type
    return Streaming(lambda stream: session.run(stream, replay_after), content_type=kind)


async def _watch_later(context: Context, asked: int) -> Answer:
    await wait_until(context.core, asked)
    answer = watch(context)
    return answer if not isinstance(answer, Awaitable) else await answer


def _timeout(context: Context) -> float:
    text = context.query("timeoutSeconds")
    if text:
        try:
            seconds = parse_int(text)
        except NotANumber as error:
            raise errors.BadRequest(str(error)) from None
        if seconds > 0:
            return float(seconds)
    shortest = context.core.config.min_watch_seconds
    return shortest + context.core.chance.uniform(0.0, shortest)


class _Session:
    """One watch, from its first byte to its last."""

    def __init__(
        self,
        context: Context,
        form: Form,
        selection: Selection,
        *,
        timeout_seconds: float,
        bookmarks: bool,
        end_mark: bool,
    ) -> None:
        self._core = context.core
        self._served = context.resource
        self._form = form
        self._selection = selection
        self._timeout_seconds = timeout_seconds
        self._bookmarks = bookmarks
        self._end_mark = end_mark
        """Initial events end with a bookmark that says so."""

    async def run(self, stream: Stream, replay_after: int | None) -> None:
        """Serve until the deadline, the reader's leaving (by cancellation) or a ring that has moved on.

        `replay_after` None begins with the present state.
        """
        core = self._core
        await core.store.catch_up()
        cache = core.cache.resource(self._served.prefix)
        now = core.clock.monotonic()
        watcher = Watcher(stream, self._form, allow_bookmarks=self._bookmarks, deadline=now + self._timeout_seconds)
        watcher.bookmark_at = next_bookmark(now, watcher.deadline)
        if replay_after is None:
            try:
                start = await self._send_present_state(stream, cache)
            except StatusError as error:  # a conversion webhook failed
                stream.write(Chunk(self._form.error(error.status)))
                return
        else:
            found = cache.sequence_after(replay_after) if replay_after else cache.end_sequence
            if found is None:
                stream.write(too_old(self._form, replay_after, cache.replayable_after))
                return
            start = found
        hub = core.watches.hub(cache)
        if self._served.lens is not None and self._served.lens.waits:
            await self._follow(hub, watcher, cache, start)
            return
        sequence = await self._catch_up(stream, cache, start)
        if sequence is None:
            stream.write(expired_chunk(self._form))
            return
        hub.join(watcher, self._selection, sequence)
        try:
            last = await watcher.done
            if last is not None:
                stream.write(last)
        finally:
            hub.leave(watcher)

    async def _send_present_state(self, stream: Stream, cache: ResourceCache) -> int:
        """Write ADDED for every selected object; the position in the ring where changes go on."""
        sequence = cache.end_sequence
        revision = self._core.cache.revision
        selection, form = self._selection, self._form
        objects = cache.select(selection.namespace)
        if self._served.lens is not None:
            await self._served.lens.prepare(objects)
        if not selection.everything:
            objects = [obj for obj in objects if selection.matches(obj)]
        for start in range(0, len(objects), OBJECTS_PER_SLICE):
            lines = [form.event("ADDED", obj) for obj in objects[start : start + OBJECTS_PER_SLICE]]
            stream.write(Chunk(b"".join(lines)))
            await stream.drain()
        if self._bookmarks and self._end_mark:
            stream.write(Chunk(form.bookmark(revision, initial_events_end=True)))
        return sequence

    async def _catch_up(self, stream: Stream, cache: ResourceCache, sequence: int) -> int | None:
        """Write what is in the ring from `sequence` on; where the hub takes over, None when the ring has moved on."""
        while sequence < cache.end_sequence:
            end = min(cache.end_sequence, sequence + EVENTS_PER_PASS)
            events = cache.events_from(sequence, end)
            if events is None:
                return None
            lines = []
            for event in events:
                event_type = self._selection.event_type(event)
                if event_type:
                    lines.append(encode(event, event_type, self._form))
            if lines:
                stream.write(Chunk(b"".join(lines)))
                await stream.drain()
            sequence = end
        return sequence

    async def _follow(self, hub: Hub, watcher: Watcher, cache: ResourceCache, sequence: int) -> None:
        """Write every event from `sequence` on, converted by the webhook of the definition, until the watch ends."""
        lens = self._served.lens
        assert lens is not None
        woken = hub.follow(watcher)
        try:
            while not watcher.done.done():
                woken.clear()
                events = cache.events_from(sequence, min(cache.end_sequence, sequence + EVENTS_PER_PASS))
                if events is None:
                    watcher.end(expired_chunk(self._form))
                elif events:
                    try:
                        chosen = await self._converted(lens, events)
                    except StatusError as error:
                        watcher.end(Chunk(self._form.error(error.status)))
                        continue
                    if chosen:
                        watcher.stream.write(Chunk(b"".join(chosen)))
                        await watcher.stream.drain()
                    sequence += len(events)
                else:
                    self._bookmark(watcher)
                    await first_of(woken.wait(), watcher.done)
            last = await watcher.done
            if last is not None:
                watcher.stream.write(last)
        finally:
            hub.unfollow(watcher)

    def _bookmark(self, watcher: Watcher) -> None:
        """Tell how far the watch has come, if that is due: everything has been sent."""
        now = self._core.clock.monotonic()
        if watcher.allow_bookmarks and now >= watcher.bookmark_at:
            watcher.bookmark_at = next_bookmark(now, watcher.deadline)
            watcher.stream.write(Chunk(self._form.bookmark(self._core.cache.revision)))

    async def _converted(self, lens: Lens, events: Sequence[Event]) -> list[bytes]:
        objects = [obj for event in events for obj in (event.previous, event.object) if obj is not None]
        await lens.prepare(objects)
        lines = []
        for event in events:
            event_type = self._selection.event_type(event)
            if event_type:
                obj = shown(event, event_type)
                await lens.prepare((obj,))
                lines.append(self._form.event(event_type, obj))
        return lines


async def first_of(waking: Coroutine[Any, Any, Any], done: asyncio.Future[Any]) -> None:
    """Return when either is over; neither result is taken."""
    task = asyncio.create_task(waking, name="apiserver/watch-wakes")
    try:
        await asyncio.wait((task, done), return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()


def too_old(form: Form, asked: int, oldest: int) -> Chunk:
    """The ERROR event of a watch that starts before what is kept."""
    return Chunk(form.error(Expired(f"too old resource version: {asked} ({oldest})").status))
