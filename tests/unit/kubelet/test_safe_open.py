import os
from pathlib import Path

import pytest

from pybernetes.kubelet import safe_open
from pybernetes.kubelet.safe_open import UnsafePath


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    (root / "inside").mkdir(parents=True)
    (root / "inside" / "file").write_text("content")
    (tmp_path / "outside").write_text("secret of the node")
    (root / "absolute").symlink_to(tmp_path / "outside")
    (root / "upwards").symlink_to("../outside")
    (root / "harmless").symlink_to("inside/file")
    (root / "directory").symlink_to("inside")
    return root


@pytest.mark.parametrize("path", ["inside/file", "harmless", "directory/file", "./inside/../inside/file"])
def test_reads_what_stays_inside(volume: Path, path: str) -> None:
    assert safe_open.read_beneath(volume, path, 100) == b"content"


@pytest.mark.parametrize("path", ["absolute", "upwards", "../outside", "inside/../../outside", "/etc/passwd"])
def test_refuses_every_way_out(volume: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        safe_open.read_beneath(volume, path, 100)


def test_refuses_directories_pipes_and_what_is_too_long(volume: Path) -> None:
    os.mkfifo(volume / "pipe")
    for path in ("inside", "pipe"):
        with pytest.raises((UnsafePath, OSError)):
            safe_open.read_beneath(volume, path, 100)
    with pytest.raises(UnsafePath, match="longer than 3 bytes"):
        safe_open.read_beneath(volume, "inside/file", 3)


def test_makes_missing_directories_with_the_mode_asked_for(volume: Path) -> None:
    safe_open.make_directories_beneath(volume, "directory/new/deep", 0o2775)
    assert (volume / "inside" / "new" / "deep").stat().st_mode & 0o7777 == 0o2775


def test_makes_no_directory_outside(volume: Path) -> None:
    (volume / "trap").symlink_to(volume.parent)
    with pytest.raises(UnsafePath):
        safe_open.make_directories_beneath(volume, "trap/new", 0o755)
    with pytest.raises(UnsafePath):
        safe_open.make_directories_beneath(volume, "../new", 0o755)
    assert not (volume.parent / "new").exists()
