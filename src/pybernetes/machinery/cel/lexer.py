"""An expression's text as tokens, and literals as values.

Follows: cel-go parser/gen/CEL.g4, parser/unescape.go.
"""

import re
from dataclasses import dataclass

from pybernetes.machinery.cel.errors import Issue
from pybernetes.machinery.cel.values import MAX_INT, MAX_UINT, MIN_INT, Uint

_ESCAPE = r"\\(?:[abfnrtv\"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"
_STRING = (
    r"[rR](?:\"\"\".*?\"\"\"|'''.*?'''|\"[^\"\n\r]*\"|'[^'\n\r]*')"
    rf"|\"\"\"(?:{_ESCAPE}|[^\\])*?\"\"\"|'''(?:{_ESCAPE}|[^\\])*?'''"
    rf"|\"(?:{_ESCAPE}|[^\\\"\n\r])*\"|'(?:{_ESCAPE}|[^\\'\n\r])*'"
)
_TOKEN = re.compile(
    rf"""
    (?P<skip>[\t\ \r\n\f]+|//[^\n]*)
    |(?P<BYTES>[bB](?:{_STRING.replace(" ", "[ ]")}))
    |(?P<STRING>{_STRING.replace(" ", "[ ]")})
    |(?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<NUM_UINT>0x[0-9a-fA-F]+[uU]|[0-9]+[uU])
    |(?P<NUM_INT>0x[0-9a-fA-F]+|[0-9]+)
    |(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<ESC_IDENTIFIER>`[A-Za-z0-9_.\-/\ ]+`)
    |(?P<op>==|!=|<=|>=|&&|\|\||[<>\[\]{{}}().,\-!?:+*/%])
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = frozenset({"in", "true", "false", "null"})
_LONGEST_NUMBER = 200
"""Digits of a whole number that are read at all; leading zeroes are allowed, and Python minds thousands."""
RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import",
    "in", "let", "loop", "package", "namespace", "null", "return", "true", "var", "void",
    "while",
})  # fmt: skip
"""Names no variable and no function can have. Follows: parser/helper.go, reservedIds."""

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is the grammar's name for literals and identifiers, the text itself for operators and words."""

    kind: str
    text: str
    offset: int


class Malformed(ValueError):
    """A literal that stands for no value; the message is cel-go's."""


def tokens(text: str, issues: list[Issue]) -> list[Token]:
    """The tokens with an `<EOF>` at the end; characters no token begins with go to `issues` and are left out."""
    found: list[Token] = []
    position, end = 0, len(text)
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            issues.append(
                Issue(f"Syntax error: token recognition error at: '{_unrecognised(text, position)}'", position)
            )
            position += len(_unrecognised(text, position))
            continue
        kind = match.lastgroup or ""
        if kind == "op" or (kind == "IDENTIFIER" and match[0] in _WORDS):
            found.append(Token(match[0], match[0], position))
        elif kind != "skip":
            found.append(Token(kind, match[0], position))
        position = match.end()
    found.append(Token("<EOF>", "<EOF>", end))
    return found


def _unrecognised(text: str, position: int) -> str:
    """The characters one complaint covers: an unfinished string to the end of its line, else one character."""
    if text[position] in "\"'":
        end = text.find("\n", position)
        return text[position:] if end < 0 else text[position:end]
    return text[position]


def integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise Malformed("invalid int literal")
    number = int(text.replace("0x", ""), 16) if "0x" in text else int(text)
    if not MIN_INT <= number <= MAX_INT:
        raise Malformed("invalid int literal")
    return number


def unsigned(text: str) -> Uint:
    digits = text[:-1]
    if len(digits) > _LONGEST_NUMBER:
        raise Malformed("invalid uint literal")
    number = int(digits, 0) if digits.startswith("0x") else int(digits)
    if number > MAX_UINT:
        raise Malformed("invalid uint literal")
    return Uint(number)


def double(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise Malformed("invalid double literal")
    return number


def string(text: str) -> str:
    body, raw = _body(text)
    return body if raw or "\\" not in body else _unescape(body)


def byte_string(text: str) -> bytes:
    body, raw = _body(text[1:])
    return body.encode() if raw or "\\" not in body else _unescape_bytes(body)


def _body(text: str) -> tuple[str, bool]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text[0] in "rR"
    if raw:
        text = text[1:]
    quotes = 3 if len(text) >= 6 and text[:3] in {'"""', "'''"} else 1
    return text[quotes:-quotes], raw


_ESCAPED = re.compile(
    r"\\(?:([xX])([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)


def _unescape(body: str) -> str:
    def one(match: re.Match[str]) -> str:
        _, byte, short, long, octal, simple = match.groups()
        if simple:
            return _SIMPLE[simple]
        code = int(octal, 8) if octal else int(byte or short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise Malformed("invalid unicode code point")
        return chr(code)

    return _ESCAPED.sub(one, body)


def _unescape_bytes(body: str) -> bytes:
    found, position = bytearray(), 0
    for match in _ESCAPED.finditer(body):
        found += body[position : match.start()].encode()
        _, byte, short, long, octal, simple = match.groups()
        if short or long:
            raise Malformed("unable to unescape string")
        found += _SIMPLE[simple].encode() if simple else bytes([int(octal, 8) if octal else int(byte, 16)])
        position = match.end()
    return bytes(found + body[position:].encode())
