"""JSON, YAML and protobuf say the same of every kind: what goes out in one comes back from any."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import decoding, normalize, protobuf, registry
from pybernetes.api.registry import Resource
from pybernetes.api.yaml_text import parse_yaml, write_yaml
from pybernetes.effects import Chance
from support.generated import document

Json = dict[str, Any]

# `make fuzz` draws many more.
EXAMPLES = 15
KINDS = [r for r in registry.built_in() if r.type_alias]


def whole(what: Resource, drawn: Json) -> Json:
    return normalize.normalize({**drawn, "apiVersion": what.api_version, "kind": what.kind}, what.type_alias)


@pytest.mark.parametrize("what", KINDS, ids=lambda r: f"{r.group}/{r.version}/{r.kind}")
@settings(max_examples=max(EXAMPLES, (settings.default or settings()).max_examples // 20))
@given(seed=st.integers(0, 2**32))
def test_what_is_written_in_one_form_is_read_back_from_it(what: Resource, seed: int) -> None:
    normal = whole(what, document(what.type_alias, Chance(seed)))
    bodies = {
        decoding.JSON: orjson.dumps(normal),
        decoding.YAML: write_yaml(normal),
        decoding.PROTOBUF: protobuf.encode(normal),
    }
    for content_type, body in bodies.items():
        found = decoding.decode_body(body, content_type, what, field_validation=decoding.STRICT).document
        assert solid(found) == solid(normal), content_type


def solid(value: Any) -> Any:
    """Without empty lists and objects, and what is empty without them: the binary form does not tell them from absent
    ones everywhere."""
    if isinstance(value, dict):
        inner = {key: solid(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ([], {})}
    return [solid(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "text", ["1e3", "y", "N", "on", "0x10", "1:30", "2026-01-01", ".inf", "~", "", "0o7", "1_000", "<<", "="]
)
def test_texts_that_look_like_something_else_stay_texts_in_yaml(text: str) -> None:
    assert parse_yaml(write_yaml({"a": text}))[0] == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("y", True), ("N", False), ("1e3", 1000.0), ("0x10", 16), ("0o7", 7), ("017", 15), ("1_000", 1000), ("08", 8.0),
     ("2026-01-01", "2026-01-01"), ("1:30", "1:30"), ("~", None)],
)  # fmt: skip
def test_plain_scalars_mean_what_they_mean_to_go(text: str, value: Any) -> None:
    assert parse_yaml(f"a: {text}".encode())[0] == {"a": value}
