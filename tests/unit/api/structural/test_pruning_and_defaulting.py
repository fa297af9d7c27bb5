"""Pruning and defaulting: what goes, what comes, and that a second time changes nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.structural import defaulting, lists, metadata, pruning
from pybernetes.api.structural.schema import Structural

Json = dict[str, Any]
TEXT: Json = {"type": "string"}


def pruned(value: Any, schema: Json, *, root: bool = False) -> tuple[Any, list[str]]:
    unknown: list[str] = []
    return pruning.prune(value, Structural(schema), root=root, unknown=unknown), unknown


def test_fields_the_schema_does_not_name_go_and_are_told() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "l": {"type": "array", "items": {"type": "object"}}}}
    value = {"a": "x", "b": 1, "l": [{"c": 1}, {}]}
    assert pruned(value, schema) == ({"a": "x", "l": [{}, {}]}, ["b", "l[0].c"])
    assert value["b"] == 1


def test_the_root_keeps_what_every_object_has() -> None:
    value = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "x", "more": 1}, "spec": 1}
    assert pruned(value, {"type": "object"}, root=True) == ({k: value[k] for k in value if k != "spec"}, ["spec"])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"x-kubernetes-preserve-unknown-fields": True}, {"k": {"x": 1}, "n": {"y": 2}}),
        (
            {"x-kubernetes-preserve-unknown-fields": True, "properties": {"k": {"type": "object"}}},
            {"k": {}, "n": {"y": 2}},
        ),
        ({"additionalProperties": {"type": "object", "properties": {"x": {}}}}, {"k": {"x": 1}, "n": {}}),
        ({"additionalProperties": True}, {"k": {}, "n": {}}),
    ],
    ids=["kept", "kept but for what is named", "of a map", "any key, nothing inside"],
)
def test_maps_and_open_objects(schema: Json, expected: Any) -> None:
    assert pruned({"k": {"x": 1}, "n": {"y": 2}}, {"type": "object", **schema})[0] == expected


def test_nulls_go_stay_or_become_the_default() -> None:
    schema = Structural(
        {
            "type": "object",
            "properties": {
                "plain": TEXT,
                "nullable": {**TEXT, "nullable": True},
                "defaulted": {**TEXT, "default": "d"},
                "both": {**TEXT, "default": "d", "nullable": True},
            },
        }
    )
    value = dict.fromkeys(("plain", "nullable", "defaulted", "both", "unknown"))
    kept = defaulting.drop_nulls(value, schema)
    assert kept == {"nullable": None, "defaulted": None, "both": None, "unknown": None}
    assert defaulting.default(kept, schema) == {"nullable": None, "defaulted": "d", "both": None, "unknown": None}


def test_defaults_of_what_is_inside_come_only_with_their_object() -> None:
    inner = {"type": "object", "properties": {"x": {**TEXT, "default": "d"}}}
    schema = Structural({"type": "object", "properties": {"a": inner, "b": {**inner, "default": {}}}})
    assert defaulting.default({}, schema) == {"b": {"x": "d"}}
    assert defaulting.default({"a": {}}, schema) == {"a": {"x": "d"}, "b": {"x": "d"}}


def test_no_two_objects_share_a_default() -> None:
    schema = Structural({"type": "object", "properties": {"l": {"type": "array", "items": TEXT, "default": ["x"]}}})
    one, other = defaulting.default({}, schema), defaulting.default({}, schema)
    one["l"].append("y")
    assert other["l"] == ["x"]


def test_sets_and_maps_name_each_item_once() -> None:
    item = {"type": "object", "properties": {"n": TEXT, "p": TEXT}}
    schema = Structural(
        {
            "type": "object",
            "properties": {
                "s": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
                "m": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["n"],
                    "items": item,
                },
            },
        }
    )
    found = lists.check({"s": ["a", "b", "a", "a"], "m": [{"n": "x"}, {"n": "y"}, {"n": "x", "p": "z"}]}, schema)
    assert [str(error) for error in found] == ['s[2]: Duplicate value: "a"', 'm[2]: Duplicate value: {"n":"x"}']


def test_embedded_objects_are_checked_like_objects() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    schema = Structural({"type": "object", "properties": {"e": embedded}})
    unknown: list[str] = []
    value = {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "wrong": 1}, "spec": {"any": 1}}}
    found = metadata.coerced(value, schema, unknown)
    assert found["e"]["metadata"] == {"name": "x"}
    assert unknown == ["e.metadata.wrong"]
    bad = {"e": {"kind": "1x", "metadata": {"labels": {"a b": "c"}}}}
    told = [f"{error.field}: {error.type}" for error in metadata.check(bad, schema)]
    assert told == [
        "e.apiVersion: FieldValueRequired",
        "e.kind: FieldValueInvalid",
        "e.metadata.labels: FieldValueInvalid",
    ]
    with pytest.raises(metadata.WrongMetadata, match="must be a string"):
        metadata.coerced({"e": {"kind": 1}}, schema, [])


# ── properties ──

names = st.sampled_from(["a", "b", "c", "metadata"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "x"]))
documents = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(names, below, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(names, documents, max_size=4)


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3) -> Json:
    kind = draw(st.sampled_from(["string", "integer", "object", "array"] if depth else ["string", "integer"]))
    schema: Json = {"type": kind}
    if draw(st.booleans()):
        schema["nullable"] = True
    if kind == "object":
        if draw(st.booleans()):
            schema["properties"] = draw(st.dictionaries(names, schemas(depth - 1), max_size=3))
        elif draw(st.booleans()):
            schema["additionalProperties"] = draw(schemas(depth - 1))
        if draw(st.booleans()):
            schema["x-kubernetes-preserve-unknown-fields"] = True
        if draw(st.booleans()):
            schema["default"] = {}
    elif kind == "array":
        schema["items"] = draw(schemas(depth - 1))
    elif draw(st.booleans()):
        schema["default"] = "d" if kind == "string" else 7
    return schema


def cleaned(value: Any, schema: Structural) -> Any:
    return defaulting.default(defaulting.drop_nulls(pruning.prune(value, schema, root=True), schema), schema)


@given(objects, schemas())
def test_a_second_cleaning_changes_nothing(value: Json, found: Json) -> None:
    schema = Structural({**found, "type": "object"})
    once = cleaned(value, schema)
    assert cleaned(defaulting.copied(once), schema) == once


@given(objects, schemas())
def test_the_argument_is_never_changed(value: Json, found: Json) -> None:
    schema = Structural({**found, "type": "object"})
    before = defaulting.copied(value)
    cleaned(value, schema)
    assert value == before


@given(objects, schemas())
def test_nothing_is_told_of_what_was_pruned_already(value: Json, found: Json) -> None:
    schema = Structural({**found, "type": "object"})
    unknown: list[str] = []
    pruning.prune(pruning.prune(value, schema, root=True), schema, root=True, unknown=unknown)
    assert unknown == []
