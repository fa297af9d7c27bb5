import sqlite3
import stat
from pathlib import Path

import pytest

from pybernetes.effects import VirtualClock
from pybernetes.storage.interface import Compacted, Revision
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
