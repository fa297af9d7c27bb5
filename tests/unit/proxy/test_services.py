from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.proxy.services import Backend, NodeInfo, ServicePort, service_ports

HERE = NodeInfo("here", zone="a")


def service(**spec: object) -> core_v1.Service:
    ports = [core_v1.ServicePort(name="http", port=80, protocol="TCP")]
    fields = {"clusterIP": "10.96.0.5", "ports": ports, "type": "ClusterIP", **spec}
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=core_v1.ServiceSpec(**fields),  # type: ignore[arg-type]
    )


def endpoint(
    ip: str,
    *,
    node: str = "there",
    ready: bool | None = True,
    serving: bool | None = None,
    terminating: bool = False,
    zones: tuple[str, ...] = (),
    nodes: tuple[str, ...] = (),
) -> discovery_v1.Endpoint:
    hints = discovery_v1.EndpointHints(
        forZones=[discovery_v1.ForZone(name=z) for z in zones], forNodes=[discovery_v1.ForNode(name=n) for n in nodes]
    )
    return discovery_v1.Endpoint(
        addresses=[ip],
        nodeName=node,
        conditions=discovery_v1.EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hints=hints if zones or nodes else None,
    )


def seen(one: core_v1.Service, *endpoints: discovery_v1.Endpoint) -> ServicePort:
    piece = discovery_v1.EndpointSlice(
        addressType="IPv4",
        endpoints=list(endpoints),
        ports=[discovery_v1.EndpointPort(name="http", port=8080, protocol="TCP")],
    )
    (port,) = service_ports([one], {one.key: [piece]}, HERE, family=4)
    return port


def ips(backends: tuple[Backend, ...]) -> list[str]:
    return [backend.ip for backend in backends]


def test_ready_endpoints_answer_and_unready_ones_do_not() -> None:
    port = seen(service(), endpoint("10.0.0.2"), endpoint("10.0.0.1"), endpoint("10.0.0.3", ready=False))
    assert port.cluster == (Backend("10.0.0.1", 8080), Backend("10.0.0.2", 8080))


def test_an_absent_ready_condition_counts_as_ready() -> None:
    assert ips(seen(service(), endpoint("10.0.0.1", ready=None)).cluster) == ["10.0.0.1"]


def test_terminating_endpoints_that_still_serve_answer_when_nobody_is_ready() -> None:
    leaving = endpoint("10.0.0.1", ready=False, serving=True, terminating=True)
    gone = endpoint("10.0.0.2", ready=False, serving=False, terminating=True)
    assert ips(seen(service(), leaving, gone).cluster) == ["10.0.0.1"]
    assert ips(seen(service(), leaving, endpoint("10.0.0.9")).cluster) == ["10.0.0.9"]


def test_internal_policy_local_keeps_the_cluster_ip_on_the_node() -> None:
    port = seen(service(internalTrafficPolicy="Local"), endpoint("10.0.0.1", node="here"), endpoint("10.0.0.2"))
    assert ips(port.cluster) == ["10.0.0.1"]
    assert ips(port.everywhere) == ["10.0.0.1", "10.0.0.2"]


def test_zone_hints_are_followed_only_when_every_ready_endpoint_has_them() -> None:
    hinted = [endpoint("10.0.0.1", zones=("a",)), endpoint("10.0.0.2", zones=("b",))]
    assert ips(seen(service(), *hinted).cluster) == ["10.0.0.1"]
    assert ips(seen(service(), *hinted, endpoint("10.0.0.3")).cluster) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_node_hints_come_before_zone_hints() -> None:
    port = seen(
        service(),
        endpoint("10.0.0.1", zones=("a",), nodes=("there",)),
        endpoint("10.0.0.2", zones=("a",), nodes=("here",)),
    )
    assert ips(port.cluster) == ["10.0.0.2"]


def test_headless_and_external_names_are_not_proxied() -> None:
    for spec in ({"clusterIP": "None"}, {"type": "ExternalName", "clusterIP": ""}):
        assert service_ports([service(**spec)], {}, HERE, family=4) == []


def test_affinity_has_upstreams_default_of_three_hours() -> None:
    assert seen(service(sessionAffinity="ClientIP")).affinity_seconds == 10800
