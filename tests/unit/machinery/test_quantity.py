import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.machinery import quantity
from pybernetes.machinery.quantity import Format, Quantity, QuantityError


@pytest.mark.parametrize(
    ("row", "text", "canonical"),
    [
        ("zero has no unit", "0Mi", "0"),
        ("thousandths that make wholes", "1000m", "1"),
        ("binary thousands climb", "1024Ki", "1Mi"),
        ("binary that does not divide stays", "1500Ki", "1500Ki"),
        ("a fraction of a binary unit", "1.5Gi", "1536Mi"),
        ("below 1024 a binary number is decimal", "0.5Ki", "512"),
        ("a fraction becomes thousandths", "0.5", "500m"),
        ("decimal thousands climb", "1000000", "1M"),
        ("exponents stay exponents", "12e6", "12e6"),
        ("exponents go in threes", "1e4", "10e3"),
        ("finer than nano is rounded up", "0.0000000001", "1n"),
        ("negative", "-1500m", "-1500m"),
        ("plus sign", "+3", "3"),
        ("leading zeros", "0010", "10"),
        ("only a fraction", ".5", "500m"),
        ("large binary is capped", "100Ei", "9223372036854775807"),
        ("capital E alone is exa", "2E", "2E"),
    ],
)
def test_canonical_form(row: str, text: str, canonical: str) -> None:
    assert quantity.canonical(text) == canonical, row


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1GiB", "--1", "1.2.3", "Ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        quantity.parse(text)


def test_the_error_shows_the_expression() -> None:
    with pytest.raises(QuantityError, match="quantities must match the regular expression"):
        quantity.parse("ten")


def test_values_are_rounded_away_from_zero() -> None:
    assert quantity.value("1500m") == 2
    assert quantity.milli_value("1u") == 1
    assert quantity.value("-1500m") == -2
    assert quantity.value("1Gi") == 2**30


def test_numbers_of_json_are_read() -> None:
    assert quantity.canonical(2) == "2"
    assert quantity.canonical(0.5) == "500m"


def test_a_sum_keeps_the_first_format() -> None:
    assert quantity.add(["1Gi", "1Gi"]) == "2Gi"
    assert quantity.add(["0", "1Gi"]) == "1Gi"
    assert quantity.add([]) == "0"


numbers = st.builds(
    Quantity,
    st.integers(-(10**27), 10**27),
    st.sampled_from([Format.DECIMAL_SI, Format.BINARY_SI, Format.DECIMAL_EXPONENT]),
)


@given(numbers)
def test_the_canonical_text_means_the_same_number(number: Quantity) -> None:
    if number.format is Format.BINARY_SI:
        number = Quantity(max(min(number.nanos, quantity.MAX_INT64), -quantity.MAX_INT64), number.format)
    assert quantity.parse(str(number)) == number


@given(numbers)
def test_the_canonical_text_is_a_fixed_point(number: Quantity) -> None:
    text = str(quantity.parse(str(number)))
    assert str(quantity.parse(text)) == text


@given(numbers, numbers)
def test_addition_and_order_agree_with_numbers(one: Quantity, other: Quantity) -> None:
    assert (one + other).nanos == one.nanos + other.nanos
    assert (one < other) == (one.nanos < other.nanos)
    assert (one + other) - other == one
