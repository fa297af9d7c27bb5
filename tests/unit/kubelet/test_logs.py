import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.effects import VirtualClock
from pybernetes.kubelet.logs import reader, records
from pybernetes.kubelet.logs.reader import LogReader, tail_offset
from pybernetes.kubelet.logs.records import LogOptions
from pybernetes.kubelet.logs.rotation import LogRotator, Sweep, sweep

LOG = b"""\
2026-01-01T10:00:00.1Z stdout F one
2026-01-01T10:00:01.123456789Z stderr F two
2026-01-01T10:00:02.5Z stdout P thr
2026-01-01T10:00:02.6Z stdout F ee
2026-01-01T10:00:03Z stdout F four
2026-01-01T10:00:04Z stdout P no newline
"""
AT = datetime(2026, 1, 1, 10, tzinfo=UTC)


async def read(path: Path, options: LogOptions) -> bytes:
    async def ended() -> bool:
        return False

    return b"".join([block async for block in LogReader(path, options, VirtualClock()).read(ended)])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(LogOptions(), b"one\ntwo\nthree\nfour\nno newline", id="everything, cut lines joined"),
        pytest.param(LogOptions(tail_lines=2), b"four\nno newline", id="the last lines"),
        pytest.param(LogOptions(tail_lines=3), b"three\nfour\nno newline", id="a cut line is one line"),
        pytest.param(LogOptions(tail_lines=0), b"", id="no lines"),
        pytest.param(LogOptions(tail_lines=99), b"one\ntwo\nthree\nfour\nno newline", id="more than there are"),
        pytest.param(LogOptions(stream="stderr"), b"two\n", id="one stream"),
        pytest.param(LogOptions(since=AT + timedelta(seconds=3)), b"four\nno newline", id="since a moment"),
        pytest.param(
            LogOptions(since=AT + timedelta(seconds=1, microseconds=123457)),
            b"three\nfour\nno newline",
            id="just after",
        ),
        pytest.param(LogOptions(limit_bytes=6), b"one\ntw", id="so many bytes"),
        pytest.param(
            LogOptions(timestamps=True, tail_lines=4, limit_bytes=80),
            b"2026-01-01T10:00:01.123456789Z two\n2026-01-01T10:00:02.500000000Z three\n2026-01-",
            id="with times of nine digits, once a line",
        ),
    ],
)
async def test_a_reader_gets_what_it_asks_for(options: LogOptions, expected: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(LOG)
    assert await read(tmp_path / "0.log", options) == expected


async def test_a_line_broken_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(b"00:00Z stdout\n" + LOG + b"2026-01-01T10:00:05Z st")
    assert (await read(tmp_path / "0.log", LogOptions(tail_lines=1))) in (b"", b"no newline")
    assert (await read(tmp_path / "0.log", LogOptions())).endswith(b"four\nno newline")


@given(
    lines=st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=60),
    wanted=st.integers(0, 70),
    block=st.sampled_from([16, 64, 1024]),
)
def test_reading_backwards_finds_what_reading_forwards_finds(
    lines: list[tuple[bool, int]], wanted: int, block: int
) -> None:
    file = [b"2026-01-01T10:00:00Z stdout " + (b"F " if full else b"P ") + b"x" * size + b"\n" for full, size in lines]
    starts, at, open_line = [], 0, False
    for (full, _), line in zip(lines, file, strict=True):
        if not open_line:
            starts.append(at)
        open_line = not full
        at += len(line)
    expected = at if wanted == 0 else starts[-wanted] if wanted <= len(starts) else 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BLOCK_BYTES", block)
        assert tail_offset(io.BytesIO(b"".join(file)), wanted) == expected


async def test_a_follower_sees_new_lines_a_new_file_and_the_end(tmp_path: Path) -> None:
    path, clock = tmp_path / "0.log", VirtualClock()
    path.write_bytes(b"2026-01-01T10:00:00Z stdout F one\n")
    running = True
    got: list[bytes] = []

    async def is_running() -> bool:
        return running

    async def follow() -> None:
        got.extend([block async for block in LogReader(path, LogOptions(follow=True), clock).read(is_running)])

    task = asyncio.create_task(follow())
    await clock.advance(0.3)
    with path.open("ab") as file:
        file.write(b"2026-01-01T10:00:01Z stdout F tw")
    await clock.advance(0.3)
    with path.open("ab") as file:
        file.write(b"o\n")
    path.rename(tmp_path / "0.log.20260101-100002")
    await clock.advance(0.3)
    path.write_bytes(b"2026-01-01T10:00:03Z stdout F three\n")
    await clock.advance(0.3)
    assert not task.done()
    with path.open("ab") as file:
        file.write(b"2026-01-01T10:00:04Z stdout F four\n")
    running = False
    await clock.advance(2)
    await task
    assert b"".join(got) == b"one\ntwo\nthree\nfour\n"


def test_times_are_compared_to_the_nanosecond_and_in_any_zone() -> None:
    assert records.nanoseconds(b"1970-01-01T00:00:00.000000001Z") == 1
    assert records.nanoseconds(b"1970-01-01T01:00:00.5+01:00") == 500_000_000
    assert records.fixed_width(b"1970-01-01T01:00:00.5+01:00") == b"1970-01-01T01:00:00.500000000+01:00"
    assert records.fixed_width(b"1970-01-01T00:00:00Z") == b"1970-01-01T00:00:00.000000000Z"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([], Sweep((), ()), id="nothing yet"),
        pytest.param(["l.1"], Sweep((), ("l.1",)), id="the last one put aside is packed"),
        pytest.param(["l.1.gz", "l.2.gz", "l.3"], Sweep((), ("l.3",)), id="three may stay"),
        pytest.param(["l.1.gz", "l.2.gz", "l.3.gz", "l.4"], Sweep(("l.1.gz",), ("l.4",)), id="the oldest of four goes"),
        pytest.param(
            ["l.1", "l.1.gz", "l.2", "l.2.tmp"], Sweep(("l.1", "l.2.tmp"), ("l.2",)), id="what a crash left goes"
        ),
    ],
)
def test_old_files_are_packed_and_the_oldest_removed(names: list[str], expected: Sweep) -> None:
    assert sweep(names, 5) == expected


async def test_a_large_log_is_put_aside_and_the_runtime_starts_a_new_one(tmp_path: Path) -> None:
    path, clock = tmp_path / "0.log", VirtualClock()
    reopened: list[str] = []

    async def running() -> dict[str, Path]:
        return {"c1": path, "c2": tmp_path / "none.log"}

    async def reopen(container: str) -> None:
        reopened.append(container)
        path.touch()

    rotator = LogRotator(running, reopen, clock, max_bytes=10, max_files=3)
    for number in range(4):
        path.write_bytes(b"x" * 20)
        await rotator.rotate_all()
        assert path.read_bytes() == b"", number
        await clock.advance(60)
    assert reopened == ["c1"] * 4
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "0.log",
        "0.log.20260101-000200.gz",
        "0.log.20260101-000300",
    ]


async def test_a_small_log_stays_and_a_failed_reopening_gives_the_name_back(tmp_path: Path) -> None:
    path = tmp_path / "0.log"

    async def running() -> dict[str, Path]:
        return {"c1": path}

    async def refuse(_container: str) -> None:
        raise OSError("no")

    rotator = LogRotator(running, refuse, VirtualClock(), max_bytes=10)
    path.write_bytes(b"x" * 5)
    await rotator.rotate_all()
    path.write_bytes(b"x" * 20)
    await rotator.rotate_all()
    assert path.read_bytes() == b"x" * 20
