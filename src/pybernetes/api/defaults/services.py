"""Defaults of Services and Endpoints; addresses and ports are allocated elsewhere.

Follows: pkg/apis/core/v1/defaults.go, SetDefaults_Service, SetDefaults_EndpointPort.
"""

from typing import Any

Json = dict[str, Any]


def service(document: Json) -> None:
    spec = document.setdefault("spec", {})
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        config.setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {0, "", None}:
            port["targetPort"] = port.get("port", 0)
    external = kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and spec.get("externalIPs"))
    if external and "externalTrafficPolicy" not in spec:
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in {"ClusterIP", "NodePort", "LoadBalancer"} and "internalTrafficPolicy" not in spec:
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        status = document.get("status") or {}
        for ingress in (status.get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def endpoints(document: Json) -> None:
    for subset in document.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")
