"""Expressions that select devices: what they may name, and whether one compiles and is cheap enough.

    device.driver                       text
    device.allowMultipleAllocations     whether several may share it
    device.attributes[DOMAIN].NAME      of any type
    device.capacity[DOMAIN].NAME        quantities

Follows: dynamic-resource-allocation cel/compile.go; kubernetes pkg/apis/resource/validation/validation.go,
validateCELSelector.
"""

import functools
from typing import Final

from pybernetes.machinery import cel
from pybernetes.machinery.cel.quantities import QUANTITY

MAX_COST: Final = 1_000_000
_MAX_DOMAIN: Final = 63
_MAX_ID: Final = 32
_MAX_DRIVER: Final = 63
_MAX_VALUE: Final = 64
_MAX_ENTRIES: Final = 32
TOO_COMPLEX: Final = "too complex, exceeds cost limit"


def _by_domain(value: cel.Type) -> cel.Type:
    own = cel.map_of(cel.STRING.with_max(_MAX_ID), value, max_elements=_MAX_ENTRIES)
    return cel.map_of(cel.STRING.with_max(_MAX_DOMAIN), own, max_elements=_MAX_ENTRIES)


DEVICE: Final = cel.struct(
    "kubernetes.DRADevice",
    {
        "driver": cel.STRING.with_max(_MAX_DRIVER),
        "allowMultipleAllocations": cel.BOOL.with_max(1),
        "attributes": _by_domain(cel.DYN.with_max(_MAX_VALUE)),
        "capacity": _by_domain(QUANTITY),
    },
)


@functools.cache
def _environment() -> cel.Environment:
    return cel.Environment({"device": DEVICE})


@functools.lru_cache(maxsize=256)
def why_not(text: str) -> str:
    """Why the expression cannot select devices; empty when it can. `TOO_COMPLEX` is forbidden, all else invalid."""
    try:
        program = _environment().compile(text)
    except cel.CelError as error:
        return f"compilation failed: {error}"
    if program.type not in {cel.BOOL, cel.DYN}:
        return f"must evaluate to bool or the unknown type, not {program.type}"
    return TOO_COMPLEX if program.estimate().max > MAX_COST else ""
