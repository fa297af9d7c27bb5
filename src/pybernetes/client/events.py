"""Events as users read them in `kubectl describe`: what a component did, to which object, how often.

Recording never waits and never fails its caller: events go through a bounded queue to one writer. The same event
again (object, type, reason and message) raises the count of the first one by a patch. An object that causes too many
different ones is quieted.

Follows: client-go tools/record/event.go, events_cache.go (EventCorrelator).
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from pybernetes.api import core_v1, meta_v1
from pybernetes.api.object import Object, api_version
from pybernetes.client.interface import Client, PatchType, Unreachable
from pybernetes.effects import Clock, format_time
from pybernetes.machinery.errors import NotFound, StatusError

log = logging.getLogger("pybernetes.events")

NORMAL = "Normal"
WARNING = "Warning"

QUEUE_SIZE = 1000
"""Events waiting to be written; more are dropped and counted."""
CACHE_SIZE = 4096
"""Events whose repetition is recognised."""
BURST = 25
"""Events of one component about one object at once; then one per five minutes, as upstream's spam filter."""
REFILL_SECONDS = 300.0
MAX_ATTEMPTS = 12
RETRY_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as it was asked for."""

    regarding: core_v1.ObjectReference
    type: str
    reason: str
    message: str
    at: str

    @property
    def identity(self) -> tuple[str, ...]:
        about = self.regarding
        return (
            about.kind,
            about.namespace,
            about.name,
            about.uid,
            about.fieldPath,
            self.type,
            self.reason,
            self.message,
        )


@dataclass(slots=True)
class _Written:
    name: str
    namespace: str
    count: int


@dataclass(slots=True)
class EventStatistics:
    written: int = 0
    repeated: int = 0
    dropped: int = 0


def reference(value: Object, field_path: str = "") -> core_v1.ObjectReference:
    """How an event names an object."""
    kind = type(value)
    return core_v1.ObjectReference(
        apiVersion=api_version(kind),
        kind=kind.KIND,
        name=value.metadata.name,
        namespace=value.metadata.namespace,
        uid=value.metadata.uid,
        resourceVersion=value.metadata.resourceVersion,
        fieldPath=field_path,
    )


class EventRecorder:
    """Events of one component. `run` must be running for them to be written."""

    def __init__(self, client: Client, component: str, host: str, clock: Clock) -> None:
        self._client, self._component, self._host, self._clock = client, component, host, clock
        self._queue: asyncio.Queue[Recorded] = asyncio.Queue(QUEUE_SIZE)
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._allowance: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._number = 0
        self.statistics = EventStatistics()

    def event(self, value: Object | core_v1.ObjectReference, kind: str, reason: str, message: str) -> None:
        """Record that something happened to an object; `kind` is NORMAL or WARNING."""
        regarding = value if isinstance(value, core_v1.ObjectReference) else reference(value)
        if not self._allowed(regarding):
            self.statistics.dropped += 1
            return
        recorded = Recorded(regarding, kind, reason, message[:MAX_MESSAGE_BYTES], format_time(self._clock.now()))
        try:
            self._queue.put_nowait(recorded)
        except asyncio.QueueFull:
            self.statistics.dropped += 1

    def _allowed(self, regarding: core_v1.ObjectReference) -> bool:
        """A bucket of BURST tokens per object, refilled by one each REFILL_SECONDS."""
        key = (regarding.uid or regarding.name, regarding.fieldPath)
        now = self._clock.monotonic()
        tokens, seen = self._allowance.get(key, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - seen) / REFILL_SECONDS)
        self._allowance[key] = (max(0.0, tokens - 1.0), now)
        self._allowance.move_to_end(key)
        while len(self._allowance) > CACHE_SIZE:
            self._allowance.popitem(last=False)
        return tokens >= 1.0

    async def run(self) -> None:
        """Write what is recorded, in order, until cancelled."""
        while True:
            recorded = await self._queue.get()
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    await self._write(recorded)
                    break
                except StatusError as error:
                    # The server has decided: its namespace is going, or the event is not to its liking.
                    log.info("event refused reason=%s error=%s", recorded.reason, error)
                    break
                except Unreachable:
                    if attempt < MAX_ATTEMPTS:
                        await self._clock.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Return when the queue is empty: for orderly ends and tests."""
        while not self._queue.empty():
            await self._clock.sleep(0)

    async def _write(self, recorded: Recorded) -> None:
        seen = self._written.get(recorded.identity)
        if seen is not None:
            try:
                await self._client.patch(
                    core_v1.Event,
                    seen.name,
                    seen.namespace,
                    patch={"count": seen.count + 1, "lastTimestamp": recorded.at},
                    patch_type=PatchType.STRATEGIC,
                )
            except NotFound:
                del self._written[recorded.identity]  # it has outlived its hour: write a new one
            else:
                seen.count += 1
                self.statistics.repeated += 1
                return
        made = await self._client.create(self._event(recorded))
        self.statistics.written += 1
        self._written[recorded.identity] = _Written(made.name, made.namespace, 1)
        while len(self._written) > CACHE_SIZE:
            self._written.popitem(last=False)

    def _event(self, recorded: Recorded) -> core_v1.Event:
        about = recorded.regarding
        self._number += 1
        nanoseconds = int(self._clock.now().timestamp() * 1_000_000) * 1000 + self._number % 1000
        return core_v1.Event(
            metadata=meta_v1.ObjectMeta(name=f"{about.name}.{nanoseconds:x}", namespace=about.namespace or "default"),
            involvedObject=about,
            reason=recorded.reason,
            message=recorded.message,
            source=core_v1.EventSource(component=self._component, host=self._host),
            firstTimestamp=recorded.at,
            lastTimestamp=recorded.at,
            count=1,
            type=recorded.type,
            reportingComponent=self._component,
            reportingInstance=self._host,
        )
