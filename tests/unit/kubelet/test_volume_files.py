import base64
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.volumes import atomic_writer, host_path, ownership, payload, plan
from pybernetes.kubelet.volumes.payload import File, PayloadError
from pybernetes.machinery.errors import not_found

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)


def pod(volume: dict[str, Any], container: dict[str, Any] | None = None, **spec: Any) -> core_v1.Pod:
    document = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"b": "2", "a": "1"}},
        "spec": {"containers": [{"name": "c", **(container or {})}], "volumes": [{"name": "v", **volume}], **spec},
    }
    return msgspec.convert(document, core_v1.Pod)


FOUND = plan.Found(
    config_maps={
        "settings": msgspec.convert(
            {"data": {"color": "blue"}, "binaryData": {"raw": base64.b64encode(b"\xff\0").decode()}}, core_v1.ConfigMap
        ),
        "gone": not_found("configmap", "", "gone"),
    },
    secrets={
        "login": msgspec.convert({"data": {"password": base64.b64encode(b"x").decode()}}, core_v1.Secret),
        "gone": not_found("secret", "", "gone"),
    },
    tokens={("v", 0): "a.b.c"},
    claims={"v": ValueError("error processing PVC shop/data: PVC is not bound")},
)
NODE = NodeFacts(("192.0.2.1",), {"cpu": "2", "memory": "4Gi"})
TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def step(subject: core_v1.Pod) -> plan.Step:
    return plan.steps(subject, FOUND, NODE)[0]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(
            pod({"configMap": {"name": "settings"}}),
            {"color": File(b"blue", 0o644), "raw": File(b"\xff\0", 0o644)},
            id="all keys of a ConfigMap, binary ones too",
        ),
        pytest.param(
            pod({"configMap": {"name": "settings", "defaultMode": 0o400, "items": [{"key": "color", "path": "a/b"}]}}),
            {"a/b": File(b"blue", 0o400)},
            id="chosen keys at chosen paths",
        ),
        pytest.param(
            pod({"secret": {"secretName": "login", "items": [{"key": "password", "path": "p", "mode": 0o440}]}}),
            {"p": File(b"x", 0o440)},
            id="a mode of its own",
        ),
        pytest.param(pod({"secret": {"secretName": "gone", "optional": True}}), {}, id="an optional Secret is empty"),
        pytest.param(
            pod({"configMap": {"name": "settings", "optional": True, "items": [{"key": "no", "path": "p"}]}}),
            {},
            id="an optional key is left out",
        ),
        pytest.param(
            pod(
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                            {
                                "path": "cpu",
                                "mode": 0o600,
                                "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1m"},
                            },
                        ]
                    }
                }
            ),
            {"labels": File(b'a="1"\nb="2"', 0o644), "cpu": File(b"2000", 0o600)},
            id="what the pod tells of itself",
        ),
        pytest.param(pod(TOKEN), {"token": File(b"a.b.c", 0o644)}, id="a token anyone may read"),
        pytest.param(
            pod(TOKEN, securityContext={"fsGroup": 7}), {"token": File(b"a.b.c", 0o600)}, id="a token for the group"
        ),
        pytest.param(
            pod(TOKEN, securityContext={"runAsUser": 5}), {"token": File(b"a.b.c", 0o600, 5)}, id="a token for the user"
        ),
        pytest.param(
            pod(TOKEN, {"securityContext": {"runAsUser": 5}}, initContainers=[{"name": "i"}]),
            {"token": File(b"a.b.c", 0o644)},
            id="no common user, no owner",
        ),
        pytest.param(
            pod(
                {
                    "projected": {
                        "defaultMode": 0o444,
                        "sources": [
                            {"serviceAccountToken": {"path": "token"}},
                            {"configMap": {"name": "settings", "items": [{"key": "color", "path": "color"}]}},
                            {"secret": {"name": "login"}},
                        ],
                    }
                }
            ),
            {
                "token": File(b"a.b.c", 0o444),
                "color": File(b"blue", 0o444),
                "password": File(b"x", 0o444),
            },
            id="several sources in one directory",
        ),
    ],
)
def test_a_volume_of_configuration_holds(subject: core_v1.Pod, expected: dict[str, File]) -> None:
    made = step(subject)
    assert isinstance(made, plan.Files)
    assert made.payload == expected


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param(
            {"configMap": {"name": "gone"}},
            'MountVolume.SetUp failed for volume "v" : configmap "gone" not found',
            id="a ConfigMap that does not exist",
        ),
        pytest.param(
            {"secret": {"secretName": "gone"}},
            'MountVolume.SetUp failed for volume "v" : secret "gone" not found',
            id="a Secret that does not exist",
        ),
        pytest.param(
            {"configMap": {"name": "settings", "items": [{"key": "no", "path": "p"}]}},
            'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: no',
            id="a key that does not exist",
        ),
        pytest.param(
            {"projected": {"sources": [{"secret": {"name": "gone"}}, {"configMap": {"name": "gone"}}]}},
            'MountVolume.SetUp failed for volume "v" : [secret "gone" not found, configmap "gone" not found]',
            id="several things at once",
        ),
        pytest.param(
            {"persistentVolumeClaim": {"claimName": "data"}},
            "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], "
            "failed to process volumes=[v]: error processing PVC shop/data: PVC is not bound",
            id="a claim without volume",
        ),
        pytest.param(
            {"nfs": {"server": "s", "path": "/"}},
            'failed to get Plugin from volumeSpec for volume "v" err=no volume plugin matched',
            id="a kind of volume nobody provides",
        ),
    ],
)
def test_a_volume_that_cannot_be_made_says_why(volume: dict[str, Any], message: str) -> None:
    assert step(pod(volume)) == plan.Failed("v", message)


@pytest.mark.parametrize(
    ("subject", "size"),
    [
        pytest.param(pod({"emptyDir": {"medium": "Memory"}}), 4 << 30, id="as much as the node has"),
        pytest.param(pod({"emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}}), 32 << 20, id="its own limit"),
        pytest.param(
            pod({"emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}}, {"resources": {"limits": {"memory": "16Mi"}}}),
            16 << 20,
            id="no more than the pod may use",
        ),
    ],
)
def test_a_directory_in_memory_is_bounded(subject: core_v1.Pod, size: int) -> None:
    assert step(subject) == plan.EmptyDir("v", "Memory", size)


def visible(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.relative_to(directory).parts[0].startswith("..")
    }


def test_files_are_replaced_added_and_removed_at_once(tmp_path: Path) -> None:
    assert atomic_writer.write(tmp_path, {"a": File(b"1", 0o644), "b": File(b"2", 0o600)}, NOW)
    assert visible(tmp_path) == {"a": "1", "b": "2"}
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert atomic_writer.write(tmp_path, {"a": File(b"3", 0o644), "c": File(b"4", 0o644)}, NOW)
    assert visible(tmp_path) == {"a": "3", "c": "4"}
    assert not atomic_writer.write(tmp_path, {"a": File(b"3", 0o644), "c": File(b"4", 0o644)}, NOW)
    assert len([path for path in tmp_path.iterdir() if path.name.startswith("..2026")]) == 1
    assert str((tmp_path / "a").readlink()) == "..data/a"


def test_nested_paths_are_reached_through_one_link(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"x/y/z": File(b"1", 0o644), "x/w": File(b"2", 0o644)}, NOW)
    assert (tmp_path / "x/y/z").read_text() == "1"
    assert str((tmp_path / "x").readlink()) == "..data/x"


def test_an_empty_volume_has_its_data_link(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {}, NOW)
    assert (tmp_path / "..data").is_dir()


def test_what_a_crash_left_is_cleaned_by_the_next_update(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o644)}, NOW)
    (tmp_path / "..2026_01_01_09_00_00.dead").mkdir()
    (tmp_path / "..data_tmp").symlink_to("..2026_01_01_09_00_00.dead")
    atomic_writer.write(tmp_path, {"a": File(b"2", 0o644)}, NOW)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("..2026_01_01_09")) == []
    assert visible(tmp_path) == {"a": "2"}


def test_a_failed_write_leaves_the_old_files(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o644)}, NOW)

    def refuse(_path: Path) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        atomic_writer.write(tmp_path, {"a": File(b"2", 0o644)}, NOW, refuse)
    assert visible(tmp_path) == {"a": "1"}


def test_a_reader_never_sees_a_mixture(tmp_path: Path) -> None:
    def both(number: int) -> dict[str, File]:
        return {name: File(str(number).encode(), 0o644) for name in ("a", "b")}

    atomic_writer.write(tmp_path, both(0), NOW)
    stop, torn = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                fd = os.open(tmp_path / "..data", os.O_PATH | os.O_DIRECTORY)
            except FileNotFoundError:  # replaced and removed between looking it up and opening it
                continue
            try:
                texts = {Path(f"/proc/self/fd/{fd}/{name}").read_text() for name in ("a", "b")}
            except FileNotFoundError:  # the version we held was replaced and removed: open the new one
                continue
            finally:
                os.close(fd)
            if len(texts) > 1:
                torn.append(texts)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 60):
        atomic_writer.write(tmp_path, both(number), NOW)
    stop.set()
    reader.join()
    assert torn == []


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../b", "..data", "..x/y", "x" * 256, "a/" * 2100])
def test_paths_that_leave_or_break_the_volume_are_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="invalid path"):
        atomic_writer.write(tmp_path, {path: File(b"", 0o644)}, NOW)


@pytest.mark.parametrize(
    ("mode", "read_only", "expected"),
    [
        (0o100644, False, 0o664),
        (0o100400, True, 0o440),
        (0o100600, True, 0o640),
        (0o040755, False, 0o2775),
        (0o040700, True, 0o2750),
    ],
)
def test_the_group_may_read_and_write_unless_it_may_only_read(mode: int, read_only: bool, expected: int) -> None:
    assert ownership.wanted_mode(mode, read_only=read_only) == expected


def test_giving_a_tree_to_a_group_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o600)
    volume = tmp_path / "volume"
    (volume / "inner").mkdir(parents=True)
    (volume / "inner/file").write_text("")
    (volume / "link").symlink_to(outside)
    (volume / "directory-link").symlink_to(tmp_path)
    ownership.give_to_group(volume, os.getgid(), read_only=False)
    assert (volume / "inner").stat().st_mode & 0o2070 == 0o2070
    assert outside.stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o2000 == 0


def test_a_path_of_the_node_must_be_what_the_volume_says(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for kind in ("", "Directory", "DirectoryOrCreate"):
        host_path.check(str(tmp_path), kind)
    for kind in ("File", "FileOrCreate"):
        host_path.check(str(tmp_path / "file"), kind)
    host_path.check(str(tmp_path / "new/deep"), "DirectoryOrCreate")
    assert (tmp_path / "new/deep").is_dir()
    host_path.check(str(tmp_path / "new-file"), "FileOrCreate")
    assert (tmp_path / "new-file").is_file()
    host_path.check("/dev/null", "CharDevice")
    for path, kind, name in [
        ("file", "Directory", "directory"),
        ("file", "Socket", "socket file"),
        ("none", "File", "file"),
        ("file", "BlockDevice", "block device"),
    ]:
        with pytest.raises(
            host_path.HostPathError, match=f"hostPath type check failed: {tmp_path}/{path} is not a {name}"
        ):
            host_path.check(str(tmp_path / path), kind)
    with pytest.raises(host_path.HostPathError, match="must not contain"):
        host_path.check(f"{tmp_path}/../x", "")


def test_the_content_of_files_never_shows_in_logs() -> None:
    assert "secret" not in repr(File(b"secret", 0o600))
    assert payload.aggregated(["a", "b", "a"]) == "[a, b]"
