"""Checks of Jobs and CronJobs. Follows: pkg/apis/batch/validation/validation.go."""

from typing import Any, Final

from pybernetes.api.kind_rules import CONTROLLER_UID_LABELS
from pybernetes.api.validation import common, cron, pods
from pybernetes.api.validation.common import Errors
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import labels, names

Json = dict[str, Any]

MAX_PARALLEL_INDEXED: Final = 100_000
MAX_RULES: Final = 20
MAX_EXIT_CODES: Final = 255
MAX_PATTERNS: Final = 20
MAX_CRON_JOB_NAME: Final = 52
_MODES: Final = ("Indexed", "NonIndexed")
_REPLACEMENT: Final = ("Failed", "TerminatingOrFailed")
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_CONCURRENCY: Final = ("Allow", "Forbid", "Replace")


def job(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    _job_spec(errors, "spec", spec)
    _generated_selector(errors, document, spec)
    selector = spec.get("selector")
    if selector is None:
        errors.append(fe.required("spec.selector"))
        return
    common.label_selector(errors, "spec.selector", selector)
    try:
        matches = labels.from_label_selector(selector).matches(_template_labels(spec))
    except labels.SelectorError:
        return
    if not matches:
        found = _template_labels(spec) or {}
        text = "`selector` does not match template `labels`"
        errors.append(fe.invalid_value("spec.template.metadata.labels", found, text))


def _template_labels(spec: Json) -> dict[str, str]:
    found: dict[str, str] = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    return found


def _generated_selector(errors: Errors, document: Json, spec: Json) -> None:
    """Without manualSelector the selector must be the one the server makes."""
    if spec.get("manualSelector"):
        return
    uid = (document.get("metadata") or {}).get("uid", "")
    found = _template_labels(spec)
    for key in CONTROLLER_UID_LABELS:
        value = found.get(key)
        if value is not None and value != uid:
            text = f"must be '{uid}'"
            errors.append(fe.invalid_value("spec.template.metadata.labels", found, text))
    key = CONTROLLER_UID_LABELS[1]
    if (spec.get("selector") or {}) != {"matchLabels": {key: uid}}:
        errors.append(fe.invalid_value("spec.selector", spec.get("selector"), "`selector` not auto-generated"))


def _job_spec(errors: Errors, path: str, spec: Json) -> None:
    for field in ("parallelism", "completions", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes"):
        common.not_negative(errors, f"{path}.{field}", spec.get(field))
    deadline = spec.get("activeDeadlineSeconds")
    common.not_negative(errors, f"{path}.activeDeadlineSeconds", deadline)
    common.not_negative(errors, f"{path}.ttlSecondsAfterFinished", spec.get("ttlSecondsAfterFinished"))
    _completion_mode(errors, path, spec)
    if spec.get("managedBy") is not None:
        complaints = names.qualified_name(spec["managedBy"])
        common.add_invalid(errors, f"{path}.managedBy", spec["managedBy"], complaints)
    replacement = spec.get("podReplacementPolicy")
    failure_policy = spec.get("podFailurePolicy")
    if replacement is not None and replacement not in _REPLACEMENT:
        errors.append(fe.not_supported(f"{path}.podReplacementPolicy", replacement, _REPLACEMENT))
    elif failure_policy is not None and replacement == "TerminatingOrFailed":
        errors.append(fe.not_supported(f"{path}.podReplacementPolicy", replacement, ("Failed",)))
    template = spec.get("template") or {}
    pods.template(errors, f"{path}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    place = f"{path}.template.spec.restartPolicy"
    if policy in {"Always", "", None}:
        errors.append(fe.required(place, 'valid values: "OnFailure", "Never"'))
    elif policy not in {"OnFailure", "Never"}:
        errors.append(fe.not_supported(place, policy, ("OnFailure", "Never")))
    elif failure_policy is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        errors.append(fe.invalid_value(place, policy, text))
    if failure_policy is not None:
        _failure_policy(errors, f"{path}.podFailurePolicy", spec)
    if spec.get("successPolicy") is not None:
        _success_policy(errors, f"{path}.successPolicy", spec)


def _completion_mode(errors: Errors, path: str, spec: Json) -> None:
    mode = spec.get("completionMode")
    indexed = mode == "Indexed"
    if mode is not None and mode not in _MODES:
        errors.append(fe.not_supported(f"{path}.completionMode", mode, _MODES))
    if indexed:
        if spec.get("completions") is None:
            text = "when completion mode is Indexed"
            errors.append(fe.required(f"{path}.completions", text))
        elif spec.get("parallelism", 0) > MAX_PARALLEL_INDEXED:
            text = f"must be less than or equal to {MAX_PARALLEL_INDEXED} when completion mode is Indexed"
            errors.append(fe.invalid_value(f"{path}.parallelism", spec["parallelism"], text))
    elif spec.get("backoffLimitPerIndex") is not None:
        text = "requires indexed completion mode"
        errors.append(fe.invalid_value(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], text))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        text = "when maxFailedIndexes is specified"
        errors.append(fe.required(f"{path}.backoffLimitPerIndex", text))


def _failure_policy(errors: Errors, path: str, spec: Json) -> None:
    rules = spec["podFailurePolicy"].get("rules") or []
    if len(rules) > MAX_RULES:
        errors.append(fe.too_many(f"{path}.rules", len(rules), MAX_RULES))
    containers = (spec.get("template") or {}).get("spec") or {}
    known = {c.get("name") for kind in ("containers", "initContainers") for c in containers.get(kind) or ()}
    for index, rule in enumerate(rules):
        place = f"{path}.rules[{index}]"
        common.one_of(errors, f"{place}.action", rule.get("action"), _ACTIONS)
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            text = "requires the backoffLimitPerIndex to be set"
            errors.append(fe.invalid_value(f"{place}.action", "FailIndex", text))
        codes = rule.get("onExitCodes")
        patterns = rule.get("onPodConditions") or []
        if codes is None and not patterns:
            text = "specifying one of OnExitCodes and OnPodConditions is required"
            errors.append(fe.invalid_value(place, rule, text))
        elif codes is not None and patterns:
            text = "specifying both OnExitCodes and OnPodConditions is not supported"
            errors.append(fe.invalid_value(place, rule, text))
        if codes is not None:
            _exit_codes(errors, f"{place}.onExitCodes", codes, known)
        if len(patterns) > MAX_PATTERNS:
            errors.append(fe.too_many(f"{place}.onPodConditions", len(patterns), MAX_PATTERNS))
        for number, pattern in enumerate(patterns):
            spot = f"{place}.onPodConditions[{number}]"
            kind = pattern.get("type", "")
            common.add_invalid(errors, f"{spot}.type", kind, names.qualified_name(kind))
            common.one_of(errors, f"{spot}.status", pattern.get("status"), ("False", "True", "Unknown"))


def _exit_codes(errors: Errors, path: str, codes: Json, known: set[Any]) -> None:
    operator = codes.get("operator")
    common.one_of(errors, f"{path}.operator", operator, ("In", "NotIn"))
    name = codes.get("containerName")
    if name is not None and name not in known:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(fe.invalid_value(f"{path}.containerName", name, text))
    values = codes.get("values") or []
    if not values:
        errors.append(fe.invalid_value(f"{path}.values", values, "at least one value is required"))
    elif len(values) > MAX_EXIT_CODES:
        errors.append(fe.too_many(f"{path}.values", len(values), MAX_EXIT_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            text = "must not be 0 for the In operator"
            errors.append(fe.invalid_value(f"{path}.values[{index}]", value, text))
        if value in seen:
            errors.append(fe.duplicate(f"{path}.values[{index}]", value))
        seen.add(value)
    if values != sorted(values):
        errors.append(fe.invalid_value(f"{path}.values", values, "must be ordered"))


def _success_policy(errors: Errors, path: str, spec: Json) -> None:
    if spec.get("completionMode") != "Indexed":
        text = "requires indexed completion mode"
        errors.append(fe.invalid_value(path, spec["successPolicy"], text))
        return
    rules = spec["successPolicy"].get("rules") or []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        errors.append(fe.required(f"{path}.rules", text))
    elif len(rules) > MAX_RULES:
        errors.append(fe.too_many(f"{path}.rules", len(rules), MAX_RULES))
    for index, rule in enumerate(rules):
        if rule.get("succeededCount") is None and rule.get("succeededIndexes") is None:
            text = "at least one of succeededCount or succeededIndexes must be specified"
            errors.append(fe.required(f"{path}.rules[{index}]", text))
        common.not_negative(errors, f"{path}.rules[{index}].succeededCount", rule.get("succeededCount"))


_NEVER_CHANGE: Final = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_WHILE_SUSPENDED: Final = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def job_update(errors: Errors, new: Json, old: Json) -> None:
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    _job_spec(errors, "spec", spec)
    _completions(errors, spec, stored)
    common.immutable(errors, "spec.selector", spec.get("selector"), stored.get("selector"))
    for field in _NEVER_CHANGE:
        common.immutable(errors, f"spec.{field}", spec.get(field), stored.get(field))
    template, was = spec.get("template") or {}, stored.get("template") or {}
    if template != was:
        started = (old.get("status") or {}).get("startTime") is not None
        if stored.get("suspend") and not started:
            was = _with_scheduling(was, template)
        common.immutable(errors, "spec.template", template, was)


def _with_scheduling(stored: Json, wanted: Json) -> Json:
    """The stored template with what a suspended Job may change taken from the wanted one."""
    spec, asked = dict(stored.get("spec") or {}), wanted.get("spec") or {}
    for field in _WHILE_SUSPENDED:
        spec.pop(field, None)
        if field in asked:
            spec[field] = asked[field]
    for kind in ("containers", "initContainers"):
        items, others = spec.get(kind) or [], asked.get(kind) or []
        if items and len(items) == len(others):
            pairs = zip(items, others, strict=True)
            spec[kind] = [{**item, "resources": other.get("resources", {})} for item, other in pairs]
    result = {**stored, "spec": spec}
    meta, asked_meta = dict(stored.get("metadata") or {}), wanted.get("metadata") or {}
    for field in ("labels", "annotations"):
        meta.pop(field, None)
        if field in asked_meta:
            meta[field] = asked_meta[field]
    return {**result, "metadata": meta}


def _completions(errors: Errors, spec: Json, stored: Json) -> None:
    now, before = spec.get("completions"), stored.get("completions")
    if now == before:
        return
    if stored.get("completionMode") == "Indexed" and now is not None and now == spec.get("parallelism"):
        return
    if stored.get("completionMode") == "Indexed" and now is not None:
        text = "can only be modified in tandem with parallelism"
        errors.append(fe.invalid_value("spec.completions", now, f"{common.IMMUTABLE}: {text}"))
        return
    errors.append(fe.invalid_value("spec.completions", now, common.IMMUTABLE))


def job_status(errors: Errors, new: Json, old: Json) -> None:
    status, before = new.get("status") or {}, old.get("status") or {}
    for field in ("active", "succeeded", "failed", "ready", "terminating"):
        common.not_negative(errors, f"status.{field}", status.get(field))
    true = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    if {"Complete", "Failed"} <= true:
        text = "cannot set Complete=True and Failed=true conditions"
        errors.append(fe.invalid_value("status.conditions", status.get("conditions"), text))
    if status.get("completionTime") and "Complete" not in true:
        text = "completionTime cannot be set when there is no Complete=True condition"
        errors.append(fe.invalid_value("status.completionTime", status["completionTime"], text))
    for field in ("succeeded", "failed"):
        if status.get(field, 0) < before.get(field, 0):
            text = f"cannot decrease the {field} counter"
            errors.append(fe.invalid_value(f"status.{field}", status.get(field, 0), text))


def cron_job(errors: Errors, document: Json) -> None:
    _cron_spec(errors, document.get("spec") or {}, None)
    name = (document.get("metadata") or {}).get("name", "")
    if len(name) > MAX_CRON_JOB_NAME:
        errors.append(fe.invalid_value("metadata.name", name, names.too_long(MAX_CRON_JOB_NAME)))


def cron_job_update(errors: Errors, new: Json, old: Json) -> None:
    _cron_spec(errors, new.get("spec") or {}, old.get("spec") or {})


def _cron_spec(errors: Errors, spec: Json, stored: Json | None) -> None:
    schedule = spec.get("schedule", "")
    if not schedule:
        errors.append(fe.required("spec.schedule"))
    elif stored is None or schedule != stored.get("schedule"):
        if "TZ" in schedule:
            text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(fe.invalid_value("spec.schedule", schedule, text))
        elif complaint := cron.complaint(schedule):
            errors.append(fe.invalid_value("spec.schedule", schedule, complaint))
    zone = spec.get("timeZone")
    if zone is not None and (stored is None or zone != stored.get("timeZone")):
        if not zone:
            text = "timeZone must be nil or non-empty string"
            errors.append(fe.invalid_value("spec.timeZone", zone, text))
        elif zone.lower() == "local":
            errors.append(
                fe.invalid_value(
                    "spec.timeZone",
                    zone,
                    "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
                )
            )
        elif not cron.is_time_zone(zone):
            errors.append(fe.invalid_value("spec.timeZone", zone, f"unknown time zone {zone}"))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        common.not_negative(errors, f"spec.{field}", spec.get(field))
    common.one_of(errors, "spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _CONCURRENCY)
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    _job_spec(errors, "spec.jobTemplate.spec", job_spec)
    if "selector" in job_spec:
        text = "`selector` will be auto-generated"
        errors.append(fe.invalid_value("spec.jobTemplate.spec.selector", job_spec["selector"], text))
    if job_spec.get("manualSelector"):
        errors.append(fe.not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
