import dataclasses
from typing import Any

import orjson
import pytest

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.apiserver.discovery import Discovery, version_rank, wanted_form

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def served() -> list[Resource]:
    return [r for r in registry.built_in() if r.enabled_by_default]


def document(path: str, accept: str = "") -> Any:
    answer = Discovery(served).answer(path, accept)
    assert answer is not None
    return orjson.loads(answer.body)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{V2},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "v2"),
        ("application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io", "v2beta1"),
        (f"application/json, {V2}", ""),
        ("application/json, */*", ""),
        ("", ""),
    ],
)
def test_the_form_is_the_first_one_both_sides_know(accept: str, form: str) -> None:
    assert wanted_form(accept) == form


def test_core_resources_are_listed_with_their_subresources_by_name() -> None:
    rows = document("/api/v1")["resources"]
    names = [row["name"] for row in rows]
    assert names == sorted(names)
    eviction = next(row for row in rows if row["name"] == "pods/eviction")
    assert (eviction["group"], eviction["version"], eviction["kind"]) == ("policy", "v1", "Eviction")
    assert next(row for row in rows if row["name"] == "pods")["shortNames"] == ["po"]


def test_only_versions_with_an_enabled_resource_are_listed() -> None:
    groups = {group["name"]: group for group in document("/apis")["groups"]}
    assert [v["version"] for v in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert [v["version"] for v in groups["storage.k8s.io"]["versions"]] == ["v1"]
    assert "internal.apiserver.k8s.io" not in groups
    assert Discovery(served).answer("/apis/internal.apiserver.k8s.io") is None


def test_the_aggregated_document_holds_what_the_single_ones_hold() -> None:
    for path in ("/api", "/apis"):
        for group in document(path, V2)["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                single = document(f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}")
                names = {r["resource"] for r in version["resources"]}
                assert names == {r["name"].split("/")[0] for r in single["resources"]}


def test_a_trailing_slash_makes_no_difference_and_an_unchanged_document_keeps_its_tag() -> None:
    discovery = Discovery(served)
    one, other = discovery.answer("/apis/"), Discovery(served).answer("/apis")
    assert one is not None
    assert other is not None
    assert one.etag == other.etag
    assert one.matches(other.etag)


def test_documents_are_made_again_when_the_resources_change() -> None:
    generation = 0
    resources = served()
    discovery = Discovery(lambda: resources, lambda: generation)
    assert discovery.answer("/apis/example.com") is None
    kept = next(r for r in resources if r.plural == "deployments")
    resources = [*resources, dataclasses.replace(kept, group="example.com", version="v1beta2")]
    generation = 1
    assert discovery.answer("/apis/example.com") is not None


def test_versions_sort_as_clients_prefer_them() -> None:
    versions = ["v10beta3", "v1", "foo1", "v2", "v11alpha2", "v3beta1", "v12alpha1", "v11beta2", "v10", "foo10"]
    assert sorted(versions, key=version_rank) == [
        *["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
    ]
