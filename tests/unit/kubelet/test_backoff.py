from datetime import UTC, datetime, timedelta

import pytest

from pybernetes.kubelet.backoff import Backoff, format_duration

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_pauses_double_from_ten_seconds_to_five_minutes() -> None:
    backoff = Backoff()
    now = START
    pauses = []
    for _ in range(8):
        assert backoff.remaining_seconds("c", now, now) == backoff.delay_seconds("c")
        now += timedelta(seconds=backoff.delay_seconds("c"))
        backoff.lengthen("c", now, now)
        pauses.append(backoff.delay_seconds("c"))
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_without_a_failure_begin_anew() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.lengthen("c", START, START)
    assert backoff.delay_seconds("c") == 80
    later = START + timedelta(seconds=601)
    assert backoff.remaining_seconds("c", later, later) == 0
    backoff.lengthen("c", later, later)
    assert backoff.delay_seconds("c") == 10


def test_a_pause_counts_from_the_end_of_the_container() -> None:
    backoff = Backoff()
    backoff.lengthen("c", START, START)
    ended = START + timedelta(seconds=30)
    assert backoff.remaining_seconds("c", ended, ended + timedelta(seconds=4)) == 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1, "1s"), (10, "10s"), (80, "1m20s"), (300, "5m0s"), (3661, "1h1m1s"), (1.5, "1.5s")],
)
def test_durations_look_as_go_prints_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
