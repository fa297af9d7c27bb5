"""Giving a volume to the pod's `fsGroup`: the group owns everything and may read, and write unless it is read-only.

Follows: kubernetes pkg/volume/volume_linux.go.
"""

import os
import stat
from pathlib import Path

READ_WRITE, READ_ONLY, SEARCH = 0o660, 0o440, 0o110

ALWAYS = "Always"
ON_ROOT_MISMATCH = "OnRootMismatch"


def give_to_group(root: Path, group: int, *, read_only: bool) -> None:
    """Every file and directory below `root` belongs to `group`; directories pass the group on to new files.

    Links, sockets and devices are given away as they are, never followed. Raises: OSError.
    """
    for _path, directories, files, directory_fd in os.fwalk(root):
        _give(directory_fd, group, read_only=read_only)
        for name in [*directories, *files]:
            mode = os.lstat(name, dir_fd=directory_fd).st_mode
            if stat.S_ISDIR(mode):  # has its own turn
                continue
            if not stat.S_ISREG(mode):
                os.chown(name, -1, group, dir_fd=directory_fd, follow_symlinks=False)
                continue
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
            try:
                _give(fd, group, read_only=read_only)
            finally:
                os.close(fd)


def _give(fd: int, group: int, *, read_only: bool) -> None:
    os.fchown(fd, -1, group)
    os.fchmod(fd, wanted_mode(os.fstat(fd).st_mode, read_only=read_only))  # after chown, which clears set-id bits


def wanted_mode(mode: int, *, read_only: bool) -> int:
    """Permission bits of a file or directory whose group may use it."""
    added = READ_ONLY if read_only else READ_WRITE
    if stat.S_ISDIR(mode):
        added |= SEARCH | stat.S_ISGID
    return stat.S_IMODE(mode) | added


def root_matches(root: Path, group: int, *, read_only: bool) -> bool:
    """Whether the volume's own directory is the group's already; with OnRootMismatch all is left as it is then."""
    found = root.stat()
    return found.st_gid == group and stat.S_IMODE(found.st_mode) == wanted_mode(found.st_mode, read_only=read_only)
