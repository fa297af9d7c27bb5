from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.apiserver.openapi import gnostic
from pybernetes.apiserver.openapi.documents import V2_PROTOBUF, V2_PROTOBUF_NAME, OpenApi


def served() -> list[Resource]:
    return [r for r in registry.built_in() if r.enabled_by_default]


@pytest.fixture(scope="module")
def openapi() -> OpenApi:
    return OpenApi(served)


@pytest.fixture(scope="module")
def core(openapi: OpenApi) -> Any:
    answer = openapi.answer("/openapi/v3/api/v1")
    assert answer is not None
    return orjson.loads(answer.data)


def references(node: Any) -> set[str]:
    if isinstance(node, Mapping):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_every_reference_leads_somewhere(core: Any) -> None:
    schemas = {f"#/components/schemas/{name}" for name in core["components"]["schemas"]}
    assert references(core) <= schemas


def test_lists_say_how_they_merge(core: Any) -> None:
    containers = core["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]


def test_enumerations_and_unions_are_told(core: Any) -> None:
    schemas = core["components"]["schemas"]
    container = schemas["io.k8s.api.core.v1.Container"]["properties"]
    service = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]
    seccomp = schemas["io.k8s.api.core.v1.SeccompProfile"]
    assert container["imagePullPolicy"]["enum"] == ["Always", "IfNotPresent", "Never"]
    assert service["ipFamilies"]["items"]["enum"] == ["", "IPv4", "IPv6"]
    assert "enum" not in service["ipFamilies"]
    assert seccomp["x-kubernetes-unions"] == [
        {"discriminator": "type", "fields-to-discriminateBy": {"localhostProfile": "LocalhostProfile"}}
    ]


def test_every_enumeration_is_that_of_a_string() -> None:
    types = registry.load_data("types.json")["types"]
    for alias, fields in registry.load_data("enumerations.json").items():
        for field, values in fields.items():
            text = types[alias]["fields"][field]
            text = text if isinstance(text, str) else text[0]
            assert text.removeprefix("[]") in {"string", "map<string>"}, (alias, field)
            assert values == sorted(set(values))


def test_kinds_and_operations_name_group_version_and_kind(core: Any) -> None:
    gvk = {"group": "", "kind": "Pod", "version": "v1"}
    assert core["components"]["schemas"]["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [gvk]
    patch = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == gvk
    assert patch["x-kubernetes-action"] == "patch"
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {p["name"] for p in patch["parameters"]}


def test_a_subresource_of_another_group_brings_its_schema(openapi: OpenApi) -> None:
    answer = openapi.answer("/openapi/v3/apis/apps/v1")
    assert answer is not None
    assert "io.k8s.api.autoscaling.v1.Scale" in orjson.loads(answer.data)["components"]["schemas"]


def test_the_index_names_documents_by_a_hash_and_an_old_hash_is_sent_on(openapi: OpenApi) -> None:
    index = openapi.answer("/openapi/v3")
    assert index is not None
    url = orjson.loads(index.data)["paths"]["apis/batch/v1"]["serverRelativeURL"]
    path, _, query = url.partition("?")
    document = openapi.answer(path, query)
    old = openapi.answer(path, "hash=0")
    assert document is not None
    assert old is not None
    assert document.headers["Cache-Control"] == "public, immutable"
    assert f'"{query.removeprefix("hash=")}"' == document.etag
    assert (old.status, old.headers["Location"]) == (301, url)


def test_an_unknown_group_version_has_no_document(openapi: OpenApi) -> None:
    assert openapi.answer("/openapi/v3/apis/nothing/v1") is None


def test_version_2_is_complete_and_comes_as_protobuf_when_asked(openapi: OpenApi) -> None:
    plain = openapi.answer("/openapi/v2")
    binary = openapi.answer("/openapi/v2", "", f"{V2_PROTOBUF}, application/json")
    assert plain is not None
    assert binary is not None
    document = orjson.loads(plain.data)
    assert references(document) <= {f"#/definitions/{name}" for name in document["definitions"]}
    assert binary.content_type == V2_PROTOBUF_NAME
    assert binary.data == gnostic.encode_document(document)


def test_the_binary_form_has_the_field_numbers_of_gnostic() -> None:
    schema = {"type": "string", "$ref": "r", "x-a": 1}
    assert gnostic.encode_schema(schema) == (
        b"\x0a\x01r"  # 1: $ref
        b"\xb2\x01\x08\x0a\x06string"  # 22: TypeItem{1: "string"}
        b"\xfa\x01\x0b\x0a\x03x-a\x12\x04\x12\x021\x0a"  # 31: NamedAny{1: name, 2: Any{2: yaml}}
    )


def test_a_custom_resource_is_published_with_its_own_schema() -> None:
    custom = Resource("example.com", "v1", "Tab", "tabs", "tab", True, ("get", "list"), "TabList")
    openapi = OpenApi(lambda: [custom], custom_schemas=lambda _: {"type": "object"})
    answer = openapi.answer("/openapi/v3/apis/example.com/v1")
    assert answer is not None
    document = orjson.loads(answer.data)
    assert document["components"]["schemas"]["com.example.v1.Tab"]["type"] == "object"
    assert "/apis/example.com/v1/namespaces/{namespace}/tabs/{name}" in document["paths"]


@pytest.fixture(scope="module")
def swagger(openapi: OpenApi) -> Any:
    answer = openapi.answer("/openapi/v2")
    assert answer is not None
    return orjson.loads(answer.data)


@pytest.mark.parametrize(
    ("path", "method", "operation", "action"),
    [
        ("/api/v1/watch/namespaces/{namespace}/pods", "get", "watchCoreV1NamespacedPodList", "watchlist"),
        ("/api/v1/watch/namespaces/{namespace}/pods/{name}", "get", "watchCoreV1NamespacedPod", "watch"),
        ("/api/v1/watch/pods", "get", "watchCoreV1PodListForAllNamespaces", "watchlist"),
        ("/api/v1/nodes/{name}/proxy/{path}", "options", "connectCoreV1OptionsNodeProxyWithPath", "connect"),
        (
            "/api/v1/namespaces/{namespace}/pods/{name}/exec",
            "post",
            "connectCoreV1PostNamespacedPodExec",
            "connect",
        ),
        ("/apis/apps/v1/", "get", "getAppsV1APIResources", None),
        ("/apis/", "get", "getAPIVersions", None),
        ("/version/", "get", "getCodeVersion", None),
    ],
)
def test_watches_connections_and_documents_have_paths(
    swagger: Any, path: str, method: str, operation: str, action: str | None
) -> None:
    row = swagger["paths"][path][method]
    assert (row["operationId"], row.get("x-kubernetes-action")) == (operation, action)


def test_no_two_operations_share_a_name(swagger: Any) -> None:
    names = [row["operationId"] for item in swagger["paths"].values() for m, row in item.items() if m != "parameters"]
    assert len(names) == len(set(names))


def test_lists_say_that_they_can_be_watched_and_read_as_protobuf(swagger: Any) -> None:
    produces = swagger["paths"]["/api/v1/pods"]["get"]["produces"]
    assert "application/vnd.kubernetes.protobuf" in produces
    assert "application/json;stream=watch" in produces
