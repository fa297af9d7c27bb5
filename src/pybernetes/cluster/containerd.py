"""The container runtime of the real node: our own containerd, with our own configuration, root and socket.

Follows: containerd 1.6 docs/cri/config.md; the values were measured on Debian 12, docs/adr/0082-node-runtime.md.
"""

import json
import os
import shutil
from pathlib import Path

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.state import StateDirectory, write_private

PAUSE_IMAGE = "localhost/pause:1"
CNI_DIRECTORIES = ("/usr/lib/cni", "/opt/cni/bin")
"""Where Debian, and where everybody else, keeps the plugins."""
DISABLED_PLUGINS = [
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.opt",
    "io.containerd.tracing.processor.v1.otlp",
]
SYSTEM_RUN = Path("/run/containerd")
"""containerd 1.6 keeps its shims' sockets here, whatever the configuration says."""


def cni_directory() -> str:
    """The directory that has the plugins."""
    for directory in CNI_DIRECTORIES:
        if os.access(f"{directory}/bridge", os.X_OK):
            return directory
    return CNI_DIRECTORIES[0]


def configuration(state: StateDirectory, *, crun: bool) -> str:
    """`config.toml`.

    restrict_oom_score_adj: without CAP_SYS_RESOURCE a negative score fails every sandbox. The netns mounts lie under
    the state directory so that two clusters do not share /run/netns. The stream server serves only the kubelet.
    """
    q = json.dumps  # TOML's basic strings are JSON's
    lines = [
        "version = 2",
        f"root = {q(str(state.containerd / 'root'))}",
        f"state = {q(str(state.run / 'containerd'))}",
        "oom_score = 0",
        f"disabled_plugins = {q(DISABLED_PLUGINS)}",
        "[grpc]",
        f"  address = {q(str(state.containerd_socket))}",
        "[debug]",
        '  level = "warn"',
        '[plugins."io.containerd.grpc.v1.cri"]',
        f"  sandbox_image = {q(PAUSE_IMAGE)}",
        "  restrict_oom_score_adj = true",
        "  disable_apparmor = true",
        "  netns_mounts_under_state_dir = true",
        "  enable_unprivileged_ports = true",
        "  enable_unprivileged_icmp = true",
        '  stream_server_address = "127.0.0.1"',
        '  stream_server_port = "0"',
        "  max_concurrent_downloads = 3",
        '  [plugins."io.containerd.grpc.v1.cri".cni]',
        f"    bin_dir = {q(cni_directory())}",
        f"    conf_dir = {q(str(state.cni / 'net.d'))}",
        "    max_conf_num = 1",
        '  [plugins."io.containerd.grpc.v1.cri".registry]',
        f"    config_path = {q(str(state.containerd / 'certs.d'))}",
        '  [plugins."io.containerd.grpc.v1.cri".containerd]',
        '    default_runtime_name = "runc"',
        '    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
        '      runtime_type = "io.containerd.runc.v2"',
    ]
    if crun:
        lines += [
            '    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]',
            '      runtime_type = "io.containerd.runc.v2"',
            '      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]',
            '        BinaryName = "crun"',
        ]
    return "\n".join(lines) + "\n"


def pod_network(config: ClusterConfig, state: StateDirectory, pod_cidr: str) -> dict[str, object]:
    """The CNI configuration of a node whose pods live in `pod_cidr`.

    ptp: one routed veth per pod, no bridge. Every packet crosses netfilter, so Services need no sysctl, and nothing
    stays behind when the last pod is gone.
    """
    return {
        "cniVersion": "0.4.0",
        "name": config.network_name,
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(state.cni / "ipam"),
                    "ranges": [[{"subnet": pod_cidr}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def write_pod_network(config: ClusterConfig, state: StateDirectory, pod_cidr: str) -> bool:
    """Write the conflist containerd picks up by itself; whether it changed."""
    directory = state.cni / "net.d"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "10-pybernetes.conflist"
    data = json.dumps(pod_network(config, state, pod_cidr), indent=2).encode()
    if path.exists() and path.read_bytes() == data:
        return False
    write_private(path, data)
    return True


def prepare(state: StateDirectory) -> None:
    """Make the directories and write the configuration."""
    for path in (state.containerd, state.containerd / "certs.d", state.cni / "net.d", state.cni / "ipam"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = configuration(state, crun=shutil.which("crun") is not None)
    write_private(state.containerd / "config.toml", text.encode())
