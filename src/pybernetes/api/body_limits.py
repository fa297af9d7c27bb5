"""How deep a document may be, and the error of a body that is none.

Everything below walks documents by recursion, and the writer of JSON gives up at 254 levels: what would not come out
again must not get in.

Differs: Go's decoder allows 10,000 levels. No manifest comes near either number.
"""

from typing import Any, Final

MAX_DEPTH: Final = 200


class ParseError(ValueError):
    """The bytes are no JSON or YAML; the message is upstream's."""


def check_depth(document: Any) -> None:
    """Refuse what is nested deeper than MAX_DEPTH.

    Raises:
        ParseError.
    """
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ParseError("exceeded max depth")


def may_be_deep(data: bytes) -> bool:
    """Whether JSON text has enough opening brackets for a document that is too deep; cheap, and rarely true."""
    return data.count(b"{") + data.count(b"[") > MAX_DEPTH
