"""The seats of one priority level, and the queues before them.

    take(seats)      at once, while `open`
    enqueue(…)       else: into the emptiest queue of the flow's hand, or refused
    release(…)       the next request gets the seats: the one whose queue would finish it first if all queues were
                     served in turn, seat-second by seat-second (fair queuing on virtual time)

One queue has had 30 ms of service since the level filled up, another none: both hold a request of 3 ms. Virtual finish
33 ms and 3 ms: the second goes first, however many requests wait in the first.

Requests that find the level open pass no queue; their service does not count against their flow.

Follows: apiserver pkg/util/flowcontrol/fairqueuing/queueset/queueset.go, doc.go.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pybernetes.apiserver.flowcontrol.allocation import Limits
from pybernetes.apiserver.flowcontrol.demand import Demand, Refusals
from pybernetes.apiserver.flowcontrol.matching import hand_of
from pybernetes.apiserver.request import RequestInfo, User

ESTIMATED_SECONDS = 0.003
"""What a request is thought to take before it is known. Follows: estimatedServiceDuration."""

EXECUTE = ""
QUEUE_FULL = "queue-full"
CONCURRENCY_LIMIT = "concurrency-limit"
TIMED_OUT = "time-out"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Queuing:
    """`spec.limited.limitResponse.queuing`."""

    queues: int
    hand_size: int
    length_limit: int


@dataclass(slots=True, eq=False)
class Ticket:
    """One request in a queue, later in its seats."""

    schema: str
    distinguisher: str
    user: User
    info: RequestInfo
    seats: int
    arrived: float
    """Monotonic seconds."""
    arrived_r: float
    queue: "Queue"
    decided: asyncio.Future[str]
    """EXECUTE, or why not."""
    started: float = 0.0


@dataclass(slots=True, eq=False)
class Queue:
    """`next_r`: where in virtual time (seat-seconds) its next request begins."""

    index: int
    waiting: deque[Ticket] = field(default_factory=deque)
    executing: list[Ticket] = field(default_factory=list)
    seats_in_use: int = 0
    seats_waiting: int = 0
    next_r: float = 0.0

    @property
    def work_waiting(self) -> float:
        """Seat-seconds that waiting requests are thought to take."""
        return self.seats_waiting * ESTIMATED_SECONDS

    def bound(self) -> None:
        """Idle time is not saved up: nothing begins before it has arrived."""
        if self.waiting:
            self.next_r = max(self.next_r, self.waiting[0].arrived_r)


class PriorityLevel:
    """See the module. Times are monotonic seconds."""

    def __init__(self, name: str, uid: str, now: float, *, exempt: bool, queuing: Queuing | None = None) -> None:
        self.name = name
        self.uid = uid
        self.exempt = exempt
        self.queuing = queuing
        self.limits = Limits(0, 0, 0)
        self.limit = 0
        self.open = exempt
        """Requests need not queue."""
        self.quiescing = False
        """Its object is gone; it lives until its last request ends."""
        self.seats_in_use = self.executing = self.waiting = self.seats_waiting = 0
        self.dispatched = self.refused = self.timed_out = self.cancelled = self.not_accommodated = 0
        self.demand = Demand(now)
        self.refusals = Refusals()
        self.current_r = 0.0
        self._queues: dict[int, Queue] = {}
        """Those that hold requests."""
        self._synced = now
        self._robin = self._enqueued = 0

    @property
    def idle(self) -> bool:
        return not self.executing and not self.waiting

    def queues(self) -> Iterator[Queue]:
        """All queues in order; those that hold nothing are made up."""
        for index in range(self.queuing.queues if self.queuing else 0):
            yield self._queues.get(index) or Queue(index)

    def set_limit(self, limit: int, now: float) -> None:
        """Have `limit` seats from now on; who fits in goes."""
        self._sync(now)
        self.limit = limit
        self._dispatch(now)
        self._changed(now)

    def reshape(self, queuing: Queuing | None) -> None:
        """Have other queues from now on; requests in those that go stay until they are served."""
        self.queuing = queuing

    # ── seats ──

    def take(self, seats: int, now: float) -> None:
        """Seats for a request that found the level open."""
        self.seats_in_use += seats
        self.executing += 1
        self._changed(now)

    def release(self, seats: int, now: float, ticket: Ticket | None = None) -> None:
        """Give back what `take` took, or what the ticket's request was given."""
        self._sync(now)
        self.seats_in_use -= seats
        self.executing -= 1
        if ticket is not None:
            queue = ticket.queue
            queue.executing.remove(ticket)
            queue.seats_in_use -= seats
            queue.next_r -= seats * (ESTIMATED_SECONDS - (now - ticket.started))
            queue.bound()
            self._drop_if_empty(queue)
        self._dispatch(now)
        self._changed(now)

    def _changed(self, now: float) -> None:
        self.open = self.exempt or (not self.waiting and self.seats_in_use < self.limit)
        self.demand.note(self.seats_in_use + self.seats_waiting, now)

    def _fits(self, seats: int) -> bool:
        if seats > self.limit:  # wider than the level: alone, or never
            return self.executing == 0
        return self.seats_in_use + seats <= self.limit

    # ── queues ──

    def enqueue(
        self, schema: str, distinguisher: str, entropy: int, user: User, info: RequestInfo, seats: int, now: float
    ) -> Ticket | str:
        """A place in a queue, or why there is none. Its future may already be decided."""
        if self.queuing is None:
            self.refused += 1
            return CONCURRENCY_LIMIT
        self._sync(now)
        queue = self._choose(self.queuing, entropy)
        if len(queue.waiting) >= self.queuing.length_limit and self.seats_in_use >= self.limit:
            self._drop_if_empty(queue)
            self.refused += 1
            return QUEUE_FULL
        if not queue.waiting and not queue.executing:
            queue.next_r = self.current_r
        decided: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        ticket = Ticket(schema, distinguisher, user, info, seats, now, self.current_r, queue, decided)
        queue.waiting.append(ticket)
        queue.seats_waiting += seats
        self.waiting += 1
        self.seats_waiting += seats
        queue.bound()
        self._dispatch(now)
        self._changed(now)
        return ticket

    def leave(self, ticket: Ticket, reason: str, now: float) -> None:
        """A waiting request gives up."""
        if ticket not in ticket.queue.waiting:
            return
        self._sync(now)
        ticket.queue.waiting.remove(ticket)
        ticket.queue.seats_waiting -= ticket.seats
        self.waiting -= 1
        self.seats_waiting -= ticket.seats
        if reason == TIMED_OUT:
            self.timed_out += 1
        else:
            self.cancelled += 1
        if not ticket.decided.done():
            ticket.decided.set_result(reason)
        ticket.queue.bound()
        self._drop_if_empty(ticket.queue)
        self._dispatch(now)
        self._changed(now)

    def expire(self, before: float, now: float) -> None:
        """Requests that came before `before` have waited long enough."""
        if not self.waiting:
            return
        for queue in list(self._queues.values()):
            while queue.waiting and queue.waiting[0].arrived < before:
                self.leave(queue.waiting[0], TIMED_OUT, now)

    def tickets(self) -> Iterator[tuple[int, Ticket]]:
        """Requests that passed a queue, with their place in it; -1 for those in their seats."""
        for _, queue in sorted(self._queues.items()):
            yield from enumerate(queue.waiting)
            for ticket in queue.executing:
                yield -1, ticket

    def _choose(self, queuing: Queuing, entropy: int) -> Queue:
        """The queue of the flow's hand with the least work waiting. Ties go round, so that hands do not clump."""
        hand = hand_of(entropy, queuing.queues, queuing.hand_size)
        offset = self._enqueued % len(hand)
        self._enqueued += 1
        best, least = -1, -1
        for index in (*hand[offset:], *hand[:offset]):
            present = self._queues.get(index)
            seats = present.seats_waiting if present is not None else 0
            if best < 0 or seats < least:
                best, least = index, seats
        queue = self._queues.get(best)
        if queue is None:
            queue = self._queues[best] = Queue(best)
        return queue

    def _drop_if_empty(self, queue: Queue) -> None:
        if not queue.waiting and not queue.executing and self._queues.get(queue.index) is queue:
            del self._queues[queue.index]

    def _sync(self, now: float) -> None:
        """Advance virtual time: as fast as every busy queue could be served if all shared the seats evenly."""
        if self._queues:
            wanted = sum(queue.seats_in_use + queue.seats_waiting for queue in self._queues.values())
            self.current_r += (now - self._synced) * min(wanted, self.limit) / len(self._queues)
        self._synced = now

    def _dispatch(self, now: float) -> None:
        while self.waiting and self.seats_in_use < self.limit:
            count = max(self._queues) + 1
            queue = min(
                (queue for queue in self._queues.values() if queue.waiting),
                key=lambda row: (
                    row.next_r + row.waiting[0].seats * ESTIMATED_SECONDS,
                    (row.index - self._robin - 1) % count,
                ),
            )
            ticket = queue.waiting[0]
            if not self._fits(ticket.seats):
                self.not_accommodated += 1
                return
            self._robin = queue.index
            queue.waiting.popleft()
            queue.seats_waiting -= ticket.seats
            self.waiting -= 1
            self.seats_waiting -= ticket.seats
            if ticket.decided.done():  # its client went away in this very moment
                self.cancelled += 1
                self._drop_if_empty(queue)
                continue
            ticket.started = now
            ticket.decided.set_result(EXECUTE)
            queue.executing.append(ticket)
            queue.seats_in_use += ticket.seats
            queue.next_r += ticket.seats * ESTIMATED_SECONDS
            queue.bound()
            self.seats_in_use += ticket.seats
            self.executing += 1
