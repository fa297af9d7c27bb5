"""Who owns which fields: the entries of metadata.managedFields, read, changed and written.

An Update manager owns what its writes changed, an Apply manager what it declared. A manager is told apart by name,
operation, subresource and, for updates, by version.

Follows: apimachinery pkg/util/managedfields/internal/{managedfields,structuredmerge,capmanagers,stripmeta,
managedfieldsupdater,conflict}.go; structured-merge-diff merge/update.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pybernetes.machinery.errors import Conflict
from pybernetes.machinery.field_errors import quote
from pybernetes.machinery.managed_fields import compare as comparing
from pybernetes.machinery.managed_fields import sets
from pybernetes.machinery.managed_fields.plans import Plan
from pybernetes.machinery.managed_fields.sets import Trie

Json = dict[str, Any]

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATE_MANAGERS: Final = 10
"""More are folded into one, the oldest first."""
ANCIENT: Final = "ancient-changes"

STRIPPED: Final[Trie] = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:clusterName": {},
        "f:creationTimestamp": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:name": {},
        "f:namespace": {},
        "f:resourceVersion": {},
        "f:selfLink": {},
        "f:uid": {},
    },
}
"""What nobody owns: the server's part of metadata, and what names the object."""


class Manager(NamedTuple):
    name: str
    operation: str
    subresource: str = ""
    version: str = ""
    """Empty for Apply: an applier is the same whatever version it uses."""


@dataclass(frozen=True, slots=True)
class Owned:
    fields: Trie
    version: str
    time: str = ""


@dataclass(slots=True)
class Ownership:
    """All managers of one object."""

    managers: dict[Manager, Owned] = field(default_factory=dict)

    @classmethod
    def read(cls, entries: Sequence[Json] | None) -> "Ownership":
        """From metadata.managedFields; entries that make no sense are dropped."""
        found = cls()
        for entry in entries or ():
            operation, version = entry.get("operation", ""), entry.get("apiVersion", "")
            if operation not in {APPLY, UPDATE} or not version or type(entry.get("fieldsV1", {})) is not dict:
                continue
            manager = Manager(
                entry.get("manager", ""),
                operation,
                entry.get("subresource", ""),
                version if operation == UPDATE else "",
            )
            found.managers[manager] = Owned(entry.get("fieldsV1", {}), version, entry.get("time", ""))
        return found

    def write(self) -> list[Json]:
        """The entries, Apply first, then by time and name."""
        ordered = sorted(
            self.managers.items(), key=lambda item: (item[0].operation, item[1].time, item[0].name, item[1].version)
        )
        entries = []
        for manager, owned in ordered:
            entry: Json = {"manager": manager.name, "operation": manager.operation, "apiVersion": owned.version}
            if owned.time:
                entry["time"] = owned.time
            entry["fieldsType"] = "FieldsV1"
            entry["fieldsV1"] = owned.fields
            if manager.subresource:
                entry["subresource"] = manager.subresource
            entries.append(entry)
        return entries

    def replace(self, manager: Manager, fields: Trie) -> None:
        """Give a manager another set; an empty one ends it."""
        owned = self.managers[manager]
        if not fields:
            del self.managers[manager]
        elif fields is not owned.fields:
            self.managers[manager] = Owned(fields, owned.version, owned.time)

    def cap(self) -> None:
        """Fold the oldest Update managers together when there are too many. Follows: capManagersManager."""
        updates = [item for item in self.managers.items() if item[0].operation == UPDATE]
        excess = len(updates) - MAX_UPDATE_MANAGERS
        if excess <= 0:
            return
        updates.sort(key=lambda item: (item[1].time, item[0].name))
        for manager, owned in updates[: excess + 1]:
            del self.managers[manager]
            ancient = Manager(ANCIENT, UPDATE, "", owned.version)
            present = self.managers.get(ancient)
            fields = sets.union(present.fields, owned.fields) if present is not None else owned.fields
            self.managers[ancient] = Owned(fields, owned.version, owned.time)


def track_update(
    ownership: Ownership, live: Json, new: Json, manager: Manager, plan: Plan, *, now: str, ignored: Trie
) -> bool:
    """Give a plain write's changes to its manager; False when it changed nothing anybody can own.

    `live` is the empty object of the kind at creation. `ignored` are fields this door resets.
    """
    found = comparing.compare(live, new, plan)
    added, modified, removed = (_ownable(part, ignored) if part else part for part in found)
    if not (added or modified or removed):
        return False
    changed = sets.union(added, modified)
    if ownership.managers:
        _take_away(ownership, sets.union(changed, removed), None)
    if changed:
        present = ownership.managers.get(manager)
        fields = sets.union(present.fields, changed) if present is not None else changed
        ownership.managers[manager] = Owned(fields, manager.version, now)
    ownership.cap()
    return True


def _ownable(fields: Trie, ignored: Trie) -> Trie:
    """What somebody can own of changed fields."""
    return sets.difference(sets.recursive_difference(fields, ignored) if ignored else fields, STRIPPED)


def _take_away(ownership: Ownership, fields: Trie, except_for: Manager | None) -> None:
    for manager in list(ownership.managers):
        if manager != except_for:
            ownership.replace(manager, sets.difference(ownership.managers[manager].fields, fields))


def apply(
    ownership: Ownership,
    live: Json,
    applied: Json,
    manager: Manager,
    version: str,
    plan: Plan,
    *,
    now: str,
    force: bool,
    ignored: Trie,
) -> Json:
    """The live document with what `manager` declares laid over it and what it no longer declares taken out.

    `ownership` is changed accordingly; its times only if the document changed.

    Raises:
        ApplyConflict: others own fields that would get another value, and `force` is not given.
        OwnershipError, DuplicateItem: the document does not fit its schema.
    """
    merged: Json = comparing.merge(live, applied, plan)
    whole = comparing.field_set(applied, plan)
    declared = sets.difference(whole, STRIPPED)
    if ignored:
        declared = sets.recursive_difference(declared, ignored)
    last = ownership.managers.get(manager)
    if last is not None and last.fields:
        # With what nobody owns in the end: the name a declaration carries keeps metadata from being pruned.
        ownership.managers[manager] = Owned(whole, version, last.time)
        merged = _prune(merged, ownership, last.fields, plan)
    ownership.managers[manager] = Owned(declared, version, last.time if last is not None else now)
    found = comparing.compare(live, merged, plan)
    added, modified, removed = (_ownable(part, ignored) if part else part for part in found)
    changed = sets.union(added, modified)
    conflicts = {
        other: both
        for other, owned in ownership.managers.items()
        if other != manager and (both := sets.intersection(owned.fields, changed))
    }
    if conflicts and not force:
        raise conflict(conflicts)
    _take_away(ownership, sets.union(changed, removed), manager)
    if not declared:
        ownership.managers.pop(manager, None)
    elif last is None or last.fields != declared or changed or removed:
        ownership.managers[manager] = Owned(declared, version, now)
    return merged


def _prune(merged: Json, ownership: Ownership, last: Trie, plan: Plan) -> Json:
    """Take out what the manager declared last time and nobody declares or owns now. Follows: Updater.prune."""
    last = sets.with_named_fields(last)
    present = sets.with_named_fields(comparing.field_set(merged, plan))
    without = comparing.remove(merged, last, plan)
    kept = sets.with_named_fields(comparing.field_set(without, plan))
    for owned in ownership.managers.values():
        kept = sets.union(kept, sets.with_named_fields(owned.fields))
    without = comparing.remove(merged, sets.difference(present, kept), plan)
    kept = sets.with_named_fields(comparing.field_set(without, plan))
    result: Json = comparing.remove(merged, sets.intersection(sets.difference(present, kept), last), plan)
    return result


class ApplyConflict(Conflict):
    """Others own fields that an apply would change; `conflicts` says who owns which."""

    def __init__(self, message: str, causes: Sequence[Json], conflicts: Mapping[Manager, Trie]) -> None:
        super().__init__(message, {"causes": list(causes)})
        self.conflicts = conflicts


def conflict(conflicts: Mapping[Manager, Trie]) -> ApplyConflict:
    """The 409 that names every field and who owns it."""
    found = [(manager, path) for manager in sorted(conflicts) for path in sets.paths(conflicts[manager])]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_shown(manager)}", "field": path}
        for manager, path in found
    ]
    if len(found) == 1:
        text = f"Apply failed with 1 conflict: conflict with {_shown(found[0][0])}: {found[0][1]}"
    else:
        lines = []
        for manager in sorted(conflicts):
            lines.append(f"conflicts with {_shown(manager)}:")
            lines += [f"- {path}" for path in sets.paths(conflicts[manager])]
        text = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
    return ApplyConflict(text, causes, conflicts)


def _shown(manager: Manager) -> str:
    text = quote(manager.name)
    if manager.subresource:
        text = f"{text} with subresource {quote(manager.subresource)}"
    return f"{text} using {manager.version}" if manager.operation == UPDATE else text
