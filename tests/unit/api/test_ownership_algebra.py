"""Server-side apply and plain writes against a slow model that keeps sets of leaves in dictionaries.

A leaf is a path with a value; `container` and `env` leaves stand for the items themselves: who goes takes what is
below along. The laws of the model: an apply conflicts where somebody else owns a leaf of another value, force takes
such leaves over, what a manager no longer declares goes unless somebody else owns it, a plain write owns what it
changes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import defaults, field_ownership, normalize, registry
from pybernetes.machinery.errors import Conflict

Json = dict[str, Any]
Leaf = tuple[str, ...]
Leaves = dict[Leaf, Any]
Owners = dict[Leaf, set[str]]

WHAT = next(r for r in registry.built_in() if (r.group, r.kind) == ("apps", "Deployment"))
NOW = datetime(2024, 1, 1, tzinfo=UTC)
MANAGERS = ("a", "b", "c")

names = st.sampled_from("xy")
texts = st.sampled_from("12")
labels = st.tuples(st.tuples(st.just("label"), names), texts).map(lambda pair: {pair[0]: pair[1]})
finalizers = st.tuples(st.just("finalizer"), names).map(lambda leaf: {leaf: True})
seconds = st.integers(1, 2).map(lambda number: {("seconds",): number})
images = st.tuples(names, texts).map(lambda p: {("container", p[0]): True, ("image", p[0]): p[1]})
variables = st.tuples(names, names, texts).map(
    lambda p: {("container", p[0]): True, ("env", p[0], p[1]): True, ("value", p[0], p[1]): p[2]}
)
declarations = st.lists(st.one_of(labels, finalizers, seconds, images, variables), max_size=5).map(
    lambda parts: {leaf: value for part in parts for leaf, value in part.items()}
)


# ── the model ──


class Model:
    def __init__(self) -> None:
        self.leaves: Leaves = {}
        self.owners: Owners = {}

    def conflicts(self, manager: str, declared: Leaves) -> set[Leaf]:
        return {
            leaf
            for leaf, value in declared.items()
            if leaf in self.leaves and self.leaves[leaf] != value and self.owners.get(leaf, set()) - {manager}
        }

    def apply(self, manager: str, declared: Leaves) -> None:
        for leaf in self.conflicts(manager, declared):
            self.owners[leaf].clear()
        for leaf, value in declared.items():
            self.leaves[leaf] = value
            self.owners.setdefault(leaf, set()).add(manager)
        for leaf in [leaf for leaf, owners in self.owners.items() if manager in owners and leaf not in declared]:
            owners = self.owners.get(leaf)
            if owners is None:
                continue  # went with the item it was in
            owners.discard(manager)
            if not owners:
                self._remove(leaf)

    def write(self, manager: str, leaves: Leaves) -> None:
        for leaf in [leaf for leaf in self.leaves if leaf not in leaves]:
            self._remove(leaf)
        for leaf, value in leaves.items():
            if leaf not in self.leaves or self.leaves[leaf] != value:
                self.leaves[leaf] = value
                self.owners[leaf] = {manager}

    def _remove(self, leaf: Leaf) -> None:
        for below in [other for other in self.leaves if other == leaf or is_below(other, leaf)]:
            del self.leaves[below]
            self.owners.pop(below, None)


def is_below(leaf: Leaf, other: Leaf) -> bool:
    if other[0] == "container":
        return leaf[0] in {"image", "env", "value"} and leaf[1] == other[1]
    return other[0] == "env" and leaf == ("value", *other[1:])


# ── documents ──


def document_of(leaves: Leaves) -> Json:
    metadata: Json = {"name": "d", "namespace": "n"}
    spec: Json = {}
    for leaf, value in sorted(leaves.items(), key=lambda item: ORDER.index(item[0][0])):
        match leaf:
            case ("label", name):
                metadata.setdefault("labels", {})[name] = value
            case ("finalizer", name):
                metadata.setdefault("finalizers", []).append(name)
            case ("seconds",):
                spec["minReadySeconds"] = value
            case ("container", name):
                pod = spec.setdefault("template", {}).setdefault("spec", {})
                pod.setdefault("containers", []).append({"name": name})
            case ("image", name):
                container(spec, name)["image"] = value
            case ("env", name, variable):
                container(spec, name).setdefault("env", []).append({"name": variable})
            case ("value", name, variable):
                item(container(spec, name)["env"], variable)["value"] = value
            case _:
                raise AssertionError(leaf)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    return {**body, "spec": spec} if spec else body


ORDER = ("label", "finalizer", "seconds", "container", "image", "env", "value")


def item(items: list[Json], name: str) -> Json:
    return next(one for one in items if one["name"] == name)


def container(spec: Json, name: str) -> Json:
    return item(spec["template"]["spec"]["containers"], name)


def leaves_of(document: Json) -> Leaves:
    metadata, spec = document["metadata"], document.get("spec") or {}
    found: Leaves = {("label", name): value for name, value in (metadata.get("labels") or {}).items()}
    found |= {("finalizer", name): True for name in metadata.get("finalizers") or ()}
    if spec.get("minReadySeconds"):
        found["seconds",] = spec["minReadySeconds"]
    for one in ((spec.get("template") or {}).get("spec") or {}).get("containers") or ():
        found["container", one["name"]] = True
        if one.get("image"):
            found["image", one["name"]] = one["image"]
        for variable in one.get("env") or ():
            found["env", one["name"], variable["name"]] = True
            if variable.get("value"):
                found["value", one["name"], variable["name"]] = variable["value"]
    return found


def owners_of(document: Json) -> Owners:
    found: Owners = {}
    for entry in document["metadata"].get("managedFields") or ():
        fields, who = entry["fieldsV1"], entry["manager"]
        for leaf, node in owned_leaves(fields):
            if node == {} or "." in node:
                found.setdefault(leaf, set()).add(who)
    return found


def owned_leaves(fields: Json) -> list[tuple[Leaf, Json]]:
    metadata, spec = fields.get("f:metadata", {}), fields.get("f:spec", {})
    found: list[tuple[Leaf, Json]] = [
        (("label", step[2:]), node) for step, node in metadata.get("f:labels", {}).items() if step != "."
    ]
    found += [(("finalizer", step[3:-1]), n) for step, n in metadata.get("f:finalizers", {}).items() if step != "."]
    if "f:minReadySeconds" in spec:
        found.append((("seconds",), spec["f:minReadySeconds"]))
    containers = spec.get("f:template", {}).get("f:spec", {}).get("f:containers", {})
    for step, node in containers.items():
        if step == ".":
            continue
        name = step[len('k:{"name":"') : -2]
        found.append((("container", name), node))
        if "f:image" in node:
            found.append((("image", name), node["f:image"]))
        for inner, below in node.get("f:env", {}).items():
            if inner == ".":
                continue
            variable = inner[len('k:{"name":"') : -2]
            found.append((("env", name, variable), below))
            if "f:value" in below:
                found.append((("value", name, variable), below["f:value"]))
    return found


class Server:
    """What the API server does with managedFields, without the server."""

    def __init__(self) -> None:
        self.live: Json | None = None
        self.now = NOW

    def _store(self, document: Json, entries: list[Json]) -> None:
        self.now += timedelta(seconds=1)
        kept = defaults.apply(normalize.normalize(document, WHAT.type_alias), WHAT)
        self.live = {**kept, "metadata": {**kept["metadata"], "managedFields": entries}}

    def apply(self, manager: str, declared: Leaves, *, force: bool) -> None:
        body = document_of(declared)
        merged = field_ownership.apply_patch(WHAT, "", self.live, body, manager, self.now, force=force)
        self._store(merged, merged["metadata"]["managedFields"])

    def write(self, manager: str, leaves: Leaves) -> None:
        kept = defaults.apply(normalize.normalize(document_of(leaves), WHAT.type_alias), WHAT)
        entries = field_ownership.track(WHAT, "", self.live, kept, manager, self.now)
        self._store(kept, entries)

    @property
    def leaves(self) -> Leaves:
        return leaves_of(self.live or {"metadata": {}})

    @property
    def owners(self) -> Owners:
        return owners_of(self.live or {"metadata": {}})


def with_changes(leaves: Leaves, changes: Leaves, removed: int) -> Leaves:
    """Another document for a plain write: some leaves set, one taken away with what is below it."""
    result = {**leaves, **changes}
    if result and removed:
        gone = sorted(result)[removed % len(result)]
        result = {leaf: value for leaf, value in result.items() if leaf != gone and not is_below(leaf, gone)}
    return result


steps = st.one_of(
    st.tuples(st.just("apply"), st.sampled_from(MANAGERS), declarations, st.booleans()),
    st.tuples(st.just("apply"), st.sampled_from(MANAGERS), declarations, st.booleans()),
    st.tuples(st.just("write"), st.sampled_from(("kubectl", "controller")), declarations, st.integers(0, 9)),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=8))
def test_any_sequence_of_writes_leaves_what_the_model_says(sequence: list[tuple[str, str, Leaves, Any]]) -> None:
    server, model = Server(), Model()
    for kind, manager, leaves, extra in sequence:
        if kind == "apply":
            conflicts = model.conflicts(manager, leaves)
            if conflicts and not extra:
                with pytest.raises(Conflict) as refused:
                    server.apply(manager, leaves, force=False)
                assert len(refused.value.causes) >= len(conflicts)
            else:
                server.apply(manager, leaves, force=extra)
                model.apply(manager, leaves)
        else:
            wanted = with_changes(server.leaves, leaves, extra)
            server.write(manager, wanted)
            model.write(manager, wanted)
        assert server.leaves == model.leaves
        assert server.owners == model.owners


@given(st.lists(steps, max_size=3), declarations, st.sampled_from(MANAGERS))
def test_applying_twice_changes_nothing_not_even_times(
    sequence: list[tuple[str, str, Leaves, Any]], declared: Leaves, manager: str
) -> None:
    server = prepared(sequence)
    server.apply(manager, declared, force=True)
    before = server.live
    server.apply(manager, declared, force=False)
    assert server.live == before


@given(declarations, declarations)
def test_managers_of_different_fields_may_apply_in_any_order(one: Leaves, other: Leaves) -> None:
    other = {leaf: value for leaf, value in other.items() if leaf not in one or one[leaf] == value}
    other = {leaf: value for leaf, value in other.items() if leaf[0] != "value" or ("env", *leaf[1:]) in other}
    first, second = Server(), Server()
    first.apply("a", one, force=False)
    first.apply("b", other, force=False)
    second.apply("b", other, force=False)
    second.apply("a", one, force=False)
    assert (first.leaves, first.owners) == (second.leaves, second.owners)


@given(st.lists(steps, max_size=3), declarations, st.sampled_from(MANAGERS))
def test_declaring_nothing_takes_away_exactly_what_nobody_else_owns(
    sequence: list[tuple[str, str, Leaves, Any]], declared: Leaves, manager: str
) -> None:
    server = prepared(sequence)
    server.apply(manager, declared, force=True)
    owners, leaves = server.owners, server.leaves
    server.apply(manager, {}, force=False)
    assert all(manager not in who for who in server.owners.values())
    alone = {leaf for leaf, who in owners.items() if who == {manager}}
    gone = {leaf for leaf in leaves if leaf in alone or any(is_below(leaf, other) for other in alone)}
    assert server.leaves == {leaf: value for leaf, value in leaves.items() if leaf not in gone}


def prepared(sequence: list[tuple[str, str, Leaves, Any]]) -> Server:
    server = Server()
    for kind, manager, leaves, extra in sequence:
        if kind == "apply":
            server.apply(manager, leaves, force=True)
        else:
            server.write(manager, with_changes(server.leaves, leaves, extra))
    return server
