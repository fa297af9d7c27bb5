"""A snapshot: one file with everything the API server stores at one moment, and a cluster made to hold it again.

It is a store file of its own (SQLite), taken consistently while the cluster runs, and checked before it replaces
anything. Keys and certificates are not in it: they are the cluster's, not the data's.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadOption, BadState
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import running_supervisor
from pybernetes.storage.sqlite import APPLICATION_ID, FORMAT

SNAPSHOT_HINT = "name a file that was made with: pybernetes snapshot save FILE"


def store_file(state: StateDirectory) -> Path:
    """Where the API server keeps its data."""
    return state.store / "state.db"


def save(state: StateDirectory, config: ClusterConfig, target: Path) -> int:
    """Write a snapshot, whole or not at all; how many objects are in it.

    Raises:
        BadState: there is nothing to save.
        BadOption: the target cannot be written.
    """
    source = store_file(state)
    if config.storage != "sqlite" or not source.exists():
        raise BadState(
            f"cluster {config.name!r} has no data on disk (storage: {config.storage})",
            "snapshots need the sqlite storage and a cluster that ran at least once",
        )
    if not target.parent.is_dir():
        raise BadOption(f"{target.parent} is not a directory", "name a file in an existing directory")
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
            contextlib.closing(sqlite3.connect(temporary)) as copy,
        ):
            original.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        objects = check(temporary)
        temporary.replace(target)
    except OSError as error:
        raise BadOption(f"{target} cannot be written: {error.strerror}", "name another file") from error
    finally:
        temporary.unlink(missing_ok=True)
    return objects


def restore(state: StateDirectory, config: ClusterConfig, source: Path) -> int:
    """Replace the data of a stopped cluster by a snapshot's; how many objects it holds.

    Raises:
        BadState: the cluster runs.
        BadOption: the file is no snapshot; the cluster's data is as before.
    """
    if running_supervisor(state.run) is not None:
        raise BadState(f"cluster {config.name!r} is running", "stop it first: pybernetes down")
    if config.storage != "sqlite":
        raise BadState(f"cluster {config.name!r} keeps its data in memory", "restore into one with sqlite storage")
    objects = check(source)
    target = store_file(state)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = target.with_name("restoring.db")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
        contextlib.closing(sqlite3.connect(temporary)) as copy,
    ):
        original.backup(copy)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    # The log and index of the old file belong to it alone: they must be gone before the new one takes its name.
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    temporary.replace(target)
    return objects


def check(path: Path) -> int:
    """How many objects a snapshot holds.

    Raises:
        BadOption: it is none, or is damaged.
    """
    if not path.is_file():
        raise BadOption(f"{path} is not a file", SNAPSHOT_HINT)
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise BadOption(f"{path} is no snapshot", SNAPSHOT_HINT)
            found = database.execute("SELECT value FROM meta WHERE name='format'").fetchone()
            if found is None or found[0] != FORMAT:
                raise BadOption(
                    f"{path} has store format {found[0] if found else 'none'}, this pybernetes reads {FORMAT}",
                    "restore it with the pybernetes that wrote it",
                )
            verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise BadOption(f"{path} is damaged: {verdict}", "use another snapshot")
            return int(database.execute("SELECT count(*) FROM entries").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise BadOption(f"{path} is no snapshot: {error}", SNAPSHOT_HINT) from error
