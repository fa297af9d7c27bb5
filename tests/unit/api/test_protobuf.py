from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import decoding, defaults, normalize, protobuf, registry, schema
from pybernetes.api.registry import Resource
from pybernetes.machinery.type_table import Field, Shape, Type

Json = dict[str, Any]


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "a",
        "labels": {"b": "c", "a": ""},
        "creationTimestamp": "2024-01-02T03:04:05Z",
        "deletionGracePeriodSeconds": 0,
        "managedFields": [{"manager": "m", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:x": {}}}}],
    },
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "resources": {"limits": {"cpu": "1500m", "memory": "2Gi"}},
                "livenessProbe": {"httpGet": {"port": "web"}, "initialDelaySeconds": 5},
                "readinessProbe": {"tcpSocket": {"port": 80}},
                "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k", "optional": False}}}],
                "securityContext": {"runAsUser": 0, "privileged": False},
            }
        ],
        "volumes": [{"name": "v", "configMap": {"name": "m", "defaultMode": 420}}, {"name": "w", "emptyDir": {}}],
        "tolerations": [{"key": "k", "tolerationSeconds": -1}],
    },
    "status": {"containerStatuses": [{"name": "c", "state": {"running": {"startedAt": "2024-01-02T03:04:05Z"}}}]},
}


def solid(value: Any) -> Any:
    """Without empty lists and objects, and what is empty without them: the binary form does not tell them from absent
    ones everywhere."""
    if isinstance(value, dict):
        inner = {key: solid(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ([], {})}
    return [solid(item) for item in value] if isinstance(value, list) else value


def round_trip(document: Json, alias: str) -> None:
    normal = normalize.normalize(document, alias)
    again = normalize.normalize(protobuf.decode(protobuf.encode(normal)), alias)
    assert solid(again) == solid(normal)


def test_a_pod_survives() -> None:
    round_trip(POD, "core.v1.Pod")


@pytest.mark.parametrize("what", registry.built_in(), ids=lambda r: f"{r.group}/{r.version}/{r.kind}")
def test_every_kind_with_its_defaults_survives(what: Resource) -> None:
    document = {"apiVersion": what.api_version, "kind": what.kind, "metadata": {"name": "x"}}
    document = defaults.apply(normalize.normalize(document, what.type_alias), what)
    round_trip(document, what.type_alias)


def test_schemas_of_custom_resources_survive() -> None:
    props: Json = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "string"}, "default": [1, {"x": None}]},
            "b": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1.5}},
            "c": {"type": "object", "additionalProperties": True},
        },
        "enum": ["a", 1],
        "x-kubernetes-preserve-unknown-fields": True,
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": props}}
    document = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"},
        "spec": {"group": "g", "scope": "Namespaced", "names": {"plural": "p", "kind": "K"}, "versions": [version]},
    }
    round_trip(document, "apiextensions.v1.CustomResourceDefinition")


def test_bodies_may_be_protobuf() -> None:
    normal = normalize.normalize(POD, "core.v1.Pod")
    found = decoding.decode_body(protobuf.encode(normal), decoding.PROTOBUF, resource("Pod"))
    assert found.document == normal
    assert found.warnings == ()


def test_delete_options_come_without_a_group_of_their_own() -> None:
    message = protobuf.encode_message("meta.v1.DeleteOptions", {"gracePeriodSeconds": 0, "dryRun": ["All"]})
    for version in ("v1", "apps/v1", "meta.k8s.io/v1"):
        found = protobuf.decode(protobuf.wrap(version, "DeleteOptions", message))
        assert (found["gracePeriodSeconds"], found["dryRun"]) == (0, ["All"])


@pytest.mark.parametrize("data", [b"", b"{}", b"k8s\x00\x0a\xff", b"k8s\x00\x12\x05ab"])
def test_broken_bodies_are_refused(data: bytes) -> None:
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode(data, api_version="v1", kind="Nothing")


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        protobuf.decode(protobuf.wrap("v1", "Pod", data))
    except protobuf.ProtobufError:
        return


texts = st.text("abc-", max_size=4)


def values(type_: Type, depth: int) -> st.SearchStrategy[Any]:
    match type_.shape:
        case Shape.STRING:
            return texts
        case Shape.BOOLEAN:
            return st.booleans()
        case Shape.INT32 | Shape.INT64:
            return st.integers(-(2**31), 2**31 - 1)
        case Shape.QUANTITY:
            return st.sampled_from(["1", "100m", "2Gi"])
        case Shape.INT_OR_STRING:
            return st.one_of(st.integers(0, 99), texts)
        case Shape.TIME:
            return st.just("2024-01-02T03:04:05Z")
        case Shape.MICRO_TIME:
            return st.just("2024-01-02T03:04:05.123456Z")
        case Shape.BYTES:
            return st.sampled_from(["", "YQ==", "AAECAw=="])
        case Shape.LIST:
            assert type_.element is not None
            return st.lists(values(type_.element, depth - 1), max_size=2)
        case Shape.MAP:
            assert type_.element is not None
            return st.dictionaries(texts, values(type_.element, depth - 1), max_size=2)
        case Shape.STRUCT if depth > 0:
            return st.fixed_dictionaries({}, optional=_some(type_.fields, depth))
        case Shape.STRUCT:
            return st.just({})
        case _:
            return st.none()


def _some(fields: Any, depth: int) -> dict[str, st.SearchStrategy[Any]]:
    chosen: dict[str, Field] = fields
    return {name: values(f.type, depth - 1) for name, f in chosen.items() if name not in {"apiVersion", "kind"}}


@pytest.mark.parametrize(
    "alias",
    ["core.v1.ServiceSpec", "core.v1.Probe", "apps.v1.DeploymentSpec", "batch.v1.JobStatus", "core.v1.Volume"],
)
def test_random_messages_survive(alias: str) -> None:
    @settings(max_examples=20)
    @given(values(schema.type_of(alias), 3))
    def survives(document: Json) -> None:
        normal = normalize.converter(alias)(document, [])
        data = protobuf.encode_message(alias, normal)
        again = normalize.converter(alias)(protobuf._decoder(alias)(data, 0, len(data)), [])
        assert solid(again) == solid(normal)

    survives()
