from typing import Any

import orjson
import pytest

from pybernetes.api import decoding, registry
from pybernetes.api.registry import Resource
from pybernetes.machinery.errors import BadRequest, Invalid, UnsupportedMediaType


def resource(plural: str) -> Resource:
    return next(r for r in registry.built_in() if r.plural == plural)


PODS = resource("pods")
GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "c"}]},
}


def message(data: bytes, *, content_type: str = "application/json", field_validation: str = "Warn") -> str:
    with pytest.raises(BadRequest) as error:
        decoding.decode_body(data, content_type, PODS, field_validation=field_validation)
    return error.value.message


def test_kind_and_version_are_filled_in() -> None:
    found = decoding.decode_body(b'{"metadata":{"name":"a"}}', "", PODS).document
    assert (found["apiVersion"], found["kind"]) == ("v1", "Pod")


def test_another_kind_is_refused() -> None:
    assert message(b'{"apiVersion":"v1","kind":"Service"}') == (
        'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion'
    )


def test_another_version_is_refused() -> None:
    assert message(b'{"apiVersion":"apps/v1","kind":"Deployment"}') == (
        "the API version in the data (apps/v1) does not match the expected API version (v1)"
    )


def test_an_unknown_kind_is_refused() -> None:
    assert message(b'{"apiVersion":"v1","kind":"Pot"}').startswith(
        'Pot in version "v1" cannot be handled as a Pod: no kind "Pot" is registered for version "v1"'
    )


def test_a_wrong_type_names_the_field() -> None:
    assert message(b'{"apiVersion":"v1","kind":"Pod","spec":{"nodeName":1}}') == (
        'Pod in version "v1" cannot be handled as a Pod: '
        "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeName of type string"
    )


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"nonsense", b"3"])
def test_what_is_no_object_is_unrecognized(data: bytes) -> None:
    assert message(data).startswith("the object provided is unrecognized (must be of type Pod): ")


ODD = b'{"kind":"Pod","spec":{"foo":1,"nodeName":"a","nodeName":"b","containers":[{"name":"c","bar":1}]}}'
COMPLAINTS = ('unknown field "spec.foo"', 'duplicate field "spec.nodeName"', 'unknown field "spec.containers[0].bar"')


def test_strict_refuses_unknown_and_duplicate_fields() -> None:
    assert message(ODD, field_validation="Strict") == (
        f'Pod in version "v1" cannot be handled as a Pod: strict decoding error: {", ".join(COMPLAINTS)}'
    )


def test_warn_tells_and_ignore_is_silent() -> None:
    assert decoding.decode_body(ODD, "application/json", PODS).warnings == COMPLAINTS
    assert decoding.decode_body(ODD, "application/json", PODS, field_validation="Ignore").warnings == ()


def test_an_unknown_field_that_stands_twice_is_only_unknown() -> None:
    data = b'{"kind":"Pod","spec":{"foo":{"a":1,"a":2},"foo":2,"nodeName":"a","nodeName":"b"}}'
    assert decoding.decode_body(data, "application/json", PODS).warnings == (
        'unknown field "spec.foo"',
        'duplicate field "spec.nodeName"',
    )


def test_a_colon_inside_a_text_is_no_duplicate() -> None:
    data = orjson.dumps({**GOOD, "metadata": {"name": "a", "annotations": {"x": '{"a":1,"a":2}'}}})
    assert decoding.decode_body(data, "application/json", PODS, field_validation="Strict").warnings == ()


def test_yaml_is_read_as_go_reads_it() -> None:
    data = b"""
kind: Pod
metadata: {name: a, creationTimestamp: 2024-01-02T03:04:05Z, annotations: {t: "12:30", u: 1:30, e: ""}}
spec: {hostNetwork: yes, containers: [{name: c, ports: [{containerPort: 0x50}]}]}
"""
    found = decoding.decode_body(data, "application/yaml", PODS).document
    assert found["metadata"]["creationTimestamp"] == "2024-01-02T03:04:05Z"
    assert found["metadata"]["annotations"] == {"t": "12:30", "u": "1:30", "e": ""}
    assert found["spec"]["hostNetwork"] is True
    assert found["spec"]["containers"][0]["ports"] == [{"containerPort": 80}]


def test_yaml_duplicates_name_the_line() -> None:
    data = b"kind: Pod\nspec:\n  nodeName: a\n  nodeName: b\n"
    assert decoding.decode_body(data, "application/yaml", PODS).warnings == (
        'line 4: key "nodeName" already set in map',
    )


def test_broken_yaml_is_refused() -> None:
    assert "error converting YAML to JSON" in message(b"a: [", content_type="application/yaml")


def test_other_media_types_are_refused() -> None:
    with pytest.raises(UnsupportedMediaType, match="accepted media types include"):
        decoding.decode_body(b"<a/>", "text/xml", PODS)


def test_without_expectation_the_body_says_what_it_is() -> None:
    found = decoding.decode_body(b'{"apiVersion":"v1","kind":"DeleteOptions","dryRun":["All"]}', "", None)
    assert found.document == {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}


def test_custom_resources_keep_what_they_have() -> None:
    custom = Resource("example.com", "v1", "Toy", "toys", "toy", namespaced=True, verbs=(), list_kind="ToyList")
    body = orjson.dumps({"apiVersion": "example.com/v1", "kind": "Toy", "metadata": {"name": "a", "x": 1}, "any": [1]})
    found = decoding.decode_body(body, "", custom)
    assert found.document["any"] == [1]
    assert found.document["metadata"] == {"name": "a"}
    assert found.warnings == ('unknown field "metadata.x"',)


def test_a_patch_is_blamed_for_the_wrong_types_it_makes() -> None:
    patch = b'{"spec":{"nodeName":1}}'
    with pytest.raises(Invalid) as error:
        decoding.check({**GOOD, "spec": {"nodeName": 1}}, PODS, patch=patch)
    assert error.value.causes[0]["field"] == "patch"
    assert "json: cannot unmarshal number into Go struct field" in error.value.message


def test_a_patch_is_read_as_strictly_as_an_object() -> None:
    merge = b'{"data":{"a":"1","a":"2"}}'
    assert decoding.complaints_of_patch(merge, orjson.loads(merge)) == ['duplicate field "data.a"']
    operations = b'[{"op":"remove","path":"/a","why":1},{"op":"test","path":"/a","path":"/b"}]'
    assert decoding.complaints_of_patch(operations, orjson.loads(operations)) == [
        'json patch unknown field "[0].why"',
        'json patch duplicate field "[1].path"',
    ]
    assert decoding.complaints_of_patch(b"[{}]", [{}]) == []


def test_a_strict_patch_gets_the_blame_for_fields_that_do_not_exist() -> None:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "nothing": 1}
    with pytest.raises(Invalid) as refused:
        decoding.check(document, resource("configmaps"), field_validation=decoding.STRICT, patch=b'{"nothing":1}')
    (cause,) = refused.value.status["details"]["causes"]
    assert cause["field"] == "patch"
    assert cause["message"].endswith('strict decoding error: unknown field "nothing"')
