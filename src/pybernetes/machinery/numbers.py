"""Whole numbers in text, read as Go reads them: no spaces, no underscores, ASCII digits, and a range.

Follows: strconv.ParseInt and ParseUint, base 10.
"""

INT64 = 1 << 63
_UINT64 = 1 << 64
_MAX_DIGITS = 20
"""What has more digits (without leading zeros) is out of every range; Python's own reader gives up at 4300."""


class NotANumber(ValueError):
    """The text is no number of the wanted range; the message is upstream's."""


def parse_int(text: str) -> int:
    """A signed 64-bit number.

    Raises:
        NotANumber.
    """
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not digits.isascii() or not digits.isdigit():
        raise NotANumber(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = _digits(digits) * (-1 if text[0] == "-" else 1)
    if not -INT64 <= number < INT64:
        raise NotANumber(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def parse_uint(text: str) -> int:
    """An unsigned 64-bit number.

    Raises:
        NotANumber.
    """
    if not text.isascii() or not text.isdigit():
        raise NotANumber(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = _digits(text)
    if number >= _UINT64:
        raise NotANumber(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number


def _digits(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else _UINT64 * 2
