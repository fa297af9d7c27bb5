"""What every cluster has besides roles: namespaces, priority classes, the API server's own Service, its CA.

Follows: kubernetes pkg/controlplane/controller/{systemnamespaces,kubernetesservice,clusterauthenticationtrust,
defaultservicecidr}; pkg/apis/scheduling/v1/helpers.go; pkg/controlplane/reconcilers.
"""

from typing import Any

import orjson

Json = dict[str, Any]

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
SERVICE = "kubernetes"
PORT_NAME = "https"
SERVICE_PORT = 443
CA_CONFIG_MAP = "extension-apiserver-authentication"
USAGE_MAP = "kube-apiserver-legacy-service-account-token-tracking"


def namespaces() -> list[Json]:
    kind = {"apiVersion": "v1", "kind": "Namespace"}
    return [{**kind, "metadata": {"name": name}} for name in NAMESPACES]


def priority_classes() -> list[Json]:
    rows = (
        (
            "system-node-critical",
            2_000_001_000,
            "For pods a node cannot work without: they stay where they are.",
        ),
        (
            "system-cluster-critical",
            2_000_000_000,
            "For pods the cluster cannot work without: they may move to another node.",
        ),
    )
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return [
        {
            **kind,
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value, description in rows
    ]


def service_cidr(cidrs: str) -> Json:
    """The range of `--service-cluster-ip-range`, or both, separated by a comma."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": SERVICE},
        "spec": {"cidrs": cidrs.split(",")},
    }


def service_cidr_status(now: str) -> Json:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": now,
    }
    return {"conditions": [condition]}


def api_service(cluster_ip: str, port: int) -> Json:
    """`default/kubernetes`: how pods reach the API server."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    row = {"name": PORT_NAME, "protocol": "TCP", "port": SERVICE_PORT, "targetPort": port}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": "default", "labels": labels},
        "spec": {
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv6" if ":" in cluster_ip else "IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [row],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def api_endpoints(address: str, port: int) -> Json:
    """The old form of where the API server listens; not mirrored, the slice below is written beside it."""
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subset = {
        "addresses": [{"ip": address}],
        "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": SERVICE, "namespace": "default", "labels": labels},
        "subsets": [subset],
    }


def api_endpoint_slice(address: str, port: int) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": SERVICE, "namespace": "default", "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
    }


def token_tracking(today: str) -> Json:
    """Since when the use of tokens in Secrets is noted."""
    metadata = {"name": USAGE_MAP, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"since": today}}


def ca_config_map(client_ca: str, request_header: Json) -> Json:
    """What aggregated API servers need to trust this one's clients. `request_header`: header settings, may be empty."""
    data: Json = {}
    if client_ca:
        data["client-ca-file"] = client_ca
    for key, value in request_header.items():
        data[key] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CA_CONFIG_MAP, "namespace": "kube-system"},
        "data": data,
    }
