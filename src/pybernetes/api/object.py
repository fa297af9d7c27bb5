"""The base of typed objects that have metadata, and their bytes on the wire."""

from typing import Any, ClassVar, TypeVar

import msgspec

from pybernetes.api import meta_v1
from pybernetes.api.scalars import Struct


class Object(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A typed object of the API.

    `apiVersion` and `kind` are facts of the class, not of the instance; `encode` writes them.
    """

    GROUP: ClassVar[str] = ""
    VERSION: ClassVar[str] = ""
    KIND: ClassVar[str] = ""
    PLURAL: ClassVar[str] = ""
    NAMESPACED: ClassVar[bool] = False

    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=meta_v1.ObjectMeta)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone for cluster-scoped objects: the key of caches and queues."""
        meta = self.metadata
        return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


T = TypeVar("T", bound=Object)

_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_encoder = msgspec.json.Encoder()


def api_version(kind: type[Object]) -> str:
    """`v1`, `apps/v1`: what stands in a manifest."""
    return f"{kind.GROUP}/{kind.VERSION}" if kind.GROUP else kind.VERSION


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of one kind, made once."""
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found


def decode(kind: type[T], data: bytes) -> T:
    """The typed object in JSON bytes; unknown fields are dropped.

    Raises:
        msgspec.ValidationError: a field has the wrong type; the message names its path.
    """
    return decoder(kind).decode(data)


def encode(value: Object) -> bytes:
    """JSON bytes with `apiVersion` and `kind` in front."""
    kind = type(value)
    body = _encoder.encode(value)
    head = f'{{"apiVersion":"{api_version(kind)}","kind":"{kind.KIND}"'.encode()
    return head + (b"," + body[1:] if len(body) > 2 else b"}")
