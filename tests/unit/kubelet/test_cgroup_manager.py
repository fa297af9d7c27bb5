from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet import mounts
from pybernetes.kubelet.cgroups.amounts import CgroupLimits
from pybernetes.kubelet.cgroups.driver import hierarchies
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.cgroups.v1 import V1Driver
from pybernetes.kubelet.cgroups.v2 import V2Driver

MOUNTINFO = b"""\
30 20 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
35 20 0:31 / /mnt/with\\040space rw master:1 - ext4 /dev/x rw
"""


def test_finds_every_hierarchy_of_a_hybrid_machine() -> None:
    table = mounts.parse_mountinfo(MOUNTINFO)
    assert hierarchies(table) == {
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "memory": Path("/sys/fs/cgroup/memory"),
        "name=systemd": Path("/sys/fs/cgroup/systemd"),
        "unified": Path("/sys/fs/cgroup/unified"),
    }
    assert table[-1].path == "/mnt/with space"
    assert table[-1].propagation == ("master:1",)


def pod(uid: str = "u1", **resources: Any) -> core_v1.Pod:
    document: dict[str, Any] = {
        "metadata": {"uid": uid},
        "spec": {"containers": [{"name": "c", "resources": resources}]},
    }
    return msgspec.convert(document, core_v1.Pod)


AMOUNTS = {"cpu": "500m", "memory": "64Mi"}
GUARANTEED: dict[str, Any] = {"limits": AMOUNTS, "requests": AMOUNTS}
BURSTABLE: dict[str, Any] = {"requests": {"cpu": "250m"}}


@pytest.fixture
def v1(tmp_path: Path) -> tuple[CgroupManager, dict[str, Path]]:
    roots = {name: tmp_path / name for name in ("cpu", "cpuset", "memory", "pids", "unified")}
    for root in roots.values():
        root.mkdir()
    (roots["cpuset"] / "cpuset.cpus").write_text("0-1\n")
    return CgroupManager(V1Driver(roots), "/lab/kubepods", node_memory_bytes=1 << 30, pod_pids_limit=100), roots


def read(root: Path, path: str) -> str:
    return (root / "lab/kubepods" / path).read_text().strip()


def test_a_pod_lies_below_its_class_in_every_hierarchy(v1: tuple[CgroupManager, dict[str, Path]]) -> None:
    manager, roots = v1
    manager.start()
    assert manager.ensure(pod(**GUARANTEED)) == "/lab/kubepods/podu1"
    assert manager.ensure(pod("u2", **BURSTABLE)) == "/lab/kubepods/burstable/podu2"
    assert manager.ensure(pod("u3")) == "/lab/kubepods/besteffort/podu3"
    assert all((root / "lab/kubepods/burstable/podu2").is_dir() for root in roots.values())
    assert manager.pod_uids() == ["u1", "u2", "u3"]


def test_limits_are_written_controller_by_controller(v1: tuple[CgroupManager, dict[str, Path]]) -> None:
    manager, roots = v1
    manager.ensure(pod(**GUARANTEED))
    assert read(roots["cpu"], "podu1/cpu.shares") == "512"
    assert read(roots["cpu"], "podu1/cpu.cfs_quota_us") == "50000"
    assert read(roots["memory"], "podu1/memory.limit_in_bytes") == str(64 << 20)
    assert read(roots["pids"], "podu1/pids.max") == "100"


def test_burstable_weighs_as_much_as_its_pods_ask_for(v1: tuple[CgroupManager, dict[str, Path]]) -> None:
    manager, roots = v1
    manager.start()
    manager.update_classes([pod("u1", **GUARANTEED), pod("u2", **BURSTABLE), pod("u3", **BURSTABLE), pod("u4")])
    assert read(roots["cpu"], "burstable/cpu.shares") == "512"
    assert read(roots["cpu"], "besteffort/cpu.shares") == "2"


def test_removing_what_is_not_there_does_nothing(v1: tuple[CgroupManager, dict[str, Path]]) -> None:
    v1[0].remove("nobody")


def test_v2_switches_controllers_on_from_the_top_and_writes_its_own_files(tmp_path: Path) -> None:
    for path in ("", "lab", "lab/kubepods", "lab/kubepods/podu1"):
        (tmp_path / path).mkdir(exist_ok=True)
        (tmp_path / path / "cgroup.controllers").write_text("cpu memory pids misc\n")
        (tmp_path / path / "cgroup.subtree_control").write_text("memory\n" if not path else "\n")
    manager = CgroupManager(V2Driver(tmp_path), "/lab/kubepods", node_memory_bytes=1 << 30, pod_pids_limit=100)
    manager.ensure(pod(**GUARANTEED))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +pids"
    assert (tmp_path / "lab/kubepods/podu1/cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert read(tmp_path, "podu1/cpu.weight") == "20"
    assert read(tmp_path, "podu1/cpu.max") == "50000 100000"
    assert read(tmp_path, "podu1/memory.max") == str(64 << 20)
    assert read(tmp_path, "podu1/pids.max") == "100"


def test_v2_lifts_limits_with_max(tmp_path: Path) -> None:
    driver = V2Driver(tmp_path)
    (tmp_path / "a").mkdir()
    driver.apply(PurePosixPath("/a"), CgroupLimits(cpu_quota_microseconds=-1, memory_bytes=-1))
    assert (tmp_path / "a/cpu.max").read_text() == "max 100000"
    assert (tmp_path / "a/memory.max").read_text() == "max"


def test_the_working_set_is_usage_without_inactive_file_pages(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 400\npgfault 7\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 12\n")
    (tmp_path / "memory.events").write_text("low 0\noom_kill 2\n")
    usage = V2Driver(tmp_path).usage(PurePosixPath("/"))
    assert (usage.working_set_bytes, usage.rss_bytes, usage.cpu_nanoseconds, usage.oom_kills) == (600, 300, 12_000, 2)
    assert usage.memory_limit_bytes is None


@pytest.mark.parametrize("root", ["/", "kubepods"])
def test_the_root_of_all_cgroups_is_never_ours(root: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be an absolute path below /"):
        CgroupManager(V2Driver(tmp_path), root, node_memory_bytes=1)
