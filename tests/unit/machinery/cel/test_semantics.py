"""Arithmetic, comparison and logic, against what the specification says of all values."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.machinery import cel
from pybernetes.machinery.cel import operators
from pybernetes.machinery.cel.escaping import escape, unescape
from pybernetes.machinery.cel.stdlib import shortest
from pybernetes.machinery.cel.times import Duration, Timestamp, parse_duration, parse_timestamp
from pybernetes.machinery.cel.values import MAX_INT, MAX_UINT, MIN_INT, Uint

ENVIRONMENT = cel.Environment({"a": cel.DYN, "b": cel.DYN, "c": cel.DYN})
ints = st.integers(MIN_INT, MAX_INT)
uints = st.integers(0, MAX_UINT).map(Uint)
numbers = ints | uints | st.floats()
scalars = numbers | st.text(max_size=5) | st.binary(max_size=5) | st.booleans() | st.none()
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)

OPERATORS = ("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||")
PROGRAMS = {operator: ENVIRONMENT.compile(f"a {operator} b") for operator in OPERATORS}


def run(operator: str, a: Any, b: Any) -> Any:
    return PROGRAMS[operator].evaluate({"a": a, "b": b, "c": None})


def towards_zero(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


EXACT: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": towards_zero,
    "%": lambda a, b: a - b * towards_zero(a, b),
}


@given(st.sampled_from(sorted(EXACT)), ints, ints)
def test_whole_numbers_compute_exactly_or_overflow(operator: str, a: int, b: int) -> None:
    if operator in "/%" and b == 0:
        with pytest.raises(cel.EvaluationError, match="by zero"):
            run(operator, a, b)
        return
    expected = EXACT[operator](a, b)
    if MIN_INT <= expected <= MAX_INT and not (operator == "%" and a == MIN_INT and b == -1):
        assert run(operator, a, b) == expected
    else:
        with pytest.raises(cel.EvaluationError, match="integer overflow"):
            run(operator, a, b)


@given(st.sampled_from("+-*"), uints, uints)
def test_unsigned_numbers_compute_exactly_or_overflow(operator: str, a: Uint, b: Uint) -> None:
    expected = EXACT[operator](int(a), int(b))
    if 0 <= expected <= MAX_UINT:
        assert type(run(operator, a, b)) is Uint
        assert run(operator, a, b) == expected
    else:
        with pytest.raises(cel.EvaluationError, match="unsigned integer overflow"):
            run(operator, a, b)


@given(st.sampled_from(sorted(EXACT)), ints, uints | st.floats())
def test_numbers_of_two_kinds_never_compute(operator: str, a: int, b: Any) -> None:
    with pytest.raises(cel.EvaluationError, match="no such overload"):
        run(operator, a, b)


@given(numbers, numbers)
def test_numbers_of_all_kinds_have_one_order(a: Any, b: Any) -> None:
    less, equal, greater = run("<", a, b), run("==", a, b), run(">", a, b)
    if (isinstance(a, float) and math.isnan(a)) or (isinstance(b, float) and math.isnan(b)):
        assert (less, equal, greater) == (False, False, False)
    else:
        assert less + equal + greater == 1
        assert run("<=", a, b) is (less or equal)
        assert run(">=", a, b) is (greater or equal)


@given(documents, documents)
def test_equality_is_symmetric_and_total(a: Any, b: Any) -> None:
    assert run("==", a, b) is run("==", b, a)
    assert run("!=", a, b) is (not run("==", a, b))


@given(documents)
def test_a_list_holds_each_of_its_items_unless_it_is_not_a_number(a: Any) -> None:
    held = run("==", a, a)
    assert operators.member(a, [a]) is held


@given(st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))
def test_and_and_or_absorb_errors_wherever_they_stand(a: bool | None, b: bool | None) -> None:
    """None stands for an error: selecting a field that is not there."""

    def outcome(operator: str, one: bool | None, other: bool | None) -> Any:
        texts = ["c.nothing" if side is None else str(side).lower() for side in (one, other)]
        program = ENVIRONMENT.compile(f"{texts[0]} {operator} {texts[1]}")
        try:
            return program.evaluate({"a": None, "b": None, "c": {}})
        except cel.EvaluationError as error:
            return str(error)

    for operator, decisive in (("&&", False), ("||", True)):
        found = outcome(operator, a, b)
        assert found == outcome(operator, b, a)
        if decisive in {a, b} - {None}:
            assert found is decisive
        elif None in {a, b}:
            assert found == "no such key: nothing"
        else:
            assert found is not decisive


@given(st.lists(st.sampled_from([True, False, None]), max_size=6))
def test_quantifiers_are_folds_of_and_and_or(items: list[bool | None]) -> None:
    bindings = {"a": [{} if item is None else {"v": item} for item in items], "b": None, "c": None}
    for macro, decisive in (("all", False), ("exists", True)):
        program = ENVIRONMENT.compile(f"a.{macro}(i, i.v)")
        if decisive in items:
            assert program.evaluate(bindings) is decisive
        elif None in items:
            with pytest.raises(cel.EvaluationError, match="no such key: v"):
                program.evaluate(bindings)
        else:
            assert program.evaluate(bindings) is not decisive


@given(st.integers(-(2**62), 2**62))
def test_durations_read_what_they_write(nanos: int) -> None:
    assert parse_duration(str(Duration(nanos))) == Duration(nanos)


@given(st.integers(-62135596800 * 10**9, 253402300799 * 10**9))
def test_moments_read_what_they_write(nanos: int) -> None:
    assert parse_timestamp(str(Timestamp(nanos))) == Timestamp(nanos)


@given(st.floats(allow_nan=False))
def test_doubles_read_what_they_write(number: float) -> None:
    assert float(shortest(number).replace("Inf", "inf")) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.0, "1"), (0.1, "0.1"), (1e21, "1e+21"), (1e20, "100000000000000000000"), (2e-9, "2e-09"), (-1.5, "-1.5")],
)
def test_doubles_are_written_as_go_does(number: float, text: str) -> None:
    assert shortest(number) == text


@given(st.text(alphabet="ab_-./09", min_size=1, max_size=12))
def test_property_names_come_back_from_their_identifiers(name: str) -> None:
    escaped = escape(name)
    if escaped is None:
        assert name[0].isdigit()
    else:
        assert unescape(escaped) == name


@given(st.text(alphabet="ab1 +-*/%<>=!&|?:.,()[]{}'\"\\rbux\nin", max_size=30))
def test_any_text_compiles_or_is_a_compile_error(text: str) -> None:
    program, complaint = None, ""
    try:
        program = ENVIRONMENT.compile(text)
    except cel.CompileError as error:
        complaint = str(error)
    if program is None:
        assert complaint.startswith("ERROR: <input>:")
        return
    program.estimate()
    with contextlib.suppress(cel.EvaluationError, cel.CostExceeded):
        program.evaluate({"a": 1, "b": [1], "c": {}})
