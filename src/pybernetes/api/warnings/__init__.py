"""What a client should hear about an object that is stored all the same: texts of Warning headers.

`validation` has accepted the object; `on_create` and `on_update` choose the kind's own advice from two tables. Kinds
without a row cost one lookup. Updates of pods are left in peace, because kubelets write them all the time.

Follows: pkg/registry/*/*/strategy.go, WarningsOnCreate and WarningsOnUpdate.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.registry import Resource
from pybernetes.api.warnings import extensions, network, storage, workloads

Json = dict[str, Any]
Create = Callable[[list[str], Json], None]
Update = Callable[[list[str], Json, Json], None]

_NET, _STORAGE = "networking.k8s.io", "storage.k8s.io"

_ON_CREATE: Final[Mapping[tuple[str, str], Create]] = {
    ("", "Pod"): workloads.pod,
    ("", "PodTemplate"): workloads.pod_template,
    ("", "ReplicationController"): workloads.named_workload,
    ("apps", "ReplicaSet"): workloads.named_workload,
    ("apps", "Deployment"): workloads.named_workload,
    ("apps", "DaemonSet"): workloads.workload,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("", "Service"): network.service,
    ("", "Node"): network.node,
    ("", "Secret"): storage.secret,
    ("", "ServiceAccount"): storage.service_account,
    ("", "PersistentVolume"): storage.volume,
    ("", "PersistentVolumeClaim"): storage.claim,
    (_NET, "Ingress"): network.ingress,
    (_NET, "NetworkPolicy"): network.network_policy,
    ("discovery.k8s.io", "EndpointSlice"): network.endpoint_slice,
    (_STORAGE, "StorageClass"): storage.storage_class,
    (_STORAGE, "CSIStorageCapacity"): storage.capacity,
    ("node.k8s.io", "RuntimeClass"): storage.runtime_class,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.definition,
}

_ON_UPDATE: Final[Mapping[tuple[str, str], Update]] = {
    ("", "PodTemplate"): workloads.changed(workloads.pod_template),
    ("", "ReplicationController"): workloads.changed(workloads.workload),
    ("apps", "ReplicaSet"): workloads.changed(workloads.workload),
    ("apps", "Deployment"): workloads.changed(workloads.workload),
    ("apps", "DaemonSet"): workloads.changed(workloads.workload),
    ("apps", "StatefulSet"): workloads.changed(workloads.stateful_set_parts),
    ("batch", "Job"): workloads.changed(workloads.job_parts),
    ("batch", "CronJob"): workloads.changed(workloads.cron_job_parts),
    ("", "Service"): network.service_update,
    ("", "Node"): network.node_update,
    ("", "Secret"): storage.secret_update,
    ("", "ServiceAccount"): storage.service_account_update,
    ("", "PersistentVolume"): storage.volume_update,
    ("", "PersistentVolumeClaim"): storage.claim_update,
    (_NET, "NetworkPolicy"): network.network_policy_update,
    ("discovery.k8s.io", "EndpointSlice"): network.endpoint_slice_update,
    (_STORAGE, "StorageClass"): storage.storage_class_update,
    (_STORAGE, "CSIStorageCapacity"): storage.capacity_update,
    ("node.k8s.io", "RuntimeClass"): storage.runtime_class_update,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.definition_update,
}


def on_create(found: list[str], resource: Resource, document: Json) -> None:
    """Append what a client should hear about a new object, each text once."""
    rule = _ON_CREATE.get((resource.group, resource.kind)) if resource.custom is None else extensions.finalizers
    if rule is not None:
        texts: list[str] = []
        rule(texts, document)
        if texts:
            found.extend(text for text in dict.fromkeys(texts) if text not in found)


def on_update(found: list[str], resource: Resource, subresource: str, new: Json, old: Json) -> None:
    """Append what a client should hear about a change; doors beside the main one say nothing."""
    if subresource:
        return
    rule = _ON_UPDATE.get((resource.group, resource.kind)) if resource.custom is None else extensions.finalizers
    if rule is not None:
        texts: list[str] = []
        rule(texts, new, old)
        if texts:
            found.extend(text for text in dict.fromkeys(texts) if text not in found)
