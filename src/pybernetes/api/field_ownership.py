"""metadata.managedFields of resources: plain writes are tracked, server-side apply merges.

    create, update, patch     track(resource, subresource, live, new, manager, now)
    apply                     apply_patch(resource, subresource, live, applied, manager, now, force)

Called with documents after defaults and before mutating admission, as upstream does: what admission adds nobody owns.

Follows: apimachinery pkg/util/managedfields/fieldmanager.go; apiserver pkg/endpoints/handlers/{create,update,patch}.go;
pkg/registry/*/*/strategy.go, GetResetFields.
"""

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from pybernetes.api import normalize, schema, strategy
from pybernetes.api.registry import Resource
from pybernetes.effects import format_time
from pybernetes.machinery import content
from pybernetes.machinery.content import Known
from pybernetes.machinery.errors import BadRequest, StatusError
from pybernetes.machinery.managed_fields import compare, managers, plans, sets
from pybernetes.machinery.managed_fields.managers import APPLY, UPDATE, ApplyConflict, Manager, Owned, Ownership
from pybernetes.machinery.managed_fields.plans import Plan
from pybernetes.machinery.managed_fields.sets import Trie

Json = dict[str, Any]

MAX_MANAGER_CHARACTERS: Final = 128
"""Longer user agents are cut."""

_STATUS: Final[Trie] = {"f:status": {}}
_ALL_BUT_STATUS: Final[Trie] = {"f:spec": {}}
_RESET: Final[Mapping[tuple[str, str, str], Trie]] = {
    ("", "Pod", "status"): {
        "f:spec": {},
        "f:metadata": {"f:deletionTimestamp": {}, "f:ownerReferences": {}},
    },
    ("apps", "Deployment", "status"): {"f:spec": {}, "f:metadata": {"f:labels": {}}},
    ("", "Node", ""): {"f:status": {}},
    ("", "Namespace", "finalize"): {"f:status": {}},
}


def reset_fields(resource: Resource, subresource: str) -> Trie:
    """Fields that a write through this door cannot change, so it cannot own them."""
    special = _RESET.get((resource.group, resource.kind, subresource))
    if special is not None:
        return special
    if subresource == "status":
        return _ALL_BUT_STATUS
    return _STATUS if strategy.has_status(resource) else {}


@functools.cache
def _plan(type_alias: str) -> Plan:
    return plans.plan_of(schema.type_of(type_alias))


def plan_of(resource: Resource) -> Plan:
    if resource.type_alias:
        return _plan(resource.type_alias)
    return resource.custom.plan if resource.custom is not None else plans.DEDUCED


def manager_name(field_manager: str, user_agent: str) -> str:
    """Who writes: the query parameter, else the first part of the user agent. Follows: managerOrUserAgent."""
    if field_manager:
        return field_manager
    name = user_agent.partition("/")[0][:MAX_MANAGER_CHARACTERS]
    return "".join(character for character in name if character.isprintable()) or "unknown"


def track(
    resource: Resource, subresource: str, live: Json | None, new: Json, manager: str, now: datetime
) -> list[Json]:
    """The managedFields after a plain write; `live` is None at creation. Neither document is changed.

    A list of one empty entry in `new` clears what was there; entries a client sends back unchanged are believed.
    """
    ownership = Ownership.read(_entries(live, new, subresource=subresource))
    if live is None and not subresource and not ownership.managers:
        return _created(resource, new, manager, format_time(now))
    before = live if live is not None else _empty(resource)
    who = Manager(manager, UPDATE, subresource, resource.api_version)
    plan = plan_of(resource)
    try:
        changed = managers.track_update(
            ownership, before, new, who, plan, now=format_time(now), ignored=reset_fields(resource, subresource)
        )
    except plans.OwnershipError:
        changed = False  # a list without its keys: validation tells, ownership stays as it was
    if not changed and live is not None and "managedFields" not in (new.get("metadata") or {}):
        kept: list[Json] = (live.get("metadata") or {}).get("managedFields") or []
        return kept
    return ownership.write()


_FAMILIAR: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_UNOWNED_METADATA: Final = frozenset(step.removeprefix("f:") for step in managers.STRIPPED["f:metadata"])
_OF_NEW_CONTENT: Final = Known[Trie]()
"""What creators own, by type and spec, and by the names in metadata."""


def _created(resource: Resource, new: Json, manager: str, now: str) -> list[Json]:
    """The managedFields of a new object that brings none: one entry."""
    plan, empty = plan_of(resource), _empty(resource)
    ignored = reset_fields(resource, "")
    who = Manager(manager, UPDATE, "", resource.api_version)
    ownership = Ownership()
    try:
        if resource.type_alias and new.keys() <= _FAMILIAR and ("status" not in new or ignored is _STATUS):
            of_spec = _of_spec(resource.type_alias, new.get("spec"), empty, plan)
            fields = {**_of_metadata(new["metadata"], plan), **of_spec}
            if fields:
                ownership.managers[who] = Owned(fields, who.version, now)
        else:
            managers.track_update(ownership, empty, new, who, plan, now=now, ignored=ignored)
    except plans.OwnershipError:
        return []  # a list without its keys: validation tells
    return ownership.write()


def _of_metadata(metadata: Json, plan: Plan) -> Trie:
    """`f:metadata` and below. Of labels and annotations only the names count."""
    shape = {
        field: list(value) if type(value) is dict else value
        for field, value in metadata.items()
        if field not in _UNOWNED_METADATA
    }
    if not shape:
        return {}
    key = content.key_of(shape, b"metadata")
    found = _OF_NEW_CONTENT.get(key)
    if found is None:
        difference = compare.compare({"metadata": {}}, {"metadata": metadata}, plan)
        found = sets.difference(difference.added, managers.STRIPPED)
        _OF_NEW_CONTENT.learn(key, found)
    return found


def _of_spec(type_alias: str, spec: Json | None, empty: Json, plan: Plan) -> Trie:
    """`f:spec` and below, or nothing."""
    if not spec:
        return {}
    key = content.key_of(spec, type_alias.encode())
    found = _OF_NEW_CONTENT.get(key)
    if found is None:
        before = {"spec": empty["spec"]} if "spec" in empty else {}
        difference = compare.compare(before, {"spec": spec}, plan)
        found = sets.union(difference.added, difference.modified)
        _OF_NEW_CONTENT.learn(key, found)
    return found


def _entries(live: Json | None, new: Json, *, subresource: str) -> Sequence[Json]:
    stored: Sequence[Json] = ((live or {}).get("metadata") or {}).get("managedFields") or ()
    sent: Sequence[Json] = (new.get("metadata") or {}).get("managedFields") or ()
    if subresource:
        return stored
    if len(sent) == 1 and not sent[0]:
        return ()
    return sent if Ownership.read(sent).managers else stored


@functools.cache
def _empty_document(type_alias: str) -> Json:
    return normalize.normalize({}, type_alias)


def _empty(resource: Resource) -> Json:
    """What a fresh object of the kind holds before anybody set anything."""
    return _empty_document(resource.type_alias) if resource.type_alias else {"metadata": {}}


def apply_patch(
    resource: Resource,
    subresource: str,
    live: Json | None,
    applied: Json,
    manager: str,
    now: datetime,
    *,
    force: bool,
) -> Json:
    """The document after a server-side apply, with its managedFields; not yet defaulted or validated.

    `live` None creates. `applied` is the parsed body, not normalised, so that only what it says is owned. When
    nothing but times would change, the result equals `live`.

    Raises:
        BadRequest: the body carries managedFields or names another object.
        Conflict: others own fields that would change.
        StatusError: the body does not fit the schema.
    """
    if (applied.get("metadata") or {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    plan = plan_of(resource)
    applied = _without_nulls(applied, plan if resource.type_alias else None)
    unknown = compare.undeclared(applied, plan)
    if unknown:
        raise _untyped(resource, applied, "\n".join(f"{path}: field not declared in schema" for path in unknown))
    before = live if live is not None else _empty(resource)
    entries = (before.get("metadata") or {}).get("managedFields")
    who = Manager(manager, APPLY, subresource)
    content = {**before, "metadata": _owned_metadata(before.get("metadata") or {})}

    def attempt(*, force: bool) -> tuple[Json, Ownership]:
        ownership = Ownership.read(entries)
        result = managers.apply(
            ownership,
            content,
            wanted,
            who,
            resource.api_version,
            plan,
            now=format_time(now),
            force=force,
            ignored=reset_fields(resource, subresource),
        )
        return result, ownership

    try:
        wanted = _normal(applied, resource)
        try:
            merged, ownership = attempt(force=force)
        except ApplyConflict as conflict:
            if manager != KUBECTL:
                raise
            allowed = _last_applied_fields(content, plan)
            left = {owner: sets.difference(fields, allowed) for owner, fields in conflict.conflicts.items()}
            left = {owner: fields for owner, fields in left.items() if fields}
            if left:
                raise managers.conflict(left) from None
            merged, ownership = attempt(force=True)
    except normalize.TypeMismatch as error:
        raise _untyped(resource, applied, str(error)) from None
    except plans.OwnershipError as error:
        raise _untyped(resource, applied, str(error)) from None
    except compare.DuplicateItem as error:
        text = f"duplicate entries for key {sets.show(error.step)}"
        raise _untyped(resource, applied, text) from None
    metadata = {**merged.get("metadata", {}), "managedFields": ownership.write()}
    if manager == KUBECTL and LAST_APPLIED in (metadata.get("annotations") or {}):
        # Client-side and server-side apply may take turns, so its memory is kept up to date.
        metadata["annotations"] = {**metadata["annotations"], LAST_APPLIED: orjson.dumps(applied).decode() + "\n"}
    result = {**merged, "metadata": metadata}
    if live is not None and same_but_for_times(result, live):
        return live
    return result


KUBECTL: Final = "kubectl"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def _last_applied_fields(live: Json, plan: Plan) -> Trie:
    """What client-side apply declared last and still holds: kubectl may take it over without a conflict.

    Follows: apimachinery pkg/util/managedfields/internal/lastappliedmanager.go.
    """
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return {}
    try:
        last = orjson.loads(text)
        if type(last) is not dict:
            return {}
        declared = compare.field_set(last, plan)
        found = compare.compare(last, live, plan)
    except (orjson.JSONDecodeError, plans.OwnershipError):
        return {}  # an annotation somebody broke gives nobody any fields
    for part in found:
        declared = sets.difference(declared, part)
    return declared


def _owned_metadata(metadata: Json) -> Json:
    return {key: value for key, value in metadata.items() if key != "managedFields"}


def _without_nulls(value: Any, plan: Plan | None) -> Any:
    """The value without the nulls that mean absent. What is owned as a whole stays: it may be data without a type."""
    if plan is not None and plan.kind is plans.Kind.LEAF:
        return value
    if isinstance(value, dict):
        return {key: _without_nulls(item, plan and plan.child(key)) for key, item in value.items() if item is not None}
    element = plan and plan.element
    return [_without_nulls(item, element) for item in value] if isinstance(value, list) else value


def _normal(applied: Json, resource: Resource) -> Json:
    """The applied document with canonical scalars, and nothing in it that it does not say."""
    if not resource.type_alias:
        return applied
    full = normalize.normalize(applied, resource.type_alias)
    said: Json = _only_said(full, applied)
    return said


def _only_said(normal: Any, said: Any) -> Any:
    """`normal` cut down to the fields that `said` has; what normalising dropped (zeros) comes back as said."""
    if isinstance(normal, dict) and isinstance(said, dict):
        return {
            key: _only_said(normal[key], item) if key in normal else item
            for key, item in said.items()
            if key in normal or item is not None
        }
    if isinstance(normal, list) and isinstance(said, list) and len(normal) == len(said):
        return [_only_said(one, other) for one, other in zip(normal, said, strict=True)]
    return normal


def _untyped(resource: Resource, applied: Json, why: str) -> StatusError:
    metadata = applied.get("metadata") or {}
    place = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    text = f"failed to create typed patch object ({place}; {resource.api_version}, Kind={resource.kind}): {why}"
    return StatusError(text, code=500)


def same_but_for_times(one: Json, other: Json) -> bool:
    """Whether two documents differ at most in the times of their managedFields, so that no write is needed."""
    return _timeless(one) == _timeless(other)


def _timeless(document: Json) -> Json:
    metadata = document.get("metadata") or {}
    entries = [
        {key: value for key, value in entry.items() if key != "time"} for entry in metadata.get("managedFields") or ()
    ]
    entries.sort(key=lambda entry: (entry.get("operation", ""), entry.get("manager", ""), entry.get("apiVersion", "")))
    return {**document, "metadata": {**metadata, "managedFields": entries}}
