"""Pod templates: their hash in names and labels, equality without it, numbers that may be percentages.

The hash is FNV-1a (32 bits) over the template's JSON with sorted keys. Upstream hashes a dump of the Go value, so the
texts differ; nothing compares them, since a template is found again by being equal.

Follows: kubernetes pkg/controller/controller_utils.go, ComputeHash; pkg/util/hash; apimachinery pkg/util/rand
SafeEncodeString; pkg/util/intstr.
"""

import functools
import math

import msgspec

from pybernetes.api import core_v1
from pybernetes.api.scalars import IntOrString
from pybernetes.effects.chance import SAFE_ALPHABET

POD_TEMPLATE_HASH = "pod-template-hash"
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def fnv32a(data: bytes) -> int:
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """The text in an alphabet that spells no words."""
    return "".join(SAFE_ALPHABET[ord(c) % len(SAFE_ALPHABET)] for c in text)


def hash_of(data: bytes, collisions: int | None = None) -> str:
    """A short name for these bytes; another one for each count of collisions."""
    suffix = collisions.to_bytes(8, "little") if collisions is not None else b""
    return safe_encode(str(fnv32a(data + suffix)))


@functools.lru_cache(maxsize=1)
def _encoder() -> msgspec.json.Encoder:
    return msgspec.json.Encoder(order="sorted")


def canonical(template: core_v1.PodTemplateSpec) -> bytes:
    """The template's JSON with sorted keys, without the hash label."""
    return _encoder().encode(without_hash(template))


def template_hash(template: core_v1.PodTemplateSpec, collisions: int | None = None) -> str:
    return hash_of(canonical(template), collisions)


def without_hash(template: core_v1.PodTemplateSpec) -> core_v1.PodTemplateSpec:
    labels = template.metadata.labels
    if POD_TEMPLATE_HASH not in labels:
        return template
    meta = msgspec.structs.replace(
        template.metadata, labels={k: v for k, v in labels.items() if k != POD_TEMPLATE_HASH}
    )
    return msgspec.structs.replace(template, metadata=meta)


def equal(one: core_v1.PodTemplateSpec, other: core_v1.PodTemplateSpec) -> bool:
    """Whether both make the same pods, whatever hash they carry."""
    return without_hash(one) == without_hash(other)


def scaled(value: IntOrString | None, total: int, *, round_up: bool, default: int = 0) -> int:
    """A number, or so many percent of `total`: 25% of 10 is 3 rounded up, 2 down; nonsense is `default`."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    try:
        percent = int(value.removesuffix("%"))
    except ValueError:
        return default
    if not value.endswith("%"):
        return default
    exact = percent * total / 100
    return math.ceil(exact) if round_up else math.floor(exact)
