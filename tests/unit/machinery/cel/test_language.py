"""The language: each row is an expression and its value, or the words of its failure."""

from typing import Any

import pytest

from pybernetes.machinery import cel
from pybernetes.machinery.cel.times import Duration

ENVIRONMENT = cel.Environment({"x": cel.INT, "any": cel.DYN, "names": cel.list_of(cel.STRING)})
BINDINGS = {"x": 5, "any": {"a": {"b": [1, 2]}, "n": None, "s": "text"}, "names": ["a", "b"]}


def evaluate(text: str) -> Any:
    return ENVIRONMENT.compile(text).evaluate(BINDINGS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("--x", 5),
        ("!!true", True),
        ("0x1F", 31),
        ("5u * 2u", 10),
        ("1.5e2 / 2.0", 75.0),
        ("1.0 / 0.0", float("inf")),
        (r"'a\tb\x41\u00e9\101'", "a\tbAéA"),
        (r"r'\d'", r"\d"),
        ("'''two\nlines'''", "two\nlines"),
        (r"b'\xff' + b'a'", b"\xffa"),
        ("'a' < 'b' && b'a' < b'b'", True),
        ("1 < 2u && 1u < 1.5 && 1.5 < 2", True),
        ("dyn(1) == 1.0 && dyn(1u) == 1", True),
        ("dyn('1') == 1", False),
        ("any.a.b[1]", 2),
        ("any['a']['b'][0]", 1),
        ("any.n == null", True),
        ("has(any.a.b) && !has(any.c)", True),
        ("'a' in names && !('c' in names)", True),
        ("2 in [1, 2] && !(3 in [1, 2])", True),
        ("'a' in {'a': 1}", True),
        ("{1: 'a'}[1]", "a"),
        ("{true: 'a'}[true]", "a"),
        ("[1, 2] + [3]", [1, 2, 3]),
        ("x > 3 ? 'big' : 'small'", "big"),
        ("[1, 2, 3].all(i, i > 0)", True),
        ("[].all(i, i > 0)", True),
        ("[1, 2, 3].exists(i, i > 2)", True),
        ("[1, 2, 2].exists_one(i, i == 2)", False),
        ("[1, 2, 3].existsOne(i, i == 2)", True),
        ("[1, 2, 3].map(i, i * i)", [1, 4, 9]),
        ("[1, 2, 3].map(i, i > 1, i * i)", [4, 9]),
        ("[1, 2, 3].filter(i, i != 2)", [1, 3]),
        ("{'a': 1, 'b': 2}.filter(k, k > 'a')", ["b"]),
        ("[3, 4].all(i, v, v == i + 3)", True),
        ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", True),
        ("[3, 4].transformList(i, v, i * v)", [0, 4]),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("{'a': 'b'}.transformMapEntry(k, v, {v: k})", {"b": "a"}),
        ("cel.bind(y, x + 1, y * y)", 36),
        ("[1].map(i, [2].map(j, i + j))", [[3]]),
        ("[1].map(x, x)[0] + x", 6),
        ("size('héllo') + 'ab'.size() + size([1]) + size({}) + size(b'xy')", 10),
        ("any.?a.?b[?0].orValue(9)", 1),
        ("any.?zz.orValue('none')", "none"),
        ("[?any.?zz, ?any.?s]", ["text"]),
        ("{?'k': any.?zz, ?'s': any.?s}", {"s": "text"}),
        ("optional.of(1).optMap(v, v + 1).value()", 2),
        ("optional.none().or(optional.of(1)).hasValue()", True),
        ("optional.ofNonZeroValue('').hasValue()", False),
        ("optional.of(1).optFlatMap(v, optional.none()).hasValue()", False),
        ("type(1) == int && type('') == string && type([]) == list && type(type(1)) == type", True),
        ("int('42') + int(1.9) + int(3u)", 46),
        ("uint(3) + uint('4')", 7),
        ("double('1.5')", 1.5),
        ("string(1) + string(true) + string(1.5) + string(b'x') + string(duration('90s'))", "1true1.5x90s"),
        ("string(timestamp('2024-02-29T10:00:00.5+02:00'))", "2024-02-29T08:00:00.5Z"),
        ("bool('true') && !bool('0')", True),
        ("bytes('é')", b"\xc3\xa9"),
        ("timestamp('2024-01-01T00:00:00Z') - timestamp('2023-12-31T00:00:00Z')", Duration(86400 * 10**9)),
        ("timestamp('2024-01-07T01:02:03Z').getDayOfWeek('+01:00')", 0),
        ("timestamp('2024-03-01T00:00:00Z').getDayOfYear()", 60),
        ("timestamp('2024-07-01T00:00:00Z').getHours('Europe/Berlin')", 2),
        ("duration('1h30m').getMinutes()", 90),
        ("duration('-1.5s').getSeconds()", -1),
        ("'hello'.matches('^h.*o$') && matches('a', 'a')", True),
        ("'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'hello'.contains('ll')", True),
        ("true || any.zz.y", True),
        ("any.zz.y || true", True),
        ("any.zz.y && false", False),
        ("[dyn(1), 'a', 2].exists(i, i == 'a')", True),
        ("[dyn('a'), 2].exists(i, i > 1)", True),
        ("[dyn('a'), 0].all(i, i > 1)", False),
    ],
)
def test_value(text: str, value: Any) -> None:
    found = evaluate(text)
    assert found == value
    assert type(found) is type(value) or isinstance(found, cel.Uint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775808 - 1", "integer overflow"),
        ("-(-9223372036854775808)", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("any.zz", "no such key: zz"),
        ("{'a': 1}['b']", "no such key: b"),
        ("[1][3]", "index out of bounds: 3"),
        ("[1][-1]", "index out of bounds: -1"),
        ("any.s + 1", "no such overload"),
        ("any.s.foo", "no such overload"),
        ("any.zz.y && true", "no such key: zz"),
        ("[dyn('a'), 2].all(i, i > 1)", "no such overload"),
        ("optional.none().value() == 1", "optional.none() dereference"),
        ("int(1e30)", "integer overflow"),
        ("uint(-1)", "unsigned integer overflow"),
        ("duration(any.s)", 'time: invalid duration "text"'),
        ("string(b'\\xff')", "invalid UTF-8 in bytes, cannot convert to string"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow"),
        ("'a'.matches(any.s + '(')", "error parsing regexp: missing closing ): `text(`"),
    ],
)
def test_failure(text: str, message: str) -> None:
    with pytest.raises(cel.EvaluationError) as failure:
        evaluate(text)
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("y + 1", 1, "undeclared reference to 'y' (in container '')"),
        ("foo(1)", 4, "undeclared reference to 'foo' (in container '')"),
        ("1 + 'a'", 3, "found no matching overload for '_+_' applied to '(int, string)'"),
        ("'a'.size(1)", 9, "found no matching overload for 'size' applied to 'string.(int)'"),
        ("1.0 == 1", 5, "found no matching overload for '_==_' applied to '(double, int)'"),
        ("[1, 'a']", 5, "expected type 'int' but found 'string'"),
        ("x.foo", 2, "type 'int' does not support field selection"),
        ("x && true", 1, "expected type 'bool' but found 'int'"),
        (
            "x.all(i, true)",
            1,
            "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
        ("[1].all(1, true)", 9, "argument must be a simple name"),
        ("has(x)", 5, "invalid argument to has() macro"),
        ("'a'.matches('(')", 13, "invalid matches argument"),
        ("duration('x')", 10, "invalid duration argument"),
        ("Foo{}", 4, "undeclared reference to 'Foo' (in container '')"),
        ("namespace", 1, "reserved identifier: namespace"),
        ("99999999999999999999", 1, "invalid int literal"),
        ("a b", 3, "Syntax error: extraneous input 'b' expecting <EOF>"),
        ("x.in", 3, "Syntax error: mismatched input 'in' expecting IDENTIFIER"),
    ],
)
def test_compile_error(text: str, place: int, message: str) -> None:
    with pytest.raises(cel.CompileError) as failure:
        ENVIRONMENT.compile(text)
    assert str(failure.value) == f"ERROR: <input>:1:{place}: {message}\n | {text}\n | {'.' * (place - 1)}^"


def test_every_type_error_is_reported_in_reading_order() -> None:
    with pytest.raises(cel.CompileError) as failure:
        ENVIRONMENT.compile("yy || zz")
    assert [issue.offset for issue in failure.value.issues] == [0, 6]


def test_an_error_on_a_later_line_quotes_that_line() -> None:
    with pytest.raises(cel.CompileError, match=r"<input>:2:5: undeclared") as failure:
        ENVIRONMENT.compile("x > 1 &&\n    yy")
    assert str(failure.value).endswith("\n |     yy\n | ....^")


def test_deep_nesting_is_a_compile_error() -> None:
    with pytest.raises(cel.CompileError, match="max recursion depth exceeded"):
        ENVIRONMENT.compile("(" * 2000 + "1" + ")" * 2000)


def test_a_thousand_conditions_in_a_row_compile() -> None:
    assert ENVIRONMENT.compile(" && ".join(["x > 1"] * 1000)).evaluate(BINDINGS) is True


def test_an_unexpected_result_type_is_refused() -> None:
    with pytest.raises(cel.UnexpectedType, match="must evaluate to bool"):
        ENVIRONMENT.compile("x + 1", expected=cel.BOOL)


def test_references_are_the_variables_read() -> None:
    assert ENVIRONMENT.compile("[1].all(names, names > x)").references == {"x"}
