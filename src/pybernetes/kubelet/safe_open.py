"""Opening paths that others control, without ever leaving a directory.

A volume's content belongs to containers: between a check and its use, a container can put a symbolic link to the
node's `/etc` in the place of a directory. The kernel's `openat2` with RESOLVE_BENEATH resolves a path and refuses
every step out of the root in one go; what it returns is a descriptor, which no later rename can turn.

Follows: kubernetes pkg/volume/util/subpath (doSafeOpen, doSafeMakeDir), which walks step by step for older kernels.
"""

import ctypes
import errno
import os
import stat
from pathlib import Path

_SYS_OPENAT2 = 437
"""The same number on every architecture."""

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08

_libc = ctypes.CDLL(None, use_errno=True)


class UnsafePath(Exception):
    """The path leads out of its root, or through something that is no directory."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root_fd: int, path: str, flags: int) -> int:
    """A descriptor of `path` under the directory `root_fd`; the caller closes it.

    Symbolic links are followed as long as they stay below the root.

    Raises:
        UnsafePath: it leads out of the root.
        OSError: it cannot be opened (FileNotFoundError when it does not exist).
    """
    how = _OpenHow(flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    while True:
        fd: int = _libc.syscall(
            _SYS_OPENAT2, root_fd, os.fsencode(path or "."), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
        )
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number in (errno.EINTR, errno.EAGAIN):  # EAGAIN: a rename raced with the resolution of `..`
            continue
        if number in (errno.EXDEV, errno.ELOOP):
            raise UnsafePath(f"{path!r} leads out of its directory")
        raise OSError(number, os.strerror(number), path)


def read_beneath(root: Path, path: str, max_bytes: int) -> bytes:
    """The content of a regular file under `root`.

    Raises:
        UnsafePath: it leads out of the root, is no regular file, or is longer than `max_bytes`.
        OSError: it cannot be read.
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_beneath(root_fd, path, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(root_fd)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnsafePath(f"{path!r} is no regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise UnsafePath(f"{path!r} is longer than {max_bytes} bytes")
    return data


def make_directories_beneath(root: Path, path: str, mode: int) -> None:
    """Every missing directory of `path` under `root` exists, made with exactly `mode`, owned by the root's group.

    Raises:
        UnsafePath: a step leads out of the root.
        OSError: a directory cannot be made.
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        parent_fd, done = os.dup(root_fd), ""
        try:
            for step in (step for step in path.split("/") if step not in ("", ".")):
                done = f"{done}/{step}" if done else step
                child_fd = _open_or_make(root_fd, parent_fd, done, step, mode)
                os.close(parent_fd)
                parent_fd = child_fd
        finally:
            os.close(parent_fd)
    finally:
        os.close(root_fd)


def _open_or_make(root_fd: int, parent_fd: int, done: str, step: str, mode: int) -> int:
    try:
        return open_beneath(root_fd, done, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        if step == "..":
            raise
    try:
        os.mkdir(step, mode=0o700, dir_fd=parent_fd)  # narrow until it is known what was made
    except FileExistsError:  # someone else was faster; the open below judges what it is
        return open_beneath(root_fd, done, os.O_PATH | os.O_DIRECTORY)
    fd = open_beneath(root_fd, done, os.O_RDONLY | os.O_DIRECTORY)
    os.fchmod(fd, mode)
    return fd
