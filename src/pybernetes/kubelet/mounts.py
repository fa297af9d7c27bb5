"""Mounting and unmounting, and the kernel's table of mounts. The only module here that changes mounts.

`mount` and `umount2` of the C library are called directly: no process is started per volume, and the descriptor of a
safely opened path stays valid up to the call.

Follows: kubernetes vendor k8s.io/mount-utils mount_linux.go; proc_pid_mountinfo(5).
"""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 4096, 16384, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One line of /proc/self/mountinfo."""

    id: int
    parent: int
    root: str
    path: str
    options: frozenset[str]
    propagation: tuple[str, ...]
    """`shared:7`, `master:2`; empty for a private mount."""
    fstype: str
    source: str
    super_options: frozenset[str]


def parse_mountinfo(data: bytes) -> list[MountPoint]:
    """The mounts of a mountinfo file in their order, paths unescaped."""
    result = []
    for line in data.splitlines():
        head, _, tail = line.partition(b" - ")
        fields, rest = head.split(b" "), tail.split(b" ")
        if len(fields) < 6 or len(rest) < 3:
            continue
        result.append(
            MountPoint(
                id=int(fields[0]),
                parent=int(fields[1]),
                root=_unescaped(fields[3]),
                path=_unescaped(fields[4]),
                options=frozenset(fields[5].decode().split(",")),
                propagation=tuple(field.decode() for field in fields[6:]),
                fstype=rest[0].decode(),
                source=_unescaped(rest[1]),
                super_options=frozenset(rest[2].decode(errors="replace").split(",")),
            )
        )
    return result


def _unescaped(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))


def mount_table() -> list[MountPoint]:
    """What is mounted in this process's mount namespace."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())


def at_or_under(path: Path, data: bytes | None = None) -> list[str]:
    """Mount points at `path` or below, deepest first; a path mounted twice appears twice.

    `data` is the kernel's table, read when not given. Only lines that name the path are parsed: a node with hundreds
    of pods has thousands of lines.
    """
    table = Path("/proc/self/mountinfo").read_bytes() if data is None else data
    needle = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040").replace(b"\t", b"\\011")
    lines = [line for line in table.splitlines() if needle in line]
    prefix = f"{path}/"
    found = [mount.path for mount in parse_mountinfo(b"\n".join(lines)) if f"{mount.path}/".startswith(prefix)]
    return sorted(found, key=lambda found_path: (-found_path.count("/"), found_path))


def bind(source: Path, target: Path, *, recursive: bool = True) -> None:
    """`source` appears at `target` too. Raises: OSError."""
    _mount(str(source), target, None, MS_BIND | (MS_REC if recursive else 0))


def bind_descriptor(fd: int, target: Path, *, recursive: bool = True) -> None:
    """What the descriptor `fd` of this process refers to appears at `target` too. Raises: OSError."""
    _mount(f"/proc/self/fd/{fd}", target, None, MS_BIND | (MS_REC if recursive else 0))


def make_shared(path: Path) -> None:
    """Mounts made below `path`, on either side of a namespace, propagate. Raises: OSError."""
    _mount("none", path, None, MS_REC | MS_SHARED)


def tmpfs(target: Path, options: str) -> None:
    """A file system in memory, charged to whoever writes. Raises: OSError."""
    _mount("tmpfs", target, "tmpfs", 0, options)


def _mount(source: str, target: Path, fstype: str | None, flags: int, data: str | None = None) -> None:
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        fstype.encode() if fstype is not None else None,
        ctypes.c_ulong(flags),
        data.encode() if data is not None else None,
    )
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def unmount(path: Path, *, detach: bool = False) -> None:
    """The uppermost mount at `path` is gone; with `detach`, at once for everybody new, later for those who use it.

    Raises:
        OSError: EBUSY when it is in use, EINVAL when nothing is mounted there.
    """
    if _libc.umount2(os.fsencode(path), UMOUNT_NOFOLLOW | (MNT_DETACH if detach else 0)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def huge_pages(target: Path, page_size: str) -> None:
    """A file system of huge pages, of the default size when `page_size` is empty. Raises: OSError."""
    _mount("nodev", target, "hugetlbfs", 0, f"pagesize={page_size.removesuffix('i')}" if page_size else None)
