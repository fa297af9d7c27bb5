import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from pybernetes.effects import VirtualClock
from pybernetes.storage import embedded
from pybernetes.storage.interface import Compacted, Revision, StoreFailed
from pybernetes.storage.sqlite import UnusableFile, open_sqlite

KEY = "/registry/pods/default/a"


async def test_a_store_opened_again_has_what_was_written_and_goes_on_counting(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", VirtualClock()
    store = open_sqlite(path, clock)
    await store.put(KEY + "2", b"x", ttl_seconds=5)
    await store.put(KEY, b"1")
    _, last = await store.delete(KEY)
    await store.close()
    again = open_sqlite(path, clock)
    assert again.revision == last
    assert await again.put(KEY, b"2") == last + 1
    with pytest.raises(Compacted):
        await anext(again.watch("/registry/", Revision(last - 1)))
    await clock.advance(5)
    assert await again.expire() == 1
    await again.close()


async def test_the_files_are_private(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "state.db", VirtualClock())
    await store.put(KEY, b"secret")
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    await store.close()


async def test_a_second_process_is_told_to_stop_the_first(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "state.db", VirtualClock())
    with pytest.raises(UnusableFile, match="in use by another process"):
        open_sqlite(tmp_path / "state.db", VirtualClock())
    await store.close()


async def test_a_file_of_another_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await open_sqlite(path, VirtualClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value=99 WHERE name='format'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UnusableFile, match="store format 99"):
        open_sqlite(path, VirtualClock())
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 40, b"SQLite"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match="no usable store"):
        open_sqlite(path, VirtualClock())
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    with pytest.raises(UnusableFile, match="another program"):
        open_sqlite(path, VirtualClock())


def test_the_log_of_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("CREATE TABLE songs (name TEXT)")
    other.commit()
    copies = {name: (tmp_path / name).read_bytes() for name in ("state.db", "state.db-wal")}
    other.close()
    for name, content in copies.items():  # as after a crash: the log is not folded in
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableFile, match="another program"):
        open_sqlite(path, VirtualClock())
    assert {name: (tmp_path / name).read_bytes() for name in copies} == copies


async def test_a_file_whose_making_was_interrupted_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".state.db.new").write_bytes(b"half")
    (tmp_path / "state.db").touch()
    store = open_sqlite(tmp_path / "state.db", VirtualClock())
    await store.put(KEY, b"1")
    await store.close()


async def test_of_many_writes_in_one_commit_the_last_of_each_key_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_sqlite(path, VirtualClock())
    await asyncio.gather(*(store.put(f"{KEY}{n % 97}", b"%d" % n) for n in range(300)))
    await asyncio.gather(*(store.delete(f"{KEY}{n}") for n in range(90)))
    await asyncio.gather(store.delete(f"{KEY}90"), store.put(f"{KEY}91", b"last"), store.delete(f"{KEY}92"))
    expected = (await store.range("/registry/")).entries
    last = store.revision
    await store.close()
    again = open_sqlite(path, VirtualClock())
    assert (await again.range("/registry/")).entries == expected
    assert again.revision == last
    await again.close()


async def test_the_log_is_folded_in_when_nobody_writes_and_the_clock_goes_on(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", VirtualClock()
    store = open_sqlite(path, clock)
    await store.put(KEY, b"unmistakable")
    assert b"unmistakable" not in path.read_bytes()
    await clock.advance(embedded.REST_SECONDS)
    while b"unmistakable" not in path.read_bytes():  # the writer thread is real
        await clock.settle()
    await store.close()


async def test_the_file_does_not_grow_with_the_number_of_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_sqlite(path, VirtualClock())
    for round_number in range(40):
        await asyncio.gather(*(store.put(f"{KEY}{n}", bytes([round_number]) * 3000) for n in range(100)))
    await asyncio.gather(*(store.delete(f"{KEY}{n}") for n in range(100)))
    await store.compact(store.revision)
    await store.close()
    assert path.stat().st_size < 100_000
    assert not path.with_name("state.db-wal").exists()


async def test_a_medium_that_fails_fails_every_writer_and_says_so(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "state.db", VirtualClock())
    await store.put(KEY, b"1")
    with sqlite3.connect(tmp_path / "state.db") as other:
        other.execute("DROP TABLE meta")
    other.close()
    answers = await asyncio.gather(*(store.put(f"{KEY}{n}", b"2") for n in range(5)), return_exceptions=True)
    assert all(isinstance(answer, StoreFailed) for answer in answers)
    with pytest.raises(StoreFailed, match="disk full or failing"):
        await store.wait_failed()
    assert (await store.get(KEY)).value == b"1"
    await store.close()
