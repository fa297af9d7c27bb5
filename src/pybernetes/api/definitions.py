"""What the status of a CustomResourceDefinition says: accepted names and conditions.

    NamesAccepted                            nobody else in the group has these names
    Established                              served; stays once it is true
    NonStructuralSchema                      only where a stored schema is not structural
    KubernetesAPIApprovalPolicyConformant    only in the groups of the community
    Terminating                              the definition goes, and its objects first

    next_status(definition, group, now)      what the status should say, given the other definitions of the group

Follows: apiextensions-apiserver pkg/controller/{status,establish,nonstructuralschema,apiapproval}; pkg/apihelpers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from pybernetes.api.structural import rules
from pybernetes.effects import format_time
from pybernetes.machinery.field_errors import quote

Json = dict[str, Any]

GROUP: Final = "apiextensions.k8s.io"
PLURAL: Final = "customresourcedefinitions"
KIND: Final = "CustomResourceDefinition"

NAMES_ACCEPTED: Final = "NamesAccepted"
ESTABLISHED: Final = "Established"
NON_STRUCTURAL: Final = "NonStructuralSchema"
APPROVAL: Final = "KubernetesAPIApprovalPolicyConformant"
TERMINATING: Final = "Terminating"

CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
APPROVED_ANNOTATION: Final = "api-approved.kubernetes.io"
_PROPOSAL: Final = "https://github.com/kubernetes/enhancements/pull/1111"
_NAME_FIELDS: Final = ("plural", "singular", "kind", "listKind")


def condition(definition: Json, kind: str) -> Json | None:
    """The condition of a type, None where there is none."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found.get("type") == kind), None)


def is_true(definition: Json, kind: str) -> bool:
    return (condition(definition, kind) or {}).get("status") == "True"


def with_condition(status: Json, kind: str, state: str, reason: str, message: str, now: datetime) -> Json:
    """The status with a condition set; its time moves only when the state does."""
    conditions = list(status.get("conditions") or ())
    old = next((index for index, found in enumerate(conditions) if found.get("type") == kind), None)
    changed = format_time(now)
    if old is not None and conditions[old].get("status") == state:
        changed = conditions[old].get("lastTransitionTime") or changed
    new = {"type": kind, "status": state, "lastTransitionTime": changed, "reason": reason, "message": message}
    if old is None:
        conditions.append(new)
    else:
        conditions[old] = new
    return {**status, "conditions": conditions}


# ── names ──


def next_status(definition: Json, group: Iterable[Json], now: datetime) -> Json:
    """The status the definition should have; `group` are the other definitions of its group."""
    status: Json = definition.get("status") or {}
    if definition["metadata"].get("deletionTimestamp"):
        return status
    names, conflict = accepted_names(definition, group)
    status = {**status, "acceptedNames": names}
    if conflict is None:
        status = with_condition(status, NAMES_ACCEPTED, "True", "NoConflicts", "no conflicts found", now)
    else:
        status = with_condition(status, NAMES_ACCEPTED, "False", *conflict, now)
    if not is_true(definition, ESTABLISHED):
        if conflict is None:
            reason, text = "InitialNamesAccepted", "the initial names have been accepted"
            status = with_condition(status, ESTABLISHED, "True", reason, text, now)
        else:
            text = "not all names are accepted"
            status = with_condition(status, ESTABLISHED, "False", "NotAccepted", text, now)
    status = _structural(definition, status, now)
    return _approved(definition, status, now)


def accepted_names(definition: Json, group: Iterable[Json]) -> tuple[Json, tuple[str, str] | None]:
    """The names the definition has from now on, and reason and message of the last conflict.

    Follows: NamingConditionController.calculateNamesAndConditions.
    """
    taken: set[str] = set()
    kinds: set[str] = set()
    for other in group:
        names = (other.get("status") or {}).get("acceptedNames") or {}
        taken |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    wanted: Json = definition["spec"]["names"]
    accepted: Json = dict((definition.get("status") or {}).get("acceptedNames") or {})
    before = dict(accepted)
    conflict: tuple[str, str] | None = None
    for field in ("plural", "singular"):
        if _is_free(wanted.get(field, ""), before.get(field, ""), taken):
            accepted[field] = wanted.get(field, "")
        else:
            conflict = f"{field.title()}Conflict", _in_use(wanted[field])
    own = before.get("shortNames") or ()
    clashes = [name for name in wanted.get("shortNames") or () if name not in own and name in taken]
    if clashes:
        texts = [_in_use(name) for name in clashes]
        conflict = "ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    else:
        _set(accepted, "shortNames", wanted.get("shortNames"))
    for field, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
        if _is_free(wanted.get(field, ""), before.get(field, ""), kinds):
            accepted[field] = wanted.get(field, "")
        else:
            conflict = reason, _in_use(wanted[field])
    _set(accepted, "categories", wanted.get("categories"))
    return accepted, conflict


def _is_free(wanted: str, accepted: str, taken: set[str]) -> bool:
    return wanted == accepted or wanted not in taken


def _in_use(name: str) -> str:
    return f"{quote(name)} is already in use"


def _set(names: Json, field: str, value: Sequence[str] | None) -> None:
    if value:
        names[field] = list(value)
    else:
        names.pop(field, None)


# ── the other conditions ──


def _structural(definition: Json, status: Json, now: datetime) -> Json:
    violations: list[str] = []
    for index, version in enumerate(definition["spec"].get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            path = f"spec.versions[{index}].schema.openAPIV3Schema"
            violations += [str(error) for error in rules.check(schema, path)]
    if violations:
        text = violations[0] if len(violations) == 1 else f"[{', '.join(violations)}]"
        return with_condition(status, NON_STRUCTURAL, "True", "Violations", text, now)
    kept = [found for found in status.get("conditions") or () if found.get("type") != NON_STRUCTURAL]
    return {**status, "conditions": kept}


def is_protected(group: str) -> bool:
    """The group belongs to the Kubernetes community."""
    return group in {"k8s.io", "kubernetes.io"} or group.endswith((".k8s.io", ".kubernetes.io"))


def approval(definition: Json) -> tuple[str, str, str]:
    """State, reason and message of the approval of an API in a protected group."""
    text = (definition["metadata"].get("annotations") or {}).get(APPROVED_ANNOTATION, "")
    if not text:
        message = f"protected groups must have approval annotation {quote(APPROVED_ANNOTATION)}, see {_PROPOSAL}"
        return "False", "MissingAnnotation", message
    if text.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f"not approved: {quote(text)}"
    address = urlsplit(text)
    if address.scheme and address.netloc:
        return "True", "ApprovedAnnotation", f"approved in {text}"
    message = (
        f"protected groups must have approval annotation {quote(APPROVED_ANNOTATION)} with either a URL or a reason "
        f'starting with "unapproved", see {_PROPOSAL}'
    )
    return "False", "InvalidAnnotation", message


def _approved(definition: Json, status: Json, now: datetime) -> Json:
    if not is_protected(definition["spec"]["group"]):
        return status
    return with_condition(status, APPROVAL, *approval(definition), now)


# ── deletion ──


def marked_for_deletion(definition: Json, now: datetime) -> Json:
    """The definition at its first deletion: its objects have to go before it. Follows: REST.Delete."""
    metadata = definition["metadata"]
    finalizers = metadata.get("finalizers") or []
    if CLEANUP_FINALIZER not in finalizers:
        metadata = {**metadata, "finalizers": [*finalizers, CLEANUP_FINALIZER]}
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    status = with_condition(definition.get("status") or {}, TERMINATING, "True", "InstanceDeletionPending", text, now)
    return {**definition, "metadata": metadata, "status": status}


def add_stored_version(status: Json, versions: Iterable[Json]) -> Json:
    """The status that knows the present storage version, too."""
    stored = list(status.get("storedVersions") or ())
    missing = [v["name"] for v in versions if v.get("storage") and v["name"] not in stored]
    return {**status, "storedVersions": [*stored, *missing]} if missing else status
