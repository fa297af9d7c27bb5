import io
import json
import tarfile
from pathlib import Path

import pytest

from pybernetes.cluster.errors import BadImage
from pybernetes.cluster.images.build import Directory, File, Item, Link, Runtime, archive, layer
from pybernetes.cluster.images.check import images_in
from pybernetes.cluster.images.demo import demo_items


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def written(directory: Path, data: bytes) -> Path:
    path = directory / "image.tar"
    path.write_bytes(data)
    return path


def test_a_built_archive_holds_the_image_it_names(tmp_path: Path) -> None:
    data = archive("localhost/x:1", [File("bin/x", b"x", 0o755)], Runtime(command=("/bin/x",)))

    assert images_in(written(tmp_path, data)) == ["localhost/x:1"]


def test_the_same_content_gives_the_same_bytes() -> None:
    items: list[Item] = [Link("bin/sh", "busybox"), File("bin/busybox", b"b", 0o755), Directory("tmp", 0o1777)]

    assert archive("a:1", items, Runtime()) == archive("a:1", list(reversed(items)), Runtime())


def test_a_layer_makes_the_parents_of_its_files() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer([File("/lib/x86/libc.so", b"")]))) as tar:
        assert [(member.name, member.isdir()) for member in tar] == [
            ("lib", True),
            ("lib/x86", True),
            ("lib/x86/libc.so", False),
        ]


def test_the_demo_image_has_a_link_per_command_and_a_server() -> None:
    programs = [File("bin/busybox", b""), File("bin/wget", b"")]
    items = demo_items(programs, ["busybox", "sh", "wget"], [File("/lib/libc.so.6", b"")])
    paths = {item.path for item in items}

    assert {"bin/busybox", "bin/sh", "bin/wget", "bin/demo-server", "/lib/libc.so.6", "tmp"} <= paths
    assert all(sum(item.path == path for item in items) == 1 for path in paths)
    assert next(item for item in items if item.path == "bin/wget") == File("bin/wget", b"", 0o755)


MANIFEST = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]).encode()
INDEX = {"schemaVersion": 2, "manifests": [{"digest": "sha256:aa", "annotations": {}}]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a complete tar archive"),
        (b"this is no archive", "not a complete tar archive"),
        (archive("a:1", [File("x", b"x" * 9000)], Runtime())[:6000], "not a complete tar archive|incomplete"),
        (tar_of({"readme": b"hello"}), "holds no image"),
        (tar_of({"manifest.json": b"{"}), "is no JSON"),
        (tar_of({"manifest.json": b"[]"}), "lists no image"),
        (tar_of({"manifest.json": b'{"a": 1}'}), "lists no image"),
        (tar_of({"manifest.json": MANIFEST, "c.json": b"{}"}), r"l\.tar is missing"),
        (tar_of({"index.json": b"{}"}), "lists no image"),
        (tar_of({"index.json": json.dumps(INDEX).encode()}), "blobs/sha256/aa is missing"),
        (tar_of({"index.json": json.dumps(INDEX).encode(), "blobs/sha256/aa": b""}), "has no name"),
    ],
)
def test_a_bad_archive_is_refused_with_the_reason(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(BadImage, match=why) as caught:
        images_in(written(tmp_path, data))
    assert caught.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="does not exist"):
        images_in(tmp_path / "none.tar")
