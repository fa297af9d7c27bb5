"""Which name servers, search domains and options a pod's resolv.conf has.

ClusterFirst asks the cluster's DNS and searches the cluster's domains before the host's; Default is the host's own
file; None is only what `dnsConfig` says; a pod on the host's network with ClusterFirst gets Default.

Follows: kubernetes pkg/kubelet/network/dns/dns.go; limits: pkg/apis/core/validation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pybernetes.api import core_v1

CLUSTER_FIRST = "ClusterFirst"
CLUSTER_FIRST_WITH_HOST_NET = "ClusterFirstWithHostNet"
DEFAULT = "Default"
NONE = "None"

CLUSTER_OPTIONS = ("ndots:5",)
MAX_NAMESERVERS = 3
MAX_SEARCH_PATHS = 32
MAX_SEARCH_CHARACTERS = 2048
MAX_SEARCH_PATH_LENGTH = 253

REASON_FORMING = "DNSConfigForming"
REASON_MISSING_CLUSTER_DNS = "MissingClusterDNS"


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """CRI's `DNSConfig`: the lines of a resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodWarning:
    """An event of type Warning about the pod."""

    reason: str
    message: str


def parse_resolv_conf(text: str) -> DnsConfig:
    """The host's resolv.conf; name servers add up, of `search` and `options` the last line counts."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        match fields[0]:
            case "nameserver" if len(fields) > 1:
                servers.append(fields[1])
            case "search":
                searches = tuple("." if field == "." else field.removesuffix(".") for field in fields[1:])
            case "options":
                options = tuple(fields[1:])
            case _:
                pass
    return DnsConfig(tuple(servers), searches, options)


def of_pod(
    pod: core_v1.Pod, cluster_dns: tuple[str, ...], cluster_domain: str, host: DnsConfig
) -> tuple[DnsConfig, list[PodWarning]]:
    """What the pod's resolv.conf says, and the events to write about what had to be left out."""
    warnings: list[PodWarning] = []
    policy = pod.spec.dnsPolicy or CLUSTER_FIRST
    if policy == NONE:
        config = DnsConfig()
    elif policy == DEFAULT or (policy == CLUSTER_FIRST and pod.spec.hostNetwork):
        config = host
    elif cluster_dns:
        searches = host.searches
        if cluster_domain:
            own = (f"{pod.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
            searches = _without_repeats((*own, *host.searches))
        config = DnsConfig(cluster_dns, searches, CLUSTER_OPTIONS)
    else:
        config = host
        warnings.append(
            PodWarning(
                REASON_MISSING_CLUSTER_DNS,
                f'pod: "{pod.name}_{pod.namespace}({pod.metadata.uid})". kubelet does not have ClusterDNS IP '
                f'configured and cannot create Pod using "{CLUSTER_FIRST}" policy. '
                f'Falling back to "{DEFAULT}" policy.',
            )
        )
    if pod.spec.dnsConfig is not None:
        config = _merged(config, pod.spec.dnsConfig)
    config, omitted = _within_limits(config)
    return config, warnings + omitted


def _without_repeats(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _merged(config: DnsConfig, own: core_v1.PodDNSConfig) -> DnsConfig:
    options = dict(option.partition(":")[::2] for option in config.options)
    options.update({option.name: option.value or "" for option in own.options})
    return DnsConfig(
        servers=_without_repeats((*config.servers, *own.nameservers)),
        searches=_without_repeats((*config.searches, *own.searches)),
        options=tuple(f"{name}:{value}" if value else name for name, value in options.items()),
    )


def _within_limits(config: DnsConfig) -> tuple[DnsConfig, list[PodWarning]]:
    warnings: list[PodWarning] = []
    servers = config.servers[:MAX_NAMESERVERS]
    if servers != config.servers:
        warnings.append(
            PodWarning(
                REASON_FORMING,
                "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
                + " ".join(servers),
            )
        )
    searches = tuple(name for name in config.searches[:MAX_SEARCH_PATHS] if len(name) <= MAX_SEARCH_PATH_LENGTH)
    while len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        searches = searches[:-1]
    if searches != config.searches:
        warnings.append(
            PodWarning(
                REASON_FORMING,
                "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
                + " ".join(searches),
            )
        )
    return replace(config, servers=servers, searches=searches), warnings
