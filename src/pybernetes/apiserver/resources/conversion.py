"""The few built-in kinds whose served versions differ in more than the version's name.

    Event                      v1 (stored)               ↔ events.k8s.io/v1
    HorizontalPodAutoscaler    autoscaling/v2 (stored)   ↔ autoscaling/v1
    ResourceClaim, ResourceClaimTemplate, ResourceSlice    v1, v1beta2 (nested) ↔ v1beta1 (flat), `device_conversion`

Everything else is the same document under another `apiVersion`.

Follows: pkg/apis/events/v1/conversion.go; pkg/apis/autoscaling/v1/conversion.go.
"""

import orjson

from pybernetes.api.registry import Resource
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources import device_conversion

_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENT_FIELDS_BACK = {there: here for here, there in _EVENT_FIELDS.items()}

_METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR_ANNOTATION = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS_ANNOTATION = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT_METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/current-metrics"


def convert(document: Document, api_version: str, resource: Resource) -> Document:
    """The document, written under `api_version`, in the version of `resource`. Nested parts are shared."""
    target = resource.api_version
    if resource.kind == "Event" and api_version != target:
        if target == "events.k8s.io/v1":
            document = _renamed(document, _EVENT_FIELDS)
        elif api_version == "events.k8s.io/v1":
            document = _renamed(document, _EVENT_FIELDS_BACK)
    elif resource.kind == "HorizontalPodAutoscaler" and api_version != target:
        document = _hpa_to_v1(document) if target == "autoscaling/v1" else _hpa_to_v2(document)
    elif resource.kind in device_conversion.KINDS and resource.group == "resource.k8s.io":
        document = _device_document(document, api_version, resource)
    document["apiVersion"] = target
    document["kind"] = resource.kind
    return document


def _device_document(document: Document, api_version: str, resource: Resource) -> Document:
    was_flat, is_flat = (version == device_conversion.FLAT_VERSION for version in (api_version, resource.api_version))
    if was_flat == is_flat:
        return document
    change = device_conversion.nested if was_flat else device_conversion.flat
    return change(document, resource.kind)


def as_validated(resource: Resource, document: Document) -> Document:
    """The document in the form that the rules of its kind are told for: upstream's internal one."""
    if resource.api_version == device_conversion.FLAT_VERSION and resource.kind in device_conversion.KINDS:
        return device_conversion.nested(document, resource.kind)
    return document


def _renamed(document: Document, names: dict[str, str]) -> Document:
    return {names.get(key, key): value for key, value in document.items()}


def _cpu_utilization(metric: Document) -> bool:
    resource = metric.get("resource") or {}
    return metric.get("type") == "Resource" and resource.get("name") == "cpu"


def _hpa_to_v1(document: Document) -> Document:
    spec = dict(document.get("spec") or {})
    status = dict(document.get("status") or {})
    annotations = dict(document["metadata"].get("annotations") or {})
    others = []
    for metric in spec.pop("metrics", None) or ():
        target = (metric.get("resource") or {}).get("target") or {}
        if _cpu_utilization(metric) and target.get("averageUtilization") is not None:
            spec["targetCPUUtilizationPercentage"] = target["averageUtilization"]
        else:
            others.append(metric)
    if others:
        annotations[_METRICS_ANNOTATION] = orjson.dumps(others).decode()
    if spec.get("behavior") is not None:
        annotations[_BEHAVIOR_ANNOTATION] = orjson.dumps(spec.pop("behavior")).decode()
    if status.get("conditions"):
        annotations[_CONDITIONS_ANNOTATION] = orjson.dumps(status["conditions"]).decode()
    status.pop("conditions", None)
    current_others = []
    for metric in status.pop("currentMetrics", None) or ():
        current = (metric.get("resource") or {}).get("current") or {}
        if _cpu_utilization(metric) and current.get("averageUtilization") is not None:
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
        else:
            current_others.append(metric)
    if current_others:
        annotations[_CURRENT_METRICS_ANNOTATION] = orjson.dumps(current_others).decode()
    return {**document, "metadata": _with_annotations(document, annotations), "spec": spec, "status": status}


def _hpa_to_v2(document: Document) -> Document:
    spec = dict(document.get("spec") or {})
    status = dict(document.get("status") or {})
    annotations = dict(document["metadata"].get("annotations") or {})
    metrics = orjson.loads(annotations.pop(_METRICS_ANNOTATION, "[]"))
    utilization = spec.pop("targetCPUUtilizationPercentage", None)
    if utilization is not None:
        target = {"type": "Utilization", "averageUtilization": utilization}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if _BEHAVIOR_ANNOTATION in annotations:
        spec["behavior"] = orjson.loads(annotations.pop(_BEHAVIOR_ANNOTATION))
    if _CONDITIONS_ANNOTATION in annotations:
        status["conditions"] = orjson.loads(annotations.pop(_CONDITIONS_ANNOTATION))
    current = orjson.loads(annotations.pop(_CURRENT_METRICS_ANNOTATION, "[]"))
    utilization = status.pop("currentCPUUtilizationPercentage", None)
    if utilization is not None:
        value = {"name": "cpu", "current": {"averageUtilization": utilization}}
        current.insert(0, {"type": "Resource", "resource": value})
    if current:
        status["currentMetrics"] = current
    return {**document, "metadata": _with_annotations(document, annotations), "spec": spec, "status": status}


def _with_annotations(document: Document, annotations: dict[str, str]) -> Document:
    metadata = {**document["metadata"]}
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    return metadata
