"""Mounting a part of a volume without being led out of it by links that containers made.

The part is opened with `safe_open` and bound by its descriptor to a path of the kubelet's own; the runtime mounts
that path. Between opening and binding nothing can be exchanged.

Follows: kubernetes pkg/volume/util/subpath/subpath_linux.go; pkg/kubelet/kubelet_pods.go, makeMounts.
"""

import logging
import os
import stat
from pathlib import Path

from pybernetes.kubelet import mounts
from pybernetes.kubelet.safe_open import UnsafePath, make_directories_beneath, open_beneath
from pybernetes.kubelet.seam import CreateContainerConfigError

log = logging.getLogger("pybernetes.kubelet.volumes")


def checked(path: str) -> str:
    """The sub-path as it was written. Raises: CreateContainerConfigError when it is absolute or leads upwards."""
    if path.startswith("/"):
        raise CreateContainerConfigError(f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise CreateContainerConfigError(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def prepare(volume: Path, path: str, target: Path, mount_name: str, container: str) -> Path:
    """`target` shows what `path` is in `volume`; directories that are missing are made. `target` comes back.

    Raises:
        CreateContainerConfigError: it cannot be; without details, which would tell of the node's file system.
    """
    try:
        if not (volume / path).exists():
            make_directories_beneath(volume, path, stat.S_IMODE(volume.stat().st_mode))
    except (OSError, UnsafePath) as error:
        log.warning("sub-path not made volume=%s container=%s error=%s", volume, container, error)
        raise CreateContainerConfigError(
            f'failed to create subPath directory for volumeMount "{mount_name}" of container "{container}"'
        ) from error
    try:
        _bind(volume, path, target)
    except (OSError, UnsafePath) as error:
        log.warning("sub-path not prepared volume=%s container=%s error=%s", volume, container, error)
        raise CreateContainerConfigError(
            f'failed to prepare subPath for volumeMount "{mount_name}" of container "{container}"'
        ) from error
    return target


def _bind(volume: Path, path: str, target: Path) -> None:
    root_fd = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_beneath(root_fd, path, os.O_PATH)
    finally:
        os.close(root_fd)
    try:
        found = os.fstat(fd)
        for _ in mounts.at_or_under(target):  # of an earlier container of this name
            now = target.stat()
            if (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino):
                return
            mounts.unmount(target)
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if target.exists() and target.is_dir() != stat.S_ISDIR(found.st_mode):
            target.rmdir() if target.is_dir() else target.unlink()
        if stat.S_ISDIR(found.st_mode):
            target.mkdir(mode=0o750, exist_ok=True)
        else:
            target.touch(mode=0o640)
        mounts.bind_descriptor(fd, target)
    finally:
        os.close(fd)
