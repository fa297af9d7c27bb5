"""Checks of Ingresses, network policies and address objects. Follows: pkg/apis/networking/validation/validation.go."""

import ipaddress
from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")


def ingress(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    rules = spec.get("rules") or []
    if not rules and "defaultBackend" not in spec:
        errors.append(fe.invalid_value("spec", rules, "either `defaultBackend` or `rules` must be specified"))
    if "defaultBackend" in spec:
        _backend(errors, "spec.defaultBackend", spec["defaultBackend"])
    for index, rule in enumerate(rules):
        path = f"spec.rules[{index}]"
        host = rule.get("host", "")
        if host:
            _host(errors, f"{path}.host", host)
        if "http" in rule:
            _http(errors, f"{path}.http", rule["http"])
    for index, tls in enumerate(spec.get("tls") or ()):
        for number, host in enumerate(tls.get("hosts") or ()):
            check = names.wildcard_subdomain if "*" in host else names.dns_subdomain
            add_invalid(errors, f"spec.tls[{index}].hosts[{number}]", host, check(host))
    name = spec.get("ingressClassName")
    if name is not None:
        add_invalid(errors, "spec.ingressClassName", name, names.dns_subdomain(name))


def _host(errors: Errors, path: str, host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        check = names.wildcard_subdomain if "*" in host else names.dns_subdomain
        add_invalid(errors, path, host, check(host))
    else:
        errors.append(fe.invalid_value(path, host, "must be a DNS name, not an IP address"))


def _http(errors: Errors, path: str, http: Json) -> None:
    paths = http.get("paths") or []
    if not paths:
        errors.append(fe.required(f"{path}.paths"))
    for index, item in enumerate(paths):
        place = f"{path}.paths[{index}]"
        kind, target = item.get("pathType"), item.get("path", "")
        if kind is None:
            errors.append(fe.required(f"{place}.pathType", "pathType must be specified"))
        elif kind not in _PATH_TYPES:
            errors.append(fe.not_supported(f"{place}.pathType", kind, _PATH_TYPES))
        elif kind == "ImplementationSpecific":
            if target and not target.startswith("/"):
                errors.append(fe.invalid_value(f"{place}.path", target, "must be an absolute path"))
        else:
            if not target.startswith("/"):
                errors.append(fe.invalid_value(f"{place}.path", target, "must be an absolute path"))
            for sequence in ("//", "/./", "/../", "%2f", "%2F"):
                if sequence in target:
                    errors.append(fe.invalid_value(f"{place}.path", target, f"must not contain '{sequence}'"))
            for suffix in ("/..", "/."):
                if target.endswith(suffix):
                    errors.append(fe.invalid_value(f"{place}.path", target, f"cannot end with '{suffix}'"))
        _backend(errors, f"{place}.backend", item.get("backend") or {})


def _backend(errors: Errors, path: str, backend: Json) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        errors.append(fe.invalid_value(path, "", "cannot set both resource and service backends"))
    elif resource is not None:
        for field in ("kind", "name"):
            if not resource.get(field):
                errors.append(fe.required(f"{path}.resource.{field}"))
    elif service is None:
        errors.append(fe.required(path, "resource or service backend is required"))
    else:
        name, port = service.get("name", ""), service.get("port") or {}
        if not name:
            errors.append(fe.required(f"{path}.service.name"))
        else:
            add_invalid(errors, f"{path}.service.name", name, names.dns_label(name))
        place = f"{path}.service.port"
        if port.get("name") and port.get("number"):
            errors.append(fe.invalid_value(path, "", "cannot set both port name & port number"))
        elif port.get("name"):
            add_invalid(errors, f"{place}.name", port["name"], names.port_name(port["name"]))
        elif port.get("number"):
            add_invalid(errors, f"{place}.number", port["number"], names.port_number(port["number"]))
        else:
            errors.append(fe.required(path, "port name or number is required"))


def ingress_update(errors: Errors, new: Json, _old: Json) -> None:
    ingress(errors, new)


def ingress_class(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    controller = spec.get("controller", "")
    domain, slash, rest = controller.partition("/")
    if not controller:
        errors.append(fe.required("spec.controller"))
    elif not slash or not rest:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        errors.append(fe.invalid_value("spec.controller", controller, text))
    else:
        add_invalid(errors, "spec.controller", domain, names.dns_subdomain(domain))
    parameters = spec.get("parameters")
    if parameters is not None:
        for field in ("kind", "name"):
            if not parameters.get(field):
                errors.append(fe.required(f"spec.parameters.{field}"))
        scope, namespace = parameters.get("scope"), parameters.get("namespace")
        if scope not in {"Cluster", "Namespace"}:
            errors.append(fe.not_supported("spec.parameters.scope", scope or "", ("Cluster", "Namespace")))
        elif scope == "Namespace" and not namespace:
            text = "`parameters.scope` is set to 'Namespace'"
            errors.append(fe.required("spec.parameters.namespace", text))
        elif scope == "Cluster" and namespace is not None:
            text = "`parameters.scope` is set to 'Cluster'"
            errors.append(fe.forbidden_value("spec.parameters.namespace", text))


def ingress_class_update(errors: Errors, new: Json, old: Json) -> None:
    now, before = ((d.get("spec") or {}).get("controller") for d in (new, old))
    common.immutable(errors, "spec.controller", now, before)


def network_policy(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    common.label_selector(errors, "spec.podSelector", spec.get("podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                _policy_port(errors, f"{path}.ports[{number}]", port)
            for number, peer in enumerate(rule.get(peers) or ()):
                _peer(errors, f"{path}.{peers}[{number}]", peer)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        text = "may not specify more than two policyTypes"
        errors.append(fe.invalid_value("spec.policyTypes", types, text))
        return
    for index, kind in enumerate(types):
        if kind not in {"Ingress", "Egress"}:
            errors.append(fe.not_supported(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress")))


def _policy_port(errors: Errors, path: str, port: Json) -> None:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in common.PROTOCOLS:
        errors.append(fe.not_supported(f"{path}.protocol", protocol, common.PROTOCOLS))
    if number is not None:
        common.port_or_name(errors, f"{path}.port", number)
    if end is None:
        return
    if number is None:
        errors.append(fe.required(f"{path}.port", "must be specified if `endPort` is set"))
    elif isinstance(number, str):
        errors.append(fe.invalid_value(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
    elif end < number:
        text = "must be greater than or equal to `port`"
        errors.append(fe.invalid_value(f"{path}.endPort", end, text))
    else:
        add_invalid(errors, f"{path}.endPort", end, names.port_number(end))


def _peer(errors: Errors, path: str, peer: Json) -> None:
    common.label_selector(errors, f"{path}.podSelector", peer.get("podSelector"))
    common.label_selector(errors, f"{path}.namespaceSelector", peer.get("namespaceSelector"))
    selected = "podSelector" in peer or "namespaceSelector" in peer
    block = peer.get("ipBlock")
    if block is not None:
        if selected:
            errors.append(fe.forbidden_value(path, "may not specify both ipBlock and another peer"))
        _ip_block(errors, f"{path}.ipBlock", block)
    elif not selected:
        errors.append(fe.required(path, "must specify a peer"))


def _ip_block(errors: Errors, path: str, block: Json) -> None:
    cidr = block.get("cidr", "")
    if not cidr:
        errors.append(fe.required(f"{path}.cidr"))
        return
    complaints = names.cidr(cidr)
    add_invalid(errors, f"{path}.cidr", cidr, complaints)
    for index, excluded in enumerate(block.get("except") or ()):
        place = f"{path}.except[{index}]"
        if bad := names.cidr(excluded):
            add_invalid(errors, place, excluded, bad)
        elif not complaints and not _inside(excluded, cidr):
            text = "must be a strict subset of `cidr`"
            errors.append(fe.invalid_value(place, excluded, text))


def _inside(inner: str, outer: str) -> bool:
    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one != other and one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one != other and one.subnet_of(other)
    return False


def network_policy_update(errors: Errors, new: Json, _old: Json) -> None:
    network_policy(errors, new)


def ip_address(errors: Errors, document: Json) -> None:
    parent = (document.get("spec") or {}).get("parentRef")
    if parent is None:
        errors.append(fe.required("spec.parentRef"))
        return
    for field in ("resource", "name"):
        if not parent.get(field):
            errors.append(fe.required(f"spec.parentRef.{field}"))


def ip_address_update(errors: Errors, new: Json, old: Json) -> None:
    now, before = ((d.get("spec") or {}).get("parentRef") for d in (new, old))
    common.immutable(errors, "spec.parentRef", now, before)


def service_cidr(errors: Errors, document: Json) -> None:
    cidrs = (document.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        errors.append(fe.required("spec.cidrs", "at least one CIDR required"))
    elif len(cidrs) > 2:
        text = "may only hold up to 2 values"
        errors.append(fe.invalid_value("spec.cidrs", cidrs, text))
    for index, cidr in enumerate(cidrs):
        add_invalid(errors, f"spec.cidrs[{index}]", cidr, names.cidr(cidr))
    if len(cidrs) == 2 and (":" in cidrs[0]) == (":" in cidrs[1]):
        text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(fe.invalid_value("spec.cidrs", cidrs, text))


def service_cidr_update(errors: Errors, new: Json, old: Json) -> None:
    now, before = ((d.get("spec") or {}).get("cidrs") or [] for d in (new, old))
    service_cidr(errors, new)
    if now != before and not (len(before) == 1 and now[:1] == before):
        common.immutable(errors, "spec.cidrs", now, before)
