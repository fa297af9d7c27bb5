"""Aggregated discovery, of built-in resources and of custom ones."""

import pytest

from integration.conformance.suite import Json, Suite, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGGREGATED = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"
CLIENT_GO = f"{AGGREGATED},application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io,application/json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EXPECTED = {
    ("", "v1"): {"configmaps", "namespaces", "nodes", "pods", "secrets", "services"},
    ("apps", "v1"): {"daemonsets", "deployments", "replicasets", "statefulsets"},
    ("batch", "v1"): {"cronjobs", "jobs"},
    ("discovery.k8s.io", "v1"): {"endpointslices"},
    ("networking.k8s.io", "v1"): {"ingresses", "networkpolicies"},
    ("rbac.authorization.k8s.io", "v1"): {"clusterroles", "roles"},
}


async def discovered(suite: Suite, path: str, accept: str) -> dict[tuple[str, str], set[str]]:
    answer = await suite.raw("GET", path, Accept=accept)
    assert set(answer.headers["Content-Type"].split(";")) == set(AGGREGATED.split(";"))
    document = answer.document
    assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    return {
        (group["metadata"].get("name", ""), version["version"]): {row["resource"] for row in version["resources"]}
        for group in document["items"]
        for version in group["versions"]
    }


def definition(group: str) -> Json:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    return made(f"foos.{group}", spec=spec)


@pytest.mark.conformance("AggregatedDiscovery should support aggregated discovery interface")
async def test_a_client_that_negotiates_finds_the_built_in_resources(suite: Suite) -> None:
    found = await discovered(suite, "/api", CLIENT_GO) | await discovered(suite, "/apis", CLIENT_GO)
    for home, resources in EXPECTED.items():
        assert found[home] >= resources
    served = await suite.get("/apis")
    assert {row["name"] for row in served["groups"]} == {group for group, _ in found if group}


@pytest.mark.conformance(
    "AggregatedDiscovery should support aggregated discovery interface for CRDs",
    "AggregatedDiscovery should support raw aggregated discovery request for CRDs",
)
@pytest.mark.parametrize("accept", [CLIENT_GO, AGGREGATED], ids=["client", "raw"])
async def test_a_definition_appears_in_aggregated_discovery_and_goes(suite: Suite, accept: str) -> None:
    group = f"{suite.namespace}.example.com"
    await suite.create(DEFINITIONS, definition(group))

    async def there() -> bool:
        return "foos" in (await discovered(suite, "/apis", accept)).get((group, "v1"), set())

    async def gone() -> bool:
        return (group, "v1") not in await discovered(suite, "/apis", accept)

    await suite.eventually("the resource is discovered", there)
    await suite.delete(f"{DEFINITIONS}/foos.{group}")
    await suite.eventually("the resource is forgotten", gone)
