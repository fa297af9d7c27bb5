"""Documents and sets of fields: which fields a document has, and which differ between two.

Follows: structured-merge-diff typed/{tofieldset,compare,merge,remove}.go.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pybernetes.machinery.managed_fields.plans import Kind, Plan
from pybernetes.machinery.managed_fields.sets import SELF, Trie, as_member, is_member

Json = dict[str, Any]


class Difference(NamedTuple):
    """Fields that only the new document has, that differ, and that only the old one has."""

    added: Trie
    modified: Trie
    removed: Trie

    @property
    def empty(self) -> bool:
        return not (self.added or self.modified or self.removed)


def field_set(value: Any, plan: Plan) -> Trie:
    """The fields an applied document claims. Structs are not claimed themselves, map keys and items are."""
    match plan.kind:
        case Kind.STRUCT | Kind.MAP if type(value) is dict:
            result = {}
            for key, item in value.items():
                child = plan.child(key)
                node = field_set(item, child)
                known = plan.kind is Kind.STRUCT and key in plan.fields
                if not node and child.kind in {Kind.ITEMS, Kind.SET} and type(item) is list:
                    continue
                result[f"f:{key}"] = node if known else as_member(node)
            return result
        case Kind.ITEMS | Kind.SET if type(value) is list:
            return {plan.item_step(item): as_member(_item_set(item, plan)) for item in value}
        case _:
            return {}


def _item_set(item: Any, plan: Plan) -> Trie:
    return field_set(item, plan.element) if plan.element is not None else {}


def everything(value: Any, plan: Plan) -> Trie:
    """All below a value that was not there before, each node a member of its own."""
    return _without_self(plan.owned(value))


def _without_self(node: Trie) -> Trie:
    return {step: below for step, below in node.items() if step != SELF}


def compare(old: Json, new: Json, plan: Plan) -> Difference:
    """What differs from `old` to `new`."""
    difference = Difference({}, {}, {})
    _compare(old, new, plan, difference)
    return difference


def _compare(old: Any, new: Any, plan: Plan, into: Difference) -> bool:
    """Fill `into`; True when the values differ as a whole, which is the caller's to note."""
    if plan.kind in {Kind.STRUCT, Kind.MAP} and type(old) is dict and type(new) is dict:
        _compare_objects(old, new, plan, into)
        return False
    if plan.kind in {Kind.ITEMS, Kind.SET} and type(old) is list and type(new) is list:
        _compare_lists(old, new, plan, into)
        return False
    return True


def _compare_objects(old: Json, new: Json, plan: Plan, into: Difference) -> None:
    fields: Mapping[str, Any] = plan.fields if plan.kind is Kind.STRUCT else {}
    for key, item in new.items():
        before = old.get(key, _ABSENT)
        if before is item or before == item:
            continue
        known = fields.get(key)
        child = known.plan if known is not None else plan.child(key)
        step = known.step if known is not None else f"f:{key}"
        if before is _ABSENT:
            node = child.owned(item)
            if known is not None and known.always_written and child.kind is not Kind.LEAF:
                if node := _without_self(node):
                    into.added[step] = node
            else:
                into.added[step] = node
        else:
            _note(before, item, child, step, into)
    for key, before in old.items():
        if key in new:
            continue
        known = fields.get(key)
        child = known.plan if known is not None else plan.child(key)
        step = known.step if known is not None else f"f:{key}"
        node = child.owned(before)
        if known is not None and known.always_written and child.kind is not Kind.LEAF:
            if node := _without_self(node):
                into.removed[step] = node
        else:
            into.removed[step] = node


_ABSENT = object()


def _note(before: Any, item: Any, plan: Plan, step: str, into: Difference) -> None:
    below = Difference({}, {}, {})
    if _compare(before, item, plan, below):
        into.modified[step] = {}
        return
    for whole, part in zip(into, below, strict=True):
        if part:
            whole[step] = part


def _compare_lists(old: list[Any], new: list[Any], plan: Plan, into: Difference) -> None:
    stored = {plan.item_step(item): item for item in old}
    wanted = {plan.item_step(item): item for item in new}
    for step, item in wanted.items():
        if step not in stored:
            into.added[step] = _item_owned(item, plan)
        elif plan.element is not None and stored[step] != item:
            _note(stored[step], item, plan.element, step, into)
    for step, item in stored.items():
        if step not in wanted:
            into.removed[step] = _item_owned(item, plan)


def _item_owned(item: Any, plan: Plan) -> Trie:
    return plan.element.owned(item) if plan.element is not None else {}


def merge(live: Any, applied: Any, plan: Plan) -> Any:
    """The live value with the applied one laid over it; neither is changed."""
    match plan.kind:
        case Kind.STRUCT | Kind.MAP if type(live) is dict and type(applied) is dict:
            result = dict(live)
            for key, item in applied.items():
                result[key] = merge(live[key], item, plan.child(key)) if key in live else item
            return result
        case Kind.ITEMS | Kind.SET if type(live) is list and type(applied) is list:
            return _merge_lists(live, applied, plan)
        case _:
            return applied


def _merge_lists(live: list[Any], applied: list[Any], plan: Plan) -> list[Any]:
    """Shared items in the applied order; what only one list has keeps its place between them, live items first.

    live a b c, applied c x a:  b stays before c, then c, x, a  →  b c x a

    Follows: structured-merge-diff typed/merge.go, visitListItems.
    """
    wanted: dict[str, Any] = {}
    for item in applied:
        step = plan.item_step(item)
        if step in wanted:
            raise DuplicateItem(step)
        wanted[step] = item
    stored = {plan.item_step(item): item for item in live}
    left, right = list(stored), list(wanted)
    shared = [step for step in right if step in stored]
    result: list[Any] = []
    taken: set[str] = set()
    at_left = at_right = at_shared = 0

    def take(step: str) -> None:
        taken.add(step)
        if step not in stored or plan.element is None:
            result.append(wanted[step])
        else:
            result.append(merge(stored[step], wanted[step], plan.element))

    while at_left < len(left) or at_right < len(right):
        step = left[at_left] if at_left < len(left) else ""
        following = shared[at_shared] if at_shared < len(shared) else None
        if step and at_right < len(right):
            if step == right[at_right]:
                take(step)
                at_left, at_right, at_shared = at_left + 1, at_right + 1, at_shared + 1
                continue
            if step in wanted and following is not None and step != following:
                at_left += 1  # a shared item whose turn comes later, or came before
                continue
        if step and step not in wanted:
            result.append(stored[step])
            at_left += 1
            continue
        if step in taken:
            at_left += 1
        if at_right < len(right):
            take(right[at_right])
            at_shared += right[at_right] == following
            at_right += 1
    return result


class DuplicateItem(ValueError):
    """An applied list names the same item twice."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


def remove(value: Any, doomed: Trie, plan: Plan) -> Any:
    """The value without the members of `doomed` and all below them."""
    match plan.kind:
        case Kind.STRUCT | Kind.MAP if type(value) is dict:
            result = {}
            for key, item in value.items():
                node = doomed.get(f"f:{key}")
                if node is None:
                    result[key] = item
                elif not is_member(node):
                    result[key] = remove(item, node, plan.child(key))
            return result
        case Kind.ITEMS | Kind.SET if type(value) is list:
            kept = []
            for item in value:
                node = doomed.get(plan.item_step(item))
                if node is None:
                    kept.append(item)
                elif not is_member(node) and plan.element is not None:
                    kept.append(remove(item, node, plan.element))
            return kept
        case _:
            return value


def undeclared(value: Any, plan: Plan, path: str = "") -> list[str]:
    """Paths of fields the schema does not have, with a leading dot."""
    match plan.kind:
        case Kind.STRUCT if type(value) is dict:
            found = []
            for key, item in value.items():
                known = plan.fields.get(key)
                if known is None:
                    if not plan.allows_unknown:
                        found.append(f"{path}.{key}")
                else:
                    found += undeclared(item, known.plan, f"{path}.{key}")
            return found
        case Kind.ITEMS if type(value) is list and plan.element is not None:
            shown = []
            for item in value:
                from_item = undeclared(item, plan.element, path)
                shown += from_item
            return shown
        case _:
            return []
