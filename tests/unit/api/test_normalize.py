from typing import Any

import pytest

from pybernetes.api import normalize, schema
from pybernetes.machinery.type_table import Shape

Json = dict[str, Any]


def pod(**container: Any) -> Json:
    return {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", **container}]}}


def container_of(**container: Any) -> Json:
    found = normalize.normalize(pod(**container), "core.v1.Pod")
    result: Json = found["spec"]["containers"][0]
    return result


@pytest.mark.parametrize(
    ("row", "given", "expected"),
    [
        ("null means absent", {"image": None}, {"name": "c", "resources": {}}),
        ("an empty text with omitempty goes", {"image": ""}, {"name": "c", "resources": {}}),
        ("an empty list with omitempty goes", {"args": []}, {"name": "c", "resources": {}}),
        ("false with omitempty goes", {"stdin": False}, {"name": "c", "resources": {}}),
        (
            "a pointer keeps its zero",
            {"securityContext": {"runAsUser": 0, "privileged": False}},
            {"name": "c", "securityContext": {"runAsUser": 0, "privileged": False}, "resources": {}},
        ),
        (
            "quantities become canonical, resource lists are rounded up to thousandths",
            {"resources": {"limits": {"cpu": "1000m", "memory": "1024Ki", "x/y": "0.1m"}}},
            {"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Mi", "x/y": "1m"}}},
        ),
        (
            "a divisor is always there",
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            {
                "name": "c",
                "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}}],
                "resources": {},
            },
        ),
        ("unknown fields go", {"foo": 1}, {"name": "c", "resources": {}}),
    ],
)
def test_fields_look_as_go_writes_them(row: str, given: Json, expected: Json) -> None:
    assert container_of(**given) == expected, row


def test_required_scalars_are_always_there() -> None:
    document = {"status": {"containerStatuses": [{"name": "c"}]}}
    status = normalize.normalize(document, "core.v1.Pod")["status"]["containerStatuses"][0]
    assert status == {
        "name": "c",
        "ready": False,
        "restartCount": 0,
        "image": "",
        "imageID": "",
        "state": {},
        "lastState": {},
    }


def test_keys_are_ordered_and_status_is_always_there() -> None:
    found = normalize.normalize(
        {"status": {}, "spec": {}, "metadata": {}, "kind": "Deployment", "apiVersion": "apps/v1"}, "apps.v1.Deployment"
    )
    assert list(found)[:3] == ["apiVersion", "kind", "metadata"]
    assert found["spec"] == {"strategy": {}, "template": {"metadata": {}, "spec": {}}}


def test_a_template_has_no_creation_timestamp() -> None:
    template = {"metadata": {"creationTimestamp": None}}
    found = normalize.normalize({"spec": {"template": template}}, "apps.v1.Deployment")
    assert found["spec"]["template"]["metadata"] == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.999Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
    ],
)
def test_times_are_utc_with_whole_seconds(given: str, expected: str) -> None:
    found = normalize.normalize({"metadata": {"creationTimestamp": given}}, "core.v1.Pod")
    assert found["metadata"]["creationTimestamp"] == expected


def test_micro_times_keep_six_digits() -> None:
    found = normalize.normalize({"spec": {"renewTime": "2024-01-02T03:04:05.1234567Z"}}, "coordination.v1.Lease")
    assert found["spec"]["renewTime"] == "2024-01-02T03:04:05.123456Z"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"env": [{"name": "A", "value": 1}]},
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            {"ports": [{"containerPort": "80"}]},
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort "
            "of type int32",
        ),
        (
            {"ports": {}},
            "json: cannot unmarshal object into Go struct field Container.spec.containers.ports "
            "of type []v1.ContainerPort",
        ),
        (
            {"ports": [{"containerPort": 2**31}]},
            "json: cannot unmarshal number 2147483648 into Go struct field "
            "ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            {"resources": {"limits": {"cpu": "one"}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"stdin": "yes"},
            "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool",
        ),
    ],
)
def test_a_wrong_type_is_told_as_go_tells_it(given: Json, text: str) -> None:
    with pytest.raises(normalize.TypeMismatch) as error:
        normalize.normalize(pod(**given), "core.v1.Pod")
    assert str(error.value) == text


def test_bad_base64_names_the_byte() -> None:
    with pytest.raises(normalize.TypeMismatch, match="illegal base64 data at input byte 3"):
        normalize.normalize({"data": {"a": "abc!"}}, "core.v1.Secret")


def test_unknown_fields_are_told_with_their_whole_path() -> None:
    document = pod(foo=1, livenessProbe={"bar": 2})
    document["metadata"]["nick"] = "x"
    assert normalize.unknown_fields(document, "core.v1.Pod") == [
        "metadata.nick",
        "spec.containers[0].foo",
        "spec.containers[0].livenessProbe.bar",
    ]


def test_a_second_pass_changes_nothing() -> None:
    for alias in ("core.v1.Pod", "apps.v1.Deployment", "core.v1.Service", "batch.v1.CronJob", "core.v1.Node"):
        once = normalize.normalize({}, alias)
        assert normalize.normalize(once, alias) == once


def test_every_published_type_has_a_walk() -> None:
    for alias in schema.aliases():
        if schema.type_of(alias).shape is Shape.STRUCT:
            assert isinstance(normalize.converter(alias)({}, []), dict)


def test_a_null_in_a_map_of_texts_does_not_let_other_types_through() -> None:
    document = {"metadata": {"labels": {"a": None, "b": ["c"]}}}
    with pytest.raises(normalize.TypeMismatch, match="labels"):
        normalize.normalize(document, "core.v1.Pod")
