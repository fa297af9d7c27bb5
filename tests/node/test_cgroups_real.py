"""Real control groups: what the manager writes is what the kernel shows, and nothing is left over."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet import mounts
from pybernetes.kubelet.cgroups import manager as cgroups
from pybernetes.kubelet.cgroups.driver import CgroupBusy, hierarchies
from pybernetes.kubelet.cgroups.manager import CgroupManager

pytestmark = pytest.mark.root

ROOT = f"/nodeio-{os.getpid()}/kubepods"


@pytest.fixture
def manager() -> Iterator[CgroupManager]:
    found = CgroupManager(cgroups.detect(), ROOT, node_memory_bytes=cgroups.node_memory_bytes(), pod_pids_limit=50)
    found.start()
    yield found
    found.destroy()
    roots = hierarchies(mounts.mount_table()).values()
    left = [root / ROOT.split("/")[1] for root in roots if (root / ROOT.split("/")[1]).exists()]
    assert not left


def pod(uid: str = "u1", **resources: Any) -> core_v1.Pod:
    document = {"metadata": {"uid": uid}, "spec": {"containers": [{"name": "c", "resources": resources}]}}
    return msgspec.convert(document, core_v1.Pod)


AMOUNTS = {"cpu": "500m", "memory": "64Mi"}


def test_the_kernel_takes_the_limits_of_a_pod(manager: CgroupManager) -> None:
    manager.ensure(pod(limits=AMOUNTS, requests=AMOUNTS))
    usage = manager.usage(pod(limits=AMOUNTS, requests=AMOUNTS))
    assert usage.memory_limit_bytes == 64 << 20
    assert usage.oom_kills == 0
    manager.ensure(pod(limits={**AMOUNTS, "memory": "32Mi"}, requests={**AMOUNTS, "memory": "32Mi"}))
    assert manager.usage(pod(limits=AMOUNTS, requests=AMOUNTS)).memory_limit_bytes == 32 << 20


def test_a_cgroup_with_a_process_is_not_removed(manager: CgroupManager) -> None:
    subject = pod(limits=AMOUNTS, requests=AMOUNTS)
    manager.ensure(subject)
    roots = set(hierarchies(mounts.mount_table()).values())
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            for root in roots:
                (root / manager.path(subject).relative_to("/") / "cgroup.procs").write_text(str(process.pid))
            assert manager.pids("u1") == [process.pid]
            with pytest.raises(CgroupBusy, match=str(process.pid)):
                manager.remove("u1")
            assert manager.pod_uids() == ["u1"]
        finally:
            process.kill()
    manager.remove("u1")
    assert manager.pod_uids() == []


def test_what_a_runtime_made_below_is_removed_with_the_pod(manager: CgroupManager) -> None:
    subject = pod()
    manager.ensure(subject)
    for root in set(hierarchies(mounts.mount_table()).values()):
        Path(root, manager.path(subject).relative_to("/"), "container").mkdir()
    manager.remove("u1")
    assert manager.pod_uids() == []
