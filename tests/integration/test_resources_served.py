"""Every row of `data/resources.json` is served as it says: discovery tells it, and its list answers in three forms."""

import json
import ssl
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from integration.conftest import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
ROWS: dict[str, Json] = json.loads((resources.files("pybernetes.api") / "data" / "resources.json").read_text())[
    "resources"
]
LISTED = [name for name, row in ROWS.items() if "list" in row["verbs"]]


def home(row: Json) -> str:
    return f"/apis/{row['group']}/{row['version']}" if row["group"] else f"/api/{row['version']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(tmp_path_factory.mktemp("resources"), every_version=True) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(server: Served) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=str(server.ca.certificate))
    context.load_cert_chain(server.admin.certificate, server.admin.key)
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=context)) as opened:
        yield opened


@pytest.mark.parametrize("name", ROWS)
async def test_discovery_tells_scope_verbs_names_and_subresources(session: aiohttp.ClientSession, name: str) -> None:
    row = ROWS[name]
    async with session.get(home(row)) as answer:
        told = {entry["name"]: entry for entry in (await answer.json())["resources"]}
    entry = told[row["plural"]]
    assert (entry["kind"], entry["namespaced"], entry["singularName"]) == (
        row["kind"],
        row["namespaced"],
        row["singular"],
    )
    assert sorted(entry["verbs"]) == sorted(row["verbs"])
    assert entry.get("shortNames", []) == row.get("shortNames", [])
    assert entry.get("categories", []) == row.get("categories", [])
    for part, subresource in row["subresources"].items():
        shown = told[f"{row['plural']}/{part}"]
        assert (shown["kind"], sorted(shown["verbs"])) == (subresource["kind"], sorted(subresource["verbs"]))


@pytest.mark.parametrize("form", ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"])
@pytest.mark.parametrize("name", LISTED)
async def test_lists_answer_in_the_form_accepted(session: aiohttp.ClientSession, name: str, form: str) -> None:
    row = ROWS[name]
    async with session.get(f"{home(row)}/{row['plural']}", headers={"Accept": form}) as answer:
        body = await answer.read()
        assert (answer.status, answer.content_type) == (200, form), body
    assert row["listKind"].encode() in body
