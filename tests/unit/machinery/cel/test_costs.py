"""What expressions cost, when estimated and when run: the numbers are upstream's for the same expressions."""

from typing import Any

import pytest

from pybernetes.machinery import cel


class Allowing:
    def answer(self, question: cel.Question) -> cel.Answer:
        return cel.Answer(question.verb != "")


ENVIRONMENT = cel.Environment({"authorizer": cel.AUTHORIZER, "x": cel.INT, "any": cel.DYN})
BINDINGS = {"authorizer": cel.AuthorizerValue(Allowing()), "x": 5, "any": {"items": [1, 2, 3], "a": {"b": "c"}}}


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("[1, 2, 3, 4, 5].sum()", 15, 15),
        ("'ABCDEFGHIJ abcdefghij'.lowerAscii() == 'abcdefghij ABCDEFGHIJ'.lowerAscii()", 7, 9),
        ("'abc 123 def 123'.split(' ')", 3, 3),
        ("'abc 123 def 123'.find('123')", 2, 2),
        ("authorizer.group('apps').resource('deployments').check('get').allowed()", 350004, 350004),
        ("authorizer.group('').resource('pods').labelSelector('a=b')", 114, 114),
        ("quantity('50k').add(20).sub(quantity('100k')).asInteger() > 0", 6, 6),
        ("format.named('dns1123Label').value().validate('my-name')", 34, 34),
        ("sets.equivalent([1], [1, 1])", 25, 25),
        ("[1, 2].transformList(i, v, v < 5, v + 1)", 27, 53),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v + 1)", 71, 71),
        ("ip('192.168.0.1') == ip('192.168.0.1')", 5, 5),
        ("cel.bind(a, x + 1, a + a)", 15, 15),
        ("has(any.a)", 1, 1),
        ("x > 1 ? [1] : [1, 2]", 12, 12),
    ],
)
def test_estimate(text: str, least: int, most: int) -> None:
    assert ENVIRONMENT.compile(text).estimate() == cel.Estimate(least, most)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("x + 1", 2),
        ("any.a.b == 'c'", 4),
        ("has(any.a.b)", 2),
        ("x == 5 || any.zz", 2),
        ("any.items[0]", 3),
        ("any.items.all(i, i > 0)", 2 + 3 * (2 + 1 + 2) + 1),
        ("any.items.exists(i, i == 1)", 2 + (3 + 1 + 2) + 3 + 1),
        ("any.items.filter(i, i > 1)", 2 + 3 * 2 + 2 * 13 + 1),
        ("any.items.exists_one(i, i > 2)", 2 + 3 * 2 + 2 + 2),
        ("x > 1 ? any.a.b : x", 2 + 2),
        ("x > 9 ? any.a.b : x + 1", 2 + 2),
        ("any.items.map(i, i + 1)", 2 + 3 * (2 + 12) + 1),
        ("[x]", 11),
        ("{'a': x}", 31),
        ("[1, 2, 3]", 0),
        ("'abc'.contains('b')", 1),
        ("x in [1, 5]", 1),
        ("x in any.items", 1 + 2 + 1),
    ],
)
def test_run(text: str, cost: int) -> None:
    assert ENVIRONMENT.compile(text).measure(BINDINGS)[1] == cost


def array(items: str, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": items}, **more}


def table(values: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": values}, **more}


@pytest.mark.parametrize(
    ("schema", "text", "most"),
    [
        (array("number"), "self.all(x, true)", 4718591),
        (array("number", maxItems=10), "self.all(x, true)", 32),
        (array("string"), "self.all(x, true)", 3145727),
        (table("number"), "self.all(x, true)", 1348169),
        (table("string", maxProperties=3), "self.all(x, true)", 11),
        ({"type": "string"}, 'self.matches("abc")', 314574),
        ({"type": "string", "maxLength": 10}, 'self.matches("abc")', 6),
        ({"type": "string", "maxLength": 10}, "self.contains('a')", 5),
        ({"type": "string", "enum": ["A", "LongValue"]}, "self.contains('A')", 2),
        ({"x-kubernetes-int-or-string": True}, "isQuantity(self)", 314574),
        ({"x-kubernetes-int-or-string": True, "maxLength": 20}, "isQuantity(self)", 9),
    ],
)
def test_estimate_from_the_sizes_a_schema_allows(schema: dict[str, Any], text: str, most: int) -> None:
    declared = cel.schema_type(schema)
    assert declared is not None
    assert cel.Environment({"self": declared}).compile(text).estimate().max == most


def test_one_evaluation_is_limited() -> None:
    program = ENVIRONMENT.compile("any.items.all(i, any.items.all(j, any.items.all(k, i + j + k >= 0)))")
    with pytest.raises(cel.CostExceeded, match="operation cancelled: actual cost limit exceeded"):
        program.evaluate({"any": {"items": list(range(200))}}, cel.Budget(per_call=20_000))


def test_errors_do_not_absorb_an_exceeded_limit() -> None:
    program = ENVIRONMENT.compile("any.items.all(i, i >= 0) || true")
    with pytest.raises(cel.CostExceeded):
        program.evaluate({"any": {"items": [0] * 100}}, cel.Budget(per_call=50))


def test_a_budget_is_spent_by_failing_evaluations_too() -> None:
    budget = cel.Budget(10)
    program = ENVIRONMENT.compile("any.a.zz")
    for remaining in (7, 4, 1):
        with pytest.raises(cel.EvaluationError):
            program.evaluate(BINDINGS, budget)
        assert budget.remaining == remaining
    with pytest.raises(cel.CostExceeded, match="running out of cost budget"):
        ENVIRONMENT.compile("any.a").evaluate(BINDINGS, budget)


@pytest.mark.parametrize(
    "text",
    [
        "any.s.replace('', any.s)",
        "lists.range(9).map(i, any.s).join(any.s)",
    ],
)
def test_no_text_beyond_all_documents_is_made(text: str) -> None:
    with pytest.raises((cel.EvaluationError, cel.CostExceeded)):
        ENVIRONMENT.compile(text).evaluate({"any": {"s": "a" * 3_000_000}})


def test_doubling_a_list_ends() -> None:
    nested = "".join(
        f"cel.bind(v{level}, {previous} + {previous}, "
        for level, previous in enumerate(["any", *(f"v{level}" for level in range(29))])
    )
    with pytest.raises((cel.EvaluationError, cel.CostExceeded)):
        ENVIRONMENT.compile(f"{nested}v29.size(){')' * 30}").evaluate({"any": [0]})
