"""Rules of schemas: what they see, what they say, what they may cost."""

from typing import Any

import pytest

from pybernetes.api.structural import cel_rules, shape_rules
from pybernetes.api.structural.schema import Structural

Json = dict[str, Any]


def place(rules: list[Json], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "x-kubernetes-validations": rules}


def told(schema: Json, value: Any, old: Any = None, *, update: bool = False) -> list[str]:
    node = cel_rules.compiled(Structural(schema))
    assert node is not None
    evaluation = cel_rules.Evaluation()
    evaluation.run(node, value, old, update=update)
    return [str(error) for error in evaluation.errors]


INTEGER: Json = {"type": "integer"}


def test_a_rule_that_fails_is_named() -> None:
    schema = place([{"rule": "self.min <= self.max"}], min=INTEGER, max=INTEGER)
    assert told(schema, {"min": 1, "max": 2}) == []
    assert told(schema, {"min": 2, "max": 1}) == ["<nil>: Invalid value: failed rule: self.min <= self.max"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"message": "too small"}, "spec: Invalid value: too small"),
        ({"messageExpression": "'min is ' + string(self.min)"}, "spec: Invalid value: min is 5"),
        ({"messageExpression": "'a\\nb'", "message": "fallback"}, "spec: Invalid value: fallback"),
        ({"fieldPath": ".min", "message": "no"}, "spec.min: Invalid value: no"),
        ({"reason": "FieldValueForbidden", "message": "no"}, "spec: Forbidden: no"),
        ({"reason": "FieldValueRequired", "message": "no"}, "spec: Required value: no"),
    ],
)
def test_a_rule_chooses_its_words_place_and_reason(rule: Json, expected: str) -> None:
    inner = place([{"rule": "self.min < 3", **rule}], min=INTEGER)
    schema = {"type": "object", "properties": {"spec": inner}}
    assert told(schema, {"spec": {"min": 5}}) == [expected]


def test_scalars_show_their_value() -> None:
    schema = {"type": "object", "properties": {"n": {**INTEGER, "x-kubernetes-validations": [{"rule": "self > 0"}]}}}
    assert told(schema, {"n": -1}) == ["n: Invalid value: -1: failed rule: self > 0"]


def test_rules_about_the_past_are_asked_only_where_there_is_one() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {**INTEGER, "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}},
    }
    assert told(schema, {"n": 1}) == []
    assert told(schema, {"n": 1}, {}, update=True) == []
    assert told(schema, {"n": 1}, {"n": 2}, update=True) == ["n: Invalid value: 1: failed rule: self >= oldSelf"]


def test_an_optional_past_is_asked_always() -> None:
    rule = {"rule": "!oldSelf.hasValue() || oldSelf.value() == self", "optionalOldSelf": True, "message": "fixed"}
    schema = {"type": "object", "properties": {"n": {**INTEGER, "x-kubernetes-validations": [rule]}}}
    assert told(schema, {"n": 1}) == []
    assert told(schema, {"n": 1}, {"n": 2}, update=True) == ["n: Invalid value: 1: fixed"]


def test_items_of_a_list_map_are_compared_with_their_former_selves() -> None:
    items = place([{"rule": "self.v >= oldSelf.v", "message": "down"}], name={"type": "string"}, v=INTEGER)
    listed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": items,
    }
    schema = {"type": "object", "properties": {"l": listed}}
    old = {"l": [{"name": "a", "v": 1}, {"name": "b", "v": 5}]}
    new = {"l": [{"name": "b", "v": 4}, {"name": "a", "v": 2}, {"name": "c", "v": 0}]}
    assert told(schema, new, old, update=True) == ["l[0]: Invalid value: down"]


def test_an_unchanged_part_is_not_held_against_an_update() -> None:
    inner = place([{"rule": "self.n > 0", "message": "no"}], n=INTEGER)
    schema = {"type": "object", "properties": {"a": inner, "b": INTEGER}}
    assert told(schema, {"a": {"n": 0}, "b": 2}, {"a": {"n": 0}, "b": 1}, update=True) == []
    assert told(schema, {"a": {"n": -1}, "b": 1}, {"a": {"n": 0}, "b": 1}, update=True) == ["a: Invalid value: no"]


def static(schema: Json) -> list[str]:
    rules = cel_rules.StaticRules()
    return [str(error) for error in [*shape_rules.check(schema, "s", rules), *rules.together("s")]]


def test_rules_that_do_not_compile_are_refused() -> None:
    (found,) = static(place([{"rule": "self.nothing > 1"}], n=INTEGER))
    assert found.startswith(
        's.x-kubernetes-validations[0].rule: Invalid value: apiextensions.ValidationRule{Rule:"self.'
    )
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'nothing'" in found
    (found,) = static(place([{"rule": "self.n"}], n=INTEGER))
    assert found.endswith("cel expression must evaluate to a bool")


def test_rules_that_may_cost_too_much_are_refused() -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    found = static(place([{"rule": "self.l.all(x, self.l.all(y, x == y))"}], l=texts))
    assert found[0].startswith(
        "s.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x"
    )
    assert found[-1].startswith("s: Forbidden: x-kubernetes-validations estimated rule cost total")
    bounded = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 10}}
    assert static(place([{"rule": "self.l.all(x, self.l.all(y, x == y))"}], l=bounded)) == []


def test_the_past_cannot_be_read_where_parts_have_no_identity() -> None:
    items = {"type": "array", "items": {**INTEGER, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}
    (found,) = static({"type": "object", "properties": {"l": {**items, "maxItems": 5}}})
    assert found.endswith("oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[l]")
