import pytest

from pybernetes.machinery.numbers import NotANumber, parse_int, parse_uint


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("-5", -5), ("+7", 7), ("007", 7), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63))],
)
def test_integers_are_read_as_go_reads_them(text: str, number: int) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize("text", ["", "-", "+", " 1", "1_0", "1.0", "0x1", "١", "²", "--1"])
def test_what_python_would_accept_and_go_would_not_is_no_number(text: str) -> None:
    with pytest.raises(NotANumber, match="invalid syntax"):
        parse_int(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "1" * 5000])
def test_numbers_have_64_bits(text: str) -> None:
    with pytest.raises(NotANumber, match="value out of range"):
        parse_int(text)


def test_unsigned_numbers_have_no_sign() -> None:
    assert parse_uint("18446744073709551615") == 2**64 - 1
    assert parse_uint("0" * 5000 + "3") == 3
    for text, why in (("-1", "invalid syntax"), ("18446744073709551616", "value out of range")):
        with pytest.raises(NotANumber, match=why):
            parse_uint(text)
