"""Device claims and slices of v1beta1 are stored, shown and judged as what they say in the nested form."""

import pytest

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.apiserver.resources import conversion
from support.examples import example


def resource(kind: str, version: str) -> Resource:
    found = (r for r in registry.built_in() if (r.group, r.version, r.kind) == ("resource.k8s.io", version, kind))
    return next(found)


@pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"])
def test_there_and_back_changes_nothing(kind: str) -> None:
    flat, stored = resource(kind, "v1beta1"), resource(kind, "v1")
    document = example(flat, "x")
    assert document is not None
    there = conversion.convert(dict(document), flat.api_version, stored)
    assert there["apiVersion"] == "resource.k8s.io/v1"
    assert conversion.convert(dict(there), stored.api_version, flat) == document


def test_fields_of_a_flat_request_are_nested_and_lists_of_choices_stay() -> None:
    flat, stored = resource("ResourceClaim", "v1beta1"), resource("ResourceClaim", "v1")
    requests = [{"name": "a", "deviceClassName": "c", "count": 2}, {"name": "b", "firstAvailable": [{"name": "x"}]}]
    document = {"metadata": {"name": "x"}, "spec": {"devices": {"requests": requests}}}
    found = conversion.convert(document, flat.api_version, stored)
    assert found["spec"]["devices"]["requests"] == [
        {"name": "a", "exactly": {"deviceClassName": "c", "count": 2}},
        {"name": "b", "firstAvailable": [{"name": "x"}]},
    ]


def test_versions_of_one_shape_share_what_is_inside() -> None:
    document = example(resource("ResourceClaim", "v1"), "x")
    assert document is not None
    found = conversion.convert(dict(document), "resource.k8s.io/v1", resource("ResourceClaim", "v1beta2"))
    assert found["spec"] is document["spec"]


def test_rules_are_told_for_the_nested_form_only() -> None:
    flat = resource("ResourceSlice", "v1beta1")
    document = {"spec": {"devices": [{"name": "d", "basic": {"attributes": {"a": {"int": 1}}}}]}}
    judged = conversion.as_validated(flat, document)
    assert judged["spec"]["devices"] == [{"name": "d", "attributes": {"a": {"int": 1}}}]
    assert conversion.as_validated(resource("ResourceSlice", "v1"), document) is document
