from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet import dns_config
from pybernetes.kubelet.dns_config import DnsConfig

HOST = DnsConfig(("192.0.2.53",), ("corp.example",), ("timeout:1",))
CLUSTER = ("10.96.0.10",)
CLUSTER_SEARCH = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")


def pod(**spec: Any) -> core_v1.Pod:
    return msgspec.convert({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": spec}, core_v1.Pod)


OWN = {
    "nameservers": ["203.0.113.1"],
    "searches": ["own.example", "corp.example"],
    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, DnsConfig(CLUSTER, CLUSTER_SEARCH, ("ndots:5",)), id="ClusterFirst is what is meant"),
        pytest.param({"dnsPolicy": "Default"}, HOST, id="Default is the host's file"),
        pytest.param({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, HOST, id="on the host network, the host's"),
        pytest.param(
            {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True},
            DnsConfig(CLUSTER, CLUSTER_SEARCH, ("ndots:5",)),
            id="unless it insists",
        ),
        pytest.param(
            {"dnsPolicy": "None", "dnsConfig": OWN},
            DnsConfig(("203.0.113.1",), ("own.example", "corp.example"), ("ndots:2", "edns0")),
            id="None is dnsConfig alone",
        ),
        pytest.param(
            {"dnsConfig": OWN},
            DnsConfig((*CLUSTER, "203.0.113.1"), (*CLUSTER_SEARCH, "own.example"), ("ndots:2", "edns0")),
            id="dnsConfig is merged, its options win",
        ),
    ],
)
def test_the_policy_decides_where_names_are_asked(spec: dict[str, Any], expected: DnsConfig) -> None:
    assert dns_config.of_pod(pod(**spec), CLUSTER, "cluster.local", HOST) == (expected, [])


def test_without_cluster_dns_the_host_s_file_is_used_and_an_event_says_so() -> None:
    config, events = dns_config.of_pod(pod(), (), "cluster.local", HOST)
    assert config == HOST
    assert [event.reason for event in events] == ["MissingClusterDNS"]
    assert events[0].message == (
        'pod: "web_shop(u)". kubelet does not have ClusterDNS IP configured and cannot create Pod using '
        '"ClusterFirst" policy. Falling back to "Default" policy.'
    )


def test_what_exceeds_the_resolver_s_limits_is_left_out_with_an_event() -> None:
    own = {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"], "searches": [f"d{n}.example" for n in range(40)]}
    config, events = dns_config.of_pod(pod(dnsConfig=own), CLUSTER, "cluster.local", HOST)
    assert config.servers == ("10.96.0.10", "1.1.1.1", "2.2.2.2")
    assert len(config.searches) == 32
    assert [event.reason for event in events] == ["DNSConfigForming", "DNSConfigForming"]
    assert events[0].message.endswith("the applied nameserver line is: 10.96.0.10 1.1.1.1 2.2.2.2")


def test_reads_the_host_s_file() -> None:
    text = "# c\nnameserver 1.1.1.1\nsearch old\nnameserver 2.2.2.2\nsearch a.example. b\noptions ndots:2 edns0\n"
    assert dns_config.parse_resolv_conf(text) == DnsConfig(
        ("1.1.1.1", "2.2.2.2"), ("a.example", "b"), ("ndots:2", "edns0")
    )
