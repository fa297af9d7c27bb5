"""kill -9 while 20 writers write: every acknowledged write is there afterwards, and no half one.

`STORAGE_KILL_ROUNDS` sets how many times (make chaos: 100); a failure names its round and seed.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.effects import Chance, SystemClock
from pybernetes.storage.sqlite import open_sqlite

ROUNDS = int(os.environ.get("STORAGE_KILL_ROUNDS", "5"))
REPOSITORY = Path(__file__).resolve().parents[2]

WRITER = """
import asyncio, hashlib, os, sys
from pathlib import Path
from pybernetes.effects import SystemClock
from pybernetes.storage.sqlite import open_sqlite

def value(key, number):
    body = f"{key} {number} ".encode() * 60
    return hashlib.sha256(body).hexdigest().encode() + body

async def write(store, writer, start):
    number = start
    while True:
        number += 1
        key = f"/registry/pods/w{writer}/{number % 7}"
        if number % 11 == 0:
            try:
                _, revision = await store.delete(key)
            except KeyError:
                raise
            except Exception as error:
                if type(error).__name__ != "KeyNotFound":
                    raise
                continue
            os.write(1, f"D {key} {revision}\\n".encode())
        else:
            revision = await store.put(key, value(key, number))
            os.write(1, f"P {key} {revision} {number}\\n".encode())

async def main():
    store = open_sqlite(Path(sys.argv[1]), SystemClock())
    os.write(1, b"started\\n")
    async with asyncio.TaskGroup() as tasks:
        for writer in range(20):
            tasks.create_task(write(store, writer, int(sys.argv[2])))

asyncio.run(main())
"""


def is_whole(value: bytes) -> bool:
    return hashlib.sha256(value[64:]).hexdigest().encode() == value[:64]


def killed_after(path: Path, start: int, seconds: float) -> list[list[str]]:
    """What a writer acknowledged before it was killed."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [sys.executable, "-c", WRITER, str(path), str(start)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"started\n"
    try:
        writer.wait(timeout=seconds)
        pytest.fail("the writer ended by itself")
    except subprocess.TimeoutExpired:
        writer.kill()
    lines = writer.stdout.read().decode().splitlines()
    writer.wait()
    writer.stdout.close()
    return [line.split() for line in lines]


async def test_no_acknowledged_write_is_lost_and_none_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    acknowledged: dict[str, tuple[int, str]] = {}
    total = 0
    for number in range(ROUNDS):
        seconds = Chance(number).uniform(0.02, 0.4)
        for kind, key, revision, *rest in killed_after(path, number * 1_000_000, seconds):
            total += 1
            acknowledged[key] = (int(revision), rest[0] if kind == "P" else "")
        store = open_sqlite(path, SystemClock())
        entries = {entry.key: entry for entry in (await store.range("/registry/")).entries}
        for key, (acknowledged_at, written) in acknowledged.items():
            entry = entries.get(key)
            where = f"round {number}: {key} at {acknowledged_at}"
            if entry is None:
                # Deleted, or a later deletion that was not acknowledged any more.
                assert not written or store.revision > acknowledged_at, where
                continue
            assert entry.mod_revision >= acknowledged_at, where
            if entry.mod_revision == acknowledged_at:
                assert entry.value.split()[1].decode() == written, where
        assert all(is_whole(entry.value) for entry in entries.values()), f"round {number}"
        assert store.revision >= max((revision for revision, _ in acknowledged.values()), default=0)
        await store.close()
    sys.stdout.write(f"{ROUNDS} rounds, {total} acknowledged writes, none lost\n")
    assert total > 50 * ROUNDS
