"""Documents seen through their schemas."""

from typing import Any

import pytest

from pybernetes.machinery import cel

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "ratio": {"type": "number"},
        "since": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "every": {"type": "string", "format": "duration"},
        "raw": {"type": "string", "format": "byte"},
        "port": {"x-kubernetes-int-or-string": True},
        "x-y.z/w": {"type": "integer"},
        "namespace": {"type": "string"},
        "a__b": {"type": "integer"},
        "ünicode": {"type": "integer"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "anything": {"x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "ends": {"type": "object", "additionalProperties": {"type": "string", "format": "date-time"}},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "rows": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "number"}}},
        },
        "maybe": {"type": "string", "nullable": True},
        "embedded": {"type": "object", "x-kubernetes-embedded-resource": True},
    },
}
DOCUMENT = {
    "name": "x",
    "ratio": 2,
    "since": "2024-01-01T00:00:00Z",
    "day": "2024-01-01",
    "every": "1m30s",
    "raw": "aGk=",
    "port": 80,
    "x-y.z/w": 7,
    "namespace": "ns",
    "a__b": 3,
    "free": {"secret": 1},
    "labels": {"a": "b"},
    "ends": {"x": "2024-01-01T00:00:00Z"},
    "tags": ["a", "b"],
    "rows": [{"k": "1", "v": 1}, {"k": "2", "v": 2}],
    "maybe": None,
    "embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
}
DECLARED = cel.schema_type(SCHEMA, resource_root=True)
assert DECLARED is not None
ENVIRONMENT = cel.Environment({"self": DECLARED, "oldSelf": DECLARED})


@pytest.mark.parametrize(
    "text",
    [
        "self.ratio / 4.0 == 0.5",
        "self.since.getFullYear() == 2024 && self.since == self.day",
        "self.every == duration('90s') && self.every.getMinutes() == 1",
        "self.raw == b'hi' && size(self.raw) == 2",
        "type(self.port) == int && self.port < 100",
        "self.x__dash__y__dot__z__slash__w == 7 && self.__namespace__ == 'ns' && self.a__underscores__b == 3",
        "self.labels.a == 'b' && self.labels['a'] == 'b' && 'a' in self.labels && has(self.labels.a)",
        "self.ends.x == self.since && self.ends.all(k, self.ends[k] == self.since)",
        "self.tags == ['b', 'a'] && self.tags + ['a', 'c'] == ['c', 'b', 'a']",
        "self.rows == oldSelf.rows && self.rows[0].v == 1.0 && self.rows.map(r, r.k) == ['1', '2']",
        "(self.rows + oldSelf.rows).size() == 2",
        "has(self.maybe) && dyn(self.maybe) == null",
        "self.embedded.kind == 'Pod' && self.embedded.metadata.name == 'p'",
        "!has(self.metadata) && self.?kind.orValue('none') == 'none'",
        "self == oldSelf && self.embedded != null",
        "self.free == oldSelf.free",
    ],
)
def test_holds(text: str) -> None:
    reordered = {**DOCUMENT, "rows": DOCUMENT["rows"][::-1]}  # type: ignore[index]
    assert ENVIRONMENT.compile(text).evaluate({"self": DOCUMENT, "oldSelf": reordered}) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.nope", "undefined field 'nope'"),
        ("self.free.secret", "undefined field 'secret'"),
        ("self.anything", "undefined field 'anything'"),
        ("self.name > 1", "found no matching overload for '_>_' applied to '(string, int)'"),
        ("self.since + 1", "found no matching overload for '_+_' applied to '(timestamp, int)'"),
        ("self.labels[1]", "found no matching overload for '_[_]' applied to '(map(string, string), int)'"),
        ("self.metadata.labels", "undefined field 'labels'"),
        ("self + 1", "found no matching overload for '_+_' applied to '(selfType, int)'"),
        ("self.rows[0] + 1", "found no matching overload for '_+_' applied to '(selfType.rows.@idx, int)'"),
    ],
)
def test_type_error(text: str, message: str) -> None:
    with pytest.raises(cel.CompileError) as failure:
        ENVIRONMENT.compile(text)
    assert failure.value.issues[0].message == message


def test_documents_without_special_values_are_not_wrapped() -> None:
    plain = cel.schema_type(
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}
    )
    assert plain is not None
    assert plain.convert is None
    document = {"a": {"b": "c"}}
    assert cel.Environment({"self": plain}).compile("self.a").evaluate({"self": document}) is document["a"]


def test_a_list_without_an_exposed_item_type_is_not_exposed() -> None:
    assert cel.schema_type({"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}}) is None


def test_an_invalid_date_is_an_error_of_the_evaluation() -> None:
    with pytest.raises(cel.EvaluationError, match="Invalid date-time format"):
        ENVIRONMENT.compile("self.since").evaluate({"self": {"since": "yesterday"}})


def test_variables_can_be_computed_when_first_read() -> None:
    calls: list[str] = []

    def compute() -> int:
        calls.append("a")
        return 1

    environment = cel.Environment({"variables": cel.struct("kubernetes.variables", {"a": cel.INT, "b": cel.INT})})
    lazy = cel.LazyObject({"a": compute, "b": compute})
    assert environment.compile("variables.a + variables.a == 2").evaluate({"variables": lazy}) is True
    assert calls == ["a"]
    with pytest.raises(cel.CompileError, match="undefined field 'c'"):
        environment.compile("variables.c")
