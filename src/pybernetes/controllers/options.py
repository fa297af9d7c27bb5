"""What the controllers are told from outside; defaults are those of kube-controller-manager."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of all controllers."""

    controllers: tuple[str, ...] = ("*",)
    """Which to run: `*` all that are on by default, `name` this one too, `-name` not this one."""
    allocate_node_cidrs: bool = True
    cluster_cidr: str = "10.244.0.0/16"
    """Addresses of pods; one IPv4 and one IPv6 range may be given, separated by a comma."""
    service_cidr: str = "10.96.0.0/12"
    node_cidr_mask_size: int = 24
    node_cidr_mask_size_ipv6: int = 64
    root_ca: str = ""
    """PEM that pods trust the API server by; without it no `kube-root-ca.crt` is published."""
    service_account_private_key: bytes = b""
    """PEM of the key that signs the tokens in Secrets; without it none are issued."""
    signing_certificate: bytes = b""
    signing_key: bytes = b""
    """PEM of the authority that signs certificate signing requests; without it none are signed."""
    signing_duration_seconds: int = 365 * 24 * 3600
    node_monitor_grace_period_seconds: float = 50.0
    node_startup_grace_period_seconds: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = 0.55
    large_cluster_size_threshold: int = 50
    terminated_pod_gc_threshold: int = 12500
    max_endpoints_per_slice: int = 100
    concurrent_deployment_syncs: int = 5
    concurrent_replicaset_syncs: int = 5
    concurrent_gc_syncs: int = 20
    concurrent_namespace_syncs: int = 10
    concurrent_service_endpoint_syncs: int = 5


def enabled(name: str, chosen: tuple[str, ...], *, by_default: bool = True) -> bool:
    """Whether `--controllers` asks for this one; naming it wins over `*`. Follows: genericcontrollermanager."""
    if name in chosen:
        return True
    if f"-{name}" in chosen:
        return False
    return "*" in chosen and by_default
