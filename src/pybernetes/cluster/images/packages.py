"""Programs of Debian packages with the libraries they load, whether the packages are installed here or not.

What is not installed is fetched by apt and unpacked in a directory of ours; nothing is installed, and root is not
needed.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pybernetes.cluster.errors import ClusterError

DEB = re.compile(r"^'[^']*' (?P<name>[^_ ]+)_", re.MULTILINE)
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def fetch(packages: Iterable[str], target: Path) -> None:
    """Unpack packages into a directory, whole or not at all.

    Raises:
        ClusterError: they cannot be had here.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise ClusterError(
                f"the demo image is made from Debian packages, and there is no {program} here",
                "make it on Debian or Ubuntu (image build-demo --output F.tar) and bring it here: image load F.tar",
            )
    names = sorted(set(packages))
    with tempfile.TemporaryDirectory(prefix="pybernetes-packages-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # apt fetches as its own user
        command = ["apt-get", "download", *names]
        done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
        files = sorted(directory.glob("*.deb"))
        if done.returncode or len(files) < len(names):
            raise ClusterError(
                f"these Debian packages cannot be fetched: {' '.join(names)}: {last_line(done.stderr)}",
                "run apt-get update as root, check the network, and try again",
            )
        unpacked = directory / "unpacked"
        for file in files:
            subprocess.run(["dpkg-deb", "-x", str(file), str(unpacked)], check=True, capture_output=True)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copytree(unpacked, target, symlinks=True)


def missing(package: str) -> list[str]:
    """The packages an installation of this one would bring, itself first where it is not installed."""
    command = ["apt-get", "-o", "Debug::NoLocking=1", "install", "--print-uris", "-qq", "-y", "--no-install-recommends"]
    done = subprocess.run([*command, package], check=False, capture_output=True, text=True)
    return [match["name"] for match in DEB.finditer(done.stdout)] or [package]


def libraries(program: Path, root: Path | None = None) -> list[Path]:
    """The shared libraries a program loads, the loader included, those below `root` first; empty for a static one.

    Raises:
        ClusterError: one is missing.
    """
    environment = None
    if root is not None:
        places = sorted({str(path.parent) for path in root.rglob("*.so*")})
        environment = {"LD_LIBRARY_PATH": ":".join(places), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["ldd", str(program)], check=False, capture_output=True, text=True, env=environment)
    if "not found" in done.stdout:
        line = next(line for line in done.stdout.splitlines() if "not found" in line)
        raise ClusterError(f"{program} needs a library that is not here: {line.strip()}", "run apt-get update first")
    return [Path(found) for found in dict.fromkeys(LIBRARY.findall(done.stdout))] if done.returncode == 0 else []


def in_image(library: Path, roots: Sequence[Path]) -> str:
    """Where a library lies in the image: as on a machine that has it installed."""
    for root in roots:
        if library.is_relative_to(root):
            return str(library.relative_to(root))
    return str(library)


def last_line(text: str) -> str:
    """The last line of a program's complaint that is no mere warning."""
    lines = [line for line in text.strip().splitlines() if not line.startswith("W:")]
    return lines[-1] if lines else "no output"
