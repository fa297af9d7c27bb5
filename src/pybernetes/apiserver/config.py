"""Settings of the API server. Flag names of `pybernetes apiserver` follow upstream's."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KubeletClientConfig:
    """How the API server reaches kubelets. Files are PEM."""

    client_certificate: str = ""
    client_key: str = ""
    certificate_authority: str = ""
    """Checks the kubelets' serving certificates; empty: not checked, as upstream by default."""
    preferred_address_types: tuple[str, ...] = ("InternalIP", "ExternalIP", "Hostname")


@dataclass(frozen=True, slots=True)
class RequestHeaderConfig:
    """Proxies in front of this server that may say who asks: `--requestheader-*`."""

    client_ca: str = ""
    """PEM file of the authority of such proxies; empty: there are none."""
    allowed_names: tuple[str, ...] = ()
    """Common names of their certificates; empty allows any."""
    username_headers: tuple[str, ...] = ("X-Remote-User",)
    uid_headers: tuple[str, ...] = ("X-Remote-Uid",)
    group_headers: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)


@dataclass(frozen=True, slots=True)
class Config:
    """How one API server serves."""

    bind_address: str = "127.0.0.1"
    more_addresses: tuple[str, ...] = ()
    """Listened on, too, at the same port: the address under which pods reach this machine."""
    port: int = 6443
    """0 takes any free port."""
    tls_certificate: str = ""
    """PEM file; empty serves plain HTTP."""
    tls_key: str = ""
    client_ca: str = ""
    """PEM file: whoever shows a certificate of this authority is authenticated by it."""
    service_account_signing_key: str = ""
    """PEM file of the key that signs tokens; empty: none are issued or believed."""
    service_account_keys: tuple[str, ...] = ()
    """PEM files of further keys whose tokens are believed."""
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    api_audiences: tuple[str, ...] = ()
    """Audiences this server answers to; empty: the issuer."""
    proxy_client_certificate: str = ""
    """PEM file shown to extension servers, which believe the user we name because of it."""
    proxy_client_key: str = ""
    request_header: RequestHeaderConfig = field(default_factory=RequestHeaderConfig)
    token_auth_file: str = ""
    """CSV file of fixed tokens."""
    all_api_versions: bool = False
    """Serve alpha and beta versions, too: `--runtime-config=api/all=true`."""
    encryption_provider_config: str = ""
    """What is encrypted in the store, with which keys; empty: nothing."""
    encryption_reload: bool = False
    """Look every minute whether that file has changed."""
    request_timeout_seconds: float = 60.0
    audit_policy_file: str = ""
    """What is told of requests; empty: nothing."""
    audit_log_path: str = ""
    """Where to; `-` is standard output."""
    audit_log_max_size_megabytes: int = 0
    audit_log_max_age_days: int = 0
    audit_log_max_backups: int = 0
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    """The two together are the seats that priority levels share."""
    min_watch_seconds: float = 1800.0
    """A watch without timeoutSeconds lasts this long, or up to twice as long."""
    event_ttl_seconds: int = 3600
    compaction_interval_seconds: float = 300.0
    """History older than this expires. Follows: --etcd-compaction-interval."""
    kubelet: KubeletClientConfig = field(default_factory=KubeletClientConfig)
    service_cidr: str = "10.96.0.0/12"
    service_node_ports: tuple[int, int] = (30000, 32767)
    """First and last."""
    disabled_admission_plugins: frozenset[str] = frozenset()
    advertise_address: str = ""
