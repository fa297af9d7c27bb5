"""Rows of Services and what leads to them. Follows: pkg/printers/internalversion/printers.go."""

from datetime import datetime
from typing import Any

from pybernetes.api.cells import text

Json = dict[str, Any]


def service(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    ips = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        text.name(document),
        spec.get("type", "ClusterIP"),
        ips[0] if ips else text.NONE,
        _external_ip(document),
        _service_ports(spec),
        text.age(document, now),
        text.pairs(spec.get("selector")),
    ]


def _external_ip(document: Json) -> str:
    spec = document.get("spec") or {}
    external = list(spec.get("externalIPs") or ())
    match spec.get("type", "ClusterIP"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or text.NONE
        case "LoadBalancer":
            balanced = text.load_balancer((document.get("status") or {}).get("loadBalancer"))
            return ",".join([balanced] * bool(balanced) + external) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case _:
            return text.UNKNOWN


def _service_ports(spec: Json) -> str:
    shown = []
    for port in spec.get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port', 0)}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or text.NONE


def endpoints(document: Json, now: datetime) -> list[Any]:
    shown = []
    for subset in document.get("subsets") or ():
        addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        if ports:
            shown += [text.host_port(ip, port.get("port", 0)) for port in ports for ip in addresses]
        else:
            shown += addresses
    return [text.name(document), text.cut_list(shown, text.NONE), text.age(document, now)]


def endpoint_slice(document: Json, now: datetime) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in document.get("ports") or ()]
    addresses = [a for endpoint in document.get("endpoints") or () for a in endpoint.get("addresses") or ()]
    return [
        text.name(document),
        document.get("addressType", ""),
        text.cut_list(ports),
        text.cut_list(addresses),
        text.age(document, now),
    ]


def ingress(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    class_name = spec.get("ingressClassName") or annotations.get("kubernetes.io/ingress.class") or text.NONE
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    return [
        text.name(document),
        class_name,
        text.cut_list(hosts, "*"),
        text.load_balancer((document.get("status") or {}).get("loadBalancer")),
        "80, 443" if spec.get("tls") else "80",
        text.age(document, now),
    ]


def ingress_class(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    parameters = spec.get("parameters")
    shown = text.NONE
    if parameters is not None:
        group = parameters.get("apiGroup")
        shown = f"{parameters.get('kind', '')}{'.' + group if group else ''}/{parameters.get('name', '')}"
    return [text.name(document), spec.get("controller", ""), shown, text.age(document, now)]


def network_policy(document: Json, now: datetime) -> list[Any]:
    selector = (document.get("spec") or {}).get("podSelector") or {}
    return [text.name(document), text.selector(selector), text.age(document, now)]


def service_cidr(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), ",".join((document.get("spec") or {}).get("cidrs") or ()), text.age(document, now)]


def ip_address(document: Json, _now: datetime) -> list[Any]:
    parent = (document.get("spec") or {}).get("parentRef")
    shown = text.NONE
    if parent is not None:
        group = f".{parent['group']}" if parent.get("group") else ""
        parts = [f"{parent.get('resource', '')}{group}".lower(), parent.get("namespace"), parent.get("name")]
        shown = "/".join(part for part in parts if part)
    return [text.name(document), shown]
