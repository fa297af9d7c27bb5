"""What operators see of levels, queues and requests: `/debug/api_priority_and_fairness/dump_*`, as aligned columns.

Follows: apiserver pkg/util/flowcontrol/apf_controller_debug.go.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pybernetes.apiserver.flowcontrol.fairness import Fairness
from pybernetes.apiserver.flowcontrol.level import Ticket
from pybernetes.effects import Clock, format_micro_time

ROOT = "/debug/api_priority_and_fairness/"
MIN_WIDTH = 8

_LEVELS = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
    "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
)  # fmt: skip
_QUEUES = (
    "PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
    "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum",
)  # fmt: skip
_REQUESTS = (
    "PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
    "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime",
)  # fmt: skip
_DETAILS = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
_NEVER = "0001-01-01T00:00:00Z"


def dump(fairness: Fairness, clock: Clock, path: str, *, details: bool = False) -> str | None:
    """The text at a path; None where there is none."""
    fairness.digest()
    match path.removeprefix(ROOT):
        case "dump_priority_levels":
            return table(_LEVELS, _level_rows(fairness))
        case "dump_queues":
            return table(_QUEUES, _queue_rows(fairness))
        case "dump_requests":
            return table((*_REQUESTS, *_DETAILS) if details else _REQUESTS, _request_rows(fairness, clock, details))
        case _:
            return None


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns separated by commas and padded to one width."""
    texts = [tuple(map(str, titles)), *(tuple(map(str, row)) for row in rows)]
    widths = [max(MIN_WIDTH, *(len(row[column]) + 2 for row in texts)) for column in range(len(titles) - 1)]
    lines = []
    for row in texts:
        padded = [f"{cell},".ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("".join(padded) + row[-1] + "\n")
    return "".join(lines)


def _level_rows(fairness: Fairness) -> Iterable[Sequence[object]]:
    for name, level in sorted(fairness.levels.items()):
        counts = [row for (of, _), row in fairness.counts.items() if of == name]
        yield (
            name,
            sum(1 for queue in level.queues() if queue.waiting),
            str(level.idle).lower(),
            str(level.quiescing).lower(),
            level.waiting,
            level.executing,
            sum(row.dispatched for row in counts),
            level.refused,
            level.timed_out,
            level.cancelled,
        )


def _queue_rows(fairness: Fairness) -> Iterable[Sequence[object]]:
    for name, level in sorted(fairness.levels.items()):
        for queue in level.queues():
            waiting = sum(ticket.seats for ticket in queue.waiting)
            yield (
                *(name, queue.index, len(queue.waiting), len(queue.executing), queue.seats_in_use),
                *(f"{queue.next_r:.8f}ss", waiting, waiting, f"{queue.work_waiting:.8f}ss"),
            )


def _request_rows(fairness: Fairness, clock: Clock, details: bool) -> Iterable[Sequence[object]]:
    now, here = clock.now(), clock.monotonic()

    def when(seconds: float) -> str:
        found: datetime = now - timedelta(seconds=here - seconds)
        return format_micro_time(found) if seconds else _NEVER

    def row(name: str, place: int, ticket: Ticket) -> Sequence[object]:
        own = (
            *(name, ticket.schema, ticket.queue.index, place, ticket.distinguisher, when(ticket.arrived)),
            *(ticket.seats, 0, "0s", when(ticket.started)),
        )
        info = ticket.info
        version = f"{info.group}/{info.version}" if info.group else info.version
        more = (info.verb, info.path, info.namespace, info.name, version, info.resource, info.subresource)
        return (*own, ticket.user.name, *more) if details else own

    for name, level in sorted(fairness.levels.items()):
        for place, ticket in level.tickets():
            yield row(name, place, ticket)
