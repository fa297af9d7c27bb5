"""Volumes with real mounts: what containers would see, how it is kept fresh, and that nothing is left over."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.effects import Chance, VirtualClock
from pybernetes.kubelet import mounts
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.references import WatchedReferences
from pybernetes.kubelet.seam import CreateContainerConfigError, Mount, VolumeError, VolumeStillMounted
from pybernetes.kubelet.volumes.manager import VolumeManager
from unit.kubelet.fake_api import FakeApi

if TYPE_CHECKING:
    from pybernetes.client.interface import Client

pytestmark = pytest.mark.root


class Node:
    """A volume manager with everything it needs, on virtual time."""

    def __init__(self, root: Path) -> None:
        self.clock = VirtualClock()
        self.api = FakeApi(self.clock)
        self.root = root
        self.failures: list[VolumeError] = []
        client = cast("Client", self.api)
        self.references = WatchedReferences(client, self.clock)
        self.volumes = VolumeManager(
            client,
            self.references,
            self.clock,
            Chance(1),
            root=root,
            node=lambda: NodeFacts(("192.0.2.1",), {"cpu": "2", "memory": "4Gi"}),
            on_failure=lambda _pod, error: self.failures.append(error),
        )

    def config_map(self, name: str, **data: str) -> None:
        document = {"metadata": {"namespace": "shop", "name": name}, "data": data}
        self.api.put(msgspec.convert(document, core_v1.ConfigMap))

    async def settled(self) -> None:
        """Until watches, refreshes and their threads have done what there was to do."""
        for _ in range(40):
            await self.clock.settle()
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    async def prepare(self, pod: core_v1.Pod) -> None:
        self.references.register(pod)
        await self.clock.settle()
        await self.volumes.prepare(pod)

    async def mounts(self, pod: core_v1.Pod, **environment: str) -> list[Mount]:
        return await self.volumes.mounts(pod, pod.spec.containers[0], environment, ("10.244.0.7",))


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    root = tmp_path / "kubelet"
    made = Node(root)
    made.volumes.start()
    tasks = [asyncio.create_task(made.references.run()), asyncio.create_task(made.volumes.run())]
    await made.clock.settle()
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for uid in made.volumes.orphans(()):
        await made.volumes.teardown(uid)
    made.volumes.destroy()
    assert mounts.at_or_under(root) == []


def pod(
    *volumes: dict[str, Any], mounts_: list[dict[str, Any]] | None = None, uid: str = "u1", **spec: Any
) -> core_v1.Pod:
    document = {
        "metadata": {"name": "web", "namespace": "shop", "uid": uid, "labels": {"app": "web"}},
        "spec": {
            "serviceAccountName": "robot",
            "containers": [{"name": "main", "volumeMounts": mounts_ or []}],
            "volumes": [{"name": f"v{number}", **volume} for number, volume in enumerate(volumes)],
            **spec,
        },
    }
    return msgspec.convert(document, core_v1.Pod)


def at(path: str, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": f"v{number}", "mountPath": path, **more}


def path_of(mounts_: list[Mount], container_path: str) -> Path:
    return Path(next(mount.host_path for mount in mounts_ if mount.container_path == container_path))


async def test_every_kind_of_volume_is_there_and_goes_without_a_trace(node: Node, tmp_path: Path) -> None:
    node.config_map("settings", color="blue")
    host = tmp_path / "host"
    host.mkdir()
    (host / "kept").write_text("kept")
    subject = pod(
        {"emptyDir": {}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"configMap": {"name": "settings"}},
        {"hostPath": {"path": str(host), "type": "Directory"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}},
        mounts_=[at(f"/v{number}", number) for number in range(6)],
    )
    await node.prepare(subject)
    made = await node.mounts(subject)
    assert path_of(made, "/v0").stat().st_mode & 0o777 == 0o777
    with pytest.raises(OSError, match="No space left"):
        (path_of(made, "/v1") / "big").write_bytes(bytes(2 << 20))
    assert (path_of(made, "/v2") / "color").read_text() == "blue"
    assert path_of(made, "/v3") == host
    assert (path_of(made, "/v4") / "labels").read_text() == 'app="web"'
    assert (path_of(made, "/v5") / "token").read_text() == "token-1"
    assert [mount.read_only for mount in made] == [False, False, True, False, True, True, False]
    assert "10.244.0.7\tweb\n" in path_of(made, "/etc/hosts").read_text()
    assert len(mounts.at_or_under(node.volumes.directory("u1").path)) == 3

    await node.volumes.teardown("u1")
    assert mounts.at_or_under(node.volumes.directory("u1").path) == []
    assert not node.volumes.directory("u1").volumes.exists()
    assert (host / "kept").read_text() == "kept"
    await node.volumes.teardown("u1")


async def test_running_pods_see_changes_of_their_config_maps(node: Node) -> None:
    node.config_map("settings", color="blue", size="1")
    subject = pod({"configMap": {"name": "settings"}}, mounts_=[at("/config"), at("/one", subPath="color")])
    await node.prepare(subject)
    made = await node.mounts(subject)
    node.config_map("settings", color="red")
    await node.settled()
    assert (path_of(made, "/config") / "color").read_text() == "red"
    assert not (path_of(made, "/config") / "size").exists()
    assert path_of(made, "/one").read_text() == "blue", "a sub-path keeps what it was bound to"


async def test_a_missing_config_map_holds_the_pod_and_its_arrival_lets_it_go(node: Node) -> None:
    subject = pod({"configMap": {"name": "late"}})
    with pytest.raises(VolumeError) as caught:
        await node.prepare(subject)
    assert str(caught.value) == 'MountVolume.SetUp failed for volume "v0" : configmap "late" not found'
    node.config_map("late", a="1")
    await node.settled()
    await node.prepare(subject)


async def test_a_config_map_deleted_under_a_running_pod_leaves_its_files(node: Node) -> None:
    node.config_map("settings", color="blue")
    subject = pod({"configMap": {"name": "settings"}}, mounts_=[at("/config")])
    await node.prepare(subject)
    node.api.remove(core_v1.ConfigMap, "shop", "settings")
    await node.settled()
    assert (path_of(await node.mounts(subject), "/config") / "color").read_text() == "blue"
    assert [str(error) for error in node.failures] == [
        'MountVolume.SetUp failed for volume "v0" : configmap "settings" not found'
    ]


async def test_tokens_in_volumes_are_replaced_before_they_are_old(node: Node) -> None:
    subject = pod(
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}},
        mounts_=[at("/token")],
    )
    await node.prepare(subject)
    file = path_of(await node.mounts(subject), "/token") / "token"
    assert file.read_text() == "token-1"
    await node.clock.advance(3607 * 0.8 + 61)
    await node.settled()
    assert file.read_text() == "token-2"


async def test_volumes_belong_to_the_group_of_the_pod(node: Node) -> None:
    node.config_map("settings", color="blue")
    subject = pod(
        {"emptyDir": {}},
        {"configMap": {"name": "settings", "defaultMode": 0o400}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        mounts_=[at(f"/v{number}", number) for number in range(3)],
        securityContext={"fsGroup": 4321},
    )
    await node.prepare(subject)
    made = await node.mounts(subject)
    empty = path_of(made, "/v0").stat()
    assert (empty.st_gid, empty.st_mode & 0o7777) == (4321, 0o2777)
    color = (path_of(made, "/v1") / "color").stat()
    assert (color.st_gid, color.st_mode & 0o777) == (4321, 0o440)
    token = (path_of(made, "/v2") / "token").stat()
    assert (token.st_gid, token.st_mode & 0o777) == (4321, 0o640)


async def test_sub_paths_stay_in_their_volume(node: Node, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    subject = pod({"emptyDir": {}}, mounts_=[at("/a", subPathExpr="logs/$(NAME)"), at("/b", subPath="trap")])
    await node.prepare(subject)
    volume = node.volumes.volume_path("u1", "v0")
    assert volume is not None
    (volume / "trap").symlink_to(outside)
    with pytest.raises(CreateContainerConfigError, match='failed to prepare subPath for volumeMount "v0" of container'):
        await node.mounts(subject, NAME="web-0")
    (volume / "trap").unlink()
    made = await node.mounts(subject, NAME="web-0")
    (path_of(made, "/a") / "log").write_text("x")
    assert (volume / "logs/web-0/log").read_text() == "x"
    assert (volume / "trap").is_dir()
    again = await node.mounts(subject, NAME="web-0")
    assert again == made
    assert len(mounts.at_or_under(node.volumes.directory("u1").sub_paths)) == 2


async def test_a_sub_path_of_the_node_survives_the_pod(node: Node, tmp_path: Path) -> None:
    (tmp_path / "host/data").mkdir(parents=True)
    (tmp_path / "host/data/kept").write_text("kept")
    subject = pod({"hostPath": {"path": str(tmp_path / "host")}}, mounts_=[at("/a", subPath="data")])
    await node.prepare(subject)
    assert (path_of(await node.mounts(subject), "/a") / "kept").read_text() == "kept"
    await node.volumes.teardown("u1")
    assert (tmp_path / "host/data/kept").read_text() == "kept"


async def test_what_is_in_use_is_not_removed(node: Node) -> None:
    subject = pod({"emptyDir": {"medium": "Memory"}}, mounts_=[at("/m")])
    await node.prepare(subject)
    path = path_of(await node.mounts(subject), "/m")
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(VolumeStillMounted, match="still mounted"):
            await node.volumes.teardown("u1")
    finally:
        os.close(fd)
    await node.volumes.teardown("u1")
    assert node.volumes.volume_path("u1", "v0") is None


async def test_a_local_volume_is_bound_and_survives(node: Node, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    claim = {
        "metadata": {"namespace": "shop", "name": "data", "uid": "c1"},
        "spec": {"volumeName": "pv1"},
        "status": {"phase": "Bound"},
    }
    volume = {"metadata": {"name": "pv1"}, "spec": {"local": {"path": str(disk)}, "claimRef": {"uid": "c1"}}}
    node.api.put(msgspec.convert(claim, core_v1.PersistentVolumeClaim))
    node.api.put(msgspec.convert(volume, core_v1.PersistentVolume))
    subject = pod(
        {"persistentVolumeClaim": {"claimName": "data"}}, mounts_=[at("/data")], securityContext={"fsGroup": 4321}
    )
    await node.prepare(subject)
    (path_of(await node.mounts(subject), "/data") / "file").write_text("x")
    assert disk.stat().st_gid == 4321
    await node.volumes.teardown("u1")
    assert (disk / "file").read_text() == "x"


async def test_a_second_start_finds_the_volumes_of_the_first(node: Node, tmp_path: Path) -> None:
    subject = pod({"emptyDir": {"medium": "Memory"}}, mounts_=[at("/m")])
    await node.prepare(subject)
    (path_of(await node.mounts(subject), "/m") / "file").write_text("x")
    second = Node(node.root)
    second.volumes.start()
    await second.volumes.prepare(subject)
    assert (path_of(await second.mounts(subject), "/m") / "file").read_text() == "x"
    assert second.volumes.orphans([]) == ["u1"]
