"""Checks of what keeps pods running.

Follows: pkg/apis/apps/validation/validation.go; pkg/apis/core/validation for ReplicationController.
"""

from typing import Any, Final

from pybernetes.api.validation import common, metadata, pods
from pybernetes.api.validation.common import Errors
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import labels, names

Json = dict[str, Any]

MISMATCH: Final = "`selector` does not match template `labels`"
STATEFUL_SET_FIELDS: Final = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)
STATEFUL_SET_IMMUTABLE: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _selector(errors: Errors, spec: Json, empty_text: str, *, required: bool = True) -> labels.Selector | None:
    """The selector of a workload when it can be read; a missing one selects nothing, not even the template."""
    selector = spec.get("selector")
    if selector is None:
        if required:
            errors.append(fe.required("spec.selector"))
        return labels.NOTHING
    common.label_selector(errors, "spec.selector", selector)
    if common.is_empty_selector(selector):
        errors.append(fe.invalid_value("spec.selector", selector, empty_text))
    try:
        return labels.from_label_selector(selector)
    except labels.SelectorError:
        errors.append(fe.invalid_value("spec.selector", selector, "invalid label selector"))
        return None


def running_template(errors: Errors, spec: Json, selector: labels.Selector | None, owner: str) -> None:
    """A template whose pods run until somebody stops them."""
    template = spec.get("template") or {}
    found = (template.get("metadata") or {}).get("labels")
    if selector is not None and not selector.matches(found):
        errors.append(fe.invalid_value("spec.template.metadata.labels", found or {}, MISMATCH))
    pods.template(errors, "spec.template", template)
    pod_spec = template.get("spec") or {}
    policy = pod_spec.get("restartPolicy")
    if policy != "Always":
        errors.append(fe.not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if "activeDeadlineSeconds" in pod_spec:
        text = f"activeDeadlineSeconds in {owner} is not Supported"
        errors.append(fe.forbidden_value("spec.template.spec.activeDeadlineSeconds", text))


def _stateful_template(errors: Errors, spec: Json, selector: labels.Selector | None) -> None:
    """The template of a StatefulSet: its containers are judged when pods are made of it.

    Its volumes are not all known yet, because claim templates add some, so upstream does not look at the pod spec.
    """
    template = spec.get("template") or {}
    meta, pod_spec = template.get("metadata") or {}, template.get("spec") or {}
    if selector is not None and not selector.matches(meta.get("labels")):
        errors.append(fe.invalid_value("spec.template.metadata.labels", meta.get("labels") or {}, MISMATCH))
    common.labels(errors, "spec.template.labels", meta.get("labels"))
    if "annotations" in meta:
        metadata.annotations(errors, "spec.template.annotations", meta["annotations"])
    policy = pod_spec.get("restartPolicy")
    if policy != "Always":
        errors.append(fe.not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if "activeDeadlineSeconds" in pod_spec:
        text = "activeDeadlineSeconds in StatefulSet is not Supported"
        errors.append(fe.forbidden_value("spec.template.spec.activeDeadlineSeconds", text))


def _not_negative(errors: Errors, spec: Json, *fields: str) -> None:
    for field in fields:
        common.not_negative(errors, f"spec.{field}", spec.get(field))


def deployment(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    _not_negative(errors, spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    selector = _selector(errors, spec, "empty selector is invalid for deployment")
    running_template(errors, spec, selector, "ReplicaSet")
    _deployment_strategy(errors, spec.get("strategy") or {})
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        common.not_negative(errors, "spec.progressDeadlineSeconds", deadline)
        if deadline <= spec.get("minReadySeconds", 0):
            text = "must be greater than minReadySeconds"
            errors.append(fe.invalid_value("spec.progressDeadlineSeconds", deadline, text))


def _deployment_strategy(errors: Errors, strategy: Json) -> None:
    path, rolling = "spec.strategy.rollingUpdate", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is not None:
                text = "may not be specified when strategy `type` is 'Recreate'"
                errors.append(fe.forbidden_value(path, text))
        case "RollingUpdate":
            if rolling is None:
                errors.append(fe.required(path, "this should be defaulted and never be nil"))
                return
            unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
            common.int_or_percent(errors, f"{path}.maxUnavailable", unavailable)
            common.int_or_percent(errors, f"{path}.maxSurge", surge)
            if common.is_zero(unavailable) and common.is_zero(surge):
                text = "may not be 0 when `maxSurge` is 0"
                errors.append(fe.invalid_value(f"{path}.maxUnavailable", unavailable, text))
            common.at_most_all(errors, f"{path}.maxUnavailable", unavailable)
        case kind:
            errors.append(fe.not_supported("spec.strategy.type", kind or "", ("Recreate", "RollingUpdate")))


def selector_immutable(errors: Errors, new: Json, old: Json) -> None:
    new_selector, old_selector = (d.get("spec", {}).get("selector") for d in (new, old))
    common.immutable(errors, "spec.selector", new_selector, old_selector)


def deployment_update(errors: Errors, new: Json, old: Json) -> None:
    deployment(errors, new)
    selector_immutable(errors, new, old)


def replica_set(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    _not_negative(errors, spec, "replicas", "minReadySeconds")
    selector = _selector(errors, spec, "empty selector is invalid for deployment")
    running_template(errors, spec, selector, "ReplicaSet")


def replica_set_update(errors: Errors, new: Json, old: Json) -> None:
    replica_set(errors, new)
    selector_immutable(errors, new, old)


def daemon_set(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    selector = _selector(errors, spec, "empty selector is invalid for daemonset", required=False)
    running_template(errors, spec, selector, "DaemonSet")
    _not_negative(errors, spec, "minReadySeconds", "revisionHistoryLimit")
    strategy = spec.get("updateStrategy") or {}
    path, rolling = "spec.updateStrategy.rollingUpdate", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "OnDelete":
            return
        case "RollingUpdate":
            if rolling is None:
                errors.append(fe.required(path))
                return
            unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
            common.int_or_percent(errors, f"{path}.maxUnavailable", unavailable)
            common.at_most_all(errors, f"{path}.maxUnavailable", unavailable)
            common.int_or_percent(errors, f"{path}.maxSurge", surge)
            common.at_most_all(errors, f"{path}.maxSurge", surge)
            if not common.is_zero(unavailable) and not common.is_zero(surge):
                text = "may not be set when maxUnavailable is non-zero"
                errors.append(fe.invalid_value(f"{path}.maxSurge", surge, text))
            elif common.is_zero(unavailable) and common.is_zero(surge):
                errors.append(fe.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
        case kind:
            errors.append(fe.not_supported("spec.updateStrategy", kind or "", ("OnDelete", "RollingUpdate")))


def daemon_set_update(errors: Errors, new: Json, old: Json) -> None:
    daemon_set(errors, new)
    selector_immutable(errors, new, old)


def stateful_set(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    policy = spec.get("podManagementPolicy")
    if not policy:
        errors.append(fe.required("spec.podManagementPolicy"))
    elif policy not in {"OrderedReady", "Parallel"}:
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(fe.invalid_value("spec.podManagementPolicy", policy, text))
    _stateful_strategy(errors, spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field in ("whenDeleted", "whenScaled"):
        path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
        if retention.get(field) not in {"Retain", "Delete"}:
            errors.append(fe.not_supported(path, retention.get(field, ""), ("Delete", "Retain")))
    _not_negative(errors, spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    common.not_negative(errors, "spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    if spec.get("serviceName"):
        complaints = names.dns_label(spec["serviceName"])
        common.add_invalid(errors, "spec.serviceName", spec["serviceName"], complaints)
    selector = _selector(errors, spec, "empty selector is invalid for statefulset")
    _stateful_template(errors, spec, selector)


def _stateful_strategy(errors: Errors, strategy: Json) -> None:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case None | "":
            errors.append(fe.required("spec.updateStrategy"))
        case "OnDelete":
            if rolling is not None:
                text = "only allowed for updateStrategy 'RollingUpdate'"
                errors.append(fe.invalid_value("spec.updateStrategy.rollingUpdate", rolling, text))
        case "RollingUpdate":
            if rolling is not None:
                path = "spec.updateStrategy.rollingUpdate"
                common.not_negative(errors, f"{path}.partition", rolling.get("partition"))
                common.int_or_percent(errors, f"{path}.maxUnavailable", rolling.get("maxUnavailable"))
                common.at_most_all(errors, f"{path}.maxUnavailable", rolling.get("maxUnavailable"))
        case kind:
            text = "must be 'RollingUpdate' or 'OnDelete'"
            errors.append(fe.invalid_value("spec.updateStrategy", kind, text))


def stateful_set_update(errors: Errors, new: Json, old: Json) -> None:
    stateful_set(errors, new)
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    fixed = (spec.keys() | stored.keys()) - set(STATEFUL_SET_FIELDS)
    if any(spec.get(field) != stored.get(field) for field in fixed):
        errors.append(fe.forbidden_value("spec", STATEFUL_SET_IMMUTABLE))


def replication_controller(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    _not_negative(errors, spec, "minReadySeconds", "replicas")
    selector = spec.get("selector")
    if not selector:
        errors.append(fe.required("spec.selector"))
    if "template" not in spec:
        errors.append(fe.required("spec.template"))
        return
    running_template(errors, spec, labels.from_map(selector) if selector else None, "ReplicationController")


def replication_controller_update(errors: Errors, new: Json, _old: Json) -> None:
    replication_controller(errors, new)


def controller_revision(errors: Errors, document: Json) -> None:
    if document.get("revision", 0) < 0:
        errors.append(fe.invalid_value("revision", document["revision"], common.NOT_NEGATIVE))
    if "data" not in document:
        errors.append(fe.required("data", "data is mandatory"))
    elif type(document["data"]) is not dict:
        errors.append(fe.invalid_value("data", document["data"], "data should be a valid JSON object"))


def controller_revision_update(errors: Errors, new: Json, old: Json) -> None:
    controller_revision(errors, new)
    common.immutable(errors, "data", new.get("data"), old.get("data"))


def _counts(errors: Errors, document: Json, *fields: str) -> Json:
    status = document.get("status") or {}
    for field in (*fields, "observedGeneration"):
        common.not_negative(errors, f"status.{field}", status.get(field))
    return status


def replica_status(errors: Errors, new: Json, old: Json) -> None:
    """Of Deployments, ReplicaSets, StatefulSets and ReplicationControllers."""
    fields = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentReplicas")
    status = _counts(errors, new, *fields, "fullyLabeledReplicas")
    replicas, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    available = status.get("availableReplicas", 0)
    text = "cannot be greater than status.replicas"
    for field in fields[1:]:
        if status.get(field, 0) > replicas:
            errors.append(fe.invalid_value(f"status.{field}", status[field], text))
    if available > ready:
        why = "cannot be greater than readyReplicas"
        errors.append(fe.invalid_value("status.availableReplicas", available, why))
    _collisions(errors, new, old)


def _collisions(errors: Errors, new: Json, old: Json) -> None:
    now, before = ((d.get("status") or {}).get("collisionCount") for d in (new, old))
    if before is not None and (now is None or now < before):
        errors.append(fe.invalid_value("status.collisionCount", now or 0, "cannot be decremented"))


def daemon_set_status(errors: Errors, new: Json, old: Json) -> None:
    fields = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    _counts(errors, new, *fields, "updatedNumberScheduled", "numberAvailable", "numberUnavailable")
    _collisions(errors, new, old)


def pod_template(errors: Errors, document: Json) -> None:
    pods.template(errors, "template", document.get("template") or {})


def pod_template_update(errors: Errors, new: Json, _old: Json) -> None:
    pod_template(errors, new)
