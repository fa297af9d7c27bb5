"""Defaults of pods, pod templates and all that stands in them.

Follows: pkg/apis/core/v1/defaults.go; pkg/util/parsers/parsers.go for image tags.
"""

import functools
from typing import Any, Final

from pybernetes.machinery import quantity

Json = dict[str, Any]

DEFAULT_MODE: Final = 0o644
_CACHED_IMAGES = 4096
"""Distinct image names remembered; arbitrary."""


def pod(document: Json) -> None:
    spec = document.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    host_network = spec.get("hostNetwork")
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            resources = container.get("resources")
            if resources and "limits" in resources:
                requests = resources.setdefault("requests", {})
                for name, limit in resources["limits"].items():
                    requests.setdefault(name, limit)
            if host_network:
                for port in container.get("ports") or ():
                    if not port.get("hostPort"):
                        port["hostPort"] = port.get("containerPort", 0)
    if spec.get("resources"):
        pod_level_resources(spec)


def pod_template(document: Json) -> None:
    template = document.get("template")
    if template:
        pod_spec(template.setdefault("spec", {}))


def pod_spec(spec: Json) -> None:
    """What pods and templates share."""
    if "dnsPolicy" not in spec:
        spec["dnsPolicy"] = "ClusterFirst"
    if "restartPolicy" not in spec:
        spec["restartPolicy"] = "Always"
    if "terminationGracePeriodSeconds" not in spec:
        spec["terminationGracePeriodSeconds"] = 30
    if "schedulerName" not in spec:
        spec["schedulerName"] = "default-scheduler"
    if "securityContext" not in spec:
        spec["securityContext"] = {}
    # Old clients read and write the old name.
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for item in spec.get("containers") or ():
        container(item)
    for item in spec.get("initContainers") or ():
        container(item)
    for item in spec.get("ephemeralContainers") or ():
        container(item)
    for item in spec.get("volumes") or ():
        volume(item)


def container(item: Json) -> None:
    if "imagePullPolicy" not in item:
        item["imagePullPolicy"] = pull_policy(item.get("image", ""))
    if "terminationMessagePath" not in item:
        item["terminationMessagePath"] = "/dev/termination-log"
    if "terminationMessagePolicy" not in item:
        item["terminationMessagePolicy"] = "File"
    for port in item.get("ports") or ():
        if "protocol" not in port:
            port["protocol"] = "TCP"
    for variable in item.get("env") or ():
        source = variable.get("valueFrom")
        if source:
            if "fieldRef" in source:
                source["fieldRef"].setdefault("apiVersion", "v1")
            if "fileKeyRef" in source:
                source["fileKeyRef"].setdefault("optional", False)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in item:
            probe(item[name])
    if "lifecycle" in item:
        for hook in item["lifecycle"].values():
            if type(hook) is dict and "httpGet" in hook:
                http_get(hook["httpGet"])


def probe(item: Json) -> None:
    if "timeoutSeconds" not in item:
        item["timeoutSeconds"] = 1
    if "periodSeconds" not in item:
        item["periodSeconds"] = 10
    if "successThreshold" not in item:
        item["successThreshold"] = 1
    if "failureThreshold" not in item:
        item["failureThreshold"] = 3
    if "httpGet" in item:
        http_get(item["httpGet"])
    if "grpc" in item:
        item["grpc"].setdefault("service", "")


def http_get(action: Json) -> None:
    if "path" not in action:
        action["path"] = "/"
    if "scheme" not in action:
        action["scheme"] = "HTTP"


@functools.lru_cache(maxsize=_CACHED_IMAGES)
def pull_policy(image: str) -> str:
    """`Always` for the tag latest, also when it is only meant; else `IfNotPresent`."""
    name, has_digest, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag and not has_digest and name:
        tag = "latest"
    return "Always" if tag == "latest" else "IfNotPresent"


def volume(item: Json) -> None:
    if len(item) == 1 and "name" in item:
        item["emptyDir"] = {}
        return
    for kind, source in item.items():
        if type(source) is dict:
            _volume_source(kind, source)


def _volume_source(kind: str, source: Json) -> None:
    match kind:
        case "secret" | "configMap":
            source.setdefault("defaultMode", DEFAULT_MODE)
        case "downwardAPI":
            source.setdefault("defaultMode", DEFAULT_MODE)
            _downward_items(source)
        case "projected":
            source.setdefault("defaultMode", DEFAULT_MODE)
            for part in source.get("sources") or ():
                if "serviceAccountToken" in part:
                    part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
                if "downwardAPI" in part:
                    _downward_items(part["downwardAPI"])
        case "hostPath":
            source.setdefault("type", "")
        case "image":
            if "pullPolicy" not in source:
                source["pullPolicy"] = pull_policy(source.get("reference", ""))
        case "ephemeral":
            template = source.get("volumeClaimTemplate")
            if template:
                template.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        case _:
            for field, value in _OLD_SOURCES.get(kind, {}).items():
                source.setdefault(field, value)


_OLD_SOURCES: Final[dict[str, dict[str, Any]]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def old_volume_source(kind: str, source: Json) -> None:
    """Defaults of the storage systems that PersistentVolumes share with pod volumes."""
    for field, value in _OLD_SOURCES.get(kind, {}).items():
        source.setdefault(field, value)


def _downward_items(source: Json) -> None:
    for item in source.get("items") or ():
        if "fieldRef" in item:
            item["fieldRef"].setdefault("apiVersion", "v1")


def _pod_level(name: str) -> bool:
    """Resources a pod as a whole may ask for. Follows: component-helpers resource.IsSupportedPodLevelResource."""
    return name in {"cpu", "memory"} or name.startswith("hugepages-")


def pod_level_resources(spec: Json) -> None:
    """Requests of the pod as a whole: what its containers ask for, else its limit; huge pages from the containers."""
    resources = spec["resources"]
    limits = resources.get("limits") or {}
    requests = dict(resources.get("requests") or {})
    if not limits and not requests:
        return
    for name, amount in total(spec, "limits").items():
        if name.startswith("hugepages-") and name not in limits:
            limits = {**limits, name: amount}
    for name, amount in total(spec, "requests").items():
        if name not in requests and _pod_level(name) and not name.startswith("hugepages-"):
            requests[name] = amount
    for name, amount in limits.items():
        if name not in requests and _pod_level(name):
            requests[name] = amount
    if limits:
        resources["limits"] = limits
    if requests:
        resources["requests"] = requests


def total(spec: Json, kind: str) -> dict[str, str]:
    """What the containers need together: the running ones and sidecars summed, or the hungriest moment of start-up.

    `kind` is requests or limits. Follows: component-helpers resource.AggregateContainerRequests.
    """
    sums: dict[str, quantity.Quantity] = {}
    _add(sums, list(spec.get("containers") or ()), kind)
    sidecars: dict[str, quantity.Quantity] = {}
    peak: dict[str, quantity.Quantity] = {}
    for item in spec.get("initContainers") or ():
        if item.get("restartPolicy") == "Always":
            _add(sidecars, [item], kind)
            _add(sums, [item], kind)
            needed = dict(sidecars)
        else:
            needed = dict(sidecars)
            _add(needed, [item], kind)
        for name, amount in needed.items():
            peak[name] = max(peak.get(name, quantity.ZERO), amount)
    for name, amount in peak.items():
        sums[name] = max(sums.get(name, quantity.ZERO), amount)
    return {name: str(amount) for name, amount in sums.items()}


def _add(sums: dict[str, quantity.Quantity], containers: list[Json], kind: str) -> None:
    for item in containers:
        for name, amount in ((item.get("resources") or {}).get(kind) or {}).items():
            sums[name] = sums.get(name, quantity.ZERO) + quantity.parse(amount)
