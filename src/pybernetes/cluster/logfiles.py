"""The components' log files: rotation by size, and reading their ends.

Children write to an inherited descriptor, so a file cannot be renamed under them: its content is copied aside and the
file emptied. All descriptors append, so writing goes on at the new end.
"""

import os
import shutil
from pathlib import Path

MAX_BYTES = 10 << 20
KEPT = 2
"""Rotated files per component: `x.log.1` is the newer."""
BLOCK_BYTES = 1 << 16


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Move the content aside when there is too much of it; whether it was moved."""
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    path.with_name(f"{path.name}.1").chmod(0o600)
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int) -> bytes:
    """The last `lines` lines of a file (all of it for a negative number)."""
    with path.open("rb") as file:
        if lines < 0:
            return file.read()
        position = file.seek(0, os.SEEK_END)
        data = b""
        while position > 0 and data.count(b"\n") <= lines:
            step = min(BLOCK_BYTES, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
        kept = data.splitlines(keepends=True)
        return b"".join(kept[len(kept) - lines :]) if lines else b""


def read_new(path: Path, position: int) -> tuple[bytes, int]:
    """What was appended after `position`, and the new position; from the start again after a rotation."""
    if path.stat().st_size < position:
        position = 0
    with path.open("rb") as file:
        file.seek(position)
        data = file.read()
    return data, position + len(data)
