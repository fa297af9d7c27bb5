"""Property names as identifiers expressions can write: `foo-bar` is `foo__dash__bar`, `namespace` is `__namespace__`.

Follows: apiserver pkg/cel/escaping.go.
"""

import re

_KEYWORDS = frozenset({
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for",
    "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void",
    "while",
})  # fmt: skip
_NAMED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SPECIAL = re.compile(r"__|[.\-/]")
_BACK = re.compile(r"__(underscores|dot|dash|slash)__")
_PLAIN = {text: char for char, text in _NAMED.items()}
_IDENTIFIER = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$", re.ASCII)


def escape(name: str) -> str | None:
    """The identifier of a property; None if expressions have none for it."""
    if not name:
        return None
    if name in _KEYWORDS:
        return f"__{name}__"
    escaped = _SPECIAL.sub(lambda match: _NAMED[match[0]], name)
    return escaped if _IDENTIFIER.match(escaped) else None


def unescape(identifier: str) -> str:
    """The property of an identifier."""
    if identifier.startswith("__") and identifier.endswith("__") and identifier[2:-2] in _KEYWORDS:
        return identifier[2:-2]
    return _BACK.sub(lambda match: _PLAIN[match[0]], identifier)
