"""The demo image: a shell, an HTTP server and client, nslookup and tar, all from Debian's dynamic busybox.

Not from the static busybox: its wget crashes in name resolution. The package is fetched by apt (half a megabyte)
and unpacked beside the cluster, not installed: it would displace busybox-static.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.images.build import Directory, File, Item, Link, Runtime, archive, from_disk

DEMO_IMAGE = "localhost/demo:1"
PORT = 8080
EXTRA_APPLETS = ("wget", "httpd", "nslookup", "tar", "sh")
"""Without these the image is of no use; a busybox that lacks one is refused."""

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


def build_demo(work: Path) -> bytes:
    """The archive of `localhost/demo:1`.

    Raises:
        ClusterError: the Debian package cannot be had.
    """
    busybox = find_busybox(work)
    shared = [from_disk(path) for path in libraries(busybox)]
    return archive(
        DEMO_IMAGE,
        demo_items(from_disk(busybox, "bin/busybox"), applets(busybox), shared),
        Runtime(
            command=("/bin/demo-server",),
            environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            ports=(PORT,),
        ),
    )


def demo_items(busybox: File, names: list[str], shared: list[File]) -> list[Item]:
    """What lies in the image."""
    commands: list[Item] = [Link(f"bin/{name}", "busybox") for name in names if name != "busybox"]
    return [
        File("bin/busybox", busybox.content, 0o755),
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


def find_busybox(work: Path) -> Path:
    """A dynamic busybox: the installed one, one fetched earlier, or one fetched now."""
    fetched = work / "busybox"
    for candidate in (Path("/bin/busybox"), Path("/usr/bin/busybox"), fetched):
        if candidate.exists() and libraries(candidate) and set(EXTRA_APPLETS) <= set(applets(candidate)):
            return candidate
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    _fetch(fetched)
    return fetched


def _fetch(target: Path) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise ClusterError(
                f"the demo image is made from Debian packages, and there is no {program} here",
                "make it on Debian or Ubuntu (image build-demo --output F.tar) and bring it here: image load F.tar",
            )
    with tempfile.TemporaryDirectory(prefix="pybernetes-demo-") as directory:
        Path(directory).chmod(0o755)  # apt fetches as its own user
        done = subprocess.run(
            ["apt-get", "download", "busybox"], cwd=directory, check=False, capture_output=True, text=True
        )
        packages = list(Path(directory).glob("busybox_*.deb"))
        if done.returncode or not packages:
            raise ClusterError(
                f"the Debian package busybox cannot be fetched: {last_line(done.stderr)}",
                "run apt-get update as root, check the network, and try again",
            )
        subprocess.run(["dpkg-deb", "-x", str(packages[0]), f"{directory}/content"], check=True, capture_output=True)
        found = [path for path in Path(directory, "content").rglob("bin/busybox") if path.is_file()]
        if not found:
            raise ClusterError("the Debian package busybox holds no busybox", "report this, naming your Debian release")
        temporary = target.with_suffix(".new")
        shutil.copyfile(found[0], temporary)
        temporary.chmod(0o755)
        temporary.replace(target)


def libraries(program: Path) -> list[str]:
    """The shared libraries a program loads, the loader included; empty for a static one."""
    done = subprocess.run(["ldd", str(program)], check=False, capture_output=True, text=True)
    if done.returncode:
        return []
    return sorted(set(re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)))


def applets(busybox: Path) -> list[str]:
    """The commands a busybox has."""
    done = subprocess.run([str(busybox), "--list"], check=False, capture_output=True, text=True)
    return sorted(done.stdout.split()) if done.returncode == 0 else []


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("W:")]
    return lines[-1] if lines else "no output"
