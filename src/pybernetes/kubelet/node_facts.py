"""What a node is: machine, capacity, addresses, conditions. Reads files of the kernel; decides nothing about time.

Follows: kubernetes pkg/kubelet/nodestatus/setters.go; pkg/kubelet/cm/node_container_manager_linux.go.
"""

import os
import platform
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes.api import core_v1
from pybernetes.api.scalars import Quantity as QuantityText
from pybernetes.kubelet.config import KUBELET_VERSION
from pybernetes.machinery import quantity

PRESSURE_DISK_FREE_SHARE = 0.10
"""nodefs.available below this share is disk pressure (upstream's default hard eviction threshold)."""
PRESSURE_DISK_FREE_INODES_SHARE = 0.05
PRESSURE_MEMORY_BYTES = 100 << 20
PRESSURE_FREE_PIDS_SHARE = 0.02
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}


class Amounts(dict[str, QuantityText]):
    """Resources by name, as the API writes them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change while the kubelet runs."""

    cpus: int
    memory_bytes: int
    machine_id: str
    system_uuid: str
    boot_id: str
    kernel: str
    os_image: str
    architecture: str
    swap_bytes: int


def read_machine() -> Machine:
    memory = _meminfo()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=memory.get("MemTotal", 0),
        machine_id=_first_line("/etc/machine-id"),
        system_uuid=_first_line("/sys/class/dmi/id/product_uuid") or _first_line("/etc/machine-id"),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
        kernel=platform.release(),
        os_image=_os_image(),
        architecture=architecture(),
        swap_bytes=memory.get("SwapTotal", 0),
    )


def architecture() -> str:
    """`amd64`, `arm64`: as Go and images name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""


def _os_image() -> str:
    for line in _text("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _meminfo() -> dict[str, int]:
    """Sizes of /proc/meminfo in bytes."""
    result = {}
    for line in _text("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if fields and fields[0].isdigit():
            result[name] = int(fields[0]) * (1024 if fields[-1] == "kB" else 1)
    return result


def node_info(machine: Machine, runtime_name: str, runtime_version: str) -> core_v1.NodeSystemInfo:
    return core_v1.NodeSystemInfo(
        architecture=machine.architecture,
        bootID=machine.boot_id,
        containerRuntimeVersion=f"{runtime_name}://{runtime_version}",
        kernelVersion=machine.kernel,
        kubeProxyVersion="",
        kubeletVersion=KUBELET_VERSION,
        machineID=machine.machine_id,
        operatingSystem="linux",
        osImage=machine.os_image,
        systemUUID=machine.system_uuid,
        swap=core_v1.NodeSwapStatus(capacity=machine.swap_bytes) if machine.swap_bytes else None,
    )


def capacity(machine: Machine, root_dir: Path, max_pods: int) -> Amounts:
    """Everything the machine has."""
    disk = shutil.disk_usage(root_dir).total
    result = Amounts(
        {
            "cpu": str(machine.cpus),
            "ephemeral-storage": f"{disk // 1024}Ki",
            "memory": f"{machine.memory_bytes // 1024}Ki",
            "pods": str(max_pods),
        }
    )
    try:
        pages = sorted(entry.name for entry in Path("/sys/kernel/mm/hugepages").iterdir())
    except OSError:
        pages = []
    for folder in pages:
        kilobytes = int(folder.removeprefix("hugepages-").removesuffix("kB"))
        count = int(_first_line(f"/sys/kernel/mm/hugepages/{folder}/nr_hugepages") or 0)
        name = f"{kilobytes >> 20}Gi" if kilobytes >= 1 << 20 else f"{kilobytes >> 10}Mi"
        result[f"hugepages-{name}"] = f"{count * kilobytes // 1024}Mi" if count else "0"
    return result


def allocatable(of_machine: Mapping[str, QuantityText], *reserved: Mapping[str, str]) -> Amounts:
    """What pods may have: the capacity without what is reserved and without what eviction keeps free."""
    result = Amounts(of_machine)
    disk = quantity.value(result["ephemeral-storage"])
    result["ephemeral-storage"] = str(disk - int(disk * PRESSURE_DISK_FREE_SHARE))
    memory = quantity.value(result["memory"]) - PRESSURE_MEMORY_BYTES
    result["memory"] = f"{max(0, memory) // 1024}Ki"
    for amounts in reserved:
        for name, amount in amounts.items():
            if name == "cpu":
                result[name] = f"{max(0, quantity.milli_value(result[name]) - quantity.milli_value(amount))}m"
            elif name in result:
                result[name] = str(max(0, quantity.value(result[name]) - quantity.value(amount)))
    return result


def default_node_ips() -> tuple[str, ...]:
    """The address of the interface the default route leaves by; loopback on a machine without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET: nothing is sent, only the route is looked up
        except OSError:
            return ("127.0.0.1",)
        return (str(probe.getsockname()[0]),)


def addresses(node_name: str, ips: Sequence[str]) -> list[core_v1.NodeAddress]:
    return [
        *(core_v1.NodeAddress(type="InternalIP", address=ip) for ip in ips),
        core_v1.NodeAddress(type="Hostname", address=node_name),
    ]


def labels(node_name: str, machine: Machine, own: Mapping[str, str]) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": node_name,
        "kubernetes.io/os": "linux",
        **own,
    }


@dataclass(frozen=True, slots=True)
class Pressure:
    memory: bool
    disk: bool
    pids: bool


def read_pressure(root_dir: Path) -> Pressure:
    """Which of the machine's resources are nearly used up."""
    disk = os.statvfs(root_dir)
    low_blocks = disk.f_bavail < disk.f_blocks * PRESSURE_DISK_FREE_SHARE
    low_inodes = disk.f_files > 0 and disk.f_favail < disk.f_files * PRESSURE_DISK_FREE_INODES_SHARE
    most_pids = int(_first_line("/proc/sys/kernel/pid_max") or 32768)
    tasks = _first_line("/proc/loadavg").split()
    used_pids = int(tasks[3].partition("/")[2]) if len(tasks) > 3 else 0
    return Pressure(
        memory=0 < _meminfo().get("MemAvailable", 0) < PRESSURE_MEMORY_BYTES,
        disk=low_blocks or low_inodes,
        pids=used_pids > most_pids * (1 - PRESSURE_FREE_PIDS_SHARE),
    )
