"""`"%d of %s".format([1, "x"])`: clauses, precision, and how values inside lists and maps are written.

Follows: cel-go ext/formatting.go, with the locale en_US.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from pybernetes.machinery.cel import values
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.stdlib import to_string
from pybernetes.machinery.cel.times import Duration, Timestamp
from pybernetes.machinery.cel.types import Type
from pybernetes.machinery.cel.values import Uint

_CLAUSE = re.compile(r"%(?:\.(\d*))?(.)?", re.DOTALL)
_PRECISION = 6
_MAX_PRECISION = 1000
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def format_text(template: str, args: list[Any]) -> str:
    """The template with its clauses replaced.

    Raises:
        EvaluationError: a clause and its argument do not fit.
    """
    position = 0

    def clause(match: re.Match[str]) -> str:
        nonlocal position
        precision, letter = match.groups()
        if letter is None:
            raise EvaluationError("unexpected end of string")
        if letter == "%" and precision is None:
            return "%"
        if precision is not None and not precision:
            raise EvaluationError("error while parsing precision: unable to convert precision specifier to integer")
        if precision is not None and int(precision[:8]) > _MAX_PRECISION:
            raise EvaluationError(f"precision {precision} exceeds maximum {_MAX_PRECISION}")
        write = _CLAUSES.get(letter)
        if write is None:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{letter}"')
        if position >= len(args):
            raise EvaluationError(f"index {position} out of range")
        position += 1
        return write(args[position - 1], _PRECISION if precision is None else int(precision))

    return _CLAUSE.sub(clause, template)


def _refused(value: Any, expected: str) -> EvaluationError:
    return EvaluationError(f"error during formatting: {expected}, was given {values.type_name(value)}")


def _decimal(value: Any, _: int) -> str:
    if type(value) in {int, Uint}:
        return str(int(value))
    raise _refused(value, "decimal clause can only be used on integers")


def _number(value: Any, expected: str) -> float:
    if type(value) is float:
        return value
    if type(value) is str and value in _SPECIAL:
        return _SPECIAL[value]
    raise _refused(value, expected)


def _not_finite(number: float) -> str | None:
    if math.isnan(number):
        return "NaN"
    return None if math.isfinite(number) else ("∞" if number > 0 else "-∞")


def _fixed(value: Any, precision: int) -> str:
    number = _number(value, "fixed-point clause can only be used on doubles")
    return _not_finite(number) or f"{number:,.{precision}f}"


def _scientific(value: Any, precision: int) -> str:
    number = _number(value, "scientific clause can only be used on doubles")
    mantissa, _, exponent = f"{number:.{precision}e}".partition("e")
    power = exponent.removeprefix("+").translate(_SUPERSCRIPTS)
    return _not_finite(number) or f"{mantissa}\u202f×\u202f10{power}"


def _binary(value: Any, _: int) -> str:
    if type(value) in {int, Uint, bool}:
        return f"{int(value):b}"
    raise _refused(value, "only integers and bools can be formatted as binary")


def _octal(value: Any, _: int) -> str:
    if type(value) in {int, Uint}:
        return f"{int(value):o}"
    raise _refused(value, "octal clause can only be used on integers")


def _hex(value: Any, _: int) -> str:
    if type(value) in {int, Uint}:
        return f"{int(value):x}"
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, bytes):
        return value.hex()
    raise _refused(value, "only integers, byte buffers, and strings can be formatted as hex")


def _string(value: Any, _: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, Type):
        return value.name
    if values.is_list(value) or (values.is_map(value) and values.type_name(value) == "map"):
        return _inside(value)
    if type(value) in {int, Uint, float, bool, str, bytes, Timestamp, Duration}:
        return to_string(value)
    kinds = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
    raise _refused(value, f"string clause can only be used on {kinds}")


def _inside(value: Any) -> str:
    """How a value is written within a list or map."""
    if values.is_list(value):
        return f"[{', '.join(map(_inside, value))}]"
    if values.is_map(value):
        return f"{{{', '.join(sorted(f'{_inside(key)}:{_inside(value[key])}' for key in value))}}}"
    if isinstance(value, float):
        return f"{value:.6f}" if math.isfinite(value) else f'"{to_string(value)}"'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return f"b{json.dumps(value.decode(errors='replace'), ensure_ascii=False)}"
    if isinstance(value, Timestamp):
        return f'timestamp("{value}")'
    if isinstance(value, Duration):
        return f'duration("{value}")'
    if isinstance(value, Type):
        return f"type({value.name})"
    return _string(value, 0)


_CLAUSES: dict[str, Callable[[Any, int], str]] = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "o": _octal,
    "x": _hex,
    "X": lambda value, precision: _hex(value, precision).upper(),
}
