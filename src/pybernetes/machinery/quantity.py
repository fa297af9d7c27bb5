"""Numbers with a unit: `100m`, `2Gi`, `1e3`.

Exact: a quantity is a whole number of nanos and the family of units it was written in; floats never come near it.

`parse` reads, `str` writes the canonical form (the largest unit that needs no fraction, in the family of the input),
`+`, `-`, `*` and comparisons compute. `canonical` and `value`/`milli_value` are the cached short ways for texts.

Follows: apimachinery pkg/api/resource/{quantity,amount,suffix,math}.go.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

NANO = 10**9
_MILLI_IN_NANOS = 10**6
MAX_INT64 = 2**63 - 1
_CACHED_TEXTS = 8192
"""Distinct texts remembered; arbitrary, far more than a cluster has."""

MAX_DIGITS = 1000
"""Arbitrary; no amount of anything has as many, and arithmetic with more takes noticeable time."""

FORMAT_ERROR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMERIC_ERROR = "unable to parse numeric part of quantity"
SUFFIX_ERROR = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """The text is no quantity; the message is upstream's."""


class Format(Enum):
    """The family of units, kept from the input to the output."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {power: suffix for suffix, power in _BINARY.items()}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_SHAPE = re.compile(r"^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$", re.ASCII)
_EXPONENT = re.compile(r"^[eE]([+-]?[0-9]+)$", re.ASCII)


@functools.total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """`nanos` thousand-millionths; compared and hashed by value, whatever the format."""

    nanos: int
    format: Format = Format.DECIMAL_SI

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero. Follows: Quantity.Value."""
        return _scaled(self.nanos, NANO)

    @property
    def milli_value(self) -> int:
        """Thousandths, rounded away from zero. Follows: Quantity.MilliValue."""
        return _scaled(self.nanos, _MILLI_IN_NANOS)

    @property
    def is_integer(self) -> bool:
        return self.nanos % NANO == 0

    def round_up_to_milli(self) -> "Quantity":
        """What resource lists hold: nothing finer than a thousandth. Follows: SetDefaults_ResourceList."""
        return Quantity(_scaled(self.nanos, _MILLI_IN_NANOS) * _MILLI_IN_NANOS, self.format)

    def __add__(self, other: "Quantity") -> "Quantity":
        """The sum, in this one's format; a zero takes the other's. Follows: Quantity.Add."""
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __mul__(self, factor: int) -> "Quantity":
        return Quantity(self.nanos * factor, self.format)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nanos, self.format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: "Quantity") -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __str__(self) -> str:
        """The canonical text. Follows: Quantity.CanonicalizeBytes."""
        if not self.nanos:
            return "0"
        if self.format is Format.BINARY_SI and abs(self.nanos) >= 1024 * NANO and self.is_integer:
            number, power = self.nanos // NANO, 0
            while number % 1024 == 0 and power < 60:
                number //= 1024
                power += 10
            return f"{number}{_BINARY_SUFFIX.get(power, '')}"
        number, power = self.nanos, -9
        while number % 1000 == 0:
            number //= 1000
            power += 3
        if self.format is Format.DECIMAL_EXPONENT or power not in _DECIMAL_SUFFIX:
            return f"{number}e{power}" if power else str(number)
        return f"{number}{_DECIMAL_SUFFIX[power]}"


ZERO = Quantity(0)


def _scaled(nanos: int, unit: int) -> int:
    """`nanos` in `unit`s, rounded away from zero."""
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


def parse(text: str | float) -> Quantity:
    """The quantity a manifest means; bare JSON numbers are read as their decimal text.

    Raises:
        QuantityError: with upstream's text.
    """
    if type(text) is str:
        return _parse_text(text)
    if isinstance(text, float) and text.is_integer():
        return _parse_text(str(int(text)))
    if isinstance(text, bool) or not isinstance(text, int | float):
        raise QuantityError(FORMAT_ERROR)
    return _parse_text(repr(text))


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def _parse_text(text: str) -> Quantity:
    shape = _SHAPE.match(text.strip())
    if shape is None:
        raise QuantityError(FORMAT_ERROR)
    sign, whole, fraction, suffix = shape.groups()
    fraction = fraction or ""
    if not whole and not fraction:
        raise QuantityError(NUMERIC_ERROR if "." in text else FORMAT_ERROR)
    if len(whole) + len(fraction) > MAX_DIGITS:
        raise QuantityError(NUMERIC_ERROR)
    digits, places = int(whole + fraction), len(fraction)
    if suffix in _BINARY:
        nanos = _ceil_division((digits << _BINARY[suffix]) * NANO, 10**places)
        nanos = min(nanos, MAX_INT64 * NANO)
        form = Format.BINARY_SI if nanos == 0 or nanos >= NANO else Format.DECIMAL_SI
    else:
        power, form = _decimal_power(suffix)
        power += 9 - places
        nanos = digits * 10**power if power >= 0 else _ceil_division(digits, 10**-power)
    return Quantity(-nanos if sign == "-" else nanos, form)


def _decimal_power(suffix: str) -> tuple[int, Format]:
    power = _DECIMAL.get(suffix)
    if power is not None:
        return power, Format.DECIMAL_SI
    exponent = _EXPONENT.match(suffix)
    # The bound is arbitrary; upstream's exponent is an int32.
    if exponent is None or len(exponent[1]) > 5 or abs(int(exponent[1])) > 1000:
        raise QuantityError(SUFFIX_ERROR)
    return int(exponent[1]), Format.DECIMAL_EXPONENT


def _ceil_division(number: int, by: int) -> int:
    return -(-number // by)


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def canonical(text: str | float) -> str:
    """The canonical text of `text`: `1000m` → `1`, `1024Ki` → `1Mi`."""
    return str(parse(text))


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def canonical_milli(text: str | float) -> str:
    """The canonical text after rounding up to thousandths, as resource lists hold it."""
    return str(parse(text).round_up_to_milli())


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def value(text: str | float) -> int:
    """Whole units (bytes), rounded up."""
    return parse(text).value


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def milli_value(text: str | float) -> int:
    """Thousandths (of a CPU), rounded up."""
    return parse(text).milli_value


def compare(one: str | float, other: str | float) -> int:
    """-1, 0 or 1."""
    left, right = parse(one).nanos, parse(other).nanos
    return (left > right) - (left < right)


def add(texts: Iterable[str | float]) -> str:
    """The canonical sum, in the format of the first that is not zero."""
    total = ZERO
    for text in texts:
        total = total + parse(text)
    return str(total)
