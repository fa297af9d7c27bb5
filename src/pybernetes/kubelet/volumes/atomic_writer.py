"""Replacing a directory's files all at once, under the eyes of those who read them.

    volume/
      ..2026_01_01_10_00_00.abcd/        the files of now
      ..data -> ..2026_01_01_10_00_00.abcd
      config.yaml -> ..data/config.yaml  what readers open; never changes while the key exists
      nested -> ..data/nested

An update writes a new timestamped directory, makes `..data_tmp` point at it and renames that over `..data`: a
reader sees the old files or the new ones, never a mixture. Whoever watches `..data` learns of the update.

Follows: kubernetes pkg/volume/util/atomic_writer.go.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from pybernetes.kubelet.volumes.payload import File, PayloadError

DATA_LINK = "..data"
NEW_DATA_LINK = "..data_tmp"
MAX_FILE_NAME_LENGTH = 255
MAX_PATH_LENGTH = 4096


def checked(payload: Mapping[str, File]) -> dict[str, File]:
    """The payload with clean paths.

    Raises:
        PayloadError: a path is empty, absolute, too long, or leads upwards.
    """
    result = {}
    for path, file in payload.items():
        if not path:
            raise PayloadError('invalid path: must not be empty: ""')
        if path.startswith("/"):
            raise PayloadError(f"invalid path: must be relative path: {path}")
        if len(path) > MAX_PATH_LENGTH:
            raise PayloadError(f"invalid path: must be less than or equal to {MAX_PATH_LENGTH} characters")
        steps = path.split("/")
        if ".." in steps:
            raise PayloadError(f"invalid path: must not contain '..': {path}")
        if any(len(step) > MAX_FILE_NAME_LENGTH for step in steps):
            raise PayloadError(
                f"invalid path: filenames must be less than or equal to {MAX_FILE_NAME_LENGTH} characters"
            )
        if steps[0].startswith(".."):
            raise PayloadError(f"invalid path: must not start with '..': {path}")
        result[str(PurePosixPath(path))] = file
    return result


def write(
    target: Path,
    payload: Mapping[str, File],
    now: datetime,
    set_permissions: Callable[[Path], None] = lambda _path: None,
) -> bool:
    """`target` holds exactly the files of `payload`; whether anything had to be written.

    `set_permissions` gets the whole volume before the new files become visible.

    Raises:
        PayloadError: a path is not allowed.
        OSError: writing failed; what was visible before still is.
    """
    files = checked(payload)
    link = target / DATA_LINK
    old = target / link.readlink() if link.is_symlink() else None
    if old is not None and _same(old, files):
        return False
    new = Path(tempfile.mkdtemp(prefix=now.strftime("..%Y_%m_%d_%H_%M_%S."), dir=target))
    try:
        new.chmod(0o755)
        _write_files(new, files)
        new_link = target / NEW_DATA_LINK
        new_link.unlink(missing_ok=True)  # left by a crash between the two next steps
        new_link.symlink_to(new.name)
        set_permissions(target)
        new_link.rename(link)
    except BaseException:
        shutil.rmtree(new)
        raise
    visible = {path.split("/", 1)[0] for path in files}
    for name in sorted(visible):
        if not (target / name).is_symlink():
            (target / name).symlink_to(f"{DATA_LINK}/{name}")
    for entry in sorted(target.iterdir()):
        if entry.name.startswith(".."):
            if entry.name not in (DATA_LINK, new.name):  # the last version, and what crashes left
                shutil.rmtree(entry)
        elif entry.name not in visible:
            entry.unlink()
    return True


def _write_files(directory: Path, files: Mapping[str, File]) -> None:
    for path, file in sorted(files.items()):
        full = directory / path
        for parent in reversed(full.relative_to(directory).parents[:-1]):
            (directory / parent).mkdir(exist_ok=True)
            (directory / parent).chmod(0o755)
        fd = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as stream:
            stream.write(file.data)
            if file.uid is not None:
                os.fchown(fd, file.uid, -1)
            os.fchmod(fd, file.mode & 0o7777)  # whatever the umask is


def _same(directory: Path, files: Mapping[str, File]) -> bool:
    if not directory.is_dir():
        return False
    present = {
        str(Path(parent, name).relative_to(directory)) for parent, _, names in os.walk(directory) for name in names
    }
    return present == set(files) and all((directory / path).read_bytes() == file.data for path, file in files.items())
