"""Request bodies to documents: JSON, YAML or protobuf in; a checked and normalised document and warnings out.

    bytes ── parse ──► plain JSON ── kind and version ──► types ── unknown and duplicate fields ──► Decoded

Follows: apiserver pkg/endpoints/handlers/create.go, rest.go (transformDecodeError, summarizeData);
apimachinery pkg/runtime/serializer/json/json.go; sigs.k8s.io/json and sigs.k8s.io/yaml for duplicates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecoder
from typing import Any, Final

import orjson

from pybernetes.api import normalize, protobuf, schema
from pybernetes.api.body_limits import ParseError, check_depth, may_be_deep
from pybernetes.api.registry import GroupVersion, Resource
from pybernetes.api.structural.metadata import WrongMetadata
from pybernetes.api.yaml_text import parse_yaml
from pybernetes.machinery import field_errors
from pybernetes.machinery.errors import BadRequest, Invalid, UnsupportedMediaType

Json = dict[str, Any]

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"

IGNORE: Final = "Ignore"
WARN: Final = "Warn"
STRICT: Final = "Strict"

_MAX_STRICT_ERRORS = 100
"""More are cut off, as upstream's decoder does."""
_SUMMARY_BYTES = 30


@dataclass(frozen=True, slots=True)
class Decoded:
    """A document that belongs to the caller. `warnings` become Warning headers."""

    document: Json
    warnings: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Keys that stand twice in one object: as paths (JSON), or as whole complaints with their line (YAML)."""

    found: Sequence[str] = ()
    order: Mapping[str, int] = field(default_factory=dict)
    """Of JSON: where in the text every path stands; of one that stands more often, where for the second time."""


NO_DUPLICATES = Duplicates()


def media_type(content_type: str) -> str:
    """The type without parameters; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or JSON


def decode_body(data: bytes, content_type: str, expected: Resource | None, *, field_validation: str = WARN) -> Decoded:
    """The object in a request body, checked against `expected`; any kind when that is None.

    Raises:
        BadRequest: it cannot be read, is of another kind, has a value of the wrong type or, under Strict, unknown or
            duplicate fields.
        UnsupportedMediaType: the content type is none of JSON, YAML and protobuf.
    """
    kind = media_type(content_type)
    duplicates = NO_DUPLICATES
    try:
        if kind == JSON:
            document = parse_json(data)
            if field_validation != IGNORE:
                duplicates = duplicate_fields(data, document)
        elif kind == YAML:
            document, lines = parse_yaml(data)
            duplicates = Duplicates(lines)
        elif kind == PROTOBUF and (expected is None or expected.type_alias):
            document = protobuf.decode(
                data,
                api_version=expected.api_version if expected else "",
                kind=expected.kind if expected else "",
            )
        else:
            raise UnsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: "
                f"{JSON}, {YAML}, {PROTOBUF}"
            )
    except (ParseError, protobuf.ProtobufError) as error:
        raise _unrecognized(expected, str(error), data) from None
    if type(document) is not dict:
        word = "array" if type(document) is list else type(document).__name__
        text = (
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {word} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        raise _unrecognized(expected, text, data)
    return check(document, expected, field_validation=field_validation, duplicates=duplicates)


def check(
    document: Json,
    expected: Resource | None,
    *,
    field_validation: str = WARN,
    duplicates: Duplicates = NO_DUPLICATES,
    patch: bytes | None = None,
    patch_complaints: Sequence[str] = (),
) -> Decoded:
    """A parsed or patched document with kind, types and unknown fields checked, normalised.

    Documents of custom resources lose what their schema does not name; their values are checked later. `patch` is the
    body of the patch that made the document: it gets the blame for wrong types, and under Strict for unknown fields and
    for what was wrong with itself, `patch_complaints`.

    Raises:
        BadRequest: as `decode_body`.
        Invalid: a patch is to blame. Follows: apiserver pkg/endpoints/handlers/patch.go.
    """
    kind = document.get("kind") or (expected.kind if expected else "")
    api_version = document.get("apiVersion") or (expected.api_version if expected else "")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        raise BadRequest("couldn't get version/kind; json parse error: apiVersion and kind must be text")
    if expected is not None:
        _check_kind(kind, api_version, expected)
    alias = expected.type_alias if expected is not None else schema.alias_of(api_version, kind)
    named = {**document, "kind": kind, "apiVersion": api_version}
    dropped: list[str] = []
    try:
        found = normalize.normalize(named, alias, dropped) if alias else _custom(named, dropped, expected)
    except normalize.TypeMismatch as error:
        if patch is not None:
            raise _wrong_patch(patch, str(error)) from None
        raise BadRequest(_cannot_be_handled(kind, api_version, expected, str(error))) from None
    if field_validation == IGNORE or not (dropped or duplicates.found or patch_complaints):
        return Decoded(found)
    unknown = unknown_fields(named, alias) if dropped and (alias or _OWN in dropped) else []
    if not alias:
        unknown += [path for path in dropped if path != _OWN]
    complaints = [*patch_complaints, *(_typed_complaints if alias else _complaints)(unknown, duplicates)]
    complaints = complaints[:_MAX_STRICT_ERRORS]
    if field_validation == STRICT and complaints:
        text = f"strict decoding error: {', '.join(complaints)}"
        if patch is not None:
            raise _wrong_patch(patch, text)
        raise BadRequest(_cannot_be_handled(kind, api_version, expected, text))
    return Decoded(found, tuple(complaints))


def _wrong_patch(patch: bytes, why: str) -> Invalid:
    complaint = field_errors.invalid_value("patch", patch.decode("utf-8", "replace"), why)
    return field_errors.invalid("", "", "", [complaint])


_OPERATION: Final = frozenset({"op", "path", "from", "value"})


def complaints_of_patch(data: bytes, document: Any) -> list[str]:
    """What strict reading finds in the body of a patch itself: fields that stand twice, members no operation has."""
    duplicates = duplicate_fields(data, document)
    if not isinstance(document, list):
        return _complaints((), duplicates)
    operations = [(index, item) for index, item in enumerate(document) if isinstance(item, dict)]
    unknown = [f"[{index}].{key}" for index, item in operations for key in item if key not in _OPERATION]
    return [f"json patch {text}" for text in _typed_complaints(unknown, duplicates)]


def _complaints(unknown: Sequence[str], duplicates: Duplicates) -> list[str]:
    complaints = [f'unknown field "{path}"' for path in unknown]
    return complaints + [text if text.startswith("line ") else f'duplicate field "{text}"' for text in duplicates.found]


def _typed_complaints(unknown: Sequence[str], duplicates: Duplicates) -> list[str]:
    """Of JSON in the order of the text; an unknown field that stands twice is only unknown.

    Follows: sigs.k8s.io/json internal/golang/encoding/json/decode.go, object.
    """
    if not duplicates.order:
        return _complaints(unknown, duplicates)
    strangers = set(unknown)
    twice = [path for path in duplicates.found if not any(_is_in(path, stranger) for stranger in strangers)]
    ranked = [(duplicates.order.get(path, 0), f'unknown field "{path}"') for path in unknown]
    ranked += [(duplicates.order[path], f'duplicate field "{path}"') for path in twice]
    return [text for _, text in sorted(ranked)]


def _is_in(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def unknown_fields(document: Json, alias: str) -> list[str]:
    """Paths of what the type does not have; for custom resources only inside metadata."""
    if alias:
        return normalize.unknown_fields(document, alias)
    return [f"metadata.{path}" for path in normalize.unknown_fields(document.get("metadata") or {}, _OBJECT_META)]


_OBJECT_META = "meta.v1.ObjectMeta"


_OWN = "metadata"
"""Stands among the dropped fields of a custom resource when some of its own metadata are."""


def _custom(document: Json, dropped: list[str], expected: Resource | None) -> Json:
    """A custom resource by its schema; paths of unknown fields go to `dropped`, of its own metadata only `_OWN`."""
    found = {"apiVersion": document["apiVersion"], "kind": document["kind"]}
    given = document.get("metadata")
    if given is not None:
        own: list[str] = []
        try:
            found["metadata"] = normalize.normalize(given, _OBJECT_META, own)
        except normalize.TypeMismatch as error:
            error.inside("", "metadata")
            raise
        if own:
            dropped.append(_OWN)
    found |= {key: value for key, value in document.items() if key not in found and key != "metadata"}
    if expected is None or expected.custom is None:
        return found
    try:
        return expected.custom.decoded(found, dropped)
    except WrongMetadata as error:
        raise BadRequest(str(error)) from None


def _check_kind(kind: str, api_version: str, expected: Resource) -> None:
    if kind == expected.kind and api_version == expected.api_version:
        return
    if schema.alias_of(api_version, kind) or not expected.type_alias:
        if api_version != expected.api_version:
            raise BadRequest(
                f"the API version in the data ({api_version}) does not match the expected API version "
                f"({expected.api_version})"
            )
        if not expected.type_alias:
            return  # of a custom resource it is a complaint of validation
        package = schema.alias_of(api_version, kind).split(".", maxsplit=1)[0]
        version = api_version.rpartition("/")[2]
        text = f"converting ({version}.{kind}) to ({package}.{expected.kind}): unknown conversion"
        raise BadRequest(_cannot_be_handled(kind, api_version, expected, text))
    text = f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
    raise BadRequest(_cannot_be_handled(kind, api_version, expected, text))


def _cannot_be_handled(kind: str, api_version: str, expected: Resource | None, why: str) -> str:
    version = GroupVersion.parse(api_version).version
    return f'{kind} in version "{version}" cannot be handled as a {expected.kind if expected else kind}: {why}'


def _unrecognized(expected: Resource | None, why: str, data: bytes) -> BadRequest:
    kind = expected.kind if expected else "Unknown"
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(data)})")


def _summary(data: bytes) -> str:
    if not data:
        return "<empty>"
    cut = data[:_SUMMARY_BYTES]
    if data[:1] == b"{":
        text = cut.decode("utf-8", "replace")
        return text + " ..." if len(data) > _SUMMARY_BYTES else text
    return cut.hex() + (" ..." if len(data) > _SUMMARY_BYTES else "")


def parse_json(data: bytes) -> Any:
    """JSON bytes as plain values.

    Raises:
        ParseError: with Go's words as far as they can be told.
    """
    prefix = "couldn't get version/kind; json parse error: "
    try:
        document = orjson.loads(data)
        if may_be_deep(data):
            check_depth(document)
    except orjson.JSONDecodeError as error:
        if not data.strip() or error.pos >= len(error.doc):
            raise ParseError(prefix + "unexpected end of JSON input") from None
        raise ParseError(f"{prefix}invalid character '{error.doc[error.pos]}' ({error.msg})") from None
    except ParseError as error:
        raise ParseError(prefix + str(error)) from None
    return document


def duplicate_fields(data: bytes, document: Any) -> Duplicates:
    """The keys that stand twice in one object.

    Writing the parsed document again gives as many keys as the input had, unless some stood twice; only then is the
    input read once more, slowly.
    """
    if data.count(b'":') == orjson.dumps(document).count(b'":'):
        return NO_DUPLICATES
    pairs = JSONDecoder(object_pairs_hook=_Pairs, parse_int=str).decode(data.decode())
    found: dict[str, None] = {}
    order: dict[str, int] = {}
    _collect_duplicates(pairs, "", found, order)
    return Duplicates(list(found), order)


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that repeated keys survive; apart from lists by its class."""


def _collect_duplicates(value: Any, path: str, found: dict[str, None], order: dict[str, int]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            place = f"{path}.{key}" if path else key
            if key in seen and place not in found:
                found[place] = None
                order[place] = len(order) + len(found)
            order.setdefault(place, len(order) + len(found))
            seen.add(key)
            _collect_duplicates(item, place, found, order)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_duplicates(item, f"{path}[{index}]", found, order)
