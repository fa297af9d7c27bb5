"""How many seats each priority level has, and how idle ones are lent to levels that want more. Pure.

600 seats, `workload-low` with 100 of 245 shares: nominal 245 seats. With 90 % lendable it keeps at least 24 of them for
itself; with no borrowing limit it may reach 845, more than there are.

Follows: apiserver pkg/util/flowcontrol/apf_controller.go, finishQueueSetReconfigsLocked, updateBorrowingLocked;
conc_alloc.go, computeConcurrencyAllocation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIN_TARGET = 0.001
DEFAULT_SHARES = 30
MAX_SEATS = 10
"""Seats one request may take at most. Follows: request/config.go."""
MAX_SEATS_SHARE = 0.15
"""Of the nominal limit of its level. Follows: priorityLevelMaxSeatsPercent."""
ROUNDS = 100
"""Halvings when the fair share is searched for: more than a float has bits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seats of one level: by its shares, after lending all it may, after borrowing all it may."""

    nominal: int
    minimum: int
    maximum: int
    max_request_seats: int = 1


def shares_of(spec: Mapping[str, Any]) -> int:
    exempt = spec.get("type") == "Exempt"
    part = (spec.get("exempt") if exempt else spec.get("limited")) or {}
    shares = part.get("nominalConcurrencyShares")
    return int(shares) if shares is not None else 0 if exempt else DEFAULT_SHARES


def limits(specs: Mapping[str, Mapping[str, Any]], total: int) -> dict[str, Limits]:
    """The limits of every level; `total` is the server's."""
    shares = {name: shares_of(spec) for name, spec in specs.items()}
    whole = sum(shares.values())
    found = {}
    for name, spec in specs.items():
        part = (spec.get("exempt") if spec.get("type") == "Exempt" else spec.get("limited")) or {}
        nominal = math.ceil(total * shares[name] / whole) if whole else 0
        lendable = _round(nominal * (part.get("lendablePercent") or 0) / 100)
        percent = part.get("borrowingLimitPercent")
        borrowing = total if percent is None else _round(nominal * percent / 100)
        queuing = (part.get("limitResponse") or {}).get("queuing")
        most = MAX_SEATS
        if queuing:
            hand_size = queuing.get("handSize") or 8
            most = max(1, min(math.ceil(nominal * MAX_SEATS_SHARE), nominal // hand_size, MAX_SEATS))
        found[name] = Limits(nominal, nominal - lendable, nominal + borrowing, most)
    return found


def _round(value: float) -> int:
    """Half away from zero, as Go rounds."""
    return math.floor(value + 0.5)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a level wanted lately: the most seats at once, and a smoothed figure."""

    limits: Limits
    peak: int
    smoothed: float
    exempt: bool = False


def borrow(wishes: Mapping[str, Wish]) -> dict[str, int]:
    """The present limit of every level, so that seats nobody wants serve those who do."""
    total = sum(wish.limits.nominal for wish in wishes.values())
    found, floors = {}, {}
    for name, wish in wishes.items():
        if wish.exempt:
            found[name] = max(wish.limits.minimum, wish.peak)
        else:
            floors[name] = max(wish.limits.minimum, min(wish.limits.nominal, wish.peak))
    remaining = total - sum(found.values())
    least = sum(wishes[name].limits.minimum for name in floors)
    floor_sum = sum(floors.values())
    if remaining <= least:
        return found | {name: wishes[name].limits.minimum for name in floors}
    if remaining <= floor_sum:
        fraction = (remaining - least) / (floor_sum - least)
        for name, floor in floors.items():
            minimum = wishes[name].limits.minimum
            found[name] = minimum + _round((floor - minimum) * fraction)
        return found
    rows = [(max(floor, wishes[name].smoothed), floor, wishes[name].limits.maximum) for name, floor in floors.items()]
    seats = share_out(total, rows)
    return found | {name: _round(share) for name, share in zip(floors, seats, strict=True)}


def share_out(total: float, rows: Sequence[tuple[float, float, float]]) -> list[float]:
    """Shares that sum to `total`, each as near to one common multiple of its target as its bounds allow.

    Rows are (target, least, most). Where the bounds forbid the sum, all are at the bound nearest to it.
    """
    targets = [max(target, MIN_TARGET) for target, _, _ in rows]

    def at(multiple: float) -> list[float]:
        return [max(low, min(high, multiple * t)) for t, (_, low, high) in zip(targets, rows, strict=True)]

    low, high = 0.0, max((most / t for t, (_, _, most) in zip(targets, rows, strict=True)), default=0.0)
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if sum(at(middle)) < total:
            low = middle
        else:
            high = middle
    return at(high)
