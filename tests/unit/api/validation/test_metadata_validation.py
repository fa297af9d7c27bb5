from typing import Any

import pytest

from unit.api.validation.builders import complaints, update_complaints

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("row", "metadata", "start"),
    [
        ("no name", {"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ("upper case", {"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist'),
        (
            "too long",
            {"name": "a" * 254},
            f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 char',
        ),
        ("no namespace", {"namespace": ""}, "metadata.namespace: Required value"),
        ("a label key", {"labels": {"-a": "b"}}, 'metadata.labels: Invalid value: "-a": name part must consist of'),
        ("a label value", {"labels": {"a": "b "}}, 'metadata.labels: Invalid value: "b ": a valid label must be an'),
        (
            "two prefixes",
            {"labels": {"a/b/c": ""}},
            'metadata.labels: Invalid value: "a/b/c": a qualified name must consist of alphanumeric',
        ),
        (
            "annotations too large",
            {"annotations": {"a": "x" * 262144}},
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            "a bare finalizer",
            {"finalizers": ["mine"]},
            'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully',
        ),
        (
            "an owner without uid",
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        ),
    ],
)
def test_metadata(row: str, metadata: Json, start: str) -> None:
    found = complaints("ConfigMap", metadata=metadata)
    assert len(found) == 1, row
    assert found[0].startswith(start), row


def test_two_controllers_are_one_too_many() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1", "controller": True}
    found = complaints("ConfigMap", metadata={"ownerReferences": [owner, {**owner, "name": "q", "uid": "2"}]})
    assert found[0].endswith(
        'Only one reference can have Controller set to true. Found "true" in references for p and q'
    )


def test_cluster_kinds_have_no_namespace() -> None:
    assert complaints("Namespace", metadata={"namespace": "n"}) == [
        "metadata.namespace: Forbidden: not allowed on this type"
    ]


def test_roles_may_have_colons_in_their_names() -> None:
    assert complaints("ClusterRole", "rbac.authorization.k8s.io", metadata={"name": "system:x"}) == []
    assert complaints("ClusterRole", "rbac.authorization.k8s.io", metadata={"name": "a/b"}) == [
        "metadata.name: Invalid value: \"a/b\": may not contain '/'"
    ]


def test_identity_does_not_change() -> None:
    found = update_complaints("ConfigMap", "", {}, {"metadata": {"name": "y"}})
    assert found == ['metadata.name: Invalid value: "y": field is immutable']


def test_no_finalizers_are_added_to_the_dying() -> None:
    old = {"metadata": {"finalizers": ["a/b"]}}
    new = {"metadata": {"finalizers": ["a/b", "c/d"], "deletionTimestamp": "2024-01-02T03:04:05Z"}}
    found = update_complaints("ConfigMap", "", old, new)
    assert any("deletionTimestamp" in text for text in found)
