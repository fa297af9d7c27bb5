r"""Regular expressions as Go writes them (RE2), run by Python's engine.

The syntaxes agree but for a few spellings, which are translated:

    \z → \Z      \pL \p{Greek} → classes      [[:alpha:]] → a-zA-Z      \Q…\E → escaped      (?P<n>…) is the same

What RE2 refuses and Python knows (look-around, back references) is refused. `$` matches only at the very end.

Differs: RE2 never backtracks, Python's engine may take long on patterns made for that.

Follows: go regexp/syntax.
"""

import functools
import re
from typing import Final

_CACHED: Final = 2048
"""Distinct patterns remembered; arbitrary."""

_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_UNICODE: Final = {
    "L": "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u0370-\u1fff\u2c00-\ud7ff\uf900-\ufdff",
    "Lu": "A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a9\u0410-\u042f",
    "Ll": "a-z\u00df-\u00f6\u00f8-\u00ff\u03b1-\u03c9\u0430-\u044f",
    "N": "\\d",
    "Nd": "\\d",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Han": "\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff",
    "Latin": "A-Za-z\u00aa\u00ba\u00c0-\u02b8",
}
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?(\)|:)")


class PatternError(ValueError):
    """Go would not compile the pattern."""


@functools.lru_cache(maxsize=_CACHED)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern for `search`.

    Raises:
        PatternError.
    """
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"error parsing regexp: {error}: `{pattern}`") from None


def _translated(pattern: str) -> str:
    out: list[str] = []
    position, in_class = 0, False
    multiline = False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            text, position = _escape(pattern, position, in_class=in_class)
            out.append(text)
            continue
        if in_class:
            posix = re.compile(r"\[:(\^?)(\w+):\]").match(pattern, position)
            if posix is not None and posix[2] in _POSIX:
                if posix[1]:
                    raise PatternError(f"error parsing regexp: negated class inside a class: `{pattern}`")
                out.append(_POSIX[posix[2]])
                position = posix.end()
                continue
            in_class = character != "]"
            out.append("\\[" if character == "[" else character)
            position += 1
            continue
        if character == "[":
            in_class = True
            start = re.compile(r"\[\^?\]?").match(pattern, position)
            assert start is not None
            out.append(start[0].replace("]", "\\]"))
            position = start.end()
            continue
        if pattern.startswith("(?", position):
            text, position, multiline = _group(pattern, position, len(out) == 0, multiline=multiline)
            out.append(text)
            continue
        out.append("\\Z" if character == "$" and not multiline else character)
        position += 1
    return "".join(out)


def _group(pattern: str, position: int, first: bool, *, multiline: bool) -> tuple[str, int, bool]:
    """What opens a group: named, not counted, or flags."""
    if pattern.startswith("(?P<", position):
        return "(?P<", position + 4, multiline
    if pattern.startswith("(?<", position) and pattern[position + 3 : position + 4] not in {"=", "!"}:
        return "(?P<", position + 3, multiline
    flags = _FLAGS.match(pattern, position)
    if flags is None:
        raise PatternError(
            f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern[position : position + 3]}`"
        )
    on, off = flags[1].replace("U", ""), (flags[2] or "").replace("U", "")
    multiline = ("m" in on) or (multiline and "m" not in off)
    if flags[3] == ":":
        shown = f"(?{on}{off if off != '-' else ''}:" if on or off not in {"", "-"} else "(?:"
        return shown, flags.end(), multiline
    if not on:
        return "", flags.end(), multiline
    if first:
        return f"(?{on})", flags.end(), multiline
    # Go lets flags begin anywhere; the rest of the pattern becomes a group of its own.
    rest = _translated(pattern[flags.end() :])
    return f"(?{on}:{rest})", len(pattern), multiline


def _escape(pattern: str, position: int, *, in_class: bool) -> tuple[str, int]:
    following = pattern[position + 1 : position + 2]
    if not following:
        raise PatternError(r"error parsing regexp: trailing backslash at end of expression: ``")
    if following == "z":
        return "\\Z", position + 2
    if following == "Q":
        end = pattern.find("\\E", position)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[position + 2 : end]), end + 2
    if following == "C":
        return "[\\s\\S]", position + 2
    if following in "pP":
        return _property(pattern, position, in_class=in_class)
    if following == "x" and pattern[position + 2 : position + 3] == "{":
        end = pattern.find("}", position)
        try:
            return re.escape(chr(int(pattern[position + 3 : end], 16))), end + 1
        except (ValueError, OverflowError):
            raise PatternError(f"error parsing regexp: invalid escape sequence: `{pattern[position:end]}`") from None
    if following.isdigit() and following != "0":
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{following}`")
    if following.isalpha() and following not in "AbBdDfnrsStvwWx0a":
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{following}`")
    return f"\\{following}", position + 2


def _property(pattern: str, position: int, *, in_class: bool) -> tuple[str, int]:
    found = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))").match(pattern, position)
    name = (found[3] or found[4]) if found is not None else ""
    if found is None or name not in _UNICODE:
        raise PatternError(f"error parsing regexp: invalid character class range: `{pattern[position : position + 2]}`")
    body = _UNICODE[name]
    negated = (found[1] == "P") != (found[2] == "^")
    if in_class:
        if negated:
            raise PatternError(f"error parsing regexp: `{found[0]}` inside a class cannot be run here")
        return body, found.end()
    return f"[{'^' if negated else ''}{body}]", found.end()
