import pytest
from msgspec import ValidationError

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.api.object import decode, encode


def test_a_kind_writes_its_version_and_kind_and_leaves_out_what_is_not_set() -> None:
    deployment = apps_v1.Deployment(metadata=meta_v1.ObjectMeta(name="web", namespace="default"))
    assert encode(deployment).startswith(b'{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"')
    assert b"replicas" not in encode(deployment)


def test_a_pointer_tells_absent_from_zero() -> None:
    absent = decode(apps_v1.Deployment, b'{"spec":{}}')
    zero = decode(apps_v1.Deployment, b'{"spec":{"replicas":0}}')
    assert absent.spec.replicas is None
    assert zero.spec.replicas == 0
    assert b'"replicas":0' in encode(zero)


def test_a_wrong_type_names_its_path() -> None:
    with pytest.raises(ValidationError, match=r"\$\.spec\.containers\[0\]\.image"):
        decode(core_v1.Pod, b'{"spec":{"containers":[{"image":1}]}}')


def test_the_key_of_a_namespaced_object_has_its_namespace() -> None:
    meta = meta_v1.ObjectMeta(name="a", namespace="b")
    assert core_v1.Pod(metadata=meta).key == "b/a"
    assert core_v1.Node(metadata=meta_v1.ObjectMeta(name="n")).key == "n"
