from pathlib import Path

from pybernetes.cluster import logfiles, supervision
from pybernetes.cluster.identity import ProcessIdentity, identify, load, save
from pybernetes.cluster.supervision import Record


def test_a_first_crash_restarts_within_a_second() -> None:
    record = supervision.exited(supervision.started(Record(), 100.0), 100.1)

    assert not record.running
    assert record.start_at - 100.1 < 1.0


def test_crashes_in_a_row_wait_longer_up_to_a_bound() -> None:
    delays = [supervision.restart_delay(failures) for failures in range(1, 40)]

    assert delays == sorted(delays)
    assert delays[-1] == supervision.MAX_DELAY_SECONDS


def test_a_healthy_run_forgives_earlier_crashes() -> None:
    crashed = Record(failures=7, restarts=7)
    record = supervision.exited(supervision.started(crashed, 0.0), supervision.HEALTHY_SECONDS)

    assert record.failures == 1
    assert record.restarts == 8


def test_a_pid_given_to_another_process_is_not_ours(tmp_path: Path) -> None:
    import os

    mine = identify(os.getpid())
    assert mine.alive
    save(tmp_path / "me.json", mine)
    assert load(tmp_path / "me.json") == mine
    assert not ProcessIdentity(mine.pid, mine.start_ticks + 1, mine.boot).alive
    assert not ProcessIdentity(mine.pid, mine.start_ticks, "another-boot").alive


def test_an_unreadable_identity_is_no_identity(tmp_path: Path) -> None:
    (tmp_path / "me.json").write_text("{")
    assert load(tmp_path / "me.json") is None
    assert load(tmp_path / "none.json") is None


def test_rotation_keeps_the_content_and_a_bounded_number_of_files(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    for number in range(5):
        path.write_text(f"content {number}\n")
        assert logfiles.rotate(path, max_bytes=5)

    assert path.read_text() == ""
    assert (tmp_path / "x.log.1").read_text() == "content 4\n"
    assert (tmp_path / "x.log.2").read_text() == "content 3\n"
    assert len(list(tmp_path.iterdir())) == 3
    assert not logfiles.rotate(path, max_bytes=5)


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(20000)))

    assert logfiles.tail(path, 2) == b"line 19998\nline 19999\n"
    assert logfiles.tail(path, 0) == b""
    assert len(logfiles.tail(path, -1).splitlines()) == 20000
