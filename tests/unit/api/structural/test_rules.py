"""Which schemas are structural and well-formed, and what is said of the others."""

from typing import Any

import pytest

from pybernetes.api.structural import default_rules, publish, rules, shape_rules
from pybernetes.api.structural.schema import Structural

Json = dict[str, Any]
TEXT: Json = {"type": "string"}


def obj(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (obj(a=TEXT), []),
        ({"properties": {}}, ["s.type: Required value: must not be empty at the root"]),
        (obj(a={}), ["s.properties[a].type: Required value: must not be empty for specified object fields"]),
        (
            obj(a={"type": "array", "items": {}}),
            ["s.properties[a].items.type: Required value: must not be empty for specified array items"],
        ),
        (obj(a={"type": "array"}), ["s.properties[a].items: Required value: must be specified"]),
        (obj(a={"x-kubernetes-int-or-string": True}), []),
        (obj(a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}), []),
        (
            obj(a={"type": "string", "anyOf": [{"type": "integer"}]}),
            ["s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
        ),
        (
            {**obj(a=TEXT), "oneOf": [{"properties": {"b": {"minLength": 1}}}]},
            ["s.properties[b]: Required value: because it is defined in s.oneOf[0].properties[b]"],
        ),
        (
            obj(metadata=obj(name=TEXT, labels={"type": "object"})),
            [
                "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but "
                "metadata is implicitly specified"
            ],
        ),
        (obj(metadata=obj(name={**TEXT, "maxLength": 5})), []),
        (
            {"type": "object", "additionalProperties": TEXT},
            ["s.additionalProperties: Forbidden: must not be used at the root"],
        ),
        (
            obj(a={"type": "object", "x-kubernetes-embedded-resource": True}),
            [
                "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is "
                "true without x-kubernetes-preserve-unknown-fields"
            ],
        ),
    ],
)
def test_structure(schema: Json, expected: list[str]) -> None:
    assert [str(error) for error in rules.check(schema, "s")] == expected


def test_a_pattern_must_be_a_pattern() -> None:
    (error,) = rules.check(obj(a={**TEXT, "pattern": "("}), "s")
    assert str(error).startswith(
        's.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing'
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (obj(a={"type": "strin"}), 's.properties[a].type: Unsupported value: "strin": supported values: '),
        ({**obj(), "uniqueItems": True}, "s.uniqueItems: Forbidden: uniqueItems cannot be set to true"),
        ({**obj(a=TEXT), "additionalProperties": TEXT}, "s.additionalProperties: Forbidden: additionalProperties and"),
        ({**obj(), "$ref": "#/x"}, "s.$ref: Forbidden: $ref is not supported"),
        (
            obj(metadata=obj(name={**TEXT, "default": "x"})),
            "s.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata",
        ),
        (
            obj(l={"type": "array", "items": obj(n=TEXT), "x-kubernetes-list-type": "map"}),
            "s.properties[l].x-kubernetes-list-map-keys: Required value: must not be empty if",
        ),
        (
            obj(
                l={
                    "type": "array",
                    "items": obj(n=TEXT),
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["n"],
                }
            ),
            "s.properties[l].items.properties[n].default: Required value: this property is in",
        ),
        (
            obj(l={"type": "array", "items": obj(n=TEXT), "x-kubernetes-list-type": "set"}),
            "s.properties[l].items.x-kubernetes-map-type: Invalid value",
        ),
        (
            {**obj(), "x-kubernetes-validations": [{"rule": " "}]},
            "s.x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
        (
            {**obj(), "x-kubernetes-validations": [{"rule": "a\nb"}]},
            "s.x-kubernetes-validations[0].message: Required value: message must be specified if rule contains",
        ),
        (
            {**obj(a=TEXT), "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".b"}]},
            's.x-kubernetes-validations[0].fieldPath: Invalid value: ".b": must be a valid path',
        ),
    ],
)
def test_shape(schema: Json, expected: str) -> None:
    found = [str(error) for error in shape_rules.check(schema, "s")]
    assert any(text.startswith(expected) for text in found), found


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({**TEXT, "default": "x"}, []),
        (
            {**TEXT, "default": 1},
            [
                's.properties[a].default: Invalid value: "integer": s.properties[a].default in body must be of type '
                'string: "integer"'
            ],
        ),
        (
            {**obj(b=TEXT), "default": {"c": 1}},
            ['s.properties[a].default: Invalid value: {"c":1}: must not have unknown fields'],
        ),
    ],
)
def test_defaults_are_valid_themselves(schema: Json, expected: list[str]) -> None:
    found = [str(error) for error in default_rules.check(Structural(obj(a=schema)), "s")]
    # The path inside of the text is that of the value alone, as upstream has it.
    assert [text.replace(": s.properties[a].default in body", ":  in body") for text in expected] == found


def test_version_two_leaves_out_what_it_cannot_say() -> None:
    schema = obj(
        open={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"x": TEXT}},
        nullable={**TEXT, "nullable": True},
        either={"x-kubernetes-int-or-string": True},
        strict={**TEXT, "oneOf": [{"minLength": 1}]},
    )
    two, three = publish.schema(schema, 2)["properties"], publish.schema(schema, 3)["properties"]
    assert two["open"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert two["nullable"] == {}
    assert two["either"] == {"x-kubernetes-int-or-string": True}
    assert two["strict"] == TEXT
    assert three["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert three["strict"] == schema["properties"]["strict"]
    assert three["metadata"]["allOf"] == [{"$ref": f"#/components/schemas/{publish.OBJECT_META}"}]
    assert publish.schema(None, 3) == {"type": "object"}
