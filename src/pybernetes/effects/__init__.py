"""The only doors to time, randomness and identity. Components receive these as arguments."""

from pybernetes.effects.chance import Chance, Ids
from pybernetes.effects.clock import Clock, SystemClock, VirtualClock, format_micro_time, format_time, parse_time

__all__ = [
    "Chance",
    "Clock",
    "Ids",
    "SystemClock",
    "VirtualClock",
    "format_micro_time",
    "format_time",
    "parse_time",
]
