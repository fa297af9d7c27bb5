"""Checks of workloads of gangs and of their pod groups. Follows: pkg/apis/scheduling/validation/validation.go."""

from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

MAX_GROUPS: Final = 8
_FIXED: Final = (
    *("podGroupTemplateRef", "schedulingPolicy", "schedulingConstraints", "resourceClaims"),
    *("disruptionMode", "priorityClassName", "priority"),
)
_ONE_POLICY: Final = "exactly one of `basic`, `gang` is required, but multiple fields are set"


def workload(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    if spec.get("controllerRef") is not None:
        _controller(errors, "spec.controllerRef", spec["controllerRef"])
    templates = spec.get("podGroupTemplates") or []
    if not _counted(errors, templates):
        return
    seen: set[str] = set()
    for index, template in enumerate(templates):
        path, name = f"spec.podGroupTemplates[{index}]", template.get("name", "")
        if not name:
            errors.append(fe.required(f"{path}.name"))
        else:
            add_invalid(errors, f"{path}.name", name, names.dns_label(name))
        if name in seen:
            errors.append(fe.duplicate(path, template))
        seen.add(name)
        _policy(errors, f"{path}.schedulingPolicy", template.get("schedulingPolicy") or {})


def _counted(errors: Errors, templates: list[Json]) -> bool:
    path = "spec.podGroupTemplates"
    if not templates:
        errors.append(fe.required(path, "must have at least one item"))
    elif len(templates) > MAX_GROUPS:
        errors.append(fe.too_many(path, len(templates), MAX_GROUPS))
    else:
        return True
    return False


def _controller(errors: Errors, path: str, reference: Json) -> None:
    group = reference.get("apiGroup", "")
    if group:
        add_invalid(errors, f"{path}.apiGroup", group, names.dns_subdomain(group))
    for field in ("kind", "name"):
        value = reference.get(field, "")
        if not value:
            errors.append(fe.required(f"{path}.{field}"))
        else:
            add_invalid(errors, f"{path}.{field}", value, names.path_segment(value))


def _policy(errors: Errors, path: str, policy: Json) -> None:
    present = [f"`{field}`" for field in ("basic", "gang") if policy.get(field) is not None]
    if not present:
        errors.append(fe.invalid_value(path, "", "must specify one of: `basic`, `gang`"))
    elif len(present) > 1:
        errors.append(fe.invalid_value(path, f"{{{', '.join(present)}}}", _ONE_POLICY))
    elif policy.get("gang") is not None:
        count = policy["gang"].get("minCount", 0)
        if not count:
            errors.append(fe.required(f"{path}.gang.minCount"))
        elif count < 0:
            errors.append(fe.invalid_value(f"{path}.gang.minCount", count, common.POSITIVE))


def workload_update(errors: Errors, new: Json, old: Json) -> None:
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    if stored.get("controllerRef") is not None:
        common.immutable(errors, "spec.controllerRef", spec.get("controllerRef"), stored["controllerRef"])
    elif spec.get("controllerRef") is not None:
        _controller(errors, "spec.controllerRef", spec["controllerRef"])
    templates = spec.get("podGroupTemplates")
    common.immutable(errors, "spec.podGroupTemplates", templates, stored.get("podGroupTemplates"))
    _counted(errors, templates or [])


def pod_group(errors: Errors, document: Json) -> None:
    _policy(errors, "spec.schedulingPolicy", (document.get("spec") or {}).get("schedulingPolicy") or {})


def pod_group_update(errors: Errors, new: Json, old: Json) -> None:
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    for field in _FIXED:
        common.immutable(errors, f"spec.{field}", spec.get(field), stored.get(field))
