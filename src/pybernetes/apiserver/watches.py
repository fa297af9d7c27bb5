"""All open watches: one hub per resource, and the housekeeping that sends bookmarks and ends what is over.

Follows: apiserver pkg/storage/cacher/cacher.go, bookmark and deadline handling.
"""

import logging

from pybernetes.apiserver.cache.hub import Hub, Watcher
from pybernetes.apiserver.cache.resource_cache import ResourceCache
from pybernetes.apiserver.cache.watch_cache import WatchCache
from pybernetes.apiserver.http.message import Chunk
from pybernetes.effects import Clock

log = logging.getLogger("pybernetes.apiserver.watches")

BOOKMARK_INTERVAL_SECONDS = 60.0
LAST_BOOKMARK_SECONDS = 2.0
"""Before the deadline, so that the next watch starts where this one ends."""
SWEEP_SECONDS = 1.0


class Watches:
    """See the module."""

    def __init__(self, cache: WatchCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._hubs: dict[str, Hub] = {}

    def hub(self, resource: ResourceCache) -> Hub:
        found = self._hubs.get(resource.prefix)
        if found is None:
            found = self._hubs[resource.prefix] = Hub(resource)
        return found

    async def run(self) -> None:
        """Send bookmarks and end overdue watches until cancelled."""
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            self.sweep(self._clock.monotonic())

    def sweep(self, now: float) -> None:
        """One round of housekeeping at monotonic second `now`."""
        for hub in self._hubs.values():
            for watcher in hub.laggards():
                if now >= watcher.deadline:
                    watcher.end()
            hub.wake_followers(now)
            caught_up = hub.caught_up
            for watcher in hub.watchers():
                if now >= watcher.deadline:
                    watcher.end()
                elif watcher.allow_bookmarks and now >= watcher.bookmark_at and caught_up:
                    self._bookmark(watcher, now)

    def _bookmark(self, watcher: Watcher, now: float) -> None:
        watcher.bookmark_at = next_bookmark(now, watcher.deadline)
        watcher.stream.write(Chunk(watcher.form.bookmark(self._cache.revision)))

    def end_all(self) -> None:
        """End every watch: the server stops."""
        for hub in self._hubs.values():
            for watcher in [*hub.watchers(), *hub.laggards()]:
                watcher.end()

    def end(self, prefix: str) -> None:
        """End the watches of one resource: what it looks like has changed, and clients start anew."""
        hub = self._hubs.get(prefix)
        for watcher in [*hub.watchers(), *hub.laggards()] if hub is not None else ():
            watcher.end()

    def counts(self) -> dict[str, int]:
        """Open watches per prefix."""
        return {prefix: len(hub) for prefix, hub in self._hubs.items()}


def next_bookmark(now: float, deadline: float) -> float:
    """When the next bookmark is due: each minute, and shortly before the end."""
    last = deadline - LAST_BOOKMARK_SECONDS
    regular = now + BOOKMARK_INTERVAL_SECONDS
    return min(regular, last) if last > now else float("inf")
