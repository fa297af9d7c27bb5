"""What every controller is made of: shared informers, a work queue, workers that reconcile one key at a time.

    informer events ──► which keys? ──► queue ──► reconcile(key) ──► writes ──► wait until the cache shows them

A reconcile that raises is tried again later and later; `Conflict` is ordinary weather. Since a worker waits until
its own writes show in the caches before it gives its key back, the next reconcile never decides on a view that lacks
them: that takes the place of upstream's expectations.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from pybernetes.api import meta_v1
from pybernetes.api.object import Object
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informer, without_managed_fields
from pybernetes.client.interface import Client, Unreachable
from pybernetes.client.metadata import MetadataOnly
from pybernetes.client.workqueue import QueueStatistics, WorkQueue
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, Clock
from pybernetes.machinery.errors import Conflict, StatusError

log = logging.getLogger("pybernetes.controllers")

T = TypeVar("T", bound=Object)
R = TypeVar("R")

OBSERVE_SECONDS = 60.0
"""How long a worker waits for its own write to show; a watch that is down longer delays only that key's accuracy."""
SLOW_START = 1
"""Size of the first of a series of batches that double while all goes well."""


def lean(value: T) -> T:
    """What the garbage collector needs to know of an object; annotations of thousands of others cost memory."""
    meta = value.metadata
    return msgspec.structs.replace(
        value,
        metadata=meta_v1.ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resourceVersion=meta.resourceVersion,
            deletionTimestamp=meta.deletionTimestamp,
            finalizers=meta.finalizers,
            ownerReferences=meta.ownerReferences,
        ),
    )


class Informers:
    """One informer per kind, whoever asks; `run` keeps all of them current."""

    def __init__(self, client: Client, clock: Clock, chance: Chance) -> None:
        self._client, self._clock, self._chance = client, clock, chance
        self._informers: dict[tuple[type[Object], str], Informer[Any]] = {}
        self._added: asyncio.Queue[Informer[Any]] = asyncio.Queue()  # bounded by the kinds there are
        self._tasks: dict[Informer[Any], asyncio.Task[None]] = {}

    def of(self, kind: type[T], *, fields: str = "") -> Informer[T]:
        """The informer of a kind, or of the part a field selector names; add indexes and handlers to it at will."""
        found = self._informers.get((kind, fields))
        if found is None:
            transform = lean if issubclass(kind, MetadataOnly) else without_managed_fields
            found = Informer(
                self._client, kind, fields=fields, clock=self._clock, chance=self._chance, transform=transform
            )
            self._informers[kind, fields] = found
            self._added.put_nowait(found)
        return found

    def find(self, group: str, kind: str) -> Informer[Any] | None:
        """The informer somebody already has for all of this kind, whatever its version."""
        for (known, fields), informer in self._informers.items():
            if not fields and group == known.GROUP and kind == known.KIND:
                return informer
        return None

    def drop(self, informer: Informer[Any]) -> None:
        """Stop watching a kind that is served no more."""
        self._informers = {key: value for key, value in self._informers.items() if value is not informer}
        task = self._tasks.pop(informer, None)
        if task is not None:
            task.cancel()

    def all(self) -> Sequence[Informer[Any]]:
        return [*self._informers.values()]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                informer = await self._added.get()
                name = f"informer/{informer.kind.PLURAL}.{informer.kind.GROUP}"
                self._tasks[informer] = tasks.create_task(informer.run(), name=name)


@dataclass(slots=True)
class Context:
    """What the controllers share."""

    client: Client
    clock: Clock
    chance: Chance
    options: Options
    informers: Informers = field(init=False)
    _recorders: dict[str, EventRecorder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.informers = Informers(self.client, self.clock, self.chance)

    def recorder(self, component: str) -> EventRecorder:
        """The recorder of events whose source is `component`; the manager runs it."""
        return self._recorders.setdefault(component, EventRecorder(self.client, component, "", self.clock))

    @property
    def recorders(self) -> Sequence[EventRecorder]:
        return [*self._recorders.values()]


class Controller(ABC):
    """One control loop. Subclasses say which keys to look at when (`__init__`) and what to do then (`reconcile`)."""

    NAME: ClassVar[str]
    """As in kube-controller-manager's `--controllers`."""
    WORKERS: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client, self.clock = context.client, context.clock
        self.queue = WorkQueue(context.clock)
        self._needs: list[Informer[Any]] = []

    def informer(self, kind: type[T], *, fields: str = "") -> Informer[T]:
        """The shared informer of a kind; workers start when it has synced."""
        found = self.context.informers.of(kind, fields=fields)
        if found not in self._needs:
            self._needs.append(found)
        return found

    @abstractmethod
    async def reconcile(self, key: str) -> None:
        """Bring the world one step closer to what the object of this key asks for."""

    def tasks(self) -> Iterable[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs beside the workers, by name."""
        return ()

    def workers(self) -> int:
        return self.WORKERS

    def statistics(self) -> QueueStatistics:
        return self.queue.statistics()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run(), name=f"{self.NAME}/delays")
            for informer in self._needs:
                await informer.wait_synced()
            await self.start()
            for name, coroutine in self.tasks():
                tasks.create_task(coroutine, name=f"{self.NAME}/{name}")
            for number in range(self.workers()):
                tasks.create_task(self._work(), name=f"{self.NAME}/worker-{number}")

    async def start(self) -> None:  # noqa: B027  (most need nothing)
        """Called once all informers have synced, before the first reconcile."""

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self.reconcile(key)
            except Conflict as error:
                log.debug("conflict controller=%s key=%s error=%s", self.NAME, key, error)
                self.queue.add_rate_limited(key)
            except (StatusError, Unreachable) as error:
                log.info("reconcile failed controller=%s key=%s error=%s", self.NAME, key, error)
                self.queue.add_rate_limited(key)
            except AssertionError:
                raise  # our own mistake: the component restarts
            except Exception:
                # One object nobody foresaw must not stop all others.
                log.exception("reconcile broke controller=%s key=%s", self.NAME, key)
                self.queue.add_rate_limited(key)
            else:
                self.queue.forget(key)
            finally:
                self.queue.done(key)

    async def observed(self, *waits: Awaitable[None]) -> None:
        """Wait until all of these hold, at most OBSERVE_SECONDS."""
        await within(self.clock, OBSERVE_SECONDS, waits)


async def within(clock: Clock, seconds: float, waits: Sequence[Awaitable[None]]) -> bool:
    """Wait for all, at most `seconds`; whether all came."""
    if not waits:
        return True
    everything = asyncio.gather(*waits)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((everything, alarm), return_when=asyncio.FIRST_COMPLETED)
        return everything.done()
    finally:
        everything.cancel()
        alarm.cancel()
        await asyncio.gather(everything, alarm, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """What a series of like actions came to; `failure` is the first one, after which no further batch began."""

    results: Sequence[R]
    failure: Exception | None = None


async def slow_start(count: int, action: Callable[[int], Awaitable[R]]) -> Batch[R]:
    """`action(0)` … `action(count - 1)` in batches of 1, 2, 4 … side by side, so that what fails fails few times.

    Follows: kubernetes pkg/controller/replicaset/replica_set.go, slowStartBatch.
    """
    results: list[R] = []
    done, size = 0, min(count, SLOW_START)
    while size > 0:
        outcomes = await asyncio.gather(*(action(done + n) for n in range(size)), return_exceptions=True)
        done += size
        failure: Exception | None = None
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                failure = failure or outcome
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                results.append(outcome)
        if failure is not None:
            return Batch(results, failure)
        size = min(2 * size, count - done)
    return Batch(results)


async def side_by_side(actions: Iterable[Awaitable[R]]) -> Batch[R]:
    """All actions at once; every one is tried."""
    outcomes = await asyncio.gather(*actions, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            raise outcome
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    results = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    return Batch(results, failures[0] if failures else None)
