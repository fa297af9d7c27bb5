from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.machinery.managed_fields import compare, sets
from pybernetes.machinery.managed_fields.plans import Kind, Plan

Trie = dict[str, Any]

steps = st.sampled_from(["f:a", "f:b", 'k:{"name":"c"}'])
Path = tuple[str, ...]
members = st.sets(st.lists(steps, min_size=1, max_size=3).map(tuple), max_size=6)


def trie(paths: set[Path]) -> Trie:
    """The slow way: a tree with a flag per node."""
    root: Trie = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, {"": False, "children": {}})["children"]
    for path in paths:
        node, last = root, None
        for step in path:
            last = node[step]
            node = last["children"]
        assert last is not None
        last[""] = True

    def write(nodes: Trie) -> Trie:
        result = {}
        for step, node in nodes.items():
            below = write(node["children"])
            result[step] = {".": {}, **below} if node[""] and below else below
        return result

    return write(root)


def paths(node: Trie, prefix: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for step, child in node.items():
        if step == ".":
            continue
        path = (*prefix, step)
        if sets.is_member(child):
            found.add(path)
        found |= paths(child, path)
    return found


@given(members)
def test_tries_hold_their_paths(one: set[Path]) -> None:
    assert paths(trie(one)) == one


@given(members, members)
def test_operations_agree_with_sets_of_paths(one: set[Path], other: set[Path]) -> None:
    assert paths(sets.union(trie(one), trie(other))) == one | other
    assert paths(sets.difference(trie(one), trie(other))) == one - other
    assert paths(sets.intersection(trie(one), trie(other))) == one & other


@given(members, members)
def test_recursive_difference_takes_what_lies_below(one: set[Path], other: set[Path]) -> None:
    expected = {path for path in one if not any(path[: len(p)] == p for p in other)}
    assert paths(sets.recursive_difference(trie(one), trie(other))) == expected


@given(members)
def test_no_empty_branches_are_left(one: set[Path]) -> None:
    assert sets.difference(trie(one), trie(one)) == {}
    assert sets.intersection(trie(one), {}) == {}


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        ("f:spec", ".spec"),
        ('k:{"name":"c"}', '[name="c"]'),
        ('k:{"containerPort":80,"protocol":"TCP"}', '[containerPort=80,protocol="TCP"]'),
        ('v:"x"', '[="x"]'),
    ],
)
def test_steps_are_shown_as_upstream_shows_them(step: str, shown: str) -> None:
    assert sets.show(step) == shown


def test_named_fields_on_the_way_become_members() -> None:
    assert sets.with_named_fields({"f:a": {'k:{"name":"c"}': {"f:b": {}}}}) == {
        "f:a": {".": {}, 'k:{"name":"c"}': {"f:b": {}}}
    }


names = st.lists(st.sampled_from("abcde"), unique=True, max_size=5)


@given(names, names)
def test_merged_lists_keep_both_orders_where_they_can(live: list[str], applied: list[str]) -> None:
    merged = compare.merge(live, applied, Plan(Kind.SET))
    assert sorted(merged) == sorted(set(live) | set(applied))
    assert [name for name in merged if name in applied] == applied
    only_live = [name for name in live if name not in applied]
    assert [name for name in merged if name in only_live] == only_live


def test_the_worked_example_of_merged_lists() -> None:
    assert compare.merge(["a", "b", "c"], ["c", "x", "a"], Plan(Kind.SET)) == ["b", "c", "x", "a"]
