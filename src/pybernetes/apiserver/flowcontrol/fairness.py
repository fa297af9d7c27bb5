"""Priority levels and flows put together from the API objects; what the pipeline asks for each request.

    flow_of(user, info)   remembered per question until the configuration changes
    take / wait / release the seats of requests that wait for something
    sweep(now)            once a second: who waited long enough, seats lent anew

Follows: apiserver pkg/util/flowcontrol/apf_controller.go; pkg/server/filters/priority-and-fairness.go.
"""

import asyncio
import logging
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pybernetes.apiserver.bootstrap import flow_control
from pybernetes.apiserver.flowcontrol.allocation import Wish, borrow, limits
from pybernetes.apiserver.flowcontrol.level import CANCELLED, EXECUTE, PriorityLevel, Queuing, Ticket
from pybernetes.apiserver.flowcontrol.matching import (
    CATCH_ALL,
    distinguisher,
    flow_hash,
    in_order,
    is_unlimited,
    matches,
)
from pybernetes.apiserver.request import Document, ObjectReader, RequestInfo, User
from pybernetes.effects import Clock

log = logging.getLogger("pybernetes.apiserver.flowcontrol")

GROUP = "flowcontrol.apiserver.k8s.io"
SCHEMAS = "flowschemas"
LEVELS = "prioritylevelconfigurations"

MAX_FLOWS = 16384
"""Questions remembered; the table is emptied when it is full. Arbitrary."""
MAX_REMEMBERED_PATH = 256
"""Non-resource requests with longer paths are sorted anew each time: strangers choose paths."""
BORROWING_SECONDS = 10.0
"""How often limits are adjusted. Follows: borrowingAdjustmentPeriod."""
QUEUE_WAIT_FRACTION = 4
"""A request waits in its queue for this part of the request timeout at most. Follows: getRequestWaitContext."""
MAX_QUEUE_WAIT_SECONDS = 60.0
OBJECTS_PER_SEAT = 100
"""Follows: request/config.go, objectsPerSeat."""
SECONDS_BUCKETS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)

Question = tuple[str, tuple[str, ...], str, str, str, str, str]


@dataclass(slots=True)
class Histogram:
    """Seconds, by SECONDS_BUCKETS."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS_BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Counts:
    """What is counted per schema and level; lives as long as the server."""

    dispatched: int = 0
    executing: int = 0
    seats: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    waited: dict[bool, Histogram] = field(default_factory=dict)
    executed: Histogram = field(default_factory=Histogram)
    """Requests that held seats; those answered at once are not timed here."""


@dataclass(slots=True, eq=False)
class Flow:
    """Requests of one schema and one distinguisher. `header_lines` are ready to be written."""

    level: PriorityLevel
    counts: Counts
    header_lines: str
    schema: str = ""
    distinguisher: str = ""
    entropy: int = 0


Measure = Callable[[RequestInfo], int]
"""How many objects a list or watch goes through."""


class Fairness:
    """See the module. `total` is the number of seats the server has."""

    def __init__(self, clock: Clock, total: int, request_timeout_seconds: float) -> None:
        self._clock = clock
        self._total = total
        self._wait_seconds = min(request_timeout_seconds / QUEUE_WAIT_FRACTION, MAX_QUEUE_WAIT_SECONDS)
        self._reader: ObjectReader | None = None
        self._stale = True
        self._borrowed_at = clock.monotonic()
        self.levels: dict[str, PriorityLevel] = {}
        self.schemas: list[Document] = []
        self.counts: dict[tuple[str, str], Counts] = {}
        """(level, schema) → what happened."""
        self.flows: dict[Question, Flow] = {}
        self.changed = asyncio.Event()
        """Objects have changed; for the keeper."""
        self.measure: Measure = lambda _: 0
        unlimited = PriorityLevel("", "", clock.monotonic(), exempt=True)
        self._unlimited = Flow(unlimited, Counts(), "")

    def follow(self, reader: ObjectReader) -> None:
        """Learn of schemas and levels from now on. Call once the reader holds the present state."""
        self._reader = reader
        for plural in (SCHEMAS, LEVELS):
            reader.subscribe(GROUP, plural, self._observe)

    def _observe(self, old: Document | None, new: Document | None) -> None:
        self.changed.set()
        if old is not None and new is not None and old.get("spec") == new.get("spec"):
            return
        self._stale = True
        self.flows.clear()

    # ── configuration ──

    def digest(self) -> None:
        """Make levels and schemas as the objects say, if they have changed; requests under way keep their seats.

        Follows: lockAndDigestConfigObjects.
        """
        if not self._stale:
            return
        self._stale = False
        now = self._clock.monotonic()
        levels = self._objects(LEVELS)
        schemas = self._objects(SCHEMAS)
        for row in flow_control.priority_levels():
            if row["metadata"]["name"] in flow_control.MANDATORY:
                levels.setdefault(row["metadata"]["name"], row)
        for row in flow_control.flow_schemas():
            if row["metadata"]["name"] in flow_control.MANDATORY:
                schemas.setdefault(row["metadata"]["name"], row)
        specs = {name: row["spec"] for name, row in levels.items()}
        for name, level in self.levels.items():
            if name not in levels and not level.idle:
                level.quiescing = True
        lingering = {name: level for name, level in self.levels.items() if name not in levels and not level.idle}
        present = {}
        for name, row in levels.items():
            present[name] = self._level(name, row, now)
        self.levels = {**lingering, **present}
        for name, found in limits(specs, self._total).items():
            self.levels[name].limits = found
        ordered = in_order(list(schemas.values()))
        self.schemas = [row for row in ordered if row["spec"]["priorityLevelConfiguration"]["name"] in levels]
        self._borrow(now)
        self.flows.clear()

    def _objects(self, plural: str) -> dict[str, Document]:
        if self._reader is None:
            return {}
        return {row["metadata"]["name"]: row for row in self._reader.list(GROUP, plural)}

    def _level(self, name: str, row: Document, now: float) -> PriorityLevel:
        spec = row["spec"]
        rows = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing")
        queuing = (
            Queuing(rows.get("queues") or 64, rows.get("handSize") or 8, rows.get("queueLengthLimit") or 50)
            if rows
            else None
        )
        uid = row["metadata"].get("uid", "")
        exempt = spec.get("type") == "Exempt"
        present = self.levels.get(name)
        if present is None:
            return PriorityLevel(name, uid, now, exempt=exempt, queuing=queuing)
        present.uid, present.exempt, present.quiescing = uid, exempt, False
        present.reshape(queuing)
        return present

    def _borrow(self, now: float) -> None:
        wishes = {
            name: Wish(level.limits, max(level.demand.peak, level.demand.value), level.demand.smoothed, level.exempt)
            for name, level in self.levels.items()
        }
        for name, limit in borrow(wishes).items():
            self.levels[name].set_limit(limit, now)
        self._borrowed_at = now

    # ── requests ──

    def flow_of(self, user: User, info: RequestInfo, question: Question) -> Flow:
        """The flow of a request whose question is not in `flows`."""
        self.digest()
        if is_unlimited(info):
            return self._unlimited
        schema = next((row for row in self.schemas if matches(row, user, info)), None)
        if schema is None:  # nobody is without a group; still, who is belongs to catch-all
            schema = next(row for row in self.schemas if row["metadata"]["name"] == CATCH_ALL)
        name = schema["metadata"]["name"]
        level = self.levels[schema["spec"]["priorityLevelConfiguration"]["name"]]
        counts = self.counts.setdefault((level.name, name), Counts())
        lines = (
            f"X-Kubernetes-Pf-Flowschema-Uid: {schema['metadata'].get('uid', '')}\r\n"
            f"X-Kubernetes-Pf-Prioritylevel-Uid: {level.uid}\r\n"
        )
        tells = distinguisher(schema, user, info) if level.queuing is not None else ""
        flow = Flow(level, counts, lines, name, tells, flow_hash(name, tells))
        if info.is_resource or len(info.path) <= MAX_REMEMBERED_PATH:
            if len(self.flows) >= MAX_FLOWS:
                self.flows.clear()
            self.flows[question] = flow
        return flow

    def take(self, flow: Flow, info: RequestInfo) -> int:
        """Seats for a request that found its level open and now has to wait for something; how many."""
        level = flow.level
        seats = self._seats(level, info) if info.verb in {"list", "watch"} else 1
        level.take(seats, self._clock.monotonic())
        flow.counts.executing += 1
        flow.counts.seats += seats
        return seats

    def release(self, flow: Flow, seats: int, started: float, ticket: Ticket | None) -> None:
        """The request is answered: its seats are free. `started` in monotonic seconds."""
        now = self._clock.monotonic()
        flow.level.release(seats, now, ticket)
        flow.counts.executing -= 1
        flow.counts.seats -= seats
        flow.counts.executed.add(now - started)
        if flow.level.quiescing and flow.level.idle and self.levels.get(flow.level.name) is flow.level:
            del self.levels[flow.level.name]

    def _seats(self, level: PriorityLevel, info: RequestInfo) -> int:
        """One for each hundred objects to go through. Follows: list_work_estimator.go, by object count."""
        objects = 1 if info.name else self.measure(info)
        return max(1, min(math.ceil(objects / OBJECTS_PER_SEAT), level.limits.max_request_seats))

    def enqueue(self, flow: Flow, user: User, info: RequestInfo) -> Ticket | str:
        """A place in a queue of its level, or why there is none."""
        level = flow.level
        found = level.enqueue(
            flow.schema,
            flow.distinguisher,
            flow.entropy,
            user,
            info,
            self._seats(level, info) if info.verb in {"list", "watch"} else 1,
            self._clock.monotonic(),
        )
        if isinstance(found, str):
            self._rejected(flow, found)
        return found

    async def wait(self, flow: Flow, ticket: Ticket) -> str:
        """EXECUTE when the request has its seats, else why it was turned away."""
        try:
            decision = await ticket.decided
        except asyncio.CancelledError:
            now = self._clock.monotonic()
            if ticket.started and not ticket.decided.cancelled():  # it had got its seats in this very moment
                flow.level.release(ticket.seats, now, ticket)
            else:
                flow.level.leave(ticket, CANCELLED, now)
                self._rejected(flow, CANCELLED)
            raise
        seconds = self._clock.monotonic() - ticket.arrived
        flow.counts.waited.setdefault(decision == EXECUTE, Histogram()).add(seconds)
        if decision == EXECUTE:
            flow.counts.executing += 1
            flow.counts.seats += ticket.seats
        else:
            self._rejected(flow, decision)
        return decision

    def _rejected(self, flow: Flow, reason: str) -> None:
        flow.counts.rejected[reason] = flow.counts.rejected.get(reason, 0) + 1

    def retry_after(self, flow: Flow) -> int:
        """Seconds a refused client is told to stay away; counts the refusal."""
        return flow.level.refusals.add(int(self._clock.monotonic()))

    def sweep(self, now: float) -> None:
        """Turn away who waited too long; every BORROWING_SECONDS, lend seats anew."""
        self.digest()
        for level in list(self.levels.values()):
            level.expire(now - self._wait_seconds, now)
        if now - self._borrowed_at >= BORROWING_SECONDS:
            for level in self.levels.values():
                level.demand.close(now)
            self._borrow(now)

    def statistics(self) -> dict[str, Any]:
        return {"remembered_flows": len(self.flows), "max_remembered_flows": MAX_FLOWS}
