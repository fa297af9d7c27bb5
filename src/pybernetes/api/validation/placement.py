"""Checks of what decides where a pod runs: affinity, tolerations, spreading, gates.

Follows: pkg/apis/core/validation/validation.go, validateAffinity, ValidateTolerations,
validateTopologySpreadConstraints.
"""

from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_UNSATISFIABLE: Final = ("DoNotSchedule", "ScheduleAnyway")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def tolerations(errors: Errors, path: str, items: list[Json]) -> None:
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        key, operator, effect = item.get("key", ""), item.get("operator", ""), item.get("effect", "")
        if key:
            common.label_name(errors, f"{place}.key", key)
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(fe.invalid_value(f"{place}.operator", operator, text))
        if "tolerationSeconds" in item and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(fe.invalid_value(f"{place}.effect", effect, text))
        value = item.get("value", "")
        if operator in {"", "Equal"}:
            if complaints := names.label_value(value):
                errors.append(fe.invalid_value(f"{place}.operator", value, ";".join(complaints)))
        elif operator == "Exists":
            if value:
                text = "value must be empty when `operator` is 'Exists'"
                errors.append(fe.invalid_value(f"{place}.operator", item, text))
        else:
            errors.append(fe.not_supported(f"{place}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in _EFFECTS:
            errors.append(fe.not_supported(f"{place}.effect", effect, _EFFECTS))


def affinity(errors: Errors, path: str, item: Json) -> None:
    if "nodeAffinity" in item:
        _node_affinity(errors, f"{path}.nodeAffinity", item["nodeAffinity"])
    for kind in ("podAffinity", "podAntiAffinity"):
        if kind in item:
            _pod_affinity(errors, f"{path}.{kind}", item[kind])


def _node_affinity(errors: Errors, path: str, item: Json) -> None:
    if _REQUIRED in item:
        node_selector(errors, f"{path}.{_REQUIRED}", item[_REQUIRED])
    for index, term in enumerate(item.get(_PREFERRED) or ()):
        place = f"{path}.{_PREFERRED}[{index}]"
        _weight(errors, place, term)
        _node_term(errors, f"{place}.preference", term.get("preference") or {})


def _weight(errors: Errors, path: str, term: Json) -> None:
    weight = term.get("weight", 0)
    if not 1 <= weight <= 100:
        errors.append(fe.invalid_value(f"{path}.weight", weight, "must be in the range 1-100"))


def node_selector(errors: Errors, path: str, selector: Json) -> None:
    """Follows: ValidateNodeSelector."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        text = "must have at least one node selector term"
        errors.append(fe.required(f"{path}.nodeSelectorTerms", text))
    for index, term in enumerate(terms):
        _node_term(errors, f"{path}.nodeSelectorTerms[{index}]", term)


def _node_term(errors: Errors, path: str, term: Json) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        place = f"{path}.matchExpressions[{index}]"
        _node_operator(errors, place, expression)
        common.label_name(errors, f"{place}.key", expression.get("key", ""))
        for number, value in enumerate(expression.get("values") or ()):
            add_invalid(errors, f"{place}.values[{number}]", value, names.label_value(value))
    for index, expression in enumerate(term.get("matchFields") or ()):
        place = f"{path}.matchFields[{index}]"
        values = expression.get("values") or ()
        if expression.get("operator") not in {"In", "NotIn"}:
            text = "not a valid selector operator"
            errors.append(fe.invalid_value(f"{place}.operator", expression.get("operator", ""), text))
        elif len(values) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(fe.required(f"{place}.values", text))
        if expression.get("key") != "metadata.name":
            text = "not a valid field selector key"
            errors.append(fe.invalid_value(f"{place}.key", expression.get("key", ""), text))


def _node_operator(errors: Errors, path: str, expression: Json) -> None:
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In" | "NotIn":
            if not values:
                errors.append(fe.required(f"{path}.values", common.MUST_HAVE_VALUES))
        case "Exists" | "DoesNotExist":
            if values:
                errors.append(fe.forbidden_value(f"{path}.values", common.MUST_NOT_HAVE_VALUES))
        case "Gt" | "Lt":
            if len(values) != 1:
                text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                errors.append(fe.required(f"{path}.values", text))
        case operator:
            errors.append(fe.invalid_value(f"{path}.operator", operator or "", "not a valid selector operator"))


def _pod_affinity(errors: Errors, path: str, item: Json) -> None:
    for index, term in enumerate(item.get(_REQUIRED) or ()):
        _pod_term(errors, f"{path}.{_REQUIRED}[{index}]", term)
    for index, weighted in enumerate(item.get(_PREFERRED) or ()):
        place = f"{path}.{_PREFERRED}[{index}]"
        _weight(errors, place, weighted)
        _pod_term(errors, f"{place}.podAffinityTerm", weighted.get("podAffinityTerm") or {})


def _pod_term(errors: Errors, path: str, term: Json) -> None:
    common.label_selector(errors, f"{path}.labelSelector", term.get("labelSelector"))
    common.label_selector(errors, f"{path}.namespaceSelector", term.get("namespaceSelector"))
    for name in term.get("namespaces") or ():
        add_invalid(errors, f"{path}.namespace", name, names.dns_label(name))
    key = term.get("topologyKey", "")
    if not key:
        errors.append(fe.required(f"{path}.topologyKey", "can not be empty"))
    else:
        common.label_name(errors, f"{path}.topologyKey", key)


def spread_constraints(errors: Errors, path: str, items: list[Json]) -> None:
    taken: set[tuple[Any, Any]] = set()
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        skew, key, action = item.get("maxSkew", 0), item.get("topologyKey", ""), item.get("whenUnsatisfiable", "")
        if skew <= 0:
            errors.append(fe.invalid_value(f"{place}.maxSkew", skew, common.POSITIVE))
        if not key:
            errors.append(fe.required(f"{place}.topologyKey", "can not be empty"))
        else:
            common.label_name(errors, f"{place}.topologyKey", key)
        if action not in _UNSATISFIABLE:
            errors.append(fe.not_supported(f"{place}.whenUnsatisfiable", action, _UNSATISFIABLE))
        if (key, action) in taken:
            pair = f"{{{key}, {action}}}"
            errors.append(fe.duplicate(f"{place}.{{topologyKey, whenUnsatisfiable}}", pair))
        taken.add((key, action))
        domains = item.get("minDomains")
        if domains is not None:
            if domains <= 0:
                errors.append(fe.invalid_value(f"{place}.minDomains", domains, common.POSITIVE))
            if action != "DoNotSchedule":
                text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                errors.append(fe.invalid_value(f"{place}.minDomains", domains, text))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if field in item and item[field] not in {"Honor", "Ignore"}:
                errors.append(fe.not_supported(f"{place}.{field}", item[field], ("Honor", "Ignore")))
        common.label_selector(errors, f"{place}.labelSelector", item.get("labelSelector"))


def scheduling_gates(errors: Errors, path: str, gates: list[Json]) -> None:
    taken: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        add_invalid(errors, f"{path}[{index}]", name, names.qualified_name(name))
        if name in taken:
            errors.append(fe.duplicate(f"{path}[{index}]", name))
        taken.add(name)
