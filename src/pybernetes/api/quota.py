"""What an object counts against a ResourceQuota, and which quotas count it.

    usage("", "pods", pod, now)     {"pods": 1, "count/pods": 1, "cpu": 100m, "requests.cpu": 100m, …}
    matches(quota, …)               its scopes choose the object
    missing_requests(…)             what a pod must say so that it can be counted

Follows: kubernetes pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims}.go.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pybernetes.api import core_v1, pod_resources
from pybernetes.effects import parse_time
from pybernetes.machinery import quantity
from pybernetes.machinery.quantity import Quantity

Json = Mapping[str, Any]
Usage = dict[str, Quantity]

ONE = quantity.parse("1")
LEGACY_COUNTS = frozenset({"configmaps", "secrets", "replicationcontrollers", "resourcequotas", "services", "pods"})
"""Core resources that are counted under their own name, too."""
STORAGE_CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def count_name(group: str, plural: str) -> str:
    """`count/pods`, `count/deployments.apps`."""
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def usage(group: str, plural: str, document: Json, now: datetime) -> Usage:
    """Everything the object counts, whichever of it a quota limits."""
    found: Usage = {count_name(group, plural): ONE}
    if group:
        return found
    match plural:
        case "pods":
            if not is_finished(document, now):
                found |= _pod_usage(document)
        case "services":
            found |= _service_usage(document)
        case "persistentvolumeclaims":
            found |= _claim_usage(document)
        case _ if plural in LEGACY_COUNTS:
            found[plural] = ONE
        case _:
            pass
    return found


def is_finished(pod: Json, now: datetime) -> bool:
    """The pod counts no longer: it has ended, or its time to end has passed."""
    if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return True
    metadata = pod["metadata"]
    grace = metadata.get("deletionGracePeriodSeconds")
    if not metadata.get("deletionTimestamp") or grace is None:
        return False
    return now > parse_time(metadata["deletionTimestamp"]) + timedelta(seconds=grace)


def _pod_usage(document: Json) -> Usage:
    pod = msgspec.convert(document, core_v1.Pod)
    found: Usage = {"pods": ONE}
    for name, amount in pod_resources.requests(pod).items():
        if name in _COMPUTE or name.startswith(pod_resources.HUGEPAGES_PREFIX):
            found[name] = amount
        found[f"requests.{name}"] = amount
    for name, amount in pod_resources.limits(pod).items():
        if name in _COMPUTE:
            found[f"limits.{name}"] = amount
    return found


def _service_usage(document: Json) -> Usage:
    spec = document.get("spec") or {}
    ports = spec.get("ports") or ()
    found: Usage = {"services": ONE}
    kind = spec.get("type")
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = ONE
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
    if kind in {"NodePort", "LoadBalancer"}:
        found["services.nodeports"] = quantity.parse(len(ports))
    return found


def _claim_usage(document: Json) -> Usage:
    spec = document.get("spec") or {}
    annotations = document["metadata"].get("annotations") or {}
    storage_class = annotations.get(_BETA_CLASS) or spec.get("storageClassName") or ""
    found: Usage = {"persistentvolumeclaims": ONE}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if asked is not None:
        found["requests.storage"] = quantity.parse(asked)
    if storage_class:
        for name in list(found):
            found[f"{storage_class}{STORAGE_CLASS_SUFFIX}{name}"] = found[name]
    return found


# ── scopes ──


def matches(quota_spec: Json, group: str, plural: str, document: Json) -> bool:
    """Every scope of the quota chooses the object. Only pods (and classes of claims) have scopes."""
    scopes = [{"scopeName": name, "operator": "Exists"} for name in quota_spec.get("scopes") or ()]
    scopes += (quota_spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not scopes:
        return True
    if (group, plural) == ("", "pods"):
        return all(_pod_scope(scope, document) for scope in scopes)
    if (group, plural) == ("", "persistentvolumeclaims"):
        return all(scope["scopeName"] == "VolumeAttributesClass" and _claim_scope(scope, document) for scope in scopes)
    return False


def _pod_scope(scope: Json, pod: Json) -> bool:
    spec = pod.get("spec") or {}
    match scope["scopeName"]:
        case "Terminating":
            return (spec.get("activeDeadlineSeconds") or -1) >= 0
        case "NotTerminating":
            return (spec.get("activeDeadlineSeconds") or -1) < 0
        case "BestEffort":
            return _best_effort(pod)
        case "NotBestEffort":
            return not _best_effort(pod)
        case "PriorityClass":
            return _selects(scope, spec.get("priorityClassName") or "")
        case "CrossNamespacePodAffinity":
            return _crosses_namespaces(spec)
        case _:
            return False


def _claim_scope(scope: Json, claim: Json) -> bool:
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    given = (spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"))
    names = {str(name) for name in given if name}
    return any(_selects(scope, name) for name in names or {""})


def _selects(scope: Json, value: str) -> bool:
    values = scope.get("values") or ()
    match scope.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "DoesNotExist":
            return not value
        case _:
            return bool(value)


def _best_effort(pod: Json) -> bool:
    return pod_resources.computed_qos_class(msgspec.convert(pod, core_v1.Pod)) == pod_resources.BEST_EFFORT


def _crosses_namespaces(spec: Json) -> bool:
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        for term in (*required, *(row.get("podAffinityTerm") or {} for row in preferred)):
            if term.get("namespaces") or term.get("namespaceSelector") is not None:
                return True
    return False


# ── what must be said ──


def missing_requests(pod: Json, limited: Iterable[str]) -> str:
    """`cpu for: a,b; memory for: a` for what a quota limits and containers leave open; empty when nothing is missing.

    Follows: pkg/quota/v1/evaluator/core/pods.go, Constraints.
    """
    wanted = sorted(name for name in limited if _compute_name(name))
    spec = pod.get("spec") or {}
    missing: dict[str, list[str]] = {}
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            said = {*requests, *(f"requests.{name}" for name in requests), *(f"limits.{name}" for name in limits)}
            for name in wanted:
                if name not in said:
                    missing.setdefault(name, []).append(container.get("name", ""))
    return "; ".join(f"{name} for: {','.join(sorted(set(names)))}" for name, names in missing.items())


def _compute_name(name: str) -> bool:
    return name in {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
