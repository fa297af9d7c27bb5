"""Values against schemas: the texts users know, and ratcheting."""

from typing import Any

import pytest

from pybernetes.api.structural import formats, values
from pybernetes.api.structural.schema import Structural

Json = dict[str, Any]


def told(value: Any, schema: Json) -> list[str]:
    return [str(error) for error in values.check(value, schema)]


def field(schema: Json) -> Json:
    return {"type": "object", "properties": {"f": schema}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, "x", 'f: Invalid value: "string": f in body must be of type integer: "string"'),
        ({"type": "integer"}, 1.0, None),
        ({"type": "number"}, 1, None),
        ({"type": "string"}, None, 'f: Invalid value: "null": f in body must be of type string: "null"'),
        ({"type": "string", "nullable": True}, None, None),
        ({"x-kubernetes-int-or-string": True}, "a", None),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            'f: Invalid value: "boolean": f in body must be of type integer,string: "boolean"',
        ),
        ({"type": "string", "maxLength": 2}, "abc", "f: Too long: may not be more than 2 bytes"),
        ({"type": "string", "minLength": 2}, "a", 'f: Invalid value: "a": f in body should be at least 2 chars long'),
        ({"type": "string", "pattern": "^a+$"}, "b", "f: Invalid value: \"b\": f in body should match '^a+$'"),
        ({"type": "string", "enum": ["b", "a"]}, "c", 'f: Unsupported value: "c": supported values: "b", "a"'),
        ({"type": "integer", "enum": [1]}, True, None),
        ({"type": "integer", "minimum": 1}, 0, "f: Invalid value: 0: f in body should be greater than or equal to 1"),
        (
            {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
            1.5,
            "f: Invalid value: 1.5: f in body should be less than 1.5",
        ),
        ({"type": "integer", "multipleOf": 3}, 4, "f: Invalid value: 4: f in body should be a multiple of 3"),
        ({"type": "array", "items": {}, "maxItems": 1}, [1, 2], "f: Too many: 2: must have at most 1 items"),
        (
            {"type": "array", "items": {}, "minItems": 1},
            [],
            "f: Invalid value: 0: f in body should have at least 1 items",
        ),
        ({"type": "object", "required": ["r"]}, {}, "f.r: Required value"),
        ({"type": "object", "maxProperties": 0}, {"a": 1}, "f: Too many: 1: must have at most 0 items"),
        (
            {"type": "string", "format": "date"},
            "x",
            'f: Invalid value: "x": f in body must be of type date: "x"',
        ),
        ({"type": "string", "format": "nonsense"}, "x", None),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f',
        ),
    ],
)
def test_one_field(schema: Json, value: Any, expected: str | None) -> None:
    found = told({"f": value}, field(schema))
    if expected is None and schema.get("enum"):
        assert found  # true is not 1
    else:
        assert found == ([expected] if expected else [])


def test_a_fraction_is_told_twice_where_an_integer_is_wanted() -> None:
    assert told({"f": 1.5}, field({"type": "integer"})) == [
        'f: Invalid value: "number": f in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in f',
    ]


def test_items_and_map_values_are_told_with_their_places() -> None:
    listed = field({"type": "array", "items": {"type": "string"}})
    assert told({"f": ["a", 1]}, listed) == [
        'f[1]: Invalid value: "integer": f[1] in body must be of type string: "integer"'
    ]
    mapped = field({"type": "object", "additionalProperties": {"type": "string"}})
    assert told({"f": {"k": 1}}, mapped) == [
        'f.k: Invalid value: "integer": f.k in body must be of type string: "integer"'
    ]


def test_the_junctors_have_upstreams_words() -> None:
    either = [{"required": ["a"]}, {"required": ["b"]}]
    schema = {"type": "object"}
    nothing: Json = {"f": {}}
    assert told(nothing, field({**schema, "anyOf": either})) == [
        '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)',
        "f.a: Required value",
    ]
    assert told(nothing, field({**schema, "oneOf": either}))[0] == (
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found none valid'
    )
    assert told({"f": {"a": 1, "b": 1}}, field({**schema, "oneOf": either})) == [
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert told({"f": {"a": 1}}, field({**schema, "allOf": either})) == [
        "f.b: Required value",
        '<nil>: Invalid value: "": "f" must validate all the schemas (allOf)',
    ]
    assert told({"f": {"a": 1}}, field({**schema, "not": either[0]})) == [
        '<nil>: Invalid value: "": "f" must not validate the schema (not)'
    ]


def ratcheted(new: Any, old: Any, schema: Json) -> list[str]:
    return [error.field for error in values.check(new, schema, old=old, structural=Structural(schema))]


def test_an_unchanged_field_is_forgiven_a_changed_one_is_not() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "string"}}}
    assert ratcheted({"a": 1, "b": "new"}, {"a": 1, "b": "old"}, schema) == []
    assert ratcheted({"a": 2, "b": "old"}, {"a": 1, "b": "old"}, schema) == ["a"]


def test_items_are_forgiven_where_they_have_names() -> None:
    item = {"type": "object", "properties": {"n": {"type": "string"}, "v": {"type": "integer", "minimum": 5}}}
    named = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    old, new = [{"n": "a", "v": 1}], [{"n": "b", "v": 9}, {"n": "a", "v": 1}]
    listed = {"type": "array", "items": item}
    assert ratcheted({"l": new}, {"l": old}, {"type": "object", "properties": {"l": {**listed, **named}}}) == []
    assert ratcheted({"l": new}, {"l": old}, {"type": "object", "properties": {"l": listed}}) == ["l[1].v"]


GOOD_AND_BAD = {
    "ipv4": ("10.0.0.1", "::1"),
    "ipv6": ("::1", "10.0.0.1"),
    "cidr": ("10.0.0.0/8", "10.0.0.1"),
    "mac": ("01:02:03:04:05:06", "01:02"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "123"),
    "uuid4": ("123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    "date": ("2024-02-29", "2023-02-29"),
    "date-time": ("2024-01-01T00:00:00.5Z", "2024-01-01 00:00"),
    "duration": ("1h30m", "soon"),
    "email": ("a@example.com", "a"),
    "hostname": ("a.example.com", "-a"),
    "uri": ("https://example.com/a", "no uri"),
    "byte": ("YQ==", "Y"),
    "hexcolor": ("#ffffff", "#ggg"),
    "rgbcolor": ("rgb(1,2,3)", "rgb(1,2)"),
    "isbn": ("0321751043", "0321751044"),
    "isbn13": ("978-0321751041", "978-0321751042"),
    "ssn": ("111-22-3333", "1-2-3"),
    "k8s-short-name": ("abc-1", "A"),
    "k8s-long-name": ("a.b", "a..b"),
}


@pytest.mark.parametrize("name", sorted(GOOD_AND_BAD))
def test_formats_take_the_good_and_refuse_the_bad(name: str) -> None:
    check = formats.text_format(name)
    assert check is not None
    good, bad = GOOD_AND_BAD[name]
    assert check(good)
    assert not check(bad)
