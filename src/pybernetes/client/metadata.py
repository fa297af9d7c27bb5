"""Objects of any kind, as far as their metadata goes: what the garbage collector and namespace deletion look at.

A class is made at run time for each resource the API server tells of, custom ones too. The server is asked for
`PartialObjectMetadata`; one that answers with whole objects is understood as well, since everything but the
metadata is dropped while decoding.

Follows: client-go metadata/metadata.go.
"""

import functools
from typing import ClassVar, cast

import msgspec

from pybernetes.api.object import Object


class MetadataOnly(Object, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Metadata of one object; base of the classes `partial` makes, which are read and never written."""

    VERBS: ClassVar[tuple[str, ...]] = ()


@functools.lru_cache(maxsize=4096)
def partial(
    group: str, version: str, kind: str, plural: str, *, namespaced: bool, verbs: tuple[str, ...] = ()
) -> type[MetadataOnly]:
    """The metadata-only class of one resource; the same class for the same resource."""
    facts = {
        "GROUP": group,
        "VERSION": version,
        "KIND": kind,
        "PLURAL": plural,
        "NAMESPACED": namespaced,
        "VERBS": verbs,
        "__module__": __name__,
    }
    made = msgspec.defstruct(
        f"{kind}Metadata",
        [],
        bases=(MetadataOnly,),
        namespace=facts,
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        gc=False,
    )
    return cast("type[MetadataOnly]", made)
