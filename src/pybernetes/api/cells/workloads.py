"""Rows of what keeps pods running. Follows: pkg/printers/internalversion/printers.go."""

from datetime import datetime
from typing import Any

from pybernetes.api.cells import text
from pybernetes.effects import parse_time

Json = dict[str, Any]


def _parts(document: Json) -> tuple[Json, Json]:
    return document.get("spec") or {}, document.get("status") or {}


def _pod_spec(spec: Json) -> Json:
    found: Json = (spec.get("template") or {}).get("spec") or {}
    return found


def deployment(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [
        text.name(document),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        text.age(document, now),
        *text.containers(_pod_spec(spec)),
        text.selector(spec.get("selector")),
    ]


def replica_set(document: Json, now: datetime) -> list[Any]:
    spec, _ = _parts(document)
    return [*_replicas(document, now), *text.containers(_pod_spec(spec)), text.selector(spec.get("selector"))]


def _replicas(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [
        text.name(document),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        text.age(document, now),
    ]


def replication_controller(document: Json, now: datetime) -> list[Any]:
    spec, _ = _parts(document)
    return [*_replicas(document, now), *text.containers(_pod_spec(spec)), text.pairs(spec.get("selector"))]


def daemon_set(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [
        text.name(document),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        text.pairs(_pod_spec(spec).get("nodeSelector")),
        text.age(document, now),
        *text.containers(_pod_spec(spec)),
        text.selector(spec.get("selector")),
    ]


def stateful_set(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [
        text.name(document),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        text.age(document, now),
        *text.containers(_pod_spec(spec)),
    ]


def controller_revision(document: Json, now: datetime) -> list[Any]:
    owners = (document.get("metadata") or {}).get("ownerReferences") or ()
    owner = next((o for o in owners if o.get("controller")), None)
    shown = text.NONE
    if owner is not None:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        kind = owner.get("kind", "").lower()
        shown = f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return [text.name(document), shown, document.get("revision", 0), text.age(document, now)]


def job(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism", 0)
    if "completions" in spec:
        completions = f"{succeeded}/{spec['completions']}"
    elif parallelism > 1:
        completions = f"{succeeded}/1 of {parallelism}"
    else:
        completions = f"{succeeded}/1"
    duration = ""
    if status.get("startTime"):
        end = parse_time(status["completionTime"]) if status.get("completionTime") else now
        duration = text.human_duration((end - parse_time(status["startTime"])).total_seconds())
    return [
        text.name(document),
        _job_status(document),
        completions,
        duration,
        text.age(document, now),
        *text.containers(_pod_spec(spec)),
        text.selector(spec.get("selector")),
    ]


def _job_status(document: Json) -> str:
    for word in ("Complete", "Failed"):
        if text.is_true(document, word):
            return word
    if "deletionTimestamp" in (document.get("metadata") or {}):
        return "Terminating"
    for word in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if text.is_true(document, word):
            return word
    return "Running"


def cron_job(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        text.name(document),
        spec.get("schedule", ""),
        spec.get("timeZone") or text.NONE,
        text.true_false(spec.get("suspend")),
        len(status.get("active") or ()),
        text.since(last, now) if last else text.NONE,
        text.age(document, now),
        *text.containers(_pod_spec(job_spec)),
        text.selector(job_spec.get("selector")),
    ]


def disruption_budget(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [
        text.name(document),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        text.age(document, now),
    ]


def scale(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    return [text.name(document), spec.get("replicas", 0), status.get("replicas", 0), text.age(document, now)]


def autoscaler(document: Json, now: datetime) -> list[Any]:
    spec, status = _parts(document)
    target = spec.get("scaleTargetRef") or {}
    minimum = spec.get("minReplicas")
    return [
        text.name(document),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec, status),
        text.UNSET if minimum is None else str(minimum),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        text.age(document, now),
    ]


def _metrics(spec: Json, status: Json) -> str:
    if "targetCPUUtilizationPercentage" in spec:  # autoscaling/v1
        current = status.get("currentCPUUtilizationPercentage")
        shown = text.UNKNOWN if current is None else f"{current}%"
        return f"cpu: {shown}/{spec['targetCPUUtilizationPercentage']}%"
    current_metrics = status.get("currentMetrics") or ()
    shown_metrics = []
    for index, metric in enumerate(spec.get("metrics") or ()):
        current = current_metrics[index] if index < len(current_metrics) else {}
        shown_metrics.append(_metric(metric, current))
    return text.cut_list(shown_metrics, text.NONE, 2).replace(",", ", ")


_METRIC_FIELDS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(metric: Json, status: Json) -> str:
    kind = metric.get("type", "")
    field = _METRIC_FIELDS.get(kind)
    if field is None:
        return "<unknown type>"
    source = metric.get(field) or {}
    target = source.get("target") or {}
    current = (status.get(field) or {}).get("current") or {}
    if "averageUtilization" in target and kind in {"Resource", "ContainerResource"}:
        now_text = f"{current['averageUtilization']}%" if "averageUtilization" in current else text.UNKNOWN
        return f"{source.get('name')}: {now_text}/{target['averageUtilization']}%"
    if "averageValue" in target:
        now_text = current.get("averageValue", text.UNKNOWN)
        shown = f"{now_text}/{target['averageValue']}"
        if kind in {"Resource", "ContainerResource"}:
            return f"{source.get('name')}: {shown}"
        return shown if kind == "Pods" else f"{shown} (avg)"
    return f"{current.get('value', text.UNKNOWN)}/{target.get('value', '')}"
