"""Randomness and identity as arguments."""

import os
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

    BUFFER_BYTES = 4096
    """Read from the system at a time: one call for 256 uids."""

    def __init__(self, chance: Chance | None = None) -> None:
        self._chance = chance
        self._buffer = b""
        self._position = 0

    def uid(self) -> str:
        """A random version 4 UUID as text."""
        if self._chance is not None:
            return str(uuid.UUID(bytes=self._chance.bytes(16), version=4))
        if self._position >= len(self._buffer):
            self._buffer, self._position = os.urandom(self.BUFFER_BYTES), 0
        digits = self._buffer[self._position : self._position + 16].hex()
        self._position += 16
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
