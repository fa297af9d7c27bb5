"""Numbers that are handed out once: which are free, which are held by stored objects, which by writes under way.

    0 … offset-1       static band: given out automatically only when the rest is used up
    offset … size-1    dynamic band: what is asked for without a wish comes from here

A number is *held* because a stored object has it, as told by whoever watches them, and *reserved* while a write that
wants it is under way. The store tells of a write before the writer is answered, so a reservation can be dropped after
success and after failure alike: no number is lost, and none is given out twice.

    reserve(7)    write begins                    reserved {7}   held {}
    hold(7)       stored                          reserved {7}   held {7}
    unreserve(7)  the writer is done              reserved {}    held {7}
    unhold(7)     the object is deleted           reserved {}    held {}

Follows: kubernetes pkg/registry/core/service/allocator/bitmap.go, ipallocator/ipallocator.go (bands).
"""

from collections import Counter

from pybernetes.effects import Chance


class Taken(Exception):
    """The wanted number belongs to somebody else."""


class Exhausted(Exception):
    """No number is left."""


class Pool:
    """Numbers from 0 to `size` - 1; see the module."""

    def __init__(self, size: int, offset: int, chance: Chance) -> None:
        self.size = size
        self._offset = min(offset, size)
        self._chance = chance
        self._held: Counter[int] = Counter()
        self._reserved: Counter[int] = Counter()

    def is_free(self, number: int) -> bool:
        return number not in self._held and number not in self._reserved

    def reserve(self, number: int) -> None:
        """Keep a wanted number for a write.

        Raises:
            Taken.
        """
        if not self.is_free(number):
            raise Taken
        self._reserved[number] += 1

    def reserve_any(self) -> int:
        """A free number, reserved: random in the dynamic band, else random in the static one.

        Raises:
            Exhausted.
        """
        for low, high in ((self._offset, self.size), (0, self._offset)):
            number = self._search(low, high)
            if number is not None:
                self._reserved[number] += 1
                return number
        raise Exhausted

    def _search(self, low: int, high: int) -> int | None:
        """The first free number from a random one on, around the band once."""
        if low >= high:
            return None
        start = self._chance.randint(low, high - 1)
        for band in (range(start, high), range(low, start)):
            for number in band:
                if self.is_free(number):
                    return number
        return None

    def unreserve(self, number: int) -> None:
        _drop(self._reserved, number)

    def hold(self, number: int) -> None:
        """A stored object has the number."""
        self._held[number] += 1

    def unhold(self, number: int) -> None:
        """A stored object has it no longer."""
        _drop(self._held, number)

    def statistics(self) -> dict[str, int]:
        return {"size": self.size, "held": len(self._held), "reserved": len(self._reserved)}


def _drop(counts: Counter[int], number: int) -> None:
    counts[number] -= 1
    if counts[number] <= 0:
        del counts[number]
