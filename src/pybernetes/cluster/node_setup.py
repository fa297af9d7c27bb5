"""What the machine needs before a kubelet can run on it, and how it is undone.

address    the machine's own address for pods, on `lo` (`ClusterConfig.machine_ip`)
mounts     the kubelet's directory bound onto itself and shared, so that mounts propagate into pods
sysctls    forwarding on; what it was before is remembered for `delete`
"""

import ipaddress
import json
import logging
import os
import subprocess
from pathlib import Path

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.state import StateDirectory, write_private

log = logging.getLogger("pybernetes.cluster")

SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
"""Values a node needs. bridge-nf-call is for those who put a bridge in place of our routed pods."""
OPTIONAL = ("net/bridge/bridge-nf-call-iptables",)
"""Left out where the kernel has no such thing."""


def prepare(config: ClusterConfig, state: StateDirectory) -> None:
    """Make the machine ready; doing it twice changes nothing.

    Raises:
        ClusterError: the kernel refuses something that is needed.
    """
    _set_sysctls(state)
    _add_address(config.machine_ip)
    _share_mounts(state.kubelet)


def _set_sysctls(state: StateDirectory) -> None:
    saved_file = state.root / "sysctls.json"
    saved: dict[str, str] = json.loads(saved_file.read_bytes()) if saved_file.exists() else {}
    before = dict(saved)
    for name, wanted in SYSCTLS.items():
        path = Path("/proc/sys") / name
        if not path.exists() and name in OPTIONAL:
            continue
        current = path.read_text(encoding="ascii").strip()
        if current != wanted:
            saved.setdefault(name, current)
            try:
                path.write_text(wanted, encoding="ascii")
            except OSError as error:
                raise ClusterError(
                    f"cannot set {name.replace('/', '.')} to {wanted}: {error.strerror}",
                    "allow it in this machine or container, or use simulated nodes: --simulated-nodes 3",
                ) from error
    if saved != before:
        write_private(saved_file, json.dumps(saved).encode())


def restore_sysctls(state: StateDirectory, *, others_need_them: bool) -> None:
    """Give back the values from before the cluster, unless another cluster runs on them."""
    saved_file = state.root / "sysctls.json"
    if others_need_them or not saved_file.exists():
        return
    for name, value in json.loads(saved_file.read_bytes()).items():
        path = Path("/proc/sys") / name
        if path.exists():
            path.write_text(value, encoding="ascii")


def _add_address(address: str) -> None:
    _ip("address", "replace", f"{address}/32", "dev", "lo")


def remove_address(address: str) -> None:
    """Take the address from `lo`; that it is not there is fine."""
    if address in addresses("lo"):
        _ip("address", "del", f"{address}/32", "dev", "lo")


def addresses(device: str) -> set[str]:
    """IPv4 and IPv6 addresses of a device."""
    output = subprocess.run(["ip", "-json", "address", "show", "dev", device], check=True, capture_output=True).stdout
    return {
        str(ipaddress.ip_address(entry["local"]))
        for link in json.loads(output)
        for entry in link.get("addr_info", ())
        if "local" in entry
    }


def _share_mounts(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.path.ismount(directory):
        _run("mount", "--bind", str(directory), str(directory))
    _run("mount", "--make-rshared", str(directory))


def mounts_below(root: Path) -> list[Path]:
    """Mount points under a directory, innermost last mounted first."""
    prefix = f"{root}/"
    points = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        point = line.split(" ")[4].encode().decode("unicode_escape")
        if point.startswith(prefix) or point == str(root):
            points.append(Path(point))
    return points[::-1]


def unmount_below(root: Path) -> None:
    """Unmount everything under a directory; what is still busy is detached and goes when its last user does."""
    for point in mounts_below(root):
        if subprocess.run(["umount", str(point)], check=False, capture_output=True).returncode:
            subprocess.run(["umount", "--lazy", str(point)], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(
            f"{' '.join(command)} failed: {done.stderr.strip()}",
            "the machine refuses what a node needs; simulated nodes work without: --simulated-nodes 3",
        )
