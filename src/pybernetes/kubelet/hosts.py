"""The names of a pod: its hostname and domain, and the /etc/hosts its containers see.

Follows: kubernetes pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, managedHostsFileContent,
nodeHostsFileContent).
"""

import re
from collections.abc import Sequence

from pybernetes.api import core_v1

HOSTNAME_MAX_LENGTH = 63
FQDN_MAX_LENGTH = 64
"""What sethostname(2) takes."""
MANAGED_HOSTS_HEADER = "# Kubernetes-managed hosts file.\n"
MANAGED_HOSTS_HEADER_HOST_NETWORK = "# Kubernetes-managed hosts file (host network).\n"
ETC_HOSTS = "/etc/hosts"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
SUBDOMAIN_MAX_LENGTH = 253


class HostnameError(ValueError):
    """The pod's spec gives no usable hostname; the text is upstream's."""


def hostname_and_domain(pod: core_v1.Pod, cluster_domain: str) -> tuple[str, str]:
    """The pod's hostname, and the domain its fully qualified name ends in (empty without a subdomain).

    Raises:
        HostnameError: the spec names something that is no DNS label.
    """
    spec = pod.spec
    if spec.hostnameOverride is not None:
        labels = spec.hostnameOverride.split(".")
        if len(spec.hostnameOverride) > SUBDOMAIN_MAX_LENGTH or not all(map(_LABEL.fullmatch, labels)):
            raise HostnameError(
                f'pod HostnameOverride "{spec.hostnameOverride}" is not a valid DNS subdomain: {_SUBDOMAIN_RULE}'
            )
        return truncated(pod.name, spec.hostnameOverride), ""
    if spec.hostname and not _is_label(spec.hostname):
        raise HostnameError(f'pod Hostname "{spec.hostname}" is not a valid DNS label: {_LABEL_RULE}')
    hostname = truncated(pod.name, spec.hostname or pod.name)
    if not spec.subdomain:
        return hostname, ""
    if not _is_label(spec.subdomain):
        raise HostnameError(f'pod Subdomain "{spec.subdomain}" is not a valid DNS label: {_LABEL_RULE}')
    return hostname, f"{spec.subdomain}.{pod.namespace}.svc.{cluster_domain}"


def _is_label(text: str) -> bool:
    return len(text) <= HOSTNAME_MAX_LENGTH and _LABEL.fullmatch(text) is not None


def truncated(pod_name: str, hostname: str) -> str:
    """At most 63 characters, not ending in `-` or `.`. Raises: HostnameError."""
    if len(hostname) <= HOSTNAME_MAX_LENGTH:
        return hostname
    result = hostname[:HOSTNAME_MAX_LENGTH].rstrip("-.")
    if not result:
        raise HostnameError(f'hostname for pod "{pod_name}" was invalid: "{hostname}"')
    return result


def sandbox_hostname(pod: core_v1.Pod, cluster_domain: str) -> str:
    """What CRI is told: with `setHostnameAsFQDN` the whole name, nothing on the host's network.

    Raises:
        HostnameError: also when the whole name is longer than a hostname can be.
    """
    if pod.spec.hostNetwork:
        return ""
    hostname, domain = hostname_and_domain(pod, cluster_domain)
    if not pod.spec.setHostnameAsFQDN or not domain:
        return hostname
    whole = f"{hostname}.{domain}"
    if len(whole) > FQDN_MAX_LENGTH:
        raise HostnameError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {whole} is too long "
            f"({FQDN_MAX_LENGTH} characters is the max, {len(whole)} characters requested)"
        )
    return whole


def managed_hosts(pod_ips: Sequence[str], hostname: str, domain: str, aliases: Sequence[core_v1.HostAlias]) -> str:
    """The hosts file of a pod with its own network."""
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    return (
        MANAGED_HOSTS_HEADER
        + "127.0.0.1\tlocalhost\n"
        + "::1\tlocalhost ip6-localhost ip6-loopback\n"
        + "fe00::0\tip6-localnet\n"
        + "fe00::0\tip6-mcastprefix\n"
        + "fe00::1\tip6-allnodes\n"
        + "fe00::2\tip6-allrouters\n"
        + "".join(f"{address}\t{names}\n" for address in pod_ips)
        + _alias_lines(aliases)
    )


def host_network_hosts(nodes_file: str, aliases: Sequence[core_v1.HostAlias]) -> str:
    """The hosts file of a pod on the node's network: the node's own, and the pod's aliases."""
    return MANAGED_HOSTS_HEADER_HOST_NETWORK + nodes_file + _alias_lines(aliases)


def _alias_lines(aliases: Sequence[core_v1.HostAlias]) -> str:
    if not aliases:
        return ""
    lines = "".join(f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases)
    return f"\n# Entries added by HostAliases.\n{lines}"
