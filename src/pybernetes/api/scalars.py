"""What the generated modules of typed objects share: the base class and the scalar types of the API."""

import msgspec

Quantity = str | int | float
"""A number with a unit, as in `100m` or `2Gi`; `machinery.quantity` computes with it."""

IntOrString = int | str
"""A number, or a percentage or port name."""

Time = str
"""RFC 3339 with whole seconds; `effects.parse_time` reads it."""

MicroTime = str
"""RFC 3339 with microseconds."""


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every typed API object.

    Frozen, because informers share what they hand out: a change is `msgspec.structs.replace`. Fields that are
    pointers in upstream's Go types are None when absent; all others hold their zero value, as there.
    """
