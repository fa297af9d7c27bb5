"""What an update of a Service keeps of what was allocated, and drops when its type changes.

Follows: pkg/registry/core/service/storage/storage.go (patchAllocatedValues), strategy.go (dropTypeDependentFields).
"""

from typing import Any

Json = dict[str, Any]

_WITH_NODE_PORTS = {"NodePort", "LoadBalancer"}
_WITH_CLUSTER_IP = {"ClusterIP", "NodePort", "LoadBalancer"}


def prepare_update(new: Json, old: Json) -> None:
    """Change `new` in place."""
    new_spec, old_spec = new.setdefault("spec", {}), old.get("spec") or {}
    _keep_allocated(new_spec, old_spec)
    _drop_type_dependent(new_spec, old_spec)
    if new_spec.get("type") != "LoadBalancer":
        new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}


def _keep_allocated(new: Json, old: Json) -> None:
    """A client that leaves allocated values out keeps them."""
    if old.get("type") in _WITH_CLUSTER_IP and new.get("type") in _WITH_CLUSTER_IP:
        if not new.get("clusterIP") and not new.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if field in old:
                    new[field] = old[field]
        elif new.get("clusterIP") and not new.get("clusterIPs"):
            if new["clusterIP"] == old.get("clusterIP") and "clusterIPs" in old:
                new["clusterIPs"] = old["clusterIPs"]
            else:
                new["clusterIPs"] = [new["clusterIP"]]
        elif new.get("clusterIPs") and not new.get("clusterIP"):
            new["clusterIP"] = new["clusterIPs"][0]
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if not new.get(field) and field in old:
                new[field] = old[field]
    if old.get("type") in _WITH_NODE_PORTS and new.get("type") in _WITH_NODE_PORTS:
        _keep_node_ports(new, old)
        if (
            new.get("type") == "LoadBalancer"
            and new.get("externalTrafficPolicy") == "Local"
            and not new.get("healthCheckNodePort")
            and old.get("healthCheckNodePort")
        ):
            new["healthCheckNodePort"] = old["healthCheckNodePort"]


def _port_key(port: Json) -> tuple[Any, Any]:
    return port.get("port"), port.get("protocol", "TCP")


def _keep_node_ports(new: Json, old: Json) -> None:
    if new.get("type") == "LoadBalancer" and new.get("allocateLoadBalancerNodePorts") is False:
        return
    stored = {_port_key(port): port.get("nodePort") for port in old.get("ports") or ()}
    taken = {port.get("nodePort") for port in new.get("ports") or () if port.get("nodePort")}
    for port in new.get("ports") or ():
        kept = stored.get(_port_key(port))
        if not port.get("nodePort") and kept and kept not in taken:
            port["nodePort"] = kept
            taken.add(kept)


def _drop_type_dependent(new: Json, old: Json) -> None:
    """Fields that the new type does not have go when the client did not touch them."""
    if _needs(old, _WITH_CLUSTER_IP) and not _needs(new, _WITH_CLUSTER_IP):
        same = new.get("clusterIP") == old.get("clusterIP") and new.get("clusterIPs") == old.get("clusterIPs")
        if same:
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if new.get(field) == old.get(field):
                new.pop(field, None)
    if _needs(old, _WITH_NODE_PORTS) and not _needs(new, _WITH_NODE_PORTS):
        stored = {port.get("nodePort") for port in old.get("ports") or ()}
        for port in new.get("ports") or ():
            if port.get("nodePort") in stored:
                port.pop("nodePort", None)
    same_health_port = new.get("healthCheckNodePort") == old.get("healthCheckNodePort")
    if same_health_port and _health_checked(old) and not _health_checked(new):
        new.pop("healthCheckNodePort", None)
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if new.get(field) == old.get(field):
                new.pop(field, None)
    if _external(old) and not _external(new) and new.get("externalTrafficPolicy") == old.get("externalTrafficPolicy"):
        new.pop("externalTrafficPolicy", None)


def _needs(spec: Json, kinds: set[str]) -> bool:
    return spec.get("type", "ClusterIP") in kinds


def _health_checked(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _external(spec: Json) -> bool:
    return spec.get("type") in _WITH_NODE_PORTS or bool(spec.get("externalIPs"))
