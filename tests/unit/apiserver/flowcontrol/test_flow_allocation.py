"""Seats of priority levels: by shares, lent, borrowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.bootstrap.flow_control import priority_levels
from pybernetes.apiserver.flowcontrol.allocation import Limits, Wish, borrow, limits, share_out
from pybernetes.apiserver.flowcontrol.demand import Demand, Refusals


def test_bundled_levels_share_600_seats_as_upstream() -> None:
    found = limits({row["metadata"]["name"]: row["spec"] for row in priority_levels()}, 600)
    assert {name: row.nominal for name, row in found.items()} == {
        "exempt": 0, "system": 74, "node-high": 98, "leader-election": 25, "workload-high": 98, "workload-low": 245,
        "global-default": 49, "catch-all": 13,
    }  # fmt: skip
    assert found["workload-low"] == Limits(245, 24, 845, 10)


def test_a_borrowing_limit_is_a_percentage_of_the_nominal_limit() -> None:
    spec = {"type": "Limited", "limited": {"nominalConcurrencyShares": 30, "borrowingLimitPercent": 50}}
    assert limits({"a": spec}, 100)["a"].maximum == 150


def test_seats_nobody_wants_go_to_those_who_do() -> None:
    row = Limits(50, 10, 100)
    found = borrow({"busy": Wish(row, 50, 90.0), "idle": Wish(row, 0, 0.0)})
    assert found["busy"] == 90
    assert found["idle"] == 10


def test_a_level_that_wants_its_own_seats_has_them_back() -> None:
    row = Limits(50, 10, 100)
    assert borrow({"a": Wish(row, 60, 60.0), "b": Wish(row, 70, 70.0)}) == {"a": 50, "b": 50}


rows = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0, 50), st.floats(0, 100)).map(
        lambda row: (max(row[0], row[1]), row[1], row[1] + row[2])
    ),
    min_size=1,
    max_size=8,
)


@given(rows=rows, share=st.floats(0, 1))
def test_shares_keep_their_bounds_and_sum_to_the_whole(rows: list[tuple[float, float, float]], share: float) -> None:
    low, high = sum(row[1] for row in rows), sum(row[2] for row in rows)
    total = low + (high - low) * share
    found = share_out(total, rows)
    assert sum(found) == pytest.approx(total, abs=1e-3)
    for value, (_, least, most) in zip(found, rows, strict=True):
        assert least <= value <= most


def test_demand_is_averaged_over_time() -> None:
    demand = Demand(0.0)
    demand.note(4, 5.0)
    demand.close(10.0)
    assert (demand.mean, demand.deviation, demand.peak) == (2.0, 2.0, 4)


def test_retry_after_doubles_under_pressure_and_falls_when_it_eases() -> None:
    refusals = Refusals()
    for _ in range(10):
        assert refusals.add(100) == 1
    assert refusals.add(101) == 2
    assert refusals.add(200) == 1
