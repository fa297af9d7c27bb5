"""The settings of one kubelet; `cli` fills them from upstream's flags, `cluster` from its own state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.api import core_v1

DEFAULT_ROOT = Path("/var/lib/kubelet")
DEFAULT_POD_LOGS = Path("/var/log/pods")
DEFAULT_SOCKET = "/run/containerd/containerd.sock"
DEFAULT_MAX_PODS = 110
KUBELET_VERSION = "v1.36.0"


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """Names in brackets are upstream's flags or `KubeletConfiguration` fields."""

    node_name: str
    node_ips: tuple[str, ...] = ()
    """Addresses other nodes reach this one at, the preferred family first [--node-ip]; empty: the default route's."""
    container_runtime_endpoint: str = DEFAULT_SOCKET
    root_dir: Path = DEFAULT_ROOT
    pod_logs_dir: Path = DEFAULT_POD_LOGS
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: str = "/etc/resolv.conf"
    max_pods: int = DEFAULT_MAX_PODS
    pod_pids_limit: int = -1
    pod_cidr: str = ""
    """What the node registers with as its pods' range; empty leaves it to the cluster to give it one [podCIDR]."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[core_v1.Taint] = ()
    register_node: bool = True
    cgroup_root: str = "/kubepods"
    """Parent of all pods' cgroups; another one per cluster where several share a machine [--cgroup-root]."""
    cpu_cfs_quota: bool = True
    seccomp_default: bool = False
    system_reserved: Mapping[str, str] = field(default_factory=dict)
    kube_reserved: Mapping[str, str] = field(default_factory=dict)
    address: str = "0.0.0.0"
    port: int = 10250
    tls_cert_file: Path | None = None
    tls_private_key_file: Path | None = None
    client_ca_file: Path | None = None
    static_pod_path: Path | None = None
    node_status_update_seconds: float = 10.0
    """How often conditions are looked at [nodeStatusUpdateFrequency]."""
    node_status_report_seconds: float = 300.0
    """How often an unchanged status is written all the same [nodeStatusReportFrequency]."""
    node_lease_duration_seconds: int = 40
    sync_seconds: float = 60.0
    """How often a pod is looked at though nothing happened, plus up to half of it [syncFrequency]."""
    volume_stats: bool = True
