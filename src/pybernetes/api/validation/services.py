"""Checks of Services, Endpoints and EndpointSlices; allocation of addresses and ports has its own errors.

Follows: pkg/apis/core/validation/validation.go, ValidateService, ValidateServiceUpdate, ValidateEndpoints;
pkg/apis/discovery/validation.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_TRAFFIC: Final = ("Cluster", "Local")
_FAMILIES: Final = ("IPv4", "IPv6")
_FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameNode", "PreferSameZone")
MAX_AFFINITY_SECONDS: Final = 86400
KUBELET_PORT: Final = 10250
_NONE: Final = "None"


def service(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    kind = spec.get("type")
    headless = spec.get("clusterIP") == _NONE
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        errors.append(fe.required("spec.ports"))
    common.one_of(errors, "spec.type", kind, TYPES)
    _type_rules(errors, spec, ports, headless=headless)
    _ports(errors, ports)
    common.labels(errors, "spec.selector", spec.get("selector"))
    _affinity(errors, spec)
    cluster_ip_fields(errors, spec)
    _node_ports(errors, kind or "", ports)
    for index, ip in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{index}]"
        add_invalid(errors, path, ip, names.ip_address(ip) or special_address(ip))
    _traffic(errors, spec)
    _load_balancer(errors, spec)


def _type_rules(errors: Errors, spec: Json, ports: list[Json], *, headless: bool) -> None:
    match spec.get("type"):
        case "LoadBalancer" | "NodePort" as kind:
            if kind == "LoadBalancer":
                for index, port in enumerate(ports):
                    if port.get("port") == KUBELET_PORT:
                        text = "may not expose port 10250 externally since it is used by kubelet"
                        errors.append(fe.invalid_value(f"spec.ports[{index}]", KUBELET_PORT, text))
            if headless:
                text = f"may not be set to 'None' for {kind} services"
                errors.append(fe.invalid_value("spec.clusterIPs[0]", _NONE, text))
        case "ExternalName":
            text = "may not be set for ExternalName services"
            for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if spec.get(field) or (field == "clusterIPs" and spec.get("clusterIP")):
                    errors.append(fe.forbidden_value(f"spec.{field}", text))
            name = spec.get("externalName", "").removesuffix(".")
            if not name:
                errors.append(fe.required("spec.externalName"))
            else:
                add_invalid(errors, "spec.externalName", name, names.dns_subdomain(name))
        case _:
            pass


def _ports(errors: Errors, ports: list[Json]) -> None:
    taken: set[str] = set()
    pairs: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name:
            if len(ports) > 1:
                errors.append(fe.required(f"{path}.name"))
        else:
            add_invalid(errors, f"{path}.name", name, names.dns_label(name))
            if name in taken:
                errors.append(fe.duplicate(f"{path}.name", name))
            taken.add(name)
        number = port.get("port", 0)
        add_invalid(errors, f"{path}.port", number, names.port_number(number))
        common.one_of(errors, f"{path}.protocol", port.get("protocol"), common.PROTOCOLS)
        common.port_or_name(errors, f"{path}.targetPort", port.get("targetPort", 0))
        if port.get("appProtocol"):
            complaints = names.qualified_name(port["appProtocol"])
            add_invalid(errors, f"{path}.appProtocol", port["appProtocol"], complaints)
        pair = (port.get("protocol"), number)
        if pair in pairs:
            shown = {"Name": "", "Protocol": pair[0], "AppProtocol": None, "Port": number}
            errors.append(fe.duplicate(path, {**shown, "TargetPort": 0, "NodePort": 0}))
        pairs.add(pair)


def _node_ports(errors: Errors, kind: str, ports: list[Json]) -> None:
    taken: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path, number = f"spec.ports[{index}].nodePort", port.get("nodePort", 0)
        if not number:
            continue
        if kind == "ClusterIP":
            errors.append(fe.forbidden_value(path, "may not be used when `type` is 'ClusterIP'"))
        key = (port.get("protocol"), number)
        if key in taken:
            errors.append(fe.duplicate(path, number))
        taken.add(key)


def _affinity(errors: Errors, spec: Json) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    common.one_of(errors, "spec.sessionAffinity", affinity, ("ClientIP", "None"))
    path = "spec.sessionAffinityConfig"
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            errors.append(fe.required(path, "when session affinity is ClientIP"))
        elif not 0 < seconds <= MAX_AFFINITY_SECONDS:
            text = f"must be greater than 0 and less than {MAX_AFFINITY_SECONDS}"
            errors.append(fe.invalid_value(f"{path}.clientIP.timeoutSeconds", seconds, text))
    elif affinity == "None" and config is not None:
        errors.append(fe.forbidden_value(path, "must not be set when session affinity is None"))


def cluster_ip_fields(errors: Errors, spec: Json) -> None:
    """Check clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy: each, and how they fit together.

    Follows: ValidateServiceClusterIPsRelatedFields.
    """
    before = len(errors)
    _families(errors, spec)
    _cluster_ips(errors, spec)
    ips = spec.get("clusterIPs") or []
    if len(errors) > before or ips[:1] == [_NONE]:
        return
    if len(ips) == 2 and (":" in ips[0]) == (":" in ips[1]):
        text = "may specify no more than one IP for each IP family"
        errors.append(fe.invalid_value("spec.clusterIPs", ips, text))
    for index, (ip, family) in enumerate(zip(ips, spec.get("ipFamilies") or (), strict=False)):
        if (":" in ip) != (family == "IPv6"):
            article = "an IPv6" if family == "IPv6" else "an IPv4"
            text = f"expected {article} value as indicated by `ipFamilies[{index}]`"
            errors.append(fe.invalid_value(f"spec.clusterIPs[{index}]", ip, text))


def _cluster_ips(errors: Errors, spec: Json) -> None:
    first, ips = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if ips and ips[0] != first:
        errors.append(fe.invalid_value("spec.clusterIPs", ips, "first value must match `clusterIP`"))
    if len(ips) > 2:
        errors.append(fe.invalid_value("spec.clusterIPs", ips, "may only hold up to 2 values"))
    for index, ip in enumerate(ips):
        path = f"spec.clusterIPs[{index}]"
        if ip == _NONE:
            if index or len(ips) > 1:
                errors.append(fe.invalid_value(path, ip, "'None' must be the first and only value"))
            continue
        if complaints := names.ip_address(ip):
            add_invalid(errors, path, ip, complaints)
    if first and first != _NONE and not ips:
        add_invalid(errors, "spec.clusterIP", first, names.ip_address(first))


def _traffic(errors: Errors, spec: Json) -> None:
    kind = spec.get("type")
    external = kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    policy = spec.get("externalTrafficPolicy")
    path = "spec.externalTrafficPolicy"
    if policy and not external:
        text = "may only be set for externally-accessible services"
        errors.append(fe.invalid_value(path, policy, text))
    elif external:
        common.one_of(errors, path, policy, _TRAFFIC)
    health = spec.get("healthCheckNodePort", 0)
    if health < 0:
        errors.append(fe.invalid_value("spec.healthCheckNodePort", health, common.NOT_NEGATIVE))
    elif health and not (kind == "LoadBalancer" and policy == "Local"):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(fe.invalid_value("spec.healthCheckNodePort", health, text))
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in _TRAFFIC:
        errors.append(fe.not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        errors.append(fe.not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))


def _load_balancer(errors: Errors, spec: Json) -> None:
    balanced = spec.get("type") == "LoadBalancer"
    only = "may only be used when `type` is 'LoadBalancer'"
    for index, source in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        path = f"spec.loadBalancerSourceRanges[{index}]"
        add_invalid(errors, path, source, names.cidr(source.strip()))
    for field in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if not balanced and spec.get(field) is not None:
            errors.append(fe.forbidden_value(f"spec.{field}", only))
    if balanced and spec.get("loadBalancerClass") is not None:
        name = spec["loadBalancerClass"]
        add_invalid(errors, "spec.loadBalancerClass", name, names.qualified_name(name))


def _families(errors: Errors, spec: Json) -> None:
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(fe.not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    taken: set[str] = set()
    if len(spec.get("ipFamilies") or ()) > 2:
        errors.append(fe.invalid_value("spec.ipFamilies", spec["ipFamilies"], "may only hold up to 2 values"))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        path = f"spec.ipFamilies[{index}]"
        if family not in _FAMILIES:
            errors.append(fe.not_supported(path, family, _FAMILIES))
        elif family in taken:
            errors.append(fe.duplicate(path, family))
        taken.add(family)


_WITH_CLUSTER_IP: Final = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
NO_CHANGE: Final = "may not change once set"


def service_update(errors: Errors, new: Json, old: Json) -> None:
    service(errors, new)
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("type") in _WITH_CLUSTER_IP and stored.get("type") in _WITH_CLUSTER_IP:
        policy = spec.get("ipFamilyPolicy")
        if not _ips(spec)[:1] == _ips(stored)[:1] == [_NONE]:
            _kept_in_order(errors, "clusterIPs", "clusterIP", _ips(spec), _ips(stored), policy)
        if not _is_free_form(spec) and not _is_free_form(stored):
            families, old_families = spec.get("ipFamilies") or [], stored.get("ipFamilies") or []
            _kept_in_order(errors, "ipFamilies", "ipFamily", families, old_families, policy)
    if spec.get("type") == "LoadBalancer" and stored.get("type") == "LoadBalancer":
        now, was = spec.get("loadBalancerClass"), stored.get("loadBalancerClass")
        if now != was:
            errors.append(fe.invalid_value("spec.loadBalancerClass", now, NO_CHANGE))


def _kept_in_order(
    errors: Errors, field: str, one: str, now: Sequence[str], before: Sequence[str], policy: str | None
) -> None:
    """Of one or two values the first stays; a second one may come, and go when the policy says SingleStack.

    Follows: validateUpgradeDowngradeClusterIPs, validateUpgradeDowngradeIPFamilies.
    """
    if not before:
        return
    path = f"spec.{field}"
    if not now:
        errors.append(fe.invalid_value(f"{path}[0]", list(now), f"primary {one} can not be unset"))
        return
    checked = len(before) if len(now) == len(before) else 1
    for index in range(checked):
        if now[index] != before[index]:
            errors.append(fe.invalid_value(f"{path}[{index}]", list(now), NO_CHANGE))
    if len(now) < len(before) and policy != "SingleStack":
        text = f"must be set to 'SingleStack' when releasing the secondary {one}"
        errors.append(fe.invalid_value("spec.ipFamilyPolicy", policy, text))


def _is_free_form(spec: Json) -> bool:
    """Headless without selector: its families are its owner's affair."""
    return spec.get("clusterIP") == _NONE and not spec.get("selector")


def _ips(spec: Json) -> Sequence[str]:
    found: Sequence[str] = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return found


def special_address(ip: str) -> Sequence[str]:
    """Why an address may not stand for an endpoint."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return (names.BAD_IP,)
    complaints = []
    if address.is_unspecified:
        complaints.append(f"may not be unspecified ({ip})")
    if address.is_loopback:
        complaints.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        complaints.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast:
        complaints.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return complaints


def endpoints(errors: Errors, document: Json) -> None:
    for index, subset in enumerate(document.get("subsets") or ()):
        path = f"subsets[{index}]"
        kinds = ("addresses", "notReadyAddresses")
        if not any(subset.get(kind) for kind in kinds):
            errors.append(fe.required(path, "must specify `addresses` or `notReadyAddresses`"))
        for kind in kinds:
            for number, address in enumerate(subset.get(kind) or ()):
                ip = address.get("ip", "")
                place = f"{path}.{kind}[{number}].ip"
                add_invalid(errors, place, ip, names.ip_address(ip) or special_address(ip))
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            place = f"{path}.ports[{number}]"
            if not port.get("name"):
                if len(ports) > 1:
                    errors.append(fe.required(f"{place}.name"))
            else:
                add_invalid(errors, f"{place}.name", port["name"], names.dns_label(port["name"]))
            add_invalid(errors, f"{place}.port", port.get("port", 0), names.port_number(port.get("port", 0)))
            common.one_of(errors, f"{place}.protocol", port.get("protocol"), common.PROTOCOLS)


def endpoints_update(errors: Errors, new: Json, _old: Json) -> None:
    endpoints(errors, new)


_ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
MAX_ENDPOINTS: Final = 1000
MAX_ADDRESSES: Final = 100
MAX_PORTS: Final = 20000


def endpoint_slice(errors: Errors, document: Json) -> None:
    kind = document.get("addressType")
    common.one_of(errors, "addressType", kind, _ADDRESS_TYPES)
    items = document.get("endpoints") or []
    if len(items) > MAX_ENDPOINTS:
        errors.append(fe.too_many("endpoints", len(items), MAX_ENDPOINTS))
    for index, item in enumerate(items):
        _endpoint(errors, f"endpoints[{index}]", item, kind)
    ports = document.get("ports") or []
    if len(ports) > MAX_PORTS:
        errors.append(fe.too_many("ports", len(ports), MAX_PORTS))
    taken: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name", "")
        if name:
            add_invalid(errors, f"{path}.name", name, names.dns_label(name))
        if name in taken:
            errors.append(fe.duplicate(f"{path}.name", name))
        taken.add(name)
        common.one_of(errors, f"{path}.protocol", port.get("protocol"), common.PROTOCOLS)
        if port.get("port") is not None:
            add_invalid(errors, f"{path}.port", port["port"], names.port_number(port["port"]))


def _endpoint(errors: Errors, path: str, item: Json, kind: str | None) -> None:
    addresses = item.get("addresses") or []
    if not addresses:
        errors.append(fe.required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > MAX_ADDRESSES:
        errors.append(fe.too_many(f"{path}.addresses", len(addresses), MAX_ADDRESSES))
    for number, address in enumerate(addresses):
        place = f"{path}.addresses[{number}]"
        if kind == "FQDN":
            add_invalid(errors, place, address, names.fully_qualified_domain(address))
            continue
        complaints = names.ip_address(address) or special_address(address)
        add_invalid(errors, place, address, complaints)
        if not complaints and kind == "IPv4" and ":" in address:
            errors.append(fe.invalid_value(place, address, "must be an IPv4 address"))
        elif not complaints and kind == "IPv6" and ":" not in address:
            errors.append(fe.invalid_value(place, address, "must be an IPv6 address"))
    if item.get("hostname") is not None:
        add_invalid(errors, f"{path}.hostname", item["hostname"], names.dns_label(item["hostname"]))
    if item.get("nodeName"):
        add_invalid(errors, f"{path}.nodeName", item["nodeName"], names.dns_subdomain(item["nodeName"]))


def endpoint_slice_update(errors: Errors, new: Json, old: Json) -> None:
    endpoint_slice(errors, new)
    common.immutable(errors, "addressType", new.get("addressType"), old.get("addressType"))
