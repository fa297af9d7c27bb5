"""Defaults of policies, ingress classes and endpoint slices.

Follows: pkg/apis/{networking,discovery}/v1/defaults.go.
"""

from typing import Any

Json = dict[str, Any]


def network_policy(document: Json) -> None:
    spec = document.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")


def ingress_class(document: Json) -> None:
    parameters = (document.get("spec") or {}).get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def endpoint_slice(document: Json) -> None:
    for port in document.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
