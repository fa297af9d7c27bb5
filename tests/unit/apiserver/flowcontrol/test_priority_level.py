"""Seats and queues of one priority level."""

import pytest

from pybernetes.apiserver.flowcontrol.allocation import Limits
from pybernetes.apiserver.flowcontrol.level import (
    CONCURRENCY_LIMIT,
    EXECUTE,
    QUEUE_FULL,
    TIMED_OUT,
    PriorityLevel,
    Queuing,
    Ticket,
)
from pybernetes.apiserver.flowcontrol.matching import flow_hash
from pybernetes.apiserver.request import User
from pybernetes.apiserver.routing import route

INFO = route("POST", "/api/v1/namespaces/a/pods")


def level_of(seats: int, queuing: Queuing | None) -> PriorityLevel:
    level = PriorityLevel("level", "", 0.0, exempt=False, queuing=queuing)
    level.limits = Limits(seats, seats, seats)
    level.set_limit(seats, 0.0)
    return level


def ask(level: PriorityLevel, flow: str, now: float = 0.0, seats: int = 1) -> Ticket | str:
    return level.enqueue("schema", flow, flow_hash("schema", flow), User(flow), INFO, seats, now)


def queued(level: PriorityLevel, flow: str, now: float = 0.0, seats: int = 1) -> Ticket:
    found = ask(level, flow, now, seats)
    assert isinstance(found, Ticket)
    return found


def executes(ticket: Ticket) -> bool:
    return ticket.decided.done() and ticket.decided.result() == EXECUTE


def test_a_level_is_open_until_its_seats_are_taken() -> None:
    level = level_of(2, None)
    level.take(1, 0.0)
    assert level.open
    level.take(1, 0.0)
    assert not level.open
    level.release(1, 1.0)
    assert level.open


async def test_a_level_without_queues_refuses_at_once() -> None:
    level = level_of(1, None)
    level.take(1, 0.0)
    assert ask(level, "jane") == CONCURRENCY_LIMIT


async def test_a_freed_seat_goes_to_who_waits() -> None:
    level = level_of(1, Queuing(4, 1, 10))
    level.take(1, 0.0)
    ticket = queued(level, "jane")
    assert not ticket.decided.done()
    level.release(1, 1.0)
    assert executes(ticket)
    assert not level.open
    level.release(1, 2.0, ticket)
    assert level.open
    assert level.idle


async def test_a_full_queue_refuses() -> None:
    level = level_of(1, Queuing(1, 1, 2))
    level.take(1, 0.0)
    queued(level, "jane")
    queued(level, "jane")
    assert ask(level, "jane") == QUEUE_FULL


async def test_a_modest_flow_does_not_wait_behind_a_greedy_one() -> None:
    level = level_of(1, Queuing(64, 1, 50))
    level.take(1, 0.0)
    greedy = [queued(level, "greedy") for _ in range(40)]
    modest = queued(level, "modest")
    assert greedy[0].queue is not modest.queue
    level.release(1, 0.01)
    now = 0.01
    for turn in range(3):
        running = next(ticket for ticket in (*greedy, modest) if executes(ticket) and ticket in ticket.queue.executing)
        if running is modest:
            return
        now += 0.01
        level.release(1, now, running)
        assert turn < 2, "the modest flow had to wait for more than two of the greedy one"


async def test_flows_share_the_service_evenly_however_many_requests_wait() -> None:
    level = level_of(1, Queuing(64, 1, 50))
    level.take(1, 0.0)
    tickets = [queued(level, "greedy") for _ in range(40)] + [queued(level, "modest") for _ in range(10)]
    level.release(1, 0.0)
    served, now = [], 0.0
    for _ in range(20):
        running = next(ticket for ticket in tickets if ticket in ticket.queue.executing)
        served.append(running.distinguisher)
        now += 0.02
        level.release(1, now, running)
    assert served.count("modest") == 10


async def test_who_waits_too_long_is_turned_away() -> None:
    level = level_of(1, Queuing(4, 1, 10))
    level.take(1, 0.0)
    ticket, later = queued(level, "jane", 0.0), queued(level, "jane", 5.0)
    level.expire(1.0, 10.0)
    assert ticket.decided.result() == TIMED_OUT
    assert not later.decided.done()
    assert level.waiting == 1


async def test_a_request_whose_client_left_takes_no_seat() -> None:
    level = level_of(1, Queuing(4, 1, 10))
    level.take(1, 0.0)
    ticket, other = queued(level, "jane"), queued(level, "jane")
    ticket.decided.cancel()
    level.release(1, 1.0)
    assert executes(other)
    assert level.seats_in_use == 1


async def test_a_request_wider_than_the_level_runs_alone() -> None:
    level = level_of(2, Queuing(4, 1, 10))
    level.take(2, 0.0)
    wide = queued(level, "jane", seats=5)
    level.release(2, 1.0)
    assert executes(wide)
    assert not level.open


@pytest.mark.parametrize("limit", [1, 3])
async def test_raised_limits_let_waiting_requests_in(limit: int) -> None:
    level = level_of(0, Queuing(4, 1, 10))
    tickets = [queued(level, "jane") for _ in range(4)]
    level.set_limit(limit, 1.0)
    assert sum(map(executes, tickets)) == limit
