"""Logs of a real container while they rotate: a follower misses no line, and old files are packed."""

import asyncio
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.runtime import running_containerd, sandbox
from pybernetes.api import core_v1
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock
from pybernetes.kubelet.cgroups import manager as cgroups
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.cri import api_pb2 as cri
from pybernetes.kubelet.logs.reader import LogReader
from pybernetes.kubelet.logs.records import LogFilter, LogOptions
from pybernetes.kubelet.logs.rotation import LogRotator

pytestmark = pytest.mark.root

LINES = 30_000


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with running_containerd(tmp_path / "c") as made:
        yield made


async def test_a_follower_misses_no_line_while_the_log_rotates(state: StateDirectory, tmp_path: Path) -> None:
    manager = CgroupManager(cgroups.detect(), f"/nodeio-logs-{os.getpid()}/kubepods", node_memory_bytes=1 << 30)
    manager.start()
    parent = manager.ensure(msgspec.convert({"metadata": {"uid": "u1"}}, core_v1.Pod))
    async with sandbox(state, "u1", parent, tmp_path / "logs") as made:
        script = f"for part in 1 2 3 4 5 6; do seq {LINES // 6}; sleep 0.2; done"
        container = await made.start("main", "sh", "-c", script)
        path = tmp_path / "logs/main/0.log"

        async def is_running() -> bool:
            return (await made.runtime.container_status(container)).state == cri.CONTAINER_RUNNING

        async def running() -> dict[str, Path]:
            return {container: path} if await is_running() else {}

        rotator = LogRotator(running, made.runtime.reopen_container_log, SystemClock(), max_bytes=200_000, max_files=3)
        rotations = 0

        async def rotate() -> None:
            nonlocal rotations
            while await is_running():
                before = path.stat().st_ino
                await rotator.rotate_all()
                rotations += path.stat().st_ino != before
                await asyncio.sleep(1.1)  # noqa: TID251 - names of rotated files tell seconds

        rotating = asyncio.create_task(rotate())
        reader = LogReader(path, LogOptions(follow=True), SystemClock())
        async with asyncio.timeout(60):
            output = b"".join([block async for block in reader.read(is_running)])
        await rotating
        assert output.split() == [str(n).encode() for n in range(1, LINES // 6 + 1)] * 6
        assert rotations >= 1
        packed = sorted(path.parent.glob("0.log.*.gz"))
        for file in packed:
            take = LogFilter(LogOptions()).take
            lines = gzip.decompress(file.read_bytes()).splitlines()
            assert all(take(line).strip().isdigit() for line in lines)
    manager.remove("u1")
    manager.destroy()
