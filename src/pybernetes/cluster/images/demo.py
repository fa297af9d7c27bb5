"""The demo image: a shell, an HTTP server, HTTP clients, nslookup and tar, all from Debian packages.

The shell, the server and most commands are those of the dynamic busybox. Its wget crashes when it is given a time limit
(as does the static one's), so that wget and curl are the real ones.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.images.build import Directory, File, Item, Link, Runtime, archive, from_disk
from pybernetes.cluster.images.packages import fetch, in_image, libraries, missing

DEMO_IMAGE = "localhost/demo:1"
PORT = 8080
NEEDED_APPLETS = frozenset({"httpd", "nslookup", "tar", "sh", "hostname", "sleep"})
"""A busybox that lacks one of these is of no use here."""
CLIENTS = ("wget", "curl")
"""Programs that take the place of busybox's commands; their packages have their names."""

SERVER = b"""#!/bin/sh
# Serves $ROOT on $PORT until told to stop. The shell passes signals on: process 1 has no default handlers.
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "${PORT:-8080}" -h "${ROOT:-/www}" &
child=$!
echo "$(hostname) serves on port ${PORT:-8080}"
wait "$child"
"""
INDEX = b"""#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
hostname
if [ -n "$GREETING" ]; then echo "$GREETING"; fi
"""
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Program:
    """A program on this machine, and the unpacked packages its libraries may lie in."""

    name: str
    path: Path
    root: Path | None = None


def build_demo(work: Path) -> bytes:
    """The archive of `localhost/demo:1`. What had to be fetched stays in `work` for the next time.

    Raises:
        ClusterError: a Debian package cannot be had.
    """
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    busybox = find_busybox(work)
    programs = [busybox, *(find_client(name, work) for name in CLIENTS)]
    shared: dict[str, File] = {}
    for program in programs:
        roots = [program.root] if program.root else []
        for library in libraries(program.path, program.root):
            target = in_image(library, roots)
            shared.setdefault(target, from_disk(library, target))
    binaries = [from_disk(program.path, f"bin/{program.name}") for program in programs]
    return archive(
        DEMO_IMAGE,
        demo_items(binaries, sorted(applets(busybox.path)), list(shared.values())),
        Runtime(
            command=("/bin/demo-server",),
            environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            ports=(PORT,),
        ),
    )


def demo_items(programs: list[File], names: list[str], shared: list[File]) -> list[Item]:
    """What lies in the image: programs, a link per command of busybox that no program replaces, libraries, files."""
    taken = {program.path for program in programs}
    commands: list[Item] = [Link(f"bin/{name}", "busybox") for name in names if f"bin/{name}" not in taken]
    return [
        *(File(program.path, program.content, 0o755) for program in programs),
        *commands,
        *shared,
        File("bin/demo-server", SERVER, 0o755),
        File("www/cgi-bin/index.cgi", INDEX, 0o755),
        File("www/healthz", b"ok\n"),
        File("etc/passwd", PASSWD),
        File("etc/group", GROUP),
        File("etc/nsswitch.conf", b"hosts: files dns\n"),
        Directory("tmp", 0o1777),
        Directory("root", 0o700),
        Directory("proc"),
        Directory("sys"),
        Directory("dev"),
    ]


def find_busybox(work: Path) -> Program:
    """A dynamic busybox: the installed one, one fetched earlier, or one fetched now."""
    root = work / "packages" / "busybox"
    for candidate in (Path("/bin/busybox"), Path("/usr/bin/busybox"), *found_in(root, "busybox")):
        if candidate.exists() and libraries(candidate) and applets(candidate) >= NEEDED_APPLETS:
            return Program("busybox", candidate)
    fetch(["busybox"], root)
    return Program("busybox", found_in(root, "busybox")[0])


def find_client(name: str, work: Path) -> Program:
    """A program by the name of its package: the installed one, one fetched earlier, or one fetched now."""
    installed = shutil.which(name)
    if installed and libraries(Path(installed).resolve()):
        return Program(name, Path(installed).resolve())
    root = work / "packages" / name
    if not found_in(root, name):
        fetch(missing(name), root)
    return Program(name, found_in(root, name)[0], root)


def found_in(root: Path, name: str) -> list[Path]:
    """The programs of this name in an unpacked package."""
    return [path for path in sorted(root.rglob(f"bin/{name}")) if path.is_file()]


def applets(busybox: Path) -> set[str]:
    """The commands a busybox has."""
    done = subprocess.run([str(busybox), "--list"], check=False, capture_output=True, text=True)
    return set(done.stdout.split()) if done.returncode == 0 else set()
