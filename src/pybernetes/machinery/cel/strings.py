"""Strings beyond the language: searching, cutting, joining, quoting.

Positions count code points. Version 2 of cel-go's library, as Kubernetes has it: `reverse` came later.

Follows: cel-go ext/strings.go.
"""

from typing import Any

from pybernetes.machinery.cel import formatting
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.limits import MAX_REQUEST_SIZE_BYTES

STRINGS = Library("strings")
_define = STRINGS.define
_LONGEST = 8 * MAX_REQUEST_SIZE_BYTES
"""Longest text `replace` and `join` make; arbitrary, beyond all that fits into a document."""
_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_TO_LOWER, _TO_UPPER = str.maketrans(_UPPER, _LOWER), str.maketrans(_LOWER, _UPPER)
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's unicode.IsSpace accepts; Python's strip would take four control characters more."""
_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\",
    '"': '\\"',
}  # fmt: skip


def _bounded(length: int) -> None:
    """Refuse to make a text no document could hold."""
    if length > _LONGEST:
        raise EvaluationError(f"a string of {length} code points is longer than {_LONGEST}")


def _out_of_range(place: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {place}")


@_define("string_char_at_int", "string|charAt(int) -> string")
def _char_at(text: str, place: int) -> str:
    if not 0 <= place <= len(text):
        raise _out_of_range(place)
    return text[place : place + 1]


@_define("string_index_of_string", "string|indexOf(string) -> int",
         "string_index_of_string_int", "string|indexOf(string, int) -> int")  # fmt: skip
def _index_of(text: str, part: str, offset: int = 0) -> int:
    if offset < 0:
        raise _out_of_range(offset)
    if not part:
        return min(offset, len(text))
    return text.find(part, offset)


@_define("string_last_index_of_string", "string|lastIndexOf(string) -> int",
         "string_last_index_of_string_int", "string|lastIndexOf(string, int) -> int")  # fmt: skip
def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return text.rfind(part)
    if offset < 0:
        raise _out_of_range(offset)
    if not part:
        return min(offset, len(text))
    if offset >= len(text):
        return -1
    return text.rfind(part, 0, offset + len(part))


@_define("string_lower_ascii", "string|lowerAscii() -> string")
def _lower_ascii(text: str) -> str:
    return text.translate(_TO_LOWER)


@_define("string_upper_ascii", "string|upperAscii() -> string")
def _upper_ascii(text: str) -> str:
    return text.translate(_TO_UPPER)


@_define("string_replace_string_string", "string|replace(string, string) -> string",
         "string_replace_string_string_int", "string|replace(string, string, int) -> string")  # fmt: skip
def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    found = text.count(old) if count < 0 else min(count, text.count(old))
    _bounded(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, max(count, -1))


@_define("string_split_string", "string|split(string) -> list(string)",
         "string_split_string_int", "string|split(string, int) -> list(string)")  # fmt: skip
def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


@_define("string_substring_int", "string|substring(int) -> string",
         "string_substring_int_int", "string|substring(int, int) -> string")  # fmt: skip
def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise _out_of_range(start)
    if end is not None and not 0 <= end <= len(text):
        raise _out_of_range(end)
    return text[start:end]


@_define("string_trim", "string|trim() -> string")
def _trim(text: str) -> str:
    return text.strip(_SPACE)


@_define("list_join", "list(string)|join() -> string", "list_join_string", "list(string)|join(string) -> string")
def _join(texts: Any, separator: str = "") -> str:
    for text in texts:
        if type(text) is not str:
            raise EvaluationError(f"join: invalid input: {text}")
    _bounded(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@_define("strings_quote", "strings.quote(string) -> string")
def _quote(text: str) -> str:
    return f'"{"".join(_QUOTED.get(char, char) for char in text)}"'


@_define("string_format", "string|format(list(dyn)) -> string")
def _format(template: str, args: Any) -> str:
    return formatting.format_text(template, list(args))
