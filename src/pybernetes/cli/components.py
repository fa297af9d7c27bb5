"""What each stand-alone component takes from its flags, and how it runs; upstream's names."""

import argparse
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybernetes.cluster.errors import BadOption
from pybernetes.effects import Chance, SystemClock

if TYPE_CHECKING:
    from pybernetes.client.rest import RestClient
    from pybernetes.kubelet.config import KubeletConfig

Arguments = argparse.Namespace


@dataclass(frozen=True, slots=True)
class ComponentCommand:
    """The flags of a component, and its life. `run` gets no client for the API server itself."""

    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Any, Arguments], Coroutine[Any, Any, None]]


def words(text: str) -> tuple[str, ...]:
    """A list as flags write it: `a,b`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def pairs(text: str) -> dict[str, str]:
    """A map as flags write it: `a=b,c=d`.

    Raises:
        argparse.ArgumentTypeError: a part has no `=`.
    """
    found = {}
    for part in words(text):
        name, separator, value = part.partition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"{part!r} is not of the form name=value")
        found[name] = value
    return found


def add_flags(parser: argparse.ArgumentParser, flags: Sequence[tuple[str, Any, str]], **kinds: Any) -> None:
    """Add `--flag` with default and help for each row; `kinds` names a reader for some."""
    for name, default, text in flags:
        reader = kinds.get(name.replace("-", "_"))
        kind = reader or (int if isinstance(default, int) and not isinstance(default, bool) else str)
        shown = f"{text} (default: {default})" if default not in ("", ()) else text
        parser.add_argument(f"--{name}", default=default, type=kind, metavar="V", help=shown)


def existing(flag: str, value: str) -> str:
    """The path, if there is such a file (or the flag was not given).

    Raises:
        BadOption: there is none.
    """
    if value and not Path(value).exists():
        raise BadOption(f"--{flag} {value}: there is no such file", "name an existing file")
    return value


# ── API server ──


def apiserver_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(
        parser,
        (
            ("bind-address", "127.0.0.1", "address to listen on"),
            ("secure-port", 6443, "port to listen on"),
            ("tls-cert-file", "", "serving certificate; without it plain HTTP on loopback"),
            ("tls-private-key-file", "", "its key"),
            ("client-ca-file", "", "whoever shows a certificate of this authority is who it says"),
            ("requestheader-client-ca-file", "", "authority of proxies that may say who asks"),
            ("requestheader-allowed-names", "", "common names of such proxies; empty allows any"),
            ("requestheader-username-headers", "X-Remote-User", "where they name the user"),
            ("requestheader-uid-headers", "X-Remote-Uid", "where they name the user's uid"),
            ("requestheader-group-headers", "X-Remote-Group", "where they name the groups"),
            ("requestheader-extra-headers-prefix", "X-Remote-Extra-", "how headers with further facts begin"),
            ("proxy-client-cert-file", "", "certificate shown to extension servers"),
            ("proxy-client-key-file", "", "its key"),
            ("kubelet-client-certificate", "", "certificate shown to kubelets"),
            ("kubelet-client-key", "", "its key"),
            ("kubelet-certificate-authority", "", "authority of the kubelets' certificates"),
            ("service-cluster-ip-range", "10.96.0.0/12", "range of Service addresses"),
            ("advertise-address", "", "address under which pods reach this server"),
            ("encryption-provider-config-automatic-reload", "false", "true: read that file again every minute"),
            ("encryption-provider-config", "", "what is encrypted in the store, with which keys"),
            ("audit-policy-file", "", "which requests are told of in the audit log, and how much"),
            ("audit-log-path", "", "where to; - is standard output"),
            ("audit-log-maxsize", 0, "megabytes of a file before it is rotated; 0 is no limit"),
            ("audit-log-maxage", 0, "days that rotated files are kept; 0 is no limit"),
            ("audit-log-maxbackup", 0, "rotated files that are kept; 0 is no limit"),
            ("max-requests-inflight", 400, "with the next one: seats that priority levels share"),
            ("max-mutating-requests-inflight", 200, "with the previous one: seats that priority levels share"),
            ("runtime-config", "", "api/all=true serves alpha and beta versions, too"),
            ("storage-path", "", "SQLite file (made when absent); without it everything stays in memory"),
        ),
    )


async def run_apiserver(_client: None, arguments: Arguments) -> None:
    from pybernetes.apiserver.config import Config, KubeletClientConfig, RequestHeaderConfig
    from pybernetes.apiserver.server import run
    from pybernetes.storage.interface import Storage
    from pybernetes.storage.memory import open_memory
    from pybernetes.storage.sqlite import UnusableFile, open_sqlite

    if bool(arguments.tls_cert_file) != bool(arguments.tls_private_key_file):
        raise BadOption("--tls-cert-file and --tls-private-key-file go together", "give both, or neither")
    for flag in ("tls-cert-file", "tls-private-key-file", "client-ca-file", "kubelet-client-certificate"):
        existing(flag, getattr(arguments, flag.replace("-", "_")))
    config = Config(
        bind_address=arguments.bind_address,
        port=arguments.secure_port,
        tls_certificate=arguments.tls_cert_file,
        tls_key=arguments.tls_private_key_file,
        client_ca=arguments.client_ca_file,
        proxy_client_certificate=existing("proxy-client-cert-file", arguments.proxy_client_cert_file),
        proxy_client_key=existing("proxy-client-key-file", arguments.proxy_client_key_file),
        request_header=RequestHeaderConfig(
            existing("requestheader-client-ca-file", arguments.requestheader_client_ca_file),
            tuple(words(arguments.requestheader_allowed_names)),
            tuple(words(arguments.requestheader_username_headers)),
            tuple(words(arguments.requestheader_uid_headers)),
            tuple(words(arguments.requestheader_group_headers)),
            tuple(words(arguments.requestheader_extra_headers_prefix)),
        ),
        all_api_versions="api/all=true" in words(arguments.runtime_config),
        kubelet=KubeletClientConfig(
            arguments.kubelet_client_certificate,
            arguments.kubelet_client_key,
            arguments.kubelet_certificate_authority,
        ),
        service_cidr=arguments.service_cluster_ip_range,
        advertise_address=arguments.advertise_address,
        encryption_provider_config=existing("encryption-provider-config", arguments.encryption_provider_config),
        encryption_reload=arguments.encryption_provider_config_automatic_reload == "true",
        audit_policy_file=existing("audit-policy-file", arguments.audit_policy_file),
        audit_log_path=arguments.audit_log_path,
        audit_log_max_size_megabytes=arguments.audit_log_maxsize,
        audit_log_max_age_days=arguments.audit_log_maxage,
        audit_log_max_backups=arguments.audit_log_maxbackup,
        max_requests_inflight=arguments.max_requests_inflight,
        max_mutating_requests_inflight=arguments.max_mutating_requests_inflight,
    )
    storage: Storage
    try:
        clock = SystemClock()
        storage = open_sqlite(Path(arguments.storage_path), clock) if arguments.storage_path else open_memory(clock)
    except (UnusableFile, OSError) as error:
        raise BadOption(f"--storage-path {arguments.storage_path}: {error}", "name another file") from error
    try:
        await run(config, storage)
    finally:
        await storage.close()


# ── scheduler ──


def scheduler_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, (("scheduler-name", "default-scheduler", "schedule the pods that ask for this one"),))


async def run_scheduler(client: "RestClient", arguments: Arguments) -> None:
    from pybernetes.scheduler.scheduler import SchedulerConfig, run

    settings = SchedulerConfig(scheduler_name=arguments.scheduler_name, host=socket.gethostname())
    await run(client, SystemClock(), Chance(), settings)


# ── controller manager ──


def controller_manager_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(
        parser,
        (
            ("controllers", ("*",), "`*` all that are on by default, `name` this too, `-name` not this"),
            ("cluster-cidr", "10.244.0.0/16", "addresses of pods"),
            ("service-cluster-ip-range", "10.96.0.0/12", "addresses of Services"),
            ("node-cidr-mask-size", 24, "size of a node's part of the pods' addresses"),
            ("root-ca-file", "", "authority pods trust the API server by"),
            ("service-account-private-key-file", "", "key that signs the tokens in Secrets"),
            ("cluster-signing-cert-file", "", "authority that signs certificate signing requests"),
            ("cluster-signing-key-file", "", "its key"),
            ("node-monitor-grace-period", 50, "seconds a node may be silent"),
            ("terminated-pod-gc-threshold", 12500, "finished pods to keep"),
        ),
        controllers=words,
    )
    parser.add_argument("--allocate-node-cidrs", action="store_true", help="give every node its part of --cluster-cidr")


async def run_controller_manager(client: "RestClient", arguments: Arguments) -> None:
    from pybernetes.controllers.manager import run
    from pybernetes.controllers.options import Options

    def content(flag: str) -> bytes:
        path = existing(flag, getattr(arguments, flag.replace("-", "_")))
        return Path(path).read_bytes() if path else b""

    options = Options(
        controllers=arguments.controllers,
        allocate_node_cidrs=arguments.allocate_node_cidrs,
        cluster_cidr=arguments.cluster_cidr,
        service_cidr=arguments.service_cluster_ip_range,
        node_cidr_mask_size=arguments.node_cidr_mask_size,
        root_ca=content("root-ca-file").decode("ascii"),
        service_account_private_key=content("service-account-private-key-file"),
        signing_certificate=content("cluster-signing-cert-file"),
        signing_key=content("cluster-signing-key-file"),
        node_monitor_grace_period_seconds=float(arguments.node_monitor_grace_period),
        terminated_pod_gc_threshold=arguments.terminated_pod_gc_threshold,
    )
    await run(client, SystemClock(), Chance(), options)


# ── kubelet ──


def kubelet_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(
        parser,
        (
            ("hostname-override", "", "name of the node"),
            ("node-ip", (), "addresses of the node"),
            ("container-runtime-endpoint", "/run/containerd/containerd.sock", "socket of the container runtime"),
            ("root-dir", "/var/lib/kubelet", "where volumes lie"),
            ("pod-log-dir", "/var/log/pods", "where the runtime writes logs"),
            ("cluster-dns", (), "name servers of pods"),
            ("cluster-domain", "cluster.local", "domain of the cluster"),
            ("resolv-conf", "/etc/resolv.conf", "the node's own resolver settings"),
            ("max-pods", 110, "pods that may run here"),
            ("pod-max-pids", -1, "processes a pod may have; -1 for no limit"),
            ("pod-cidr", "", "addresses of pods, when the node object names none"),
            ("cgroup-root", "/kubepods", "parent of the pods' cgroups"),
            ("address", "0.0.0.0", "address to listen on"),
            ("port", 10250, "port to listen on"),
            ("tls-cert-file", "", "serving certificate"),
            ("tls-private-key-file", "", "its key"),
            ("client-ca-file", "", "authority of clients' certificates"),
            ("node-labels", {}, "labels of the node: a=b,c=d"),
            ("system-reserved", {}, "kept for the system: cpu=100m,memory=200Mi"),
            ("kube-reserved", {}, "kept for the node's own daemons"),
        ),
        node_ip=words,
        cluster_dns=words,
        node_labels=pairs,
        system_reserved=pairs,
        kube_reserved=pairs,
    )


def kubelet_settings(arguments: Arguments) -> "KubeletConfig":
    """The settings the flags mean.

    Raises:
        BadOption: a file they name does not exist.
    """
    from pybernetes.cluster.preflight import machine_name
    from pybernetes.kubelet.config import KubeletConfig

    def file(flag: str) -> Path | None:
        value = existing(flag, getattr(arguments, flag.replace("-", "_")))
        return Path(value) if value else None

    return KubeletConfig(
        node_name=arguments.hostname_override or machine_name(),
        node_ips=arguments.node_ip,
        container_runtime_endpoint=arguments.container_runtime_endpoint,
        root_dir=Path(arguments.root_dir),
        pod_logs_dir=Path(arguments.pod_log_dir),
        cluster_dns=arguments.cluster_dns,
        cluster_domain=arguments.cluster_domain,
        resolv_conf=arguments.resolv_conf,
        max_pods=arguments.max_pods,
        pod_pids_limit=arguments.pod_max_pids,
        pod_cidr=arguments.pod_cidr,
        labels=arguments.node_labels,
        cgroup_root=arguments.cgroup_root,
        system_reserved=arguments.system_reserved,
        kube_reserved=arguments.kube_reserved,
        address=arguments.address,
        port=arguments.port,
        tls_cert_file=file("tls-cert-file"),
        tls_private_key_file=file("tls-private-key-file"),
        client_ca_file=file("client-ca-file"),
    )


async def run_kubelet(client: "RestClient", arguments: Arguments) -> None:
    from pybernetes.kubelet.kubelet import run

    await run(client, kubelet_settings(arguments), SystemClock(), Chance())


# ── proxy ──


def proxy_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(
        parser,
        (
            ("hostname-override", "", "name of the node"),
            ("cluster-cidr", ("10.244.0.0/16",), "ranges of pod addresses"),
            ("nft-table", "pybernetes-proxy", "name of the nftables table"),
        ),
        cluster_cidr=words,
    )


async def run_proxy(client: "RestClient", arguments: Arguments) -> None:
    from pybernetes.cluster.preflight import machine_name
    from pybernetes.proxy.proxy import ProxyConfig, run

    settings = ProxyConfig(
        node_name=arguments.hostname_override or machine_name(),
        cluster_cidrs=arguments.cluster_cidr,
        table=arguments.nft_table,
    )
    await run(client, settings, SystemClock())


# ── DNS ──


def dns_flags(parser: argparse.ArgumentParser) -> None:
    add_flags(
        parser,
        (
            ("address", ("127.0.0.1",), "addresses to listen on"),
            ("port", 53, "port to listen on"),
            ("domain", "cluster.local", "domain of the cluster"),
            ("upstream", (), "name servers for everything else"),
        ),
        address=words,
        upstream=words,
    )


async def run_dns(client: "RestClient", arguments: Arguments) -> None:
    from pybernetes.dns.server import DnsConfig, run

    settings = DnsConfig(arguments.address, arguments.port, arguments.domain, arguments.upstream)
    await run(client, settings, SystemClock(), Chance())


COMPONENTS = {
    "apiserver": ComponentCommand(apiserver_flags, run_apiserver),
    "controller-manager": ComponentCommand(controller_manager_flags, run_controller_manager),
    "scheduler": ComponentCommand(scheduler_flags, run_scheduler),
    "kubelet": ComponentCommand(kubelet_flags, run_kubelet),
    "proxy": ComponentCommand(proxy_flags, run_proxy),
    "dns": ComponentCommand(dns_flags, run_dns),
}
