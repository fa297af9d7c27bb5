from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet import hosts


def pod(name: str = "web-0", **spec: Any) -> core_v1.Pod:
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}, core_v1.Pod)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(pod(), ("web-0", ""), id="the pod's name without more"),
        pytest.param(pod(hostname="a"), ("a", ""), id="spec.hostname"),
        pytest.param(pod(subdomain="db"), ("web-0", "db.shop.svc.cluster.local"), id="a subdomain gives a domain"),
        pytest.param(pod("x" * 62 + "-yy"), ("x" * 62, ""), id="cut at 63 characters, no dash at the end"),
        pytest.param(pod(hostnameOverride="a.b.c", subdomain="db"), ("a.b.c", ""), id="the override stands alone"),
    ],
)
def test_a_pod_has_a_hostname_and_perhaps_a_domain(subject: core_v1.Pod, expected: tuple[str, str]) -> None:
    assert hosts.hostname_and_domain(subject, "cluster.local") == expected


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (pod(hostname="A_b"), 'pod Hostname "A_b" is not a valid DNS label'),
        (pod(subdomain="a.b"), 'pod Subdomain "a.b" is not a valid DNS label'),
        (pod(hostnameOverride="a..b"), 'pod HostnameOverride "a..b" is not a valid DNS subdomain'),
    ],
)
def test_what_is_no_label_is_refused(subject: core_v1.Pod, message: str) -> None:
    with pytest.raises(hosts.HostnameError, match=message):
        hosts.hostname_and_domain(subject, "cluster.local")


def test_the_sandbox_is_named_fully_only_when_asked_and_never_on_the_host_network() -> None:
    whole = pod(subdomain="db", setHostnameAsFQDN=True)
    assert hosts.sandbox_hostname(whole, "cluster.local") == "web-0.db.shop.svc.cluster.local"
    assert hosts.sandbox_hostname(pod(subdomain="db"), "cluster.local") == "web-0"
    assert not hosts.sandbox_hostname(pod(hostNetwork=True), "cluster.local")
    with pytest.raises(hosts.HostnameError, match="is too long"):
        hosts.sandbox_hostname(pod("x" * 50, subdomain="db", setHostnameAsFQDN=True), "cluster.local")


def test_the_hosts_file_names_every_address_and_appends_aliases() -> None:
    aliases = [core_v1.HostAlias(ip="192.0.2.9", hostnames=["one", "two"])]
    text = hosts.managed_hosts(["10.244.0.7", "fd00::7"], "web-0", "db.shop.svc.cluster.local", aliases)
    assert text == (
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
        "10.244.0.7\tweb-0.db.shop.svc.cluster.local\tweb-0\n"
        "fd00::7\tweb-0.db.shop.svc.cluster.local\tweb-0\n"
        "\n# Entries added by HostAliases.\n"
        "192.0.2.9\tone\ttwo\n"
    )


def test_on_the_host_network_the_node_s_file_is_the_base() -> None:
    assert hosts.host_network_hosts("127.0.0.1 localhost\n", []) == (
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"
    )
