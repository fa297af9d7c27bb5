"""Bodies made to hurt: each is refused with a text, in bounded time and memory."""

import contextlib

import orjson
import pytest

from pybernetes.api import decoding, protobuf
from pybernetes.api.body_limits import MAX_DEPTH, ParseError, check_depth
from pybernetes.api.yaml_text import parse_yaml
from pybernetes.machinery.errors import BadRequest
from support.fuzzing.documents import MONSTERS


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b"- " * 700_000 + b"a", b"{a: " * 300_000, b"? " * 5000, b"[" * 900 + b"]" * 900],
    ids=["flow lists", "block lists", "flow mappings", "keys", "closed lists"],
)
def test_yaml_nested_too_deeply_is_refused_before_it_is_built(data: bytes) -> None:
    with pytest.raises(ParseError, match="exceeded max depth"):
        parse_yaml(data)


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(ParseError, match="document contains excessive aliasing"):
        parse_yaml("\n".join(lines).encode())


@pytest.mark.parametrize("data", [b"&a [*a]", b"a: &a {b: *a}", b"a: &a\n  <<: *a\n", b"a: &a\n- b: [*a]\n"])
def test_an_anchor_inside_itself_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="anchor 'a' value contains itself"):
        parse_yaml(data)


def test_an_unknown_anchor_is_refused() -> None:
    with pytest.raises(ParseError, match="unknown anchor 'a' referenced"):
        parse_yaml(b"a: *a")


def test_aliases_become_copies_and_merge_keys_work() -> None:
    found, duplicates = parse_yaml(b"base: &b {x: [1]}\none: *b\ntwo:\n  <<: *b\n  z: 2\n")
    assert (found, duplicates) == ({"base": {"x": [1]}, "one": {"x": [1]}, "two": {"x": [1], "z": 2}}, [])
    found["one"]["x"].append(2)
    assert found["base"] == {"x": [1]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a: .nan", "unsupported value: NaN"),
        (b"a: -.inf", "unsupported value: -Inf"),
        (b"a: !!int " + b"9" * 6000, "unsupported value"),
        (b"a: !!bool perhaps", "error converting YAML"),
        (b"a: !!timestamp never", "error converting YAML"),
        (b"a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        (b"a: !!binary aGk=", "error converting YAML"),
        (b"? [a, b]\n: c", "invalid map key|unhashable"),
        (b"--- {}\n--- {}\n", "expected a single document"),
        (b"\xff\xfe\x00", "error converting YAML"),
    ],
)
def test_what_json_cannot_say_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_yaml(data)


def test_integers_beyond_64_bits_are_floats_as_in_json() -> None:
    assert parse_yaml(b"a: 99999999999999999999")[0] == {"a": 1e20}


def test_json_may_be_nested_as_deep_as_it_can_be_written() -> None:
    deep = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert decoding.parse_json(deep)
    orjson.dumps(decoding.parse_json(deep))
    with pytest.raises(ParseError, match="exceeded max depth"):
        decoding.parse_json(b'{"a":' + deep + b"}")


def test_depth_counts_lists_and_objects() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH // 2):
        value = [{"a": value}]
    check_depth(value)
    with pytest.raises(ParseError):
        check_depth([value])


@pytest.mark.parametrize("levels", [220, 20_000])
def test_nested_schemas_in_protobuf_are_refused_without_exhausting_the_stack(levels: int) -> None:
    message = b""
    for field in [28] * levels + [1, 4, 7, 2]:  # JSONSchemaProps.not …, openAPIV3Schema, schema, versions, spec
        message = protobuf._varint(field << 3 | 2) + protobuf._varint(len(message)) + message
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode(protobuf.wrap("apiextensions.k8s.io/v1", "CustomResourceDefinition", message))


@pytest.mark.parametrize("content_type", [decoding.JSON, decoding.YAML, decoding.PROTOBUF])
@pytest.mark.parametrize("data", [data for data in MONSTERS if len(data) < 500_000])
def test_monsters_are_read_or_refused(data: bytes, content_type: str) -> None:
    with contextlib.suppress(BadRequest):
        decoding.decode_body(data, content_type, None)
