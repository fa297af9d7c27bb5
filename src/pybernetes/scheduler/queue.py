"""Pods that wait for a node: those to try now, those that wait a while, and those that wait for a change.

    add ──► active ──pop──► (one scheduling attempt) ──fits──► gone
              ▲                     │ does not fit
              │                     ▼
           backoff ◄── wake ── unschedulable
      1 s, 2 s … 10 s

`active` is ordered by priority, then by arrival. A pod returns from `unschedulable` when something happened that could
help it: an event one of the plugins that refused it is interested in. An event that comes while the pod is being
tried counts too.

Follows: kubernetes 1.36 pkg/scheduler/backend/queue/scheduling_queue.go.
"""

import asyncio
import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from pybernetes.effects import Clock
from pybernetes.scheduler.pod_info import PodInfo

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
MAX_UNSCHEDULABLE_SECONDS = 300.0
"""After this a pod is tried again even if nothing happened, as upstream, in case a hint is wrong."""


class ClusterEvent(Enum):
    """What can happen that may help a waiting pod."""

    NODE_ADDED = "NodeAdd"
    NODE_ALLOCATABLE = "UpdateNodeAllocatable"
    NODE_LABELS = "UpdateNodeLabel"
    NODE_TAINTS = "UpdateNodeTaint"
    POD_GONE = "AssignedPodDelete"
    POD_PLACED = "AssignedPodAdd"


HELPS: dict[str, frozenset[ClusterEvent]] = {
    "NodeUnschedulable": frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS}),
    "NodeName": frozenset({ClusterEvent.NODE_ADDED}),
    "TaintToleration": frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS}),
    "NodeAffinity": frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS}),
    "NodePorts": frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE}),
    "NodeResourcesFit": frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.POD_GONE}),
    "PodTopologySpread": frozenset(ClusterEvent),
    "InterPodAffinity": frozenset(ClusterEvent),
}
"""Plugin that refused a pod → events that may change its mind."""


@dataclass(slots=True)
class Waiting:
    """One pod in the queue."""

    info: PodInfo
    arrived: float
    attempts: int = 0
    refused_by: frozenset[str] = field(default_factory=frozenset)
    refused_at: int = 0
    """The move number at which the attempt began: later events count as missed."""
    since: float = 0.0

    @property
    def backoff_seconds(self) -> float:
        return min(INITIAL_BACKOFF_SECONDS * 2.0 ** max(0, self.attempts - 1), MAX_BACKOFF_SECONDS)


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    active: int
    backoff: int
    unschedulable: int


class SchedulingQueue:
    """See the module. Keys are pod uids; for the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._pods: dict[str, Waiting] = {}
        self._in_active: set[str] = set()
        self._in_backoff: set[str] = set()
        self._trying: set[str] = set()
        self._unschedulable: dict[frozenset[str], set[str]] = {}
        """Plugins that refused → pods they refused: an event asks once per distinct set, not once per pod."""
        self._moves: list[tuple[int, ClusterEvent]] = []
        self._move = 0
        self._available = asyncio.Event()
        self._sooner = asyncio.Event()

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def statistics(self) -> QueueStatistics:
        unschedulable = sum(len(pods) for pods in self._unschedulable.values())
        return QueueStatistics(len(self._in_active), len(self._in_backoff), unschedulable)

    def add(self, info: PodInfo) -> None:
        """A pod that is new here, or whose spec changed so that it may fit now."""
        waiting = self._pods.get(info.uid)
        if waiting is None:
            waiting = self._pods[info.uid] = Waiting(info, self._clock.monotonic())
        waiting.info = info
        if info.uid not in self._trying:
            self._activate(waiting)

    def refresh(self, info: PodInfo) -> None:
        """Take over an unimportant change of a waiting pod."""
        waiting = self._pods.get(info.uid)
        if waiting is not None:
            waiting.info = info

    def remove(self, uid: str) -> None:
        """The pod was deleted, or runs."""
        waiting = self._pods.pop(uid, None)
        if waiting is not None:
            self._no_longer_unschedulable(waiting)
        self._in_active.discard(uid)
        self._in_backoff.discard(uid)
        self._trying.discard(uid)

    def _no_longer_unschedulable(self, waiting: Waiting) -> None:
        group = self._unschedulable.get(waiting.refused_by)
        if group is not None:
            group.discard(waiting.info.uid)
            if not group:
                del self._unschedulable[waiting.refused_by]

    def _activate(self, waiting: Waiting) -> None:
        uid = waiting.info.uid
        self._no_longer_unschedulable(waiting)
        self._in_backoff.discard(uid)
        if uid not in self._in_active:
            self._in_active.add(uid)
            order = (-waiting.info.priority, waiting.arrived, next(self._numbers), uid)
            heapq.heappush(self._active, order)
            self._available.set()

    async def pop(self) -> Waiting:
        """The most important pod that may be tried now; the caller says `done` or `refused`."""
        while True:
            while self._active:
                uid = heapq.heappop(self._active)[3]
                if uid in self._in_active:
                    self._in_active.discard(uid)
                    self._trying.add(uid)
                    waiting = self._pods[uid]
                    waiting.attempts += 1
                    waiting.refused_at = self._move
                    return waiting
            self._available.clear()
            await self._available.wait()

    def done(self, uid: str) -> None:
        """The pod has a node."""
        self.remove(uid)
        self._forget_moves()

    def refused(self, waiting: Waiting, plugins: Iterable[str]) -> None:
        """The pod fits nowhere: wait for an event that helps, or for the back-off if one came meanwhile."""
        uid = waiting.info.uid
        self._trying.discard(uid)
        if self._pods.get(uid) is not waiting:
            return  # deleted meanwhile
        waiting.refused_by = frozenset(plugins)
        waiting.since = self._clock.monotonic()
        missed = [event for move, event in self._moves if move > waiting.refused_at]
        if not waiting.refused_by or any(_helps(waiting.refused_by, event) for event in missed):
            self._back_off(waiting)
        else:
            self._unschedulable.setdefault(waiting.refused_by, set()).add(uid)
        self._forget_moves()

    def failed(self, waiting: Waiting) -> None:
        """The attempt failed for no reason of the pod's: try again after the back-off."""
        self.refused(waiting, ())

    def _back_off(self, waiting: Waiting) -> None:
        uid = waiting.info.uid
        self._no_longer_unschedulable(waiting)
        ready = waiting.since + waiting.backoff_seconds
        if ready <= self._clock.monotonic():
            self._activate(waiting)
        elif uid not in self._in_backoff:
            self._in_backoff.add(uid)
            heapq.heappush(self._backoff, (ready, next(self._numbers), uid))
            self._sooner.set()

    def wake(self, event: ClusterEvent) -> None:
        """Something happened: move the pods it may help."""
        self._move += 1
        if self._trying:
            self._moves.append((self._move, event))
        for refused_by in [plugins for plugins in self._unschedulable if _helps(plugins, event)]:
            # In order of arrival, which the set does not keep.
            for waiting in sorted(self._waiting(refused_by), key=lambda waiting: (waiting.arrived, waiting.info.uid)):
                self._back_off(waiting)

    def _waiting(self, refused_by: frozenset[str]) -> list[Waiting]:
        return [self._pods[uid] for uid in self._unschedulable[refused_by]]

    def _forget_moves(self) -> None:
        if not self._trying:
            self._moves.clear()

    async def run(self) -> None:
        """Move pods whose back-off is over, and those that waited too long, until cancelled."""
        while True:
            self._sooner.clear()
            now = self._clock.monotonic()
            while self._backoff and self._backoff[0][0] <= now:
                uid = heapq.heappop(self._backoff)[2]
                if uid in self._in_backoff:
                    self._activate(self._pods[uid])
            for refused_by in list(self._unschedulable):
                for waiting in self._waiting(refused_by):
                    if now - waiting.since >= MAX_UNSCHEDULABLE_SECONDS:
                        self._activate(waiting)
            until = self._backoff[0][0] - now if self._backoff else MAX_UNSCHEDULABLE_SECONDS / 10
            async with asyncio.TaskGroup() as tasks:
                alarm = tasks.create_task(self._clock.sleep(until), name="scheduler/backoff-alarm")
                sooner = tasks.create_task(self._sooner.wait(), name="scheduler/backoff-news")
                await asyncio.wait((alarm, sooner), return_when=asyncio.FIRST_COMPLETED)
                alarm.cancel()
                sooner.cancel()


def _helps(refused_by: Iterable[str], event: ClusterEvent) -> bool:
    return any(event in HELPS.get(plugin, ()) for plugin in refused_by)
