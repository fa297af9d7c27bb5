"""Randomness and identity as arguments."""

import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes: generated names spell no words. Follows: apimachinery pkg/util/rand."""


class Chance:
    """One seeded source of randomness for one component. Without a seed it differs at every start."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def jitter(self, seconds: float, factor: float) -> float:
        """`seconds` lengthened by up to `factor` of itself. Follows: apimachinery wait.Jitter."""
        return seconds * (1.0 + self._random.random() * factor)

    def randint(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return self._random.randint(low, high)

    def choice(self, items: Sequence[T]) -> T:
        return self._random.choice(items)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        copy = list(items)
        self._random.shuffle(copy)
        return copy

    def name_suffix(self, length: int = 5) -> str:
        """Characters as `generateName` appends them."""
        return "".join(self._random.choices(SAFE_ALPHABET, k=length))

    def bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)


class Ids:
    """Where uids come from; a seeded one repeats the same uids."""

    def __init__(self, chance: Chance | None = None) -> None:
        self._chance = chance

    def uid(self) -> str:
        """A random version 4 UUID as text."""
        if self._chance is None:
            return str(uuid.uuid4())
        return str(uuid.UUID(bytes=self._chance.bytes(16), version=4))
