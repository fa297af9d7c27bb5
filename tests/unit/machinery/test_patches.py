from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import schema
from pybernetes.machinery.patch import json_patch, merge_patch, strategic

Json = dict[str, Any]

values = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 3), st.text("ab", max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("xyz", max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text("xyz", max_size=1), values, max_size=3)


@given(objects, objects)
def test_the_merge_patch_between_two_objects_turns_one_into_the_other(old: Json, new: Json) -> None:
    assert merge_patch.apply(old, merge_patch.diff(old, new)) == new


@given(objects, objects)
def test_a_merge_patch_applied_twice_changes_nothing_more(old: Json, patch: Json) -> None:
    once = merge_patch.apply(old, patch)
    assert merge_patch.apply(once, patch) == once


def test_null_deletes_also_in_what_is_new() -> None:
    assert merge_patch.apply({"a": 1}, {"a": None, "b": {"c": None, "d": 1}}) == {"b": {"d": 1}}


@pytest.mark.parametrize(
    ("row", "operations", "expected"),
    [
        ("add to an object", [{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ("add replaces", [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ("insert into a list", [{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ("append", [{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9]}),
        ("remove", [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ("replace", [{"op": "replace", "path": "/a/0", "value": 5}], {"a": [5, 2]}),
        ("move", [{"op": "move", "from": "/a/0", "path": "/b"}], {"a": [2], "b": 1}),
        ("copy", [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1, 2], "b": [1, 2]}),
        ("test that holds", [{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
        ("test that something is absent", [{"op": "test", "path": "/zz", "value": None}], {"a": [1, 2]}),
        ("escaped keys", [{"op": "add", "path": "/x~1y~0", "value": 1}], {"a": [1, 2], "x/y~": 1}),
    ],
)
def test_json_patch_operations(row: str, operations: list[Json], expected: Json) -> None:
    document = {"a": [1, 2]}
    assert json_patch.apply(document, operations) == expected, row
    assert document == {"a": [1, 2]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "remove", "path": "/zz"},
        {"op": "replace", "path": "/zz", "value": 1},
        {"op": "add", "path": "/a/7", "value": 1},
        {"op": "add", "path": "/zz/y", "value": 1},
        {"op": "add", "path": "/b"},
        {"op": "jump", "path": "/a"},
        {"op": "copy", "from": "/zz", "path": "/b"},
    ],
)
def test_operations_that_do_not_fit_are_refused(operation: Json) -> None:
    with pytest.raises(json_patch.PatchError):
        json_patch.apply({"a": [1, 2]}, [operation])


def test_a_patch_that_is_no_list_is_malformed() -> None:
    with pytest.raises(json_patch.MalformedPatchError):
        json_patch.apply({}, {"op": "add"})


@given(objects, st.text("xyz", min_size=1, max_size=1), values)
def test_add_then_remove_gives_back_the_rest(document: Json, key: str, value: Any) -> None:
    rest = {k: v for k, v in document.items() if k != key}
    operations = [{"op": "add", "path": f"/{key}", "value": value}, {"op": "remove", "path": f"/{key}"}]
    assert json_patch.apply(document, operations) == rest


POD = schema.type_of("core.v1.Pod")
DEPLOYMENT = schema.type_of("apps.v1.Deployment")


def spec(*containers: Json, **more: Any) -> Json:
    return {"spec": {"containers": list(containers), **more}}


A, B, C = {"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "1"}


@pytest.mark.parametrize(
    ("row", "document", "patch", "expected"),
    [
        ("items merge by name", spec(A, B), spec({"name": "b", "image": "2"}), spec(A, {"name": "b", "image": "2"})),
        ("new items are appended", spec(A), spec(B), spec(A, B)),
        ("an item is deleted", spec(A, B), spec({"name": "a", "$patch": "delete"}), spec(B)),
        ("a list is replaced", spec(A, B), spec(C, {"$patch": "replace"}), spec(C)),
        (
            "an object is replaced",
            {"metadata": {"labels": {"x": "1"}, "name": "p"}},
            {"metadata": {"labels": {"$patch": "replace", "y": "2"}}},
            {"metadata": {"labels": {"y": "2"}, "name": "p"}},
        ),
        (
            "an object is deleted",
            {"spec": {"securityContext": {"runAsUser": 1}, "nodeName": "n"}},
            {"spec": {"securityContext": {"$patch": "delete"}}},
            {"spec": {"nodeName": "n"}},
        ),
        ("null deletes a field", spec(A, nodeName="n"), {"spec": {"nodeName": None}}, spec(A)),
        (
            "scalars merge as a set",
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"finalizers": ["y", "z"]}},
            {"metadata": {"finalizers": ["x", "y", "z"]}},
        ),
        (
            "scalars are deleted by a directive",
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}},
            {"metadata": {"finalizers": ["y"]}},
        ),
        (
            "the order of items is set",
            spec(A, B),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
            spec(B, A),
        ),
        (
            "what only the server has keeps its place",
            spec(A, B, C),
            {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [A]}},
            spec(B, C, A),
        ),
        (
            "retained keys push out the others",
            {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
            {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
            {"spec": {"strategy": {"type": "Recreate"}}},
        ),
        (
            "atomic lists are replaced",
            spec({"name": "a", "args": ["1", "2"]}),
            spec({"name": "a", "args": ["3"]}),
            spec({"name": "a", "args": ["3"]}),
        ),
        (
            "items merge in depth",
            spec({"name": "a", "env": [{"name": "X", "value": "1"}]}),
            spec({"name": "a", "env": [{"name": "Y", "value": "2"}]}),
            spec({"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}),
        ),
    ],
)
def test_strategic_merge(row: str, document: Json, patch: Json, expected: Json) -> None:
    schema_type = DEPLOYMENT if "strategy" in document.get("spec", {}) else POD
    assert strategic.apply(document, patch, schema_type) == expected, row


def test_a_volume_that_changes_its_source_loses_the_old_one() -> None:
    document = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    patch = {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}}
    assert strategic.apply(document, patch, POD) == {"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}}


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"containers": [{"image": "x"}]}},
        {"spec": {"containers": [{"name": "a", "$patch": "twist"}]}},
        {"$patch": "twist"},
        {"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [A]}},
        {"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}},
    ],
)
def test_illegal_directives_are_refused(patch: Json) -> None:
    with pytest.raises(strategic.StrategicPatchError):
        strategic.apply(spec(A), patch, POD)


@given(objects, objects)
def test_without_lists_that_merge_it_is_a_merge_patch(document: Json, patch: Json) -> None:
    wrapped = strategic.apply({"other": document}, {"other": patch}, POD)
    assert wrapped == {"other": merge_patch.apply(document, patch)}


def test_a_copy_is_independent_of_its_original() -> None:
    operations = [
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "add", "path": "/b/y/-", "value": 2},
    ]
    document: Json = {"a": {"y": []}}
    assert json_patch.apply(document, operations) == {"a": {"y": [], "x": 1}, "b": {"y": [2]}}
    assert document == {"a": {"y": []}}


def test_values_of_a_patch_are_not_changed_by_its_later_operations() -> None:
    operations = [{"op": "add", "path": "/a", "value": {"x": []}}, {"op": "add", "path": "/a/x/-", "value": 1}]
    assert json_patch.apply({}, operations) == json_patch.apply({}, operations) == {"a": {"x": [1]}}


def test_copies_that_double_themselves_are_refused() -> None:
    operations = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 100
    with pytest.raises(json_patch.PatchError, match="accumulated size increase of copy"):
        json_patch.apply({"a": ["x" * 1000]}, operations)


def test_many_items_merge_in_time_that_grows_with_their_number() -> None:
    # 30,000 × 30,000 comparisons would take minutes.
    items = [{"name": f"c{number}"} for number in range(30_000)]
    patch = {"containers": items, "$setElementOrder/containers": items}
    patched = strategic.apply({"containers": items[::-1]}, patch, schema.type_of("core.v1.PodSpec"))
    assert patched["containers"] == items
    finalizers = [str(number) for number in range(30_000)]
    removal = {"$deleteFromPrimitiveList/finalizers": finalizers}
    emptied = strategic.apply({"finalizers": finalizers}, removal, schema.type_of("meta.v1.ObjectMeta"))
    assert emptied == {"finalizers": []}
