"""What this machine can do, asked before anything is started: each finding says what to do about it."""

import errno
import os
import platform
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.containerd import CNI_DIRECTORIES, cni_directory
from pybernetes.cluster.state import StateDirectory

MAX_SOCKET_PATH = 100
"""A unix socket's path has room for 107 bytes; containerd appends a little to ours."""
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "ctr": "containerd",
    "nft": "nftables",
    "conntrack": "conntrack",
    "catatonit": "catatonit",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""Program → Debian package."""
NEEDED_CGROUPS = ("cpu", "memory", "pids")
NEEDED_PLUGINS = ("ptp", "host-local", "loopback")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a real node lacks here, and the remedy."""

    problem: str
    remedy: str


def find_program(name: str) -> str | None:
    """Where a program is, also when PATH lacks the sbin directories."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")


def real_node(state: StateDirectory) -> list[Finding]:
    """Why no real node can run on this machine; empty when it can."""
    if platform.system() != "Linux":
        return [Finding(f"this is {platform.system()}, containers need Linux", "simulated nodes run everywhere")]
    findings = []
    if os.geteuid() != 0:
        findings.append(Finding("not running as root", "run it as root (sudo) to get a node that runs containers"))
    missing = sorted({package for program, package in PACKAGES.items() if find_program(program) is None})
    plugins = Path(cni_directory())
    if not all((plugins / plugin).exists() for plugin in NEEDED_PLUGINS):
        missing.append("containernetworking-plugins")
    if missing:
        names = " ".join(missing)
        where = f"PATH and {SBIN}, CNI plugins in {' and '.join(CNI_DIRECTORIES)}"
        findings.append(
            Finding(f"programs are missing (looked for in {where})", f"install them: apt-get install {names}")
        )
    findings += _kernel_findings()
    if len(str(state.containerd_socket)) > MAX_SOCKET_PATH:
        findings.append(
            Finding(f"the path {state.containerd_socket} is too long for a socket", "choose a shorter --data-dir")
        )
    return findings


def _kernel_findings() -> list[Finding]:
    findings = []
    controllers = cgroup_controllers()
    absent = [name for name in NEEDED_CGROUPS if name not in controllers]
    if absent:
        findings.append(
            Finding(
                f"no cgroup controller {', '.join(absent)} is mounted under /sys/fs/cgroup",
                "mount the cgroup hierarchies (systemd does; without it: apt-get install cgroupfs-mount)",
            )
        )
    filesystems = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if "overlay" not in filesystems and not Path("/sys/module/overlay").exists():
        findings.append(Finding("the kernel has no overlay file system", "load it: modprobe overlay"))
    return findings


def cgroup_controllers() -> set[str]:
    """The controllers containers can be limited with, of cgroup v1 or v2."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    found = set(unified.read_text(encoding="ascii").split()) if unified.exists() else set()
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, _, kind, options, *_ = line.split(" ")
        if kind == "cgroup":
            found.update(options.split(","))
    return found


def port_taken(address: str, port: int) -> Finding | None:
    """Whether somebody else listens where the API server should."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Finding(
                    f"port {port} on {address} is taken by another program",
                    f"stop it, or choose another port: pybernetes up --port {port + 1}",
                )
            if error.errno == errno.EACCES:
                return Finding(
                    f"only root may listen on port {port}", "choose a port from 1024 on: pybernetes up --port 6443"
                )
            raise
    return None


def explain(findings: Sequence[Finding]) -> str:
    """One line per finding, problem and remedy."""
    return "\n".join(f"  - {finding.problem}: {finding.remedy}" for finding in findings)


def used_networks() -> list[str]:
    """IPv4 networks this machine routes somewhere, from /proc/net/route; the default route does not count."""
    try:
        lines = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:
        return []
    networks = []
    for line in lines:
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        address = socket.inet_ntoa(bytes.fromhex(destination)[::-1])
        length = int(mask, 16).bit_count()
        if length:
            networks.append(f"{address}/{length}")
    return networks


def machine_name() -> str:
    """The host name as a node name: a DNS subdomain in lower case.

    Follows: kubernetes pkg/util/node GetHostname.
    """
    name = socket.gethostname().strip().lower()
    allowed = "".join(letter if (letter.isalnum() and letter.isascii()) or letter in "-." else "-" for letter in name)
    return allowed.strip("-.") or "node"


def other_clusters(config: ClusterConfig, base: Path) -> list[Path]:
    """State directories of other clusters beside ours."""
    if not base.is_dir():
        return []
    return [path for path in sorted(base.iterdir()) if path.name != config.name and (path / "cluster.json").exists()]
