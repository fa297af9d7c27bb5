"""The proxy's rules in a real kernel: what a connection from a pod, the node and outside is answered."""

import dataclasses
from collections.abc import Iterator

import pytest

from node.network import CLIENT_IP, NODE_IP, Network
from pybernetes.proxy import nft_text
from pybernetes.proxy.ruleset import HostPort, Ruleset, build, difference
from pybernetes.proxy.services import Backend, ServicePort

pytestmark = pytest.mark.root

TABLE = nft_text.Table("pybernetes-proxy", nft_text.FAMILIES[4], ("10.244.0.0/16",), masquerade_pod_egress=True)
PODS = tuple(Backend(Network.pod_ip(number), 8080) for number in (1, 2, 3))
VIP = "10.96.0.5"
WEB = ServicePort(
    name="default/web:http",
    protocol="tcp",
    port=80,
    cluster_ip=VIP,
    cluster=PODS,
    everywhere=PODS,
    local=PODS,
    on_this_node=tuple(pod.ip for pod in PODS),
)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def serve(network: Network, *ports: ServicePort, host_ports: tuple[HostPort, ...] = ()) -> Ruleset:
    rules = build(ports, host_ports, Ruleset())
    network.nft(nft_text.full(TABLE, rules))
    return rules


@pytest.mark.parametrize("source", ["pod-1", "node", "client"])
def test_a_cluster_ip_reaches_every_endpoint_from_pods_the_node_and_outside(network: Network, source: str) -> None:
    serve(network, WEB)
    assert {network.ask(source, VIP, 80).split()[0] for _ in range(24)} == {"pod-1", "pod-2", "pod-3"}


def test_a_pod_sees_the_address_of_another_pod_and_reaches_itself_through_its_service(network: Network) -> None:
    serve(network, dataclasses.replace(WEB, cluster=PODS[1:2]))
    assert network.ask("pod-1", VIP, 80) == f"pod-2 {Network.pod_ip(1)}"
    assert network.ask("pod-2", VIP, 80).startswith("pod-2 ")


def test_a_node_port_hides_the_client_under_policy_cluster_and_shows_it_under_local(network: Network) -> None:
    port = dataclasses.replace(WEB, node_port=30080)
    serve(network, port)
    assert network.ask("client", NODE_IP, 30080).split()[1] != CLIENT_IP
    serve(network, dataclasses.replace(port, external_local=True))
    assert network.ask("client", NODE_IP, 30080).split()[1] == CLIENT_IP
    assert network.ask("node", NODE_IP, 30080).startswith("pod-")
    assert network.ask("pod-1", NODE_IP, 30080).startswith("pod-")


def test_affinity_keeps_a_client_at_one_endpoint_until_that_goes(network: Network) -> None:
    rules = serve(network, dataclasses.replace(WEB, affinity_seconds=600))
    first = {network.ask("pod-1", VIP, 80).split()[0] for _ in range(12)}
    assert len(first) == 1
    wanted = build([dataclasses.replace(WEB, affinity_seconds=600, cluster=PODS[:2])], [], rules)
    network.nft(nft_text.change(TABLE, difference(rules, wanted), {}))
    assert network.ask("pod-2", VIP, 80).split()[0] in {"pod-1", "pod-2"}


@pytest.mark.parametrize("source", ["pod-1", "node", "client"])
def test_without_endpoints_or_at_another_port_the_connection_is_refused_at_once(network: Network, source: str) -> None:
    serve(network, dataclasses.replace(WEB, cluster=(), everywhere=(), local=(), node_port=30080))
    for host, port in ((VIP, 80), (VIP, 81), (NODE_IP, 30080)):
        answer, seconds = network.ask_timed(source, host, port)
        assert answer == "refused", (host, port)
        assert seconds < 1.0


def test_udp_is_answered_from_the_cluster_ip(network: Network) -> None:
    serve(network, dataclasses.replace(WEB, protocol="udp"))
    assert network.ask("pod-1", VIP, 80, "udp").startswith("pod-")


def test_a_host_port_reaches_its_pod_from_outside(network: Network) -> None:
    serve(network, host_ports=(HostPort("tcp", "", 8081, PODS[0]), HostPort("tcp", NODE_IP, 8082, PODS[1])))
    assert network.ask("client", NODE_IP, 8081).startswith("pod-1 ")
    assert network.ask("client", NODE_IP, 8082).startswith("pod-2 ")


def test_source_ranges_keep_others_from_a_load_balancer_address(network: Network) -> None:
    balanced = dataclasses.replace(
        WEB, external_ips=("203.0.113.9",), load_balancer_ips=("203.0.113.9",), source_ranges=("192.0.2.0/24",)
    )
    serve(network, balanced)
    assert network.ask("client", "203.0.113.9", 80) == "timeout"
    serve(network, dataclasses.replace(balanced, source_ranges=(f"{CLIENT_IP}/32",)))
    assert network.ask("client", "203.0.113.9", 80).startswith("pod-")


def test_a_change_takes_effect_without_rewriting_the_table(network: Network) -> None:
    rules = serve(network, dataclasses.replace(WEB, cluster=PODS[:1]))
    wanted = build([dataclasses.replace(WEB, cluster=PODS[2:])], [], rules)
    network.nft(nft_text.change(TABLE, difference(rules, wanted), {}))
    assert {network.ask("pod-1", VIP, 80).split()[0] for _ in range(6)} == {"pod-3"}
