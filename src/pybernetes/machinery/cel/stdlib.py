"""The functions and operators of the language itself.

Follows: cel-go common/stdlib/standard.go, common/overloads/overloads.go, common/types.
"""

import math
from typing import Any

from pybernetes.machinery.cel import operators, regex, types, values
from pybernetes.machinery.cel.errors import EvaluationError, no_such_overload
from pybernetes.machinery.cel.functions import Implementation, Library
from pybernetes.machinery.cel.times import NANO, Duration, Timestamp, parse_duration, parse_timestamp
from pybernetes.machinery.cel.types import Type
from pybernetes.machinery.cel.values import MAX_INT, MAX_UINT, MIN_INT, Uint

STANDARD = Library("stdlib")
_define = STANDARD.define

STANDARD.types.update({
    "bool": types.BOOL, "int": types.INT, "uint": types.UINT, "double": types.DOUBLE, "string": types.STRING,
    "bytes": types.BYTES, "list": types.list_of(), "map": types.map_of(types.DYN), "null_type": types.NULL,
    "type": types.TYPE, "dyn": types.DYN,
    "google.protobuf.Timestamp": types.TIMESTAMP, "google.protobuf.Duration": types.DURATION,
})  # fmt: skip


def _operator(function: str, implementation: Implementation, overloads: dict[str, str]) -> None:
    for identity, signature in overloads.items():
        STANDARD.add(identity, f"{function}{signature}", implementation, self_checking=True)


def _operators() -> None:
    _operator("_?_:_", _unreachable, {"conditional": "(bool, A, A) -> A"})
    _operator("_&&_", _unreachable, {"logical_and": "(bool, bool) -> bool"})
    _operator("_||_", _unreachable, {"logical_or": "(bool, bool) -> bool"})
    _operator("@not_strictly_false", _unreachable, {"not_strictly_false": "(bool) -> bool"})
    _operator("cel.@mapInsert", _unreachable, {
        "@mapInsert_map_map": "(map(K, V), map(K, V)) -> map(K, V)",
        "@mapInsert_map_key_value": "(map(K, V), K, V) -> map(K, V)",
    })  # fmt: skip
    STANDARD.add("logical_not", "!_(bool) -> bool", _not)
    _operator("-_", operators.negate, {"negate_double": "(double) -> double", "negate_int64": "(int) -> int"})
    _operator("_==_", operators.equal, {"equals": "(A, A) -> bool"})
    _operator("_!=_", operators.unequal, {"not_equals": "(A, A) -> bool"})
    _operator("_[_]", operators.index, {
        "index_list": "(list(A), int) -> A",
        "index_map": "(map(A, B), A) -> B",
        "optional_list_index_int": "(optional(list(A)), int) -> optional(A)",
        "optional_map_index_value": "(optional(map(A, B)), A) -> optional(B)",
    })  # fmt: skip
    _operator("_[?_]", operators.optional_index, {
        "list_optindex_optional_int": "(list(A), int) -> optional(A)",
        "optional_list_optindex_optional_int": "(optional(list(A)), int) -> optional(A)",
        "map_optindex_optional_value": "(map(A, B), A) -> optional(B)",
        "optional_map_optindex_optional_value": "(optional(map(A, B)), A) -> optional(B)",
    })  # fmt: skip
    _operator("@in", operators.member, {"in_list": "(A, list(A)) -> bool", "in_map": "(A, map(A, B)) -> bool"})
    _arithmetic()
    orders = {
        "_<_": ("less", operators.less), "_<=_": ("less_equals", operators.less_equal),
        "_>_": ("greater", operators.greater), "_>=_": ("greater_equals", operators.greater_equal),
    }  # fmt: skip
    same = ("bool", "int64", "uint64", "double", "string", "bytes", "timestamp", "duration")
    for function, (name, implementation) in orders.items():
        pairs = {f"{name}_{kind}": f"({_short(kind)}, {_short(kind)}) -> bool" for kind in same}
        numbers = ("int64", "uint64", "double")
        for one in numbers:
            for other in numbers:
                if one != other:
                    pairs[f"{name}_{one}_{other}"] = f"({_short(one)}, {_short(other)}) -> bool"
        _operator(function, implementation, pairs)


def _short(kind: str) -> str:
    return kind.removesuffix("64")


def _arithmetic() -> None:
    numbers = {"double": "double", "int64": "int", "uint64": "uint"}
    _operator("_+_", operators.add, {
        "add_bytes": "(bytes, bytes) -> bytes",
        "add_double": "(double, double) -> double",
        "add_duration_duration": "(duration, duration) -> duration",
        "add_duration_timestamp": "(duration, timestamp) -> timestamp",
        "add_timestamp_duration": "(timestamp, duration) -> timestamp",
        "add_int64": "(int, int) -> int",
        "add_list": "(list(A), list(A)) -> list(A)",
        "add_string": "(string, string) -> string",
        "add_uint64": "(uint, uint) -> uint",
    })  # fmt: skip
    _operator("_-_", operators.subtract, {
        **{f"subtract_{key}": f"({kind}, {kind}) -> {kind}" for key, kind in numbers.items()},
        "subtract_duration_duration": "(duration, duration) -> duration",
        "subtract_timestamp_duration": "(timestamp, duration) -> timestamp",
        "subtract_timestamp_timestamp": "(timestamp, timestamp) -> duration",
    })  # fmt: skip
    for function, name, implementation in (
        ("_*_", "multiply", operators.multiply), ("_/_", "divide", operators.divide),
    ):  # fmt: skip
        _operator(function, implementation, {f"{name}_{k}": f"({t}, {t}) -> {t}" for k, t in numbers.items()})
    _operator("_%_", operators.modulo, {"modulo_int64": "(int, int) -> int", "modulo_uint64": "(uint, uint) -> uint"})


def _unreachable(*_: Any) -> Any:
    raise no_such_overload()


def _not(value: bool) -> bool:
    return not value


@_define(
    "size_string", "size(string) -> int", "string_size", "string|size() -> int",
    "size_bytes", "size(bytes) -> int", "bytes_size", "bytes|size() -> int",
    "size_list", "size(list(A)) -> int", "list_size", "list(A)|size() -> int",
    "size_map", "size(map(A, B)) -> int", "map_size", "map(A, B)|size() -> int",
)  # fmt: skip
def _size(value: Any) -> int:
    return len(value)


@_define("type", "type(A) -> type(A)")
def _type(value: Any) -> Type:
    return values.type_value(value)


@_define("to_dyn", "dyn(A) -> dyn")
def _dyn(value: Any) -> Any:
    return value


@_define("bool_to_bool", "bool(bool) -> bool", "string_to_bool", "bool(string) -> bool")
def _bool(value: bool | str) -> bool:
    if type(value) is bool:
        return value
    if value in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if value in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise EvaluationError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


@_define("bytes_to_bytes", "bytes(bytes) -> bytes", "string_to_bytes", "bytes(string) -> bytes")
def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


@_define(
    "double_to_double", "double(double) -> double", "int64_to_double", "double(int) -> double",
    "string_to_double", "double(string) -> double", "uint64_to_double", "double(uint) -> double",
)  # fmt: skip
def _double(value: float | str) -> float:
    try:
        return float(value)
    except ValueError:
        raise EvaluationError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None


@_define(
    "int64_to_int64", "int(int) -> int", "double_to_int64", "int(double) -> int",
    "duration_to_int64", "int(duration) -> int", "string_to_int64", "int(string) -> int",
    "timestamp_to_int64", "int(timestamp) -> int", "uint64_to_int64", "int(uint) -> int",
)  # fmt: skip
def _int(value: Any) -> int:
    if isinstance(value, str):
        return _parsed(value, MIN_INT, MAX_INT, "ParseInt")
    if isinstance(value, Timestamp):
        return value.nanos // NANO
    if isinstance(value, Duration):
        return value.nanos
    return _whole(value, MIN_INT, MAX_INT, "integer overflow")


@_define(
    "uint64_to_uint64", "uint(uint) -> uint", "double_to_uint64", "uint(double) -> uint",
    "int64_to_uint64", "uint(int) -> uint", "string_to_uint64", "uint(string) -> uint",
)  # fmt: skip
def _uint(value: Any) -> Uint:
    if isinstance(value, str):
        return Uint(_parsed(value, 0, MAX_UINT, "ParseUint"))
    return Uint(_whole(value, 0, MAX_UINT, "unsigned integer overflow"))


def _parsed(text: str, low: int, high: int, function: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} and function == "ParseInt" else text
    if not (digits.isascii() and digits.isdigit()):
        raise EvaluationError(f'strconv.{function}: parsing "{text}": invalid syntax')
    if len(digits) > 32 or not low <= int(text) <= high:
        raise EvaluationError(f'strconv.{function}: parsing "{text}": value out of range')
    return int(text)


def _whole(value: float, low: int, high: int, message: str) -> int:
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        raise EvaluationError(message)
    number = int(value)
    # A double of exactly the bound may have been rounded to it, so that bounds are excluded for doubles.
    if not low <= number <= high or (isinstance(value, float) and (number <= low < 0 or number >= high)):
        raise EvaluationError(message)
    return number


@_define(
    "string_to_string", "string(string) -> string", "bool_to_string", "string(bool) -> string",
    "bytes_to_string", "string(bytes) -> string", "double_to_string", "string(double) -> string",
    "duration_to_string", "string(duration) -> string", "int64_to_string", "string(int) -> string",
    "timestamp_to_string", "string(timestamp) -> string", "uint64_to_string", "string(uint) -> string",
)  # fmt: skip
def to_string(value: Any) -> str:
    """What `string(value)` is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, float):
        return shortest(value)
    return str(value)


def shortest(number: float) -> str:
    """A double as Go's %g writes it: the fewest digits that read back, exponents of two digits."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = repr(number)
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    digits = mantissa.lstrip("-").replace(".", "").strip("0")
    power = int(exponent) if exponent else 0
    if number and not exponent:
        power = math.floor(math.log10(abs(number)))
        if not 10.0**power <= abs(number):
            power -= 1
    if number and (power < -4 or power >= 21):
        sign = "-" if number < 0 else ""
        whole = digits[0] + (f".{digits[1:]}" if digits[1:] else "")
        return f"{sign}{whole}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{int(number)}" if exponent and number.is_integer() else mantissa


@_define("timestamp_to_timestamp", "timestamp(timestamp) -> timestamp",
         "string_to_timestamp", "timestamp(string) -> timestamp",
         "int64_to_timestamp", "timestamp(int) -> timestamp")  # fmt: skip
def _timestamp(value: Any) -> Timestamp:
    if isinstance(value, int):
        return Timestamp(value * NANO)
    if isinstance(value, str):
        try:
            return parse_timestamp(value)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
    assert isinstance(value, Timestamp)
    return value


@_define("duration_to_duration", "duration(duration) -> duration", "string_to_duration", "duration(string) -> duration",
         "int64_to_duration", "duration(int) -> duration")  # fmt: skip
def _duration(value: Any) -> Duration:
    if isinstance(value, int):
        return Duration(value)
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
    assert isinstance(value, Duration)
    return value


@_define("contains_string", "string|contains(string) -> bool")
def _contains(text: str, part: str) -> bool:
    return part in text


@_define("starts_with_string", "string|startsWith(string) -> bool")
def _starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@_define("ends_with_string", "string|endsWith(string) -> bool")
def _ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@_define("matches", "matches(string, string) -> bool", "matches_string", "string|matches(string) -> bool")
def _matches(text: str, pattern: str) -> bool:
    return regex.compiled(pattern).search(text) is not None


_PARTS = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
_SPANS = {"getHours": 3600 * NANO, "getMinutes": 60 * NANO, "getSeconds": NANO, "getMilliseconds": 10**6}


def _accessors() -> None:
    for name, part in _PARTS.items():

        def read(moment: Timestamp, zone: str = "", *, part: Any = part) -> int:
            return int(part(moment.local(zone)))

        STANDARD.add(f"timestamp_to_{name}", f"timestamp|{name}() -> int", read)
        STANDARD.add(f"timestamp_to_{name}_with_tz", f"timestamp|{name}(string) -> int", read)
    for name, unit in _SPANS.items():

        def count(span: Duration, *, name: str = name, unit: int = unit) -> int:
            whole = abs(span.nanos) // unit
            if name == "getMilliseconds":
                whole %= 1000
            return -whole if span.nanos < 0 else whole

        STANDARD.add(f"duration_to_{name}", f"duration|{name}() -> int", count)


_operators()
_accessors()
