"""An image archive from files: one layer, one configuration, in the `docker save` format every tool imports.

The same content gives the same bytes: owners, times and order are fixed.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
"""The kernel's word for a machine → the image format's."""


@dataclass(frozen=True, slots=True)
class Directory:
    path: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class File:
    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to `target`."""

    path: str
    target: str


Item = Directory | File | Link


@dataclass(frozen=True, slots=True)
class Runtime:
    """How containers of an image start."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    ports: Sequence[int] = ()
    working_directory: str = "/"


def architecture() -> str:
    """This machine's architecture as images call it."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def layer(items: Iterable[Item]) -> bytes:
    """A layer tar; parents of every item are made."""
    by_path: dict[str, Item] = {}
    for item in items:
        parts = item.path.strip("/").split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            by_path.setdefault(parent, Directory(parent))
        by_path["/".join(parts)] = item
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(by_path):
            _add(tar, path, by_path[path])
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, item: Item) -> None:
    info = tarfile.TarInfo(path)
    match item:
        case Directory(mode=mode):
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        case File(content=content, mode=mode):
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        case Link(target=target):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(info)


def archive(name: str, items: Iterable[Item], runtime: Runtime) -> bytes:
    """A docker-archive with one image called `name`."""
    rootfs = layer(items)
    config = json.dumps(
        {
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": list(runtime.entrypoint) or None,
                "Cmd": list(runtime.command) or None,
                "Env": [f"{key}={value}" for key, value in (runtime.environment or {}).items()],
                "ExposedPorts": {f"{port}/tcp": {} for port in runtime.ports},
                "WorkingDir": runtime.working_directory,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(rootfs).hexdigest()}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "pybernetes"}],
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in (("manifest.json", manifest), (config_name, config), ("layer.tar", rootfs)):
            _add(tar, path, File(path, content))
    return buffer.getvalue()


def from_disk(path: str | os.PathLike[str], target: str = "") -> File:
    """A file of this machine, its content and mode, links followed."""
    source = Path(path)
    return File(target or str(source), source.read_bytes(), source.stat().st_mode & 0o777)
