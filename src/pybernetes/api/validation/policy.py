"""Checks of disruption budgets, autoscalers and scale. Follows: pkg/apis/{policy,autoscaling}/validation."""

from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

_UNHEALTHY: Final = ("AlwaysAllow", "IfHealthyBudget")


def disruption_budget(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    if low is not None and high is not None:
        text = "minAvailable and maxUnavailable cannot be both set"
        errors.append(fe.invalid_value("spec", spec, text))
    for field, value in (("minAvailable", low), ("maxUnavailable", high)):
        if value is not None:
            common.int_or_percent(errors, f"spec.{field}", value)
            common.at_most_all(errors, f"spec.{field}", value)
    common.label_selector(errors, "spec.selector", spec.get("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _UNHEALTHY:
        errors.append(fe.not_supported("spec.unhealthyPodEvictionPolicy", policy, _UNHEALTHY))


def disruption_budget_update(errors: Errors, new: Json, _old: Json) -> None:
    disruption_budget(errors, new)


def disruption_budget_status(errors: Errors, new: Json, _old: Json) -> None:
    status = new.get("status") or {}
    for field in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        common.not_negative(errors, f"status.{field}", status.get(field))


_METRICS: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def autoscaler(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < 1:
        errors.append(fe.invalid_value("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        errors.append(fe.invalid_value("spec.maxReplicas", high, "must be greater than 0"))
    if low is not None and high < low:
        text = "must be greater than or equal to `minReplicas`"
        errors.append(fe.invalid_value("spec.maxReplicas", high, text))
    utilization = spec.get("targetCPUUtilizationPercentage")  # what autoscaling/v1 has instead of metrics
    if utilization is not None and utilization < 1:
        place = "spec.metrics[0].resource.target.averageUtilization"
        errors.append(fe.invalid_value(place, utilization, "must be greater than 0"))
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        value = target.get(field, "")
        if not value:
            errors.append(fe.required(f"spec.scaleTargetRef.{field}"))
        else:
            add_invalid(errors, f"spec.scaleTargetRef.{field}", value, names.path_segment(value))
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(errors, f"spec.metrics[{index}]", metric)
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules is not None:
            _behavior(errors, f"spec.behavior.{direction}", rules)


def _metric(errors: Errors, path: str, metric: Json) -> None:
    kind = metric.get("type", "")
    if not kind:
        errors.append(fe.required(f"{path}.type", "must specify a metric source type"))
        return
    if kind not in _METRICS:
        errors.append(fe.not_supported(f"{path}.type", kind, _METRICS))
        return
    field = _METRICS[kind]
    if field not in metric:
        text = "must populate information for the given metric source"
        errors.append(fe.required(f"{path}.{field}", text))
        return
    for other in _METRICS.values():
        if other != field and other in metric:
            text = "must populate the given metric source only"
            errors.append(fe.forbidden_value(f"{path}.{other}", text))
    target = metric[field].get("target") or {}
    if field in {"resource", "containerResource"}:
        if not metric[field].get("name"):
            errors.append(fe.required(f"{path}.{field}.name", "must specify a resource name"))
        chosen = [name for name in ("averageUtilization", "averageValue") if name in target]
        if not chosen:
            text = "must set either a target raw value or a target utilization"
            errors.append(fe.required(f"{path}.{field}.target.averageUtilization", text))
        elif len(chosen) > 1:
            text = "may not set both a target raw value and a target utilization"
            errors.append(fe.forbidden_value(f"{path}.{field}.target.averageValue", text))
        elif target.get("averageUtilization", 1) < 1:
            place = f"{path}.{field}.target.averageUtilization"
            errors.append(fe.invalid_value(place, target["averageUtilization"], "must be greater than 0"))


_MAX_WINDOW: Final = 3600
_MAX_PERIOD: Final = 1800


def _behavior(errors: Errors, path: str, rules: Json) -> None:
    window = rules.get("stabilizationWindowSeconds")
    common.not_negative(errors, f"{path}.stabilizationWindowSeconds", window)
    if window is not None and window > _MAX_WINDOW:
        text = f"must be less than or equal to {_MAX_WINDOW}"
        errors.append(fe.invalid_value(f"{path}.stabilizationWindowSeconds", window, text))
    choice = rules.get("selectPolicy")
    if choice is not None and choice not in {"Max", "Min", "Disabled"}:
        errors.append(fe.not_supported(f"{path}.selectPolicy", choice, ("Disabled", "Max", "Min")))
    policies = rules.get("policies") or []
    if not policies:
        errors.append(fe.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        place = f"{path}.policies[{index}]"
        if policy.get("type") not in {"Pods", "Percent"}:
            errors.append(fe.not_supported(f"{place}.type", policy.get("type", ""), ("Percent", "Pods")))
        for field, most in (("value", 0), ("periodSeconds", _MAX_PERIOD)):
            value = policy.get(field, 0)
            if value <= 0:
                errors.append(fe.invalid_value(f"{place}.{field}", value, common.POSITIVE))
            elif most and value > most:
                text = f"must be less than or equal to {most}"
                errors.append(fe.invalid_value(f"{place}.{field}", value, text))


def autoscaler_update(errors: Errors, new: Json, _old: Json) -> None:
    autoscaler(errors, new)


def scale(errors: Errors, document: Json) -> None:
    replicas = (document.get("spec") or {}).get("replicas", 0)
    common.not_negative(errors, "spec.replicas", replicas)


def scale_update(errors: Errors, new: Json, _old: Json) -> None:
    scale(errors, new)
