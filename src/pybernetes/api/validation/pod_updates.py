"""What of a pod may change once it exists, through each of its doors.

Follows: pkg/apis/core/validation/validation.go, ValidatePodUpdate, ValidatePodResize,
ValidatePodEphemeralContainersUpdate, ValidatePodStatusUpdate.
"""

from typing import Any, Final

import orjson

from pybernetes.api import pod_qos
from pybernetes.api.validation import common, placement, pods
from pybernetes.api.validation.common import Errors
from pybernetes.machinery import field_errors as fe

Json = dict[str, Any]

ONLY_THESE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
NO_CONTAINER_CHANGES: Final = "pod updates may not add or remove containers"
_RESIZABLE: Final = frozenset({"cpu", "memory"})


def update(errors: Errors, new: Json, old: Json) -> None:
    """The main door."""
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    if spec == stored:
        return
    kinds = ("containers", "initContainers")
    if any(len(spec.get(kind) or ()) != len(stored.get(kind) or ()) for kind in kinds):
        errors.append(fe.forbidden_value("spec", NO_CONTAINER_CHANGES))
        return
    for kind in kinds:
        for index, item in enumerate(spec.get(kind) or ()):
            if not item.get("image"):
                errors.append(fe.required(f"spec.{kind}[{index}].image"))
    _deadline(errors, spec, stored)
    _tolerations(errors, spec, stored)
    placement.tolerations(errors, "spec.tolerations", spec.get("tolerations") or [])
    gated = bool(stored.get("schedulingGates"))
    _gates(errors, spec, stored)
    allowed = _with_allowed_changes(spec, stored, gated=gated)
    if allowed != stored:
        errors.append(fe.forbidden_value("spec", f"{ONLY_THESE}\n{difference(allowed, stored)}"))


def _deadline(errors: Errors, spec: Json, stored: Json) -> None:
    path, value = "spec.activeDeadlineSeconds", spec.get("activeDeadlineSeconds")
    before = stored.get("activeDeadlineSeconds")
    if value is not None:
        if not 0 <= value <= common.MAX_INT32:
            errors.append(fe.invalid_value(path, value, common.range_text(0, common.MAX_INT32)))
        elif before is not None and before < value:
            errors.append(fe.invalid_value(path, value, "must be less than or equal to previous value"))
    elif before is not None:
        errors.append(fe.invalid_value(path, value, "must not update from a positive integer to nil value"))


def _without_seconds(toleration: Json) -> Json:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _tolerations(errors: Errors, spec: Json, stored: Json) -> None:
    present = [_without_seconds(item) for item in spec.get("tolerations") or ()]
    if any(_without_seconds(item) not in present for item in stored.get("tolerations") or ()):
        text = "existing toleration can not be modified except its tolerationSeconds"
        errors.append(fe.forbidden_value("spec.tolerations", text))


def _gates(errors: Errors, spec: Json, stored: Json) -> None:
    before = {gate.get("name") for gate in stored.get("schedulingGates") or ()}
    added = sorted(str(g.get("name")) for g in spec.get("schedulingGates") or () if g.get("name") not in before)
    if added:
        text = f"only deletion is allowed, but found new scheduling gates: {', '.join(added)}"
        errors.append(fe.forbidden_value("spec.schedulingGates", text))


def _with_allowed_changes(spec: Json, stored: Json, *, gated: bool) -> Json:
    """The new spec with every permitted change taken back; equal to the stored one if nothing else changed."""
    result = dict(spec)
    for kind in ("containers", "initContainers"):
        if kind in result:
            pairs = zip(result[kind], stored[kind], strict=True)
            result[kind] = [{**item, "image": before.get("image")} for item, before in pairs]
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if stored.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    if gated:
        _allow_narrower_placement(result, stored)
    for field in fields:
        if field in stored:
            result[field] = stored[field]
        else:
            result.pop(field, None)
    return result


def _allow_narrower_placement(result: Json, stored: Json) -> None:
    """While a pod is gated, its node selector may grow and its node affinity may be set or narrowed."""
    before, now = stored.get("nodeSelector") or {}, result.get("nodeSelector") or {}
    if before.items() <= now.items():
        if before:
            result["nodeSelector"] = before
        else:
            result.pop("nodeSelector", None)
    old_affinity, affinity = stored.get("affinity"), result.get("affinity")
    if affinity is not None and _narrows(affinity, old_affinity or {}):
        if old_affinity is None:
            result.pop("affinity")
        else:
            result["affinity"] = old_affinity


_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def _narrows(new: Json, old: Json) -> bool:
    """Whether only the node part differs and every required term kept its expressions."""
    if {k: v for k, v in new.items() if k != "nodeAffinity"} != {k: v for k, v in old.items() if k != "nodeAffinity"}:
        return False
    old_terms = ((old.get("nodeAffinity") or {}).get(_REQUIRED) or {}).get("nodeSelectorTerms")
    new_terms = ((new.get("nodeAffinity") or {}).get(_REQUIRED) or {}).get("nodeSelectorTerms")
    if old_terms is None:
        return True
    if new_terms is None or len(new_terms) != len(old_terms):
        return False
    fields = ("matchExpressions", "matchFields")
    return all(
        (new_term.get(field) or [])[: len(old_term.get(field) or [])] == (old_term.get(field) or [])
        for new_term, old_term in zip(new_terms, old_terms, strict=True)
        for field in fields
    )


def difference(new: Any, old: Any, path: str = "") -> str:
    """Lines `-PATH: old` and `+PATH: new` for what differs."""
    if isinstance(new, dict) and isinstance(old, dict):
        lines = [
            difference(new.get(key), old.get(key), f"{path}.{key}" if path else key)
            for key in sorted(new.keys() | old.keys())
            if new.get(key) != old.get(key)
        ]
        return "".join(lines)
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return "".join(
            difference(one, other, f"{path}[{index}]")
            for index, (one, other) in enumerate(zip(new, old, strict=True))
            if one != other
        )
    return f"-\t{path}: {orjson.dumps(old).decode()}\n+\t{path}: {orjson.dumps(new).decode()}\n"


def ephemeral_containers(errors: Errors, new: Json, old: Json) -> None:
    """The door ephemeralcontainers: additions only."""
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    pods.pod_spec(errors, "spec", spec)
    items = spec.get("ephemeralContainers") or []
    by_name = {item.get("name"): (index, item) for index, item in enumerate(items)}
    for before in stored.get("ephemeralContainers") or ():
        found = by_name.get(before.get("name"))
        path = "spec.ephemeralContainers"
        if found is None:
            text = f"existing ephemeral containers {fe.quote(before.get('name', ''))} may not be removed\n"
            errors.append(fe.forbidden_value(path, text))
        elif found[1] != before:
            text = f"existing ephemeral containers {fe.quote(before.get('name', ''))} may not be changed\n"
            errors.append(fe.forbidden_value(path, text + difference(found[1], before)))


def resize(errors: Errors, new: Json, old: Json) -> None:
    """The door resize: CPU and memory of what runs."""
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    for kind in ("containers", "initContainers"):
        items, before = spec.get(kind) or [], stored.get(kind) or []
        if [i.get("name") for i in items] != [i.get("name") for i in before]:
            errors.append(fe.forbidden_value("spec", "pod resize may not add, remove, rename or reorder containers"))
            return
        for index, (item, was) in enumerate(zip(items, before, strict=True)):
            path = f"spec.{kind}[{index}].resources"
            if kind == "initContainers" and was.get("restartPolicy") != "Always" and item != was:
                text = "resources for non-sidecar init containers are immutable"
                errors.append(fe.forbidden_value(path, text))
            _resized(errors, path, item.get("resources") or {}, was.get("resources") or {})
    pods.pod_spec(errors, "spec", spec)
    if pod_qos.qos_class(spec) != pod_qos.qos_class(stored):
        text = "Pod QOS Class may not change as a result of resizing"
        errors.append(fe.invalid_value("spec", pod_qos.qos_class(spec), text))


def _resized(errors: Errors, path: str, new: Json, old: Json) -> None:
    for kind in ("limits", "requests"):
        now, before = new.get(kind) or {}, old.get(kind) or {}
        for name in sorted(before.keys() - now.keys()):
            errors.append(fe.forbidden_value(f"{path}.{kind}", f"resource {kind} cannot be removed: {name}"))
        changed = {name for name in now if now[name] != before.get(name)}
        if changed - _RESIZABLE:
            errors.append(fe.forbidden_value(path, "only cpu and memory resources are mutable"))


def status(errors: Errors, new: Json, old: Json) -> None:
    """The door status: restart counts and identities make sense."""
    before = {s.get("name"): s for s in (old.get("status") or {}).get("containerStatuses") or ()}
    for index, item in enumerate((new.get("status") or {}).get("containerStatuses") or ()):
        was = before.get(item.get("name"))
        if was and "terminated" in (was.get("state") or {}) and "terminated" not in (item.get("state") or {}):
            policy = (old.get("spec") or {}).get("restartPolicy")
            failed = was["state"]["terminated"].get("exitCode", 0)
            if policy == "Never" or (policy == "OnFailure" and not failed):
                place = f"status.containerStatuses[{index}].state"
                if _restart_rules(old, item.get("name", "")):
                    continue
                errors.append(fe.forbidden_value(place, "may not be transitioned to non-terminated state"))


def _restart_rules(pod: Json, name: str) -> bool:
    items = (pod.get("spec") or {}).get("containers") or ()
    found: Json = next((item for item in items if item.get("name") == name), {})
    return bool(found.get("restartPolicy") or found.get("restartPolicyRules"))
