"""Texts of the published schemas, and which of them describe the columns of tables.

Texts are data the build makes (`tools/descriptions.py`); without them everything works, only undescribed.

Follows: pkg/printers/internalversion/printers.go, AddHandlers.
"""

import functools
import gzip
from collections.abc import Mapping
from importlib import resources
from typing import Final

import orjson

DESCRIPTIONS: Final = "descriptions.json.gz"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_API: Final = "io.k8s.api."
_EVERYWHERE: Final = {"Name": "name", "Age": "creationTimestamp"}
"""Column → field of ObjectMeta."""

_WORKLOAD: Final = {"Selector": "Spec.selector"}
_COLUMNS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "core/Pod": (
        "core.v1.",
        {"IP": "PodStatus.podIP", "Node": "PodSpec.nodeName", "Nominated Node": "PodStatus.nominatedNodeName",
         "Readiness Gates": "PodSpec.readinessGates"},
    ),
    "core/ReplicationController": (
        "core.v1.ReplicationController",
        {"Desired": "Spec.replicas", "Current": "Status.replicas", "Ready": "Status.readyReplicas", **_WORKLOAD},
    ),
    "apps/ReplicaSet": (
        "apps.v1.ReplicaSet",
        {"Desired": "Spec.replicas", "Current": "Status.replicas", "Ready": "Status.readyReplicas", **_WORKLOAD},
    ),
    "apps/DaemonSet": (
        "apps.v1.DaemonSet",
        {"Desired": "Status.desiredNumberScheduled", "Current": "Status.currentNumberScheduled",
         "Ready": "Status.numberReady", "Up-to-date": "Status.updatedNumberScheduled",
         "Available": "Status.numberAvailable", **_WORKLOAD},
    ),
    "apps/Deployment": (
        "apps.v1.Deployment",
        {"Up-to-date": "Status.updatedReplicas", "Available": "Status.availableReplicas", **_WORKLOAD},
    ),
    "apps/ControllerRevision": ("apps.v1.ControllerRevision", {"Revision": ".revision"}),
    "batch/Job": ("batch.v1.Job", {"Duration": "Status.startTime", **_WORKLOAD}),
    "batch/CronJob": (
        "batch.v1.",
        {"Schedule": "CronJobSpec.schedule", "Timezone": "CronJobSpec.timeZone", "Suspend": "CronJobSpec.suspend",
         "Active": "CronJobStatus.active", "Last Schedule": "CronJobStatus.lastScheduleTime",
         "Selector": "JobSpec.selector"},
    ),
    "core/Service": (
        "core.v1.ServiceSpec.",
        {"Type": "type", "Cluster-IP": "clusterIP", "External-IP": "externalIPs", "Port(s)": "ports",
         "Selector": "selector"},
    ),
    "core/Endpoints": ("core.v1.Endpoints", {"Endpoints": ".subsets"}),
    "core/Node": (
        "core.v1.Node",
        {"Version": "SystemInfo.kubeletVersion", "Internal-IP": "Status.addresses", "External-IP": "Status.addresses",
         "OS-Image": "SystemInfo.osImage", "Kernel-Version": "SystemInfo.kernelVersion",
         "Container-Runtime": "SystemInfo.containerRuntimeVersion"},
    ),
    "core/Event": (
        "core.v1.",
        {"Last Seen": "Event.lastTimestamp", "First Seen": "Event.firstTimestamp", "Count": "Event.count",
         "Subobject": "ObjectReference.fieldPath", "Type": "Event.type", "Reason": "Event.reason",
         "Source": "Event.source", "Message": "Event.message"},
    ),
    "core/Secret": ("core.v1.Secret", {"Type": ".type", "Data": ".data"}),
    "core/ConfigMap": ("core.v1.ConfigMap", {"Data": ".data"}),
    "core/PersistentVolume": (
        "core.v1.PersistentVolume",
        {"Capacity": "Spec.capacity", "Access Modes": "Spec.accessModes",
         "Reclaim Policy": "Spec.persistentVolumeReclaimPolicy", "Status": "Status.phase", "Claim": "Spec.claimRef",
         "Reason": "Status.reason", "VolumeMode": "Spec.volumeMode"},
    ),
    "core/PersistentVolumeClaim": (
        "core.v1.PersistentVolumeClaim",
        {"Status": "Status.phase", "Volume": "Spec.volumeName", "Capacity": "Status.capacity",
         "Access Modes": "Status.accessModes", "VolumeMode": "Spec.volumeMode"},
    ),
    "autoscaling/HorizontalPodAutoscaler": (
        "autoscaling.v2.HorizontalPodAutoscaler",
        {"Reference": "Spec.scaleTargetRef", "Targets": "Spec.metrics", "MinPods": "Spec.minReplicas",
         "MaxPods": "Spec.maxReplicas", "Replicas": "Status.currentReplicas"},
    ),
    "networking/NetworkPolicy": ("networking.v1.NetworkPolicySpec", {"Pod-Selector": ".podSelector"}),
    "rbac/RoleBinding": ("rbac.v1.RoleBinding", {"Role": ".roleRef"}),
    "rbac/ClusterRoleBinding": ("rbac.v1.ClusterRoleBinding", {"Role": ".roleRef"}),
    "certificates/CertificateSigningRequest": (
        "certificates.v1.CertificateSigningRequest",
        {"Requestor": "Spec.request", "Condition": "Status.conditions"},
    ),
    "storage/StorageClass": (
        "storage.v1.StorageClass",
        {"Provisioner": ".provisioner", "ReclaimPolicy": ".reclaimPolicy", "VolumeBindingMode": ".volumeBindingMode",
         "AllowVolumeExpansion": ".allowVolumeExpansion"},
    ),
}  # fmt: skip
"""Internal group and kind → where its texts begin, and the rest of the path for each column that shows a field."""


def load_texts() -> Mapping[str, Mapping[str, str]]:
    """Texts by schema name and field, that of the type under the empty name; empty where the build made none.

    Read anew each time: it is large and needed rarely.
    """
    file = resources.files("pybernetes.api") / "data" / DESCRIPTIONS
    if not file.is_file():
        return {}
    found: Mapping[str, Mapping[str, str]] = orjson.loads(gzip.decompress(file.read_bytes()))
    return found


@functools.cache
def _column_texts() -> Mapping[str, Mapping[str, str]]:
    texts = load_texts()
    meta = texts.get(_META, {})
    found: dict[str, dict[str, str]] = {"": {column: meta.get(field, "") for column, field in _EVERYWHERE.items()}}
    for key, (start, fields) in _COLUMNS.items():
        found[key] = {}
        for column, rest in fields.items():
            name, _, field = f"{_API}{start}{rest}".rpartition(".")
            found[key][column] = texts.get(name, {}).get(field, "")
    return found


def column_text(key: str, column: str) -> str:
    """What upstream says of a column of the kind `key` (`core/Pod`); empty where it is no published field's text."""
    found = _column_texts()
    return found.get(key, {}).get(column) or found[""].get(column, "")
