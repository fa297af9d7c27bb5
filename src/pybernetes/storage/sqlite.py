"""The embedded default: one SQLite file, one writer thread, one fdatasync for all writes that gathered.

    entries   key → value, create_revision, mod_revision, expires       the newest version of each key
    meta      format, revision, compacted

History lives in memory: after a restart, watches from before it are told to list again. WAL with
`synchronous=FULL`: a commit has reached the disk when `commit` returns.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pybernetes.effects import Clock
from pybernetes.storage.embedded import EmbeddedStorage, Write
from pybernetes.storage.interface import Entry, Revision, StorageError, StoreFailed
from pybernetes.storage.mvcc import State

log = logging.getLogger("pybernetes.storage")

FORMAT = 1
"""Of the file. A file of another format is left alone."""
APPLICATION_ID = 0x70796272
MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
APPLICATION_ID_AT = 68
"""Offset in the header. Follows: sqlite.org/fileformat2.html section 1.3."""
CHECKPOINT_PAGES = 4000
"""The log is folded into the file when it has about 16 MB, or when nobody has written for a while."""
VACUUM_PAGES = 1000
"""Free pages given back to the disk at a time: with each compaction, and whenever nobody writes."""

R = TypeVar("R")

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL,
  expires REAL NOT NULL DEFAULT 0);
"""
_META = "INSERT INTO meta VALUES (?,?)"


ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement. Each statement gives the interpreter up and takes it back, which costs more than its rows."""


def _put(rows: int) -> str:
    places = ",".join(["(?,?,?,?,?)"] * rows)
    return (
        f"INSERT INTO entries VALUES {places} ON CONFLICT (key) DO UPDATE SET value=excluded.value,"  # noqa: S608
        " create_revision=excluded.create_revision, mod_revision=excluded.mod_revision, expires=excluded.expires"
    )


_COLUMNS = 5
_PUTS = tuple((rows * _COLUMNS, _put(rows)) for rows in ROWS_AT_ONCE)


class UnusableFile(StorageError):
    """The file cannot be this store's; it was not changed. The message says what to do."""


class SqliteMedium:
    """One open file. Every statement runs in the one writer thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wants_rest = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage")
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._connection = self._thread.submit(_open, path).result()
        except BlockingIOError:
            self._release()
            raise UnusableFile(f"{path} is in use by another process; stop that one first") from None
        except sqlite3.DatabaseError as error:
            self._release()
            raise UnusableFile(
                f"{path} is no usable store ({error}); restore a snapshot, or move the file away to begin anew"
            ) from error
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        self._thread.shutdown()
        os.close(self._lock)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StoreFailed(f"{self.path}: {error}; is the disk full or failing?") from error

    def load(self) -> tuple[State, list[tuple[str, float]]]:
        """Everything the file has, read once at start."""
        return self._thread.submit(_load, self._connection).result()

    async def commit(self, writes: Sequence[Write]) -> None:
        await self._in_thread(lambda: _commit(self._connection, writes))
        self.wants_rest = True

    async def rest(self) -> None:
        """Fold the log into the file and give back space, so that it need not be done while somebody waits."""
        self.wants_rest = False
        self.wants_rest = await self._in_thread(lambda: _tidy(self._connection)) > VACUUM_PAGES

    async def compact(self, revision: Revision) -> None:
        await self._in_thread(lambda: _compact(self._connection, revision))

    async def backup(self, target: Path) -> None:
        """A consistent copy of the file, while writes go on."""
        await self._in_thread(lambda: _backup(self._connection, target))

    async def close(self) -> None:
        try:
            await self._in_thread(self._connection.close)
        finally:
            self._release()


def open_sqlite(path: Path, clock: Clock) -> EmbeddedStorage:
    """The store in `path`, made when absent. The file and what lies beside it are private (0600).

    Raises:
        UnusableFile: it is in use, of another format, or no database; nothing was changed.
    """
    medium = SqliteMedium(path)
    state, expiries = medium.load()
    return EmbeddedStorage(medium, state, clock, expiries)


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists() or path.stat().st_size == 0:
        _make(path)
    _recognize(path)
    path.chmod(0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """A new file, complete before it has its name: a crash meanwhile leaves none."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # first: only an empty file takes it
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.executescript("BEGIN;" + _SCHEMA)
        connection.executemany(_META, [("format", FORMAT), ("revision", 1), ("compacted", 1)])
        connection.execute("COMMIT")
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _recognize(path: Path) -> None:
    """Look whose file it is; only read, because opening another program's database may already change it.

    Raises:
        UnusableFile, sqlite3.DatabaseError.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        raise sqlite3.DatabaseError("file is not a database")
    if int.from_bytes(header[APPLICATION_ID_AT : APPLICATION_ID_AT + 4], "big") != APPLICATION_ID:
        raise UnusableFile(f"{path} is a database of another program; choose another data directory")
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE name='format'").fetchone()
    if row is None or row[0] != FORMAT:
        found = row[0] if row else "none"
        raise UnusableFile(
            f"{path} has store format {found}, this version reads {FORMAT}; use the version that wrote it, "
            "or restore a snapshot into a new data directory"
        )


def _load(connection: sqlite3.Connection) -> tuple[State, list[tuple[str, float]]]:
    revision = connection.execute("SELECT value FROM meta WHERE name='revision'").fetchone()[0]
    entries = []
    expiries = []
    for key, value, created, modified, expires in connection.execute("SELECT * FROM entries"):
        entries.append(Entry(key, value, Revision(created), Revision(modified)))
        if expires:
            expiries.append((key, expires))
    # What happened before is not remembered: watches start here.
    return State(entries, revision, compacted=revision), expiries


def _commit(connection: sqlite3.Connection, writes: Sequence[Write]) -> None:
    # Of several writes of one key only the last leaves anything behind.
    last = {write.change.key: write for write in writes}
    gone = [(key,) for key, write in last.items() if write.change.value is None]
    values: list[object] = []
    for key, write in last.items():
        change = write.change
        if change.value is not None:
            values += (key, change.value, change.create_revision, change.mod_revision, write.expires)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if gone:
            connection.executemany("DELETE FROM entries WHERE key=?", gone)
        start = 0
        for width, statement in _PUTS:
            while len(values) - start >= width:
                connection.execute(statement, values[start : start + width])
                start += width
        connection.execute("UPDATE meta SET value=? WHERE name='revision'", (writes[-1].change.mod_revision,))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _compact(connection: sqlite3.Connection, revision: Revision) -> None:
    connection.execute("UPDATE meta SET value=? WHERE name='compacted'", (revision,))
    _tidy(connection)


def _tidy(connection: sqlite3.Connection) -> int:
    """Give free pages back and fold the log in; how many free pages are left."""
    # As a script, which runs to its end: `execute` makes one step, and one step gives back one page.
    connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _backup(connection: sqlite3.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
