"""Sets of fields as tries, in the very form `fieldsV1` writes them.

    {"f:spec": {"f:replicas": {},                         spec.replicas is in the set
                "f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}}}}}

A step is `f:NAME` (field or key), `k:{…}` (item of a list of named items) or `v:VALUE` (item of a set). A node is a
member when it is empty or holds `"."`; the root never is. Nothing here changes its arguments; results may share nodes.

Follows: structured-merge-diff fieldpath/{set,serialize,element}.go.
"""

from typing import Any, Final

import orjson

Trie = dict[str, Any]

SELF: Final = "."
_LEAF: Final[Trie] = {}


def is_member(node: Trie) -> bool:
    return not node or SELF in node


def as_member(node: Trie) -> Trie:
    """The node with itself in the set."""
    return {SELF: _LEAF, **node} if node and SELF not in node else node


def union(one: Trie, other: Trie) -> Trie:
    """Everything in either."""
    if not one or not other:
        return one or other
    result = dict(one)
    for step, node in other.items():
        present = result.get(step)
        result[step] = node if present is None or step == SELF else _union_below(present, node)
    return result


def _union_below(one: Trie, other: Trie) -> Trie:
    if not one:
        return as_member(other)
    if not other:
        return as_member(one)
    return union(one, other)


def difference(one: Trie, other: Trie) -> Trie:
    """What is in `one` and not in `other`, path by path."""
    result = {}
    for step, node in one.items():
        if step == SELF:
            continue
        against = other.get(step)
        if against is None:
            result[step] = node
            continue
        children = difference(node, against)
        if is_member(node) and not is_member(against):
            result[step] = as_member(children)
        elif children:
            result[step] = children
    return result


def recursive_difference(one: Trie, other: Trie) -> Trie:
    """What is in `one` and neither in `other` nor below a member of it."""
    result = {}
    for step, node in one.items():
        against = other.get(step)
        if against is None or step == SELF:
            result[step] = node
        elif not is_member(against):
            children = recursive_difference(node, against)
            if children or not node:
                result[step] = children
    return result


def intersection(one: Trie, other: Trie) -> Trie:
    """What is in both."""
    result = {}
    for step, node in one.items():
        against = other.get(step)
        if against is None or step == SELF:
            continue
        children = intersection(node, against)
        if is_member(node) and is_member(against):
            result[step] = as_member(children)
        elif children:
            result[step] = children
    return result


def with_named_fields(trie: Trie) -> Trie:
    """The set with every field on the way to a member in it. Follows: EnsureNamedFieldsAreMembers."""
    result = {}
    for step, node in trie.items():
        below = with_named_fields(node)
        result[step] = as_member(below) if step.startswith("f:") else below
    return result


def paths(trie: Trie) -> list[str]:
    """The members as messages show them: `.spec.containers[name="c"].image`."""
    found: list[str] = []
    _collect(trie, "", found)
    return found


def _collect(trie: Trie, prefix: str, found: list[str]) -> None:
    for step in sorted(trie):
        if step == SELF:
            continue
        path = prefix + show(step)
        if is_member(trie[step]):
            found.append(path)
        _collect(trie[step], path, found)


def show(step: str) -> str:
    """One step as messages show it."""
    kind, _, text = step.partition(":")
    match kind:
        case "f":
            return f".{text}"
        case "k":
            keys = orjson.loads(text)
            return f"[{','.join(f'{name}={orjson.dumps(value).decode()}' for name, value in sorted(keys.items()))}]"
        case "v":
            return f"[={text}]"
        case _:
            return f"[{text}]"
