"""What single kinds add to the general rules of `api.strategy`: start values, derived fields, special doors.

Follows: pkg/registry/*/*/strategy.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api import definitions, pod_qos, service_rules
from pybernetes.machinery.numbers import NotANumber, parse_int

Json = dict[str, Any]

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
JOB_NAME_LABELS: Final = ("job-name", "batch.kubernetes.io/job-name")
CONTROLLER_UID_LABELS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
NAMESPACE_FINALIZER: Final = "kubernetes"


def _create_pod(document: Json) -> None:
    spec = document.get("spec") or {}
    status: Json = {"phase": "Pending", "qosClass": pod_qos.qos_class(spec)}
    if spec.get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        status = {"conditions": [condition], **status}
    document["status"] = status
    _merge_label_keys(spec, (document.get("metadata") or {}).get("labels") or {})


def _merge_label_keys(spec: Json, labels: Mapping[str, str]) -> None:
    """Label keys named in affinity and spread terms become requirements of their selectors, once, at creation."""
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        for term in [*required, *(p.get("podAffinityTerm") or {} for p in preferred)]:
            _merge_keys(term, "matchLabelKeys", "In", labels)
            _merge_keys(term, "mismatchLabelKeys", "NotIn", labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge_keys(constraint, "matchLabelKeys", "In", labels)


def _merge_keys(term: Json, field: str, operator: str, labels: Mapping[str, str]) -> None:
    keys = [key for key in term.get(field) or () if key in labels]
    if not keys or "labelSelector" not in term:
        return
    added = [{"key": key, "operator": operator, "values": [labels[key]]} for key in keys]
    selector = term["labelSelector"]
    term["labelSelector"] = {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *added]}


def _create_job(document: Json) -> None:
    spec = document.setdefault("spec", {})
    if spec.get("manualSelector"):
        return
    metadata = document["metadata"]
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    labels = dict(template.get("labels") or {})
    for key in JOB_NAME_LABELS:
        labels.setdefault(key, metadata.get("name", ""))
    for key in CONTROLLER_UID_LABELS:
        labels.setdefault(key, metadata["uid"])
    template["labels"] = labels
    if not metadata.get("labels"):  # upstream's readers see this default, which follows from the template
        metadata["labels"] = dict(labels)
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {CONTROLLER_UID_LABELS[1]: metadata["uid"], **(selector.get("matchLabels") or {})}
    spec["selector"] = selector


def _create_namespace(document: Json) -> None:
    document["status"] = {"phase": "Active"}
    spec = document.setdefault("spec", {})
    finalizers = list(spec.get("finalizers") or ())
    if NAMESPACE_FINALIZER not in finalizers:
        finalizers.append(NAMESPACE_FINALIZER)
    spec["finalizers"] = finalizers


def _create_volume(document: Json) -> None:
    document["status"] = {"phase": "Pending"}


def _create_claim(document: Json) -> None:
    document["status"] = {"phase": "Pending"}
    _data_sources(document.get("spec") or {})


def _data_sources(spec: Json) -> None:
    """The old and the new name of a claim's source say the same. Follows: NormalizeDataSources."""
    if "dataSource" in spec and "dataSourceRef" not in spec:
        spec["dataSourceRef"] = dict(spec["dataSource"])
    reference = spec.get("dataSourceRef")
    if reference and "dataSource" not in spec and not reference.get("namespace"):
        group, kind = reference.get("apiGroup"), reference.get("kind")
        if (not group and kind == "PersistentVolumeClaim") or (
            group == "snapshot.storage.k8s.io" and kind == "VolumeSnapshot"
        ):
            spec["dataSource"] = {key: value for key, value in reference.items() if key != "namespace"}


def _create_daemon_set(document: Json) -> None:
    metadata = document["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TEMPLATE_GENERATION: "1"}


def _create_definition(document: Json) -> None:
    versions = (document.get("spec") or {}).get("versions") or ()
    document["status"] = {
        "conditions": [],
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": [version["name"] for version in versions if version.get("storage")],
    }


def _create_api_service(document: Json) -> None:
    if (document.get("spec") or {}).get("service") is None:
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": document["metadata"]["creationTimestamp"],
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        document["status"] = {"conditions": [condition]}


def _create_service(document: Json) -> None:
    document["status"] = {"loadBalancer": {}}


def _create_csr(document: Json) -> None:
    """Who asks is set by admission from the request, never by the client."""
    spec = document.setdefault("spec", {})
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)


ON_CREATE: Final[Mapping[tuple[str, str], Callable[[Json], None]]] = {
    ("", "Pod"): _create_pod,
    ("", "Namespace"): _create_namespace,
    ("", "PersistentVolume"): _create_volume,
    ("", "PersistentVolumeClaim"): _create_claim,
    ("", "Service"): _create_service,
    ("apps", "DaemonSet"): _create_daemon_set,
    ("batch", "Job"): _create_job,
    ("certificates.k8s.io", "CertificateSigningRequest"): _create_csr,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _create_definition,
    ("apiregistration.k8s.io", "APIService"): _create_api_service,
}


def _update_daemon_set(new: Json, old: Json) -> None:
    try:
        count = parse_int((old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "1")
    except NotANumber:
        count = 0  # the user's own text in the annotation's place
    if (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template"):
        count += 1
    new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(count)}


def _update_namespace(new: Json, old: Json) -> None:
    finalizers = (old.get("spec") or {}).get("finalizers")
    new["spec"] = {"finalizers": finalizers} if finalizers else {}


def _update_claim(new: Json, _old: Json) -> None:
    _data_sources(new.get("spec") or {})


def _update_csr(new: Json, old: Json) -> None:
    new["spec"] = old.get("spec", {})


def _update_definition(new: Json, _old: Json) -> None:
    versions = (new.get("spec") or {}).get("versions") or ()
    new["status"] = definitions.add_stored_version(new.get("status") or {}, versions)


def _update_config(new: Json, old: Json) -> None:
    """An empty type of a stored Secret is filled from what is there."""
    if not new.get("type") and "type" in old:
        new["type"] = old["type"]


ON_UPDATE: Final[Mapping[tuple[str, str], Callable[[Json, Json], None]]] = {
    ("", "Namespace"): _update_namespace,
    ("", "PersistentVolumeClaim"): _update_claim,
    ("", "Service"): service_rules.prepare_update,
    ("", "Secret"): _update_config,
    ("apps", "DaemonSet"): _update_daemon_set,
    ("certificates.k8s.io", "CertificateSigningRequest"): _update_csr,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _update_definition,
}


def _status_pod(result: Json, old: Json) -> None:
    metadata = result["metadata"]
    for field in ("ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
        else:
            metadata.pop(field, None)
    old_class = (old.get("status") or {}).get("qosClass")
    if old_class and not result["status"].get("qosClass"):
        result["status"]["qosClass"] = old_class


def _status_keeps_labels(result: Json, old: Json) -> None:
    if "labels" in old["metadata"]:
        result["metadata"]["labels"] = old["metadata"]["labels"]
    else:
        result["metadata"].pop("labels", None)


def _status_csr(result: Json, old: Json) -> None:
    """Approval and denial have their own door; a certificate is written once."""
    old_status = old.get("status") or {}
    kept = [c for c in old_status.get("conditions") or () if c.get("type") in _DECISIONS]
    others = [c for c in result["status"].get("conditions") or () if c.get("type") not in _DECISIONS]
    result["status"] = {**result["status"], "conditions": kept + others}
    if not result["status"]["conditions"]:
        del result["status"]["conditions"]


_DECISIONS: Final = frozenset({"Approved", "Denied"})

ON_STATUS: Final[Mapping[tuple[str, str], Callable[[Json, Json], None]]] = {
    ("", "Pod"): _status_pod,
    ("apps", "Deployment"): _status_keeps_labels,
    ("certificates.k8s.io", "CertificateSigningRequest"): _status_csr,
}


def _ephemeral_containers(new: Json, old: Json) -> Json:
    spec = {**old["spec"]}
    ephemeral = (new.get("spec") or {}).get("ephemeralContainers")
    if ephemeral:
        spec["ephemeralContainers"] = ephemeral
    else:
        spec.pop("ephemeralContainers", None)
    return {**new, "spec": spec, "status": old.get("status", {})}


def _resize(new: Json, old: Json) -> Json:
    """Only resources and resize policies of containers that exist, and of the pod as a whole."""
    wanted, spec = new.get("spec") or {}, {**old["spec"]}
    for kind in ("containers", "initContainers"):
        if kind not in spec:
            continue
        by_name = {item.get("name"): item for item in wanted.get(kind) or ()}
        if len(wanted.get(kind) or ()) != len(spec[kind]) or any(i.get("name") not in by_name for i in spec[kind]):
            spec[kind] = wanted.get(kind, [])  # added or removed: validation tells
            continue
        resized = []
        for item in spec[kind]:
            asked = by_name[item.get("name")]
            item = {**item, "resources": asked.get("resources", {})}
            if "resizePolicy" in asked:
                item["resizePolicy"] = asked["resizePolicy"]
            resized.append(item)
        spec[kind] = resized
    if "resources" in wanted:
        spec["resources"] = wanted["resources"]
    metadata = {**old["metadata"]}
    for field in ("managedFields", "resourceVersion"):
        if field in (new.get("metadata") or {}):
            metadata[field] = new["metadata"][field]
    return {**old, "metadata": metadata, "spec": spec}


def _finalize(new: Json, old: Json) -> Json:
    finalizers = (new.get("spec") or {}).get("finalizers")
    return {**new, "spec": {"finalizers": finalizers} if finalizers else {}, "status": old.get("status", {})}


def _approval(new: Json, old: Json) -> Json:
    """Only approval, denial and failure conditions; the certificate belongs to the signer."""
    old_status = old.get("status") or {}
    conditions = (new.get("status") or {}).get("conditions") or []
    status = {**old_status, "conditions": conditions}
    return {**new, "spec": old.get("spec", {}), "status": status if conditions else _without(old_status, "conditions")}


def _without(document: Json, key: str) -> Json:
    return {name: value for name, value in document.items() if name != key}


SUBRESOURCES: Final[Mapping[tuple[str, str, str], Callable[[Json, Json], Json]]] = {
    ("", "Pod", "ephemeralcontainers"): _ephemeral_containers,
    ("", "Pod", "resize"): _resize,
    ("", "Namespace", "finalize"): _finalize,
    ("certificates.k8s.io", "CertificateSigningRequest", "approval"): _approval,
}
