"""What one evaluation carries: the values of variables, and the work done so far.

Follows: cel-go interpreter/runtimecost.go; apiserver pkg/apis/cel/config.go.
"""

from collections.abc import Callable
from typing import Any

from pybernetes.machinery.cel.errors import CostExceeded
from pybernetes.machinery.cel.limits import PER_CALL_LIMIT, RUNTIME_COST_BUDGET

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Frame:
    """Variables by slot; `cost` so far and the `limit` it must not pass."""

    __slots__ = ("cost", "limit", "slots")

    def __init__(self, slots: list[Any], limit: int) -> None:
        self.slots = slots
        self.limit = limit
        self.cost = 0

    def spend(self, cost: int) -> None:
        """Count work.

        Raises:
            CostExceeded: beyond the limit.
        """
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded


Step = Callable[[Frame], Any]
"""A compiled node."""


class Budget:
    """The work a group of evaluations may do together, each within `per_call`.

    An evaluation's cost is subtracted when it ends, whatever its outcome; the one that overdraws raises.
    """

    __slots__ = ("per_call", "remaining")

    def __init__(self, limit: int = RUNTIME_COST_BUDGET, *, per_call: int = PER_CALL_LIMIT) -> None:
        self.remaining = limit
        self.per_call = per_call

    def spend(self, cost: int) -> None:
        """Subtract `cost`.

        Raises:
            CostExceeded: with upstream's words, once nothing remains.
        """
        self.remaining -= cost
        if self.remaining < 0:
            raise CostExceeded(OUT_OF_BUDGET)
