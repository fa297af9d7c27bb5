"""What is known about content, by its bytes: pods come by the thousand from one template, and are alike but for a name.

Only for results of pure functions of that content alone. Bounded: what was learned first is forgotten first.
"""

from typing import Any, Final, Generic, TypeVar

import orjson

V = TypeVar("V")

MAX_KNOWN: Final = 512
"""Contents remembered per question; a template of 4 kB makes this 2 MB."""
MAX_BYTES: Final = 64 * 1024
"""Larger content is looked at each time."""


class Known(Generic[V]):
    """Answers by content. Whoever gets one must not change it."""

    def __init__(self) -> None:
        self._answers: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes | None) -> V | None:
        return self._answers.get(key) if key else None

    def learn(self, key: bytes | None, answer: V) -> None:
        if not key or len(key) > MAX_BYTES:
            return
        if len(self._answers) >= MAX_KNOWN:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer


def key_of(content: Any, question: bytes = b"") -> bytes | None:
    """The bytes that stand for plain JSON values; None when there are none, such as for a number of over 64 bits.

    Key order counts, so equal content may have several. `question` tells apart what is asked of the same content.
    """
    try:
        return question + orjson.dumps(content)
    except orjson.JSONEncodeError:
        return None
