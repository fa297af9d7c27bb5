"""Discovery tells exactly what `data/resources.json` lists: nothing is missing, nothing is there besides."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from integration.conftest import form_client
from pybernetes.api.registry import Resource
from support.forms import FormClient
from support.rows import ROWS

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
Told = dict[tuple[str, str], tuple[Any, ...]]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
EXPECTED: Told = {}


def _expect(resource: Resource) -> None:
    home = resource.api_version
    scope = resource.namespaced
    EXPECTED[home, resource.plural] = (resource.kind, scope, *sorted(resource.verbs))
    for name, sub in resource.subresources.items():
        EXPECTED[home, f"{resource.plural}/{name}"] = (sub.kind, scope, *sorted(sub.verbs))


for _row in ROWS.values():
    _expect(_row)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FormClient]:
    async with form_client(tmp_path_factory.mktemp("discovery")) as client:
        yield client


async def test_the_lists_of_all_groups_tell_every_row_and_no_other(api: FormClient) -> None:
    core = await api.ok("GET", "/api")
    homes = {version: f"/api/{version}" for version in core["versions"]}
    for group in (await api.ok("GET", "/apis"))["groups"]:
        homes |= {version["groupVersion"]: f"/apis/{version['groupVersion']}" for version in group["versions"]}
        assert group["preferredVersion"] in group["versions"]
    told: Told = {}
    for home, path in homes.items():
        for row in (await api.ok("GET", path))["resources"]:
            told[home, row["name"]] = (row["kind"], row["namespaced"], *sorted(row["verbs"]))
    assert told == EXPECTED


async def test_the_aggregated_documents_tell_every_row_and_no_other(api: FormClient) -> None:
    told: Told = {}
    for root in ("/api", "/apis"):
        document = await api.ok("GET", root, accept=AGGREGATED)
        for group in document["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                home = f"{name}/{version['version']}" if name else version["version"]
                for row in version["resources"]:
                    scope = row["scope"] == "Namespaced"
                    told[home, row["resource"]] = (row["responseKind"]["kind"], scope, *sorted(row["verbs"]))
                    for sub in row.get("subresources", ()):
                        key = f"{row['resource']}/{sub['subresource']}"
                        told[home, key] = (sub["responseKind"]["kind"], scope, *sorted(sub["verbs"]))
    assert told == EXPECTED


async def test_every_row_has_its_paths_in_openapi(api: FormClient) -> None:
    index = (await api.ok("GET", "/openapi/v3"))["paths"]
    found: set[str] = set()
    for home in {resource.api_version for resource in ROWS.values()}:
        root = f"apis/{home}" if "/" in home else f"api/{home}"
        found |= (await api.ok("GET", index[root]["serverRelativeURL"]))["paths"].keys()
    for resource in ROWS.values():
        root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        lies = (
            f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
        )
        assert lies in found
        if "get" in resource.verbs:
            assert f"{lies}/{{name}}" in found
        for subresource in resource.subresources:
            assert f"{lies}/{{name}}/{subresource}" in found
