"""YAML as Go reads and writes it, and bodies no further than is good for the server.

    bytes ── events: depth, anchors, size with all aliases written out ──► values ──► JSON and back

The first pass builds nothing, so that nothing it refuses has cost anything: nesting that would exhaust the stack,
anchors inside themselves, aliases that multiply ("billion laughs"). The last step makes aliases independent copies.

Follows: sigs.k8s.io/yaml, YAMLToJSON; gopkg.in/yaml.v2 decode.go, (*decoder).unmarshal.
"""

import math
import re
from typing import Any, Final

import orjson
import yaml

from pybernetes.api.body_limits import MAX_DEPTH, ParseError

Json = dict[str, Any]

MAX_EXPANDED_BYTES: Final = 8 * 1024 * 1024
"""Of a document with its aliases written out. Differs: upstream bounds the share of aliased nodes instead."""
_NODE_BYTES: Final = 2
"""What a node is counted besides its text."""
_INT64, _UINT64 = 1 << 63, 1 << 64


class _Loader(yaml.CSafeLoader):
    """YAML as Go reads it: times stay text, base-60 numbers are none, and keys that stand twice are told."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base declares it
    duplicates: list[str]


_BOOLEAN = (
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_Loader.add_implicit_resolver(*_BOOLEAN)
_INTEGER = (
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(*_INTEGER)
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(*_FLOAT)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Json:
    loader.flatten_mapping(node)
    result: Json = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        text = _key_text(key)
        if text in result:
            loader.duplicates.append(f'line {key_node.start_mark.line + 1}: key "{text}" already set in map')
        result[text] = loader.construct_object(value_node, deep=True)
    return result


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, list | dict):
        raise yaml.YAMLError("error converting YAML to JSON: invalid map key")
    return "null" if key is None else str(key)


def _boolean(_: _Loader, node: yaml.ScalarNode) -> bool:
    text = str(node.value)
    if _BOOLEAN[1].match(text) is None:
        raise yaml.YAMLError(f"cannot decode !!str `{text[:30]}` as a !!bool")
    return text[0] in "yYtT" or text in {"on", "On", "ON"}


def _integer(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(node.value)
    try:
        number: int = yaml.CSafeLoader.construct_yaml_int(loader, node)
    except ValueError:  # not a number after all (an explicit tag), or longer than Python reads
        return _finite(text)
    return number if -_INT64 <= number < _UINT64 else _finite(text)


def _float(_: _Loader, node: yaml.ScalarNode) -> float:
    return _finite(str(node.value))


def _finite(text: str) -> float:
    """The number as JSON can carry it.

    Raises:
        yaml.YAMLError.
    """
    try:
        number = float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise yaml.YAMLError(f"cannot decode !!str `{text[:30]}` as a !!float") from None
    if not math.isfinite(number):
        word = "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
        raise yaml.YAMLError(f"json: unsupported value: {word}")
    return number


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


class _Dumper(yaml.CSafeDumper):
    """Quotes every text that Go would read as something else."""


_Dumper.add_implicit_resolver(*_BOOLEAN)
_Dumper.add_implicit_resolver(*_INTEGER)
_Dumper.add_implicit_resolver(*_FLOAT)


def write_yaml(document: Any) -> bytes:
    """A JSON document as YAML, keys sorted as upstream's are."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=True, allow_unicode=True)
    return text.encode()


def parse_yaml(data: bytes) -> tuple[Any, list[str]]:
    """A YAML document as plain JSON values, and a text for each key that stands twice in one mapping.

    Raises:
        ParseError: it is no YAML, or too much of it.
    """
    try:
        _check_events(data)
        loader = _Loader(data)
        loader.duplicates = []
        try:
            # Written and read again: aliases become copies, and what JSON has no form for is refused here.
            return orjson.loads(orjson.dumps(loader.get_single_data())), loader.duplicates
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ParseError(f"error converting YAML to JSON: yaml: {' '.join(str(error).split())}") from None
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # A tag that does not fit its value (`!!bool x`, `!!timestamp x`): the constructors of the library trip.
        raise ParseError(f"error converting YAML to JSON: yaml: {' '.join(str(error).split())}") from None


def _check_events(data: bytes) -> None:
    """Refuse documents that would take too much to build.

    Raises:
        yaml.YAMLError.
    """
    finished: dict[str, int] = {}
    """Anchor → bytes of its node, aliases written out."""
    open_nodes: list[tuple[str | None, int]] = []
    """(anchor, total before it) of the mappings and sequences around the present place."""
    total = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise yaml.YAMLError(f"anchor '{event.anchor}' value contains itself")
            if event.anchor not in finished:
                raise yaml.YAMLError(f"unknown anchor '{event.anchor}' referenced")
            total += finished[event.anchor] + _NODE_BYTES
            if total > MAX_EXPANDED_BYTES:
                raise yaml.YAMLError("document contains excessive aliasing")
        elif isinstance(event, yaml.ScalarEvent):
            size = len(event.value) + _NODE_BYTES
            total += size
            if event.anchor is not None:
                finished[event.anchor] = size
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += _NODE_BYTES
            if len(open_nodes) > MAX_DEPTH:
                raise yaml.YAMLError("exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                finished[anchor] = total - before
