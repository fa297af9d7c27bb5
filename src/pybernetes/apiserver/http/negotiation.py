"""Which form the client wants the answer in: JSON, YAML or protobuf; the object, its metadata only, or a table.

Follows: apiserver pkg/endpoints/handlers/negotiation/negotiate.go.
"""

import functools
from dataclasses import dataclass
from enum import Enum

from pybernetes.apiserver.http.message import REMEMBERED_CHARACTERS
from pybernetes.machinery.errors import NotAcceptable, UnsupportedMediaType

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
WATCH_PROTOBUF = f"{PROTOBUF};stream=watch"
ACCEPTED = (JSON, YAML, PROTOBUF)
STREAMED = (f"{JSON};stream=watch", WATCH_PROTOBUF)
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH_YAML = "application/apply-patch+yaml"
APPLY_PATCH_CBOR = "application/apply-patch+cbor"

META_GROUP = "meta.k8s.io"
_CACHED = 1024
"""Distinct Accept values remembered; arbitrary."""


class Shape(Enum):
    """What the answer holds. Requested by `as=` in Accept."""

    OBJECT = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class Output:
    """The chosen form. `version` is that of meta.k8s.io for tables and metadata."""

    media_type: str = JSON
    shape: Shape = Shape.OBJECT
    version: str = "v1"
    pretty: bool = False


@dataclass(frozen=True, slots=True)
class _Clause:
    media_type: str
    parameters: dict[str, str]
    quality: float


def parse_accept(text: str) -> list[_Clause]:
    """The clauses of an Accept header, the most wanted first; equals stay in the order they were sent."""
    clauses = []
    for item in text.split(","):
        media_type, *rest = (part.strip() for part in item.split(";"))
        if not media_type:
            continue
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        clauses.append(_Clause(media_type, parameters, quality))
    clauses.sort(key=lambda clause: (-clause.quality, clause.media_type == "*/*"))
    return clauses


def not_acceptable(*accepted: str) -> NotAcceptable:
    return NotAcceptable(f"only the following media types are accepted: {', '.join(accepted)}")


def unsupported_media_type(*accepted: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    )


def _shape(parameters: dict[str, str], *, tables: bool) -> tuple[Shape, str] | None:
    wanted = parameters.get("as", "")
    if not wanted:
        return Shape.OBJECT, "v1"
    version = parameters.get("v", "v1")
    if parameters.get("g", META_GROUP) != META_GROUP or version not in {"v1", "v1beta1"} or not tables:
        return None
    try:
        return Shape(wanted), version
    except ValueError:
        return None


def negotiate(accept: str, *, streaming: bool = False, tables: bool = True, binary: bool = True) -> Output:
    """The first clause the server can satisfy; no Accept at all means JSON.

    `binary` says that the object itself can be shown as protobuf: not so for custom resources.

    Raises:
        NotAcceptable: 406, naming what there is.
    """
    if len(accept) > REMEMBERED_CHARACTERS:
        return _negotiate(accept, streaming=streaming, tables=tables, binary=binary)
    return _remembered(accept, streaming=streaming, tables=tables, binary=binary)


def _negotiate(accept: str, *, streaming: bool, tables: bool, binary: bool) -> Output:
    if not accept:
        return Output()
    for clause in parse_accept(accept):
        shape = _shape(clause.parameters, tables=tables)
        if shape is None:
            continue
        pretty = clause.parameters.get("pretty") == "1"
        if clause.media_type in {JSON, "*/*", "application/*"}:
            return Output(JSON, shape[0], shape[1], pretty)
        if clause.media_type == YAML:
            if streaming:  # YAML is a form of answers, so it is chosen, and cannot be streamed
                break
            return Output(YAML, shape[0], shape[1])
        if clause.media_type == PROTOBUF and shape[0] is not Shape.TABLE and (binary or shape[0] is not Shape.OBJECT):
            return Output(PROTOBUF, shape[0], shape[1])
    raise not_acceptable(*STREAMED) if streaming else not_acceptable(*ACCEPTED)


_remembered = functools.lru_cache(maxsize=_CACHED)(_negotiate)
