"""Rows of nodes, namespaces, events, configuration and quota. Follows: pkg/printers/internalversion/printers.go."""

from datetime import datetime
from typing import Any

from pybernetes.api.cells import text
from pybernetes.machinery import quantity

Json = dict[str, Any]

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def node(document: Json, now: datetime) -> list[Any]:
    status = document.get("status") or {}
    ready = text.condition(document, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if (document.get("spec") or {}).get("unschedulable"):
        word += ",SchedulingDisabled"
    info = status.get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or text.UNKNOWN
    if info.get("kernelVersion") and info.get("architecture"):
        kernel = f"{kernel} ({info['architecture']})"
    return [
        text.name(document),
        word,
        _roles(document),
        text.age(document, now),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or text.UNKNOWN,
        kernel,
        info.get("containerRuntimeVersion") or text.UNKNOWN,
    ]


def _roles(document: Json) -> str:
    labels = (document.get("metadata") or {}).get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles.add(labels.get(_ROLE_LABEL, ""))
    return ",".join(sorted(roles - {""})) or text.NONE


def _address(status: Json, kind: str) -> str:
    found = (a.get("address", "") for a in status.get("addresses") or () if a.get("type") == kind)
    return next(found, text.NONE)


def namespace(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), (document.get("status") or {}).get("phase", ""), text.age(document, now)]


def event(document: Json, now: datetime) -> list[Any]:
    """Core events and those of events.k8s.io, which name some fields otherwise."""
    first_time = document.get("firstTimestamp") or document.get("deprecatedFirstTimestamp") or document.get("eventTime")
    last_time = document.get("lastTimestamp") or document.get("deprecatedLastTimestamp") or first_time
    count = document.get("count") or document.get("deprecatedCount") or 1
    series = document.get("series")
    if series is not None:
        last_time, count = series.get("lastObservedTime"), series.get("count", 0)
    about = document.get("involvedObject") or document.get("regarding") or {}
    kind = about.get("kind", "").lower()
    source = document.get("source") or document.get("deprecatedSource") or {}
    component = (
        source.get("component") or document.get("reportingComponent") or document.get("reportingController") or ""
    )
    host = source.get("host") or document.get("reportingInstance")
    return [
        text.since(last_time, now),
        document.get("type", ""),
        document.get("reason", ""),
        f"{kind}/{about['name']}" if about.get("name") else kind,
        about.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (document.get("message") or document.get("note") or "").strip(),
        text.since(first_time, now),
        count,
        text.name(document),
    ]


def secret(document: Json, now: datetime) -> list[Any]:
    return [
        text.name(document),
        document.get("type", "Opaque"),
        len(document.get("data") or ()),
        text.age(document, now),
    ]


def config_map(document: Json, now: datetime) -> list[Any]:
    count = len(document.get("data") or ()) + len(document.get("binaryData") or ())
    return [text.name(document), count, text.age(document, now)]


def name_and_age(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), text.age(document, now)]


def component_status(document: Json, _now: datetime) -> list[Any]:
    healthy: Json = next((c for c in document.get("conditions") or () if c.get("type") == "Healthy"), {})
    word = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [text.name(document), word, healthy.get("message", ""), healthy.get("error", "")]


def resource_quota(document: Json, now: datetime) -> list[Any]:
    status = document.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name, amount in sorted(hard.items()):
        shown = f"{name}: {quantity.canonical(used.get(name, '0'))}/{amount}"
        (limits if name.startswith("limits.") else requests).append(shown)
    return [text.name(document), ", ".join(requests), ", ".join(limits), text.age(document, now)]


def priority_class(document: Json, now: datetime) -> list[Any]:
    return [
        text.name(document),
        document.get("value", 0),
        bool(document.get("globalDefault")),
        text.age(document, now),
        document.get("preemptionPolicy", "PreemptLowerPriority"),
    ]


def runtime_class(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), document.get("handler", ""), text.age(document, now)]


def lease(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), (document.get("spec") or {}).get("holderIdentity", ""), text.age(document, now)]


def lease_candidate(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    return [
        text.name(document),
        spec.get("leaseName", ""),
        spec.get("binaryVersion", ""),
        spec.get("emulationVersion", ""),
        text.age(document, now),
    ]


def workload(document: Json, now: datetime) -> list[Any]:
    return name_and_age(document, now)


def pod_group(document: Json, now: datetime) -> list[Any]:
    """Policy, the workload it was made for, and how scheduling went."""
    spec = document.get("spec") or {}
    policy = spec.get("schedulingPolicy") or {}
    kinds = ("Gang" if "gang" in policy else "", "Basic" if "basic" in policy else "")
    made_for = (spec.get("podGroupTemplateRef") or {}).get("workload") or {}
    scheduled = text.condition(document, "PodGroupScheduled")
    word = "Pending" if scheduled is None else "Scheduled" if scheduled.get("status") == "True" else "Unschedulable"
    return [
        text.name(document),
        next(filter(None, kinds), text.NONE),
        made_for.get("workloadName") or text.NONE,
        word,
        text.age(document, now),
    ]


def status(document: Json, _now: datetime) -> list[Any]:
    return [document.get("status", ""), document.get("reason", ""), document.get("message", "")]
