"""Carrying out the steps of `plan` on the machine, and undoing all of them. Plain functions, to be run in a thread.

Everything can be done again: a step that was done before changes nothing, after a crash it completes.
"""

import errno
import logging
import os
import shutil
from datetime import datetime
from pathlib import Path

from pybernetes.kubelet import mounts
from pybernetes.kubelet.pod_directory import PodDirectory
from pybernetes.kubelet.volumes import atomic_writer, host_path, ownership, plan
from pybernetes.kubelet.volumes.payload import PayloadError

log = logging.getLogger("pybernetes.kubelet.volumes")

VOLUME_DIRECTORY_MODE = 0o777
"""Of empty directories and configuration: any user of a container may go in."""

PARENT_MODE = 0o750


class StepFailed(Exception):
    """A step could not be carried out; the text is the end of the event's message."""


def location(directory: PodDirectory, step: plan.Step) -> Path:
    """What containers mount for a step."""
    match step:
        case plan.EmptyDir():
            return directory.volume(plan.EMPTY_DIR, step.volume)
        case plan.HostPath():
            return Path(step.path)
        case plan.Files():
            return directory.volume(step.plugin, step.volume)
        case plan.Local():
            return directory.volume(plan.LOCAL, step.name)
        case plan.Failed():
            raise StepFailed(step.message)


def is_read_only(step: plan.Step) -> bool:
    """Whether containers may not write, whatever they say."""
    match step:
        case plan.Files():
            return True
        case plan.HostPath() | plan.Local():
            return step.read_only
        case plan.EmptyDir() | plan.Failed():
            return False


def carry_out(directory: PodDirectory, step: plan.Step, group: int | None, policy: str, now: datetime) -> None:
    """The volume is there.

    Raises:
        StepFailed: it is not; with the reason.
    """
    target = location(directory, step)
    try:
        match step:
            case plan.EmptyDir():
                _empty_dir(target, step, group)
            case plan.Files():
                _files(target, step, group, now)
            case plan.Local():
                _local(target, step, group, policy)
            case plan.HostPath():
                host_path.check(step.path, step.kind)
            case plan.Failed():
                raise StepFailed(step.message)
    except (PayloadError, host_path.HostPathError) as error:
        raise StepFailed(str(error)) from error
    except OSError as error:
        raise StepFailed(f"{error.strerror}: {error.filename}" if error.filename else str(error)) from error


def _make_directory(path: Path, mode: int = VOLUME_DIRECTORY_MODE) -> bool:
    """The directory exists; whether it was made now."""
    path.parent.mkdir(mode=PARENT_MODE, parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


def _has_own_file_system(path: Path) -> bool:
    """Whether a tmpfs or the like is mounted at `path`; cheaper than the kernel's whole table."""
    return path.stat().st_dev != path.parent.stat().st_dev


def _mount_memory(target: Path, size_bytes: int | None) -> None:
    """A tmpfs at `target`, kept out of swap where the kernel can (6.3)."""
    if _has_own_file_system(target):
        return
    options = [f"size={size_bytes}"] if size_bytes is not None else []
    try:
        mounts.tmpfs(target, ",".join([*options, "noswap"]))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        mounts.tmpfs(target, ",".join(options))


def _empty_dir(target: Path, step: plan.EmptyDir, group: int | None) -> None:
    made = _make_directory(target)
    if step.medium == plan.MEDIUM_MEMORY:
        made = made or not _has_own_file_system(target)
        _mount_memory(target, step.size_bytes)
        target.chmod(VOLUME_DIRECTORY_MODE)
    elif step.medium.startswith(plan.MEDIUM_HUGE_PAGES):
        if not _has_own_file_system(target):
            mounts.huge_pages(target, step.medium.removeprefix(plan.MEDIUM_HUGE_PAGES).removeprefix("-"))
    elif step.medium:
        raise StepFailed(f'unknown storage medium "{step.medium}"')
    if group is not None and made:  # later it holds what containers made of it
        ownership.give_to_group(target, group, read_only=False)


def _files(target: Path, step: plan.Files, group: int | None, now: datetime) -> None:
    _make_directory(target)
    if step.in_memory:
        _mount_memory(target, None)

    def set_permissions(path: Path) -> None:
        if group is not None:
            ownership.give_to_group(path, group, read_only=True)

    atomic_writer.write(target, step.payload, now, set_permissions)


def _local(target: Path, step: plan.Local, group: int | None, policy: str) -> None:
    source = Path(step.path)
    if not source.is_dir():
        raise StepFailed(f'path "{step.path}" does not exist')
    _make_directory(target, PARENT_MODE)
    if mounts.at_or_under(target):
        return
    mounts.bind(source, target)
    if group is None or step.read_only:
        return
    if policy != ownership.ON_ROOT_MISMATCH or not ownership.root_matches(target, group, read_only=False):
        ownership.give_to_group(target, group, read_only=False)


def tear_down(directory: PodDirectory) -> list[str]:
    """Nothing of the pod is mounted and its volumes are gone; the paths that are still mounted.

    What is removed recursively is only what the pod owns, and only when the kernel's table shows nothing mounted
    below it: a bound directory of the node must not be emptied by way of a mount that would not go.
    """
    if not directory.path.exists():
        return []
    left = unmount_all(directory.path)
    if left:
        return left
    _remove_targets(directory.sub_paths)
    _remove_targets(directory.volumes / f"kubernetes.io~{plan.LOCAL}")
    if directory.volumes.exists():
        _remove_one_file_system(directory.volumes)
    directory.etc_hosts.unlink(missing_ok=True)
    return []


def unmount_all(root: Path) -> list[str]:
    """Nothing is mounted at `root` or below; the paths the kernel would not let go."""
    for path in mounts.at_or_under(root):
        try:
            mounts.unmount(Path(path))
        except OSError as error:
            log.warning("not unmounted path=%s error=%s", path, error)
    return mounts.at_or_under(root)


def _remove_targets(root: Path) -> None:
    """Remove mount targets, which are empty when nothing is mounted: never what is in a directory."""
    for parent, directories, files in os.walk(root, topdown=False):
        for name in files:
            Path(parent, name).unlink()
        for name in directories:
            path = Path(parent, name)
            if path.is_symlink():
                path.unlink()
            else:
                path.rmdir()
    if root.is_dir():
        root.rmdir()


def _remove_one_file_system(root: Path) -> None:
    """Remove a tree that lies on one file system; links are removed, not followed. Raises: OSError."""
    device = root.lstat().st_dev
    for parent, directories, _files in os.walk(root):
        for name in directories:
            if os.lstat(os.path.join(parent, name)).st_dev != device:  # noqa: PTH118 - many; Path is slow
                raise OSError(errno.EXDEV, "another file system is mounted in a volume to be removed", parent)
    shutil.rmtree(root)
