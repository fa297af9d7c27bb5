"""Advice on Services, nodes and what names addresses. Follows: pkg/api/service/warnings.go; strategies of the kinds."""

from typing import Any, Final

from pybernetes.api.warnings import common
from pybernetes.api.warnings.common import Texts

Json = dict[str, Any]

_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_MODE: Final = "service.kubernetes.io/topology-mode"
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"


def service(texts: Texts, document: Json) -> None:
    spec = document.get("spec") or {}
    kind, ips = spec.get("type"), spec.get("externalIPs") or ()
    headless = kind == "ClusterIP" and spec.get("clusterIP") == "None"
    if _HINTS in ((document.get("metadata") or {}).get("annotations") or {}):
        texts.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    if spec.get("clusterIP", "") not in {"", "None"}:
        for index, ip in enumerate(spec.get("clusterIPs") or ()):
            common.address(texts, f"spec.clusterIPs[{index}]", ip)
    if headless:
        if spec.get("loadBalancerIP"):
            texts.append("spec.loadBalancerIP is ignored for headless services")
        if ips:
            texts.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") != "None":
            texts.append("spec.SessionAffinity is ignored for headless services")
    for index, ip in enumerate(ips):
        common.address(texts, f"spec.externalIPs[{index}]", ip)
    if ips and not headless and kind != "ExternalName":
        texts.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("loadBalancerIP"):
        common.address(texts, "spec.loadBalancerIP", spec["loadBalancerIP"])
    for index, source in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        common.network(texts, f"spec.loadBalancerSourceRanges[{index}]", source)
    if kind == "ExternalName" and ips:
        texts.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        texts.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        texts.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')


def service_update(texts: Texts, new: Json, _old: Json) -> None:
    service(texts, new)


def node(texts: Texts, document: Json) -> None:
    spec = document.get("spec") or {}
    if spec.get("configSource") is not None:
        texts.append("spec.configSource: the feature behind this field is no longer supported")
    if spec.get("externalID"):
        texts.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        common.network(texts, f"spec.podCIDRs[{index}]", cidr)


def node_update(texts: Texts, new: Json, old: Json) -> None:
    if new.get("spec") != old.get("spec"):
        node(texts, new)


def ingress(texts: Texts, document: Json) -> None:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    if _INGRESS_CLASS in annotations and (document.get("spec") or {}).get("ingressClassName") is None:
        texts.append(f"annotation \"{_INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead")


def network_policy(texts: Texts, document: Json) -> None:
    spec = document.get("spec") or {}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            for number, peer in enumerate(rule.get(peers) or ()):
                block = peer.get("ipBlock")
                if block is None:
                    continue
                place = f"spec.{direction}[{index}].{peers}[{number}].ipBlock"
                common.network(texts, f"{place}.cidr", block.get("cidr", ""))
                for position, hole in enumerate(block.get("except") or ()):
                    common.network(texts, f"{place}.except[{position}]", hole)


def network_policy_update(texts: Texts, new: Json, _old: Json) -> None:
    network_policy(texts, new)


def endpoint_slice(texts: Texts, document: Json) -> None:
    if document.get("addressType") not in {"IPv4", "IPv6"}:
        return
    for index, endpoint in enumerate(document.get("endpoints") or ()):
        for number, ip in enumerate(endpoint.get("addresses") or ()):
            if ":" in ip or (ip[:1] == "0" or ".0" in ip):  # the plain form of IPv4 needs no look
                common.address(texts, f"endpoints[{index}].addresses[{number}]", ip)


def endpoint_slice_update(texts: Texts, new: Json, _old: Json) -> None:
    endpoint_slice(texts, new)
