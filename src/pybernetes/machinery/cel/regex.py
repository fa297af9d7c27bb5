"""Regular expressions with RE2's syntax and linear time, and Go's error texts.

Follows: Go regexp/syntax; cel-go common/types/string.go, Match.
"""

from functools import lru_cache
from typing import Any

import re2

from pybernetes.machinery.cel.errors import EvaluationError

_REMEMBERED = 512
"""Compiled patterns kept; arbitrary, more than the policies of a cluster have."""
_MAX_MEMORY = 2 << 20
"""Bytes one compiled pattern may take; a quarter of RE2's default, as many may be remembered."""

_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "trailing \\": "trailing backslash at end of expression",
}


@lru_cache(maxsize=_REMEMBERED)
def compiled(pattern: str, prefix: str = "") -> Any:
    """The pattern, ready to search with; `prefix` opens the error's text.

    Raises:
        EvaluationError: RE2 refuses it.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        what, _, where = text.partition(": ")
        shown = f"{_GO_WORDS.get(what, what)}: `{where or pattern}`"
        raise EvaluationError(f"{prefix}error parsing regexp: {shown}") from None
