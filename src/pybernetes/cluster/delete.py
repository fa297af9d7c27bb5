"""Removing every trace of a cluster: what `down` stops, then what it left on the machine, then the state directory.

Each part is removed by a name only this cluster has: its cgroup root, its nft table, its address on `lo`, the mounts
below its directory.
"""

import json
import os
import re
import subprocess
from pathlib import Path

from pybernetes.cluster import kubeconfig_file, node_setup, preflight
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.containerd import SYSTEM_RUN
from pybernetes.cluster.down import CGROUPS, down
from pybernetes.cluster.errors import BadOption, ClusterError
from pybernetes.cluster.progress import Progress
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock

CGROUP_TRIES = 50
"""An emptied cgroup stays busy until the kernel has buried its last process."""
CGROUP_PAUSE_SECONDS = 0.02
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


def delete(state: StateDirectory, config: ClusterConfig, progress: Progress, clock: SystemClock) -> None:
    """Leave nothing of the cluster.

    Raises:
        ClusterError: something could not be removed; the state directory then stays, so that it can be tried again.
    """
    down(state, config, progress, clock)
    if config.nodes and os.geteuid() == 0:
        _clean_machine(state, config, clock)
    if config.kubeconfig:
        addition = {
            "clusters": [{"name": config.name}],
            "contexts": [{"name": config.name}],
            "users": [{"name": config.name}],
            "current-context": config.name,
        }
        try:
            kubeconfig_file.remove(Path(config.kubeconfig), addition)
        except BadOption as error:
            progress.note(f"warning: the context {config.name!r} stays behind: {error.problem}")
    state.remove()
    progress.done(f"cluster {config.name!r} deleted")


def _clean_machine(state: StateDirectory, config: ClusterConfig, clock: SystemClock) -> None:
    _remove_tables(config.nft_table)
    _remove_cgroups(config.cgroup_root, clock)
    node_setup.remove_address(config.machine_ip)
    node_setup.unmount_below(state.root)
    left = node_setup.mounts_below(state.root)
    if left:
        raise ClusterError(f"still mounted: {left[0]}", "end what uses it (fuser -m shows it) and delete again")
    others = [
        other
        for path in preflight.other_clusters(config, state.root.parent)
        if (other := StateDirectory(path).load_config()).nodes
    ]
    node_setup.restore_sysctls(state, others_need_them=bool(others))
    _remove_stale_sockets()
    _remove_network_results(config.network_name)


def _remove_network_results(network: str) -> None:
    """Remove what CNI remembers of pods whose networks nobody released: their containers were killed."""
    if not CNI_RESULTS.is_dir():
        return
    for path in sorted(CNI_RESULTS.glob(f"{network}-*-eth0")):
        container = path.name.removeprefix(f"{network}-").removesuffix("-eth0")
        if CONTAINER_ID.fullmatch(container):
            path.unlink(missing_ok=True)
            (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)


def _remove_tables(name: str) -> None:
    """Remove our nftables tables, of any family."""
    nft = preflight.find_program("nft")
    if nft is None:
        return
    listing = subprocess.run([nft, "-j", "list", "tables"], check=False, capture_output=True)
    if listing.returncode:
        return
    for row in json.loads(listing.stdout).get("nftables", ()):
        table = row.get("table")
        if table and (table["name"] == name or table["name"].startswith(f"{name}-")):
            subprocess.run([nft, "delete", "table", table["family"], table["name"]], check=True, capture_output=True)


def _remove_cgroups(root: str, clock: SystemClock) -> None:
    """Remove the cluster's cgroups in every hierarchy, leaves first."""
    tops = [CGROUPS, *(path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink())]
    for top in tops:
        ours = top / root.strip("/")
        if not ours.is_dir():
            continue
        for directory, _, _ in os.walk(ours, topdown=False):
            for attempt in range(CGROUP_TRIES):
                try:
                    Path(directory).rmdir()
                except FileNotFoundError:
                    break
                except OSError as error:
                    if attempt == CGROUP_TRIES - 1:
                        raise ClusterError(
                            f"the cgroup {directory} cannot be removed: {error.strerror}",
                            "end the processes in its cgroup.procs and delete again",
                        ) from error
                    clock.pause(CGROUP_PAUSE_SECONDS)
                else:
                    break


def _remove_stale_sockets() -> None:
    """Remove shims' sockets that nobody listens on; killed shims leave them behind."""
    sockets = SYSTEM_RUN / "s"
    if not sockets.is_dir():
        return
    listening = {
        line.split()[-1] for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    }
    for path in sockets.iterdir():
        if str(path) not in listening:
            path.unlink(missing_ok=True)
    for directory in (sockets, SYSTEM_RUN / "fifo", SYSTEM_RUN / "runc" / "k8s.io", SYSTEM_RUN / "runc", SYSTEM_RUN):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
