"""The replicas of a workload have the same owners through its Scale."""

from typing import Any

from pybernetes.apiserver.resources import scale_ownership

Json = dict[str, Any]
REPLICAS: Json = {"f:spec": {"f:replicas": {}}}


def entry(manager: str, fields: Json, *, operation: str = "Update", version: str = "apps/v1", door: str = "") -> Json:
    found: Json = {"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1"}
    found = {**found, "fieldsV1": fields}
    return {**found, "subresource": door} if door else found


PARENT = [entry("kubectl", {"f:spec": {"f:replicas": {}, "f:paused": {}}}), entry("other", {"f:spec": {"f:a": {}}})]


def test_a_scale_shows_the_owners_of_the_replicas_only() -> None:
    assert scale_ownership.of_scale(PARENT) == [entry("kubectl", REPLICAS, version="autoscaling/v1")]
    assert scale_ownership.of_scale(None) == []


def test_owners_that_stay_change_nothing() -> None:
    assert scale_ownership.of_workload(PARENT, scale_ownership.of_scale(PARENT), "apps/v1") == PARENT


def test_who_takes_the_replicas_leaves_the_rest_to_others() -> None:
    taken = [entry("me", REPLICAS, operation="Apply", version="autoscaling/v1", door="scale")]
    assert scale_ownership.of_workload(PARENT, taken, "apps/v1") == [
        entry("me", REPLICAS, operation="Apply", door="scale"),
        entry("kubectl", {"f:spec": {"f:paused": {}}}),
        entry("other", {"f:spec": {"f:a": {}}}),
    ]


def test_replicas_lie_where_the_definition_says() -> None:
    path = scale_ownership.steps_of(".spec.size.count")
    parent = [entry("me", {"f:spec": {"f:size": {"f:count": {}}}}, version="example.com/v1")]
    assert scale_ownership.of_scale(parent, path) == [entry("me", REPLICAS, version="autoscaling/v1")]
    assert scale_ownership.of_workload(parent, [], "example.com/v1", path) == []
