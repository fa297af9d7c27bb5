"""Whether a path of the node is what a hostPath volume says it is.

Follows: kubernetes pkg/volume/hostpath/host_path.go, checkType.
"""

import stat
from pathlib import Path

DIRECTORY_OR_CREATE = "DirectoryOrCreate"
FILE_OR_CREATE = "FileOrCreate"

_KINDS = {
    "Directory": (stat.S_ISDIR, "directory"),
    DIRECTORY_OR_CREATE: (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    FILE_OR_CREATE: (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


class HostPathError(ValueError):
    """The node's path is not what the volume says; the text is upstream's."""


def check(path: str, kind: str) -> None:
    """The path is of that kind; `…OrCreate` makes what is missing; the empty kind is content with anything.

    Raises:
        HostPathError: it is not.
    """
    if ".." in path.split("/"):
        raise HostPathError(f"invalid HostPath `{path}`: must not contain '..'")
    if not kind:
        return
    if kind not in _KINDS:
        raise HostPathError(f"{kind} is an invalid volume type")
    is_right, name = _KINDS[kind]
    file = Path(path)
    try:
        if not file.exists():
            if kind == DIRECTORY_OR_CREATE:
                file.mkdir(mode=0o755, parents=True, exist_ok=True)
            elif kind == FILE_OR_CREATE:
                file.touch(mode=0o644)
            else:
                raise HostPathError(f"hostPath type check failed: {path} is not a {name}")
        if not is_right(file.stat().st_mode):
            raise HostPathError(f"hostPath type check failed: {path} is not a {name}")
    except OSError as error:
        raise HostPathError(f"hostPath type check failed: {path}: {error.strerror}") from error
