"""What the official conformance suite expects of custom resources, sentence by sentence.

Each test names the sentence it proves; the catalogue's rows that need pods for the webhook are asked of a webhook in
this process, by URL: who converts makes no difference to the API server.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from integration.conftest import Authority, Kubectl, Served

Json = dict[str, Any]
Call = Callable[..., Awaitable[Any]]

EXTENSIONS = "/apis/apiextensions.k8s.io/v1"
DEFINITIONS = f"{EXTENSIONS}/customresourcedefinitions"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def definition(
    plural: str = "foos",
    group: str = "tests.example.com",
    kind: str = "Foo",
    versions: list[Json] | None = None,
    **spec: Any,
) -> Json:
    names = {"plural": plural, "singular": plural.removesuffix("s"), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": "Namespaced",
            "versions": versions or [version("v1", storage=True)],
            **spec,
        },
    }


ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str, schema: Json | None = None, **more: Any) -> Json:
    row = {"name": name, "served": True, "storage": False, "schema": {"openAPIV3Schema": schema or ANYTHING}}
    return {**row, **more}


@pytest.fixture
async def call(api_server: Served) -> AsyncIterator[Call]:
    """Ask the server as an administrator: the document answered; `status` is what must come."""
    context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
    context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:

        async def ask(method: str, path: str, body: Any = None, status: int = 0, **headers: str) -> Any:
            sent = {"Content-Type": headers.pop("kind", "application/json"), **headers}
            data = None if body is None else json.dumps(body)
            async with session.request(method, api_server.url + path, data=data, headers=sent) as answer:
                text = await answer.text()
                assert answer.status == status if status else answer.status < 300, text
                return json.loads(text)

        yield ask


async def define(call: Call, document: Json) -> Json:
    """Create a definition and wait until it is established."""
    await call("POST", DEFINITIONS, document)
    name = document["metadata"]["name"]
    async with asyncio.timeout(10):
        while True:
            found: Json = await call("GET", f"{DEFINITIONS}/{name}")
            states = {row["type"]: row["status"] for row in found["status"].get("conditions", ())}
            if states.get("Established") == "True":
                assert states["NamesAccepted"] == "True"
                return found
            await asyncio.sleep(0.01)  # noqa: TID251 - a real server on real time


async def gone(call: Call, path: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await call("GET", path, status=404)
            except AssertionError:
                await asyncio.sleep(0.05)  # noqa: TID251 - as above
            else:
                return


def foo(name: str, api_version: str = "tests.example.com/v1", **more: Any) -> Json:
    kind = more.pop("kind", "Foo")
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


FOOS = "/apis/tests.example.com/v1/namespaces/default/foos"


class Events:
    """One watch over HTTP."""

    def __init__(self, api_server: Served, path: str) -> None:
        context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
        context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        self._url = api_server.url + path
        self._answer: aiohttp.ClientResponse | None = None

    async def next(self) -> tuple[str, Json]:
        if self._answer is None:
            self._answer = await self._session.get(self._url)
        event = json.loads(await asyncio.wait_for(self._answer.content.readline(), 10))
        return event["type"], event["object"]

    async def none_left(self) -> bool:
        try:
            await asyncio.wait_for(self.next(), 0.3)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        await self._session.close()


# ── definitions ──


@pytest.mark.conformance(
    "CustomResourceDefinition resources Simple CustomResourceDefinition creating/deleting "
    "custom resource definition objects works"
)
async def test_definitions_are_created_established_and_deleted(call: Call) -> None:
    """Create a CRD, reach Established and NamesAccepted, serve it, delete it and all instances."""
    await define(call, definition())
    await call("POST", FOOS, foo("a"))
    await call("DELETE", f"{DEFINITIONS}/foos.tests.example.com")
    await gone(call, f"{DEFINITIONS}/foos.tests.example.com")
    await call("GET", FOOS, status=404)


@pytest.mark.conformance(
    "CustomResourceDefinition resources Simple CustomResourceDefinition getting/updating/patching "
    "custom resource definition status sub-resource works"
)
async def test_status_of_a_definition_is_read_and_written_alone(call: Call) -> None:
    """Status subresource reads and writes conditions without touching spec."""
    stored = await define(call, definition())
    path = f"{DEFINITIONS}/foos.tests.example.com/status"
    read = await call("GET", path)
    assert read["spec"] == stored["spec"]
    condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "set by the test"}
    read["status"]["conditions"].append(condition)
    read["spec"]["scope"] = "Cluster"
    written = await call("PUT", path, read)
    assert written["spec"] == stored["spec"]
    assert condition.items() <= written["status"]["conditions"][-1].items()
    patch = [{"op": "add", "path": "/status/conditions/-", "value": {**condition, "type": "StatusPatched"}}]
    patched = await call("PATCH", path, patch, kind=JSON_PATCH)
    assert [row["type"] for row in patched["status"]["conditions"]][-2:] == ["StatusUpdate", "StatusPatched"]


@pytest.mark.conformance(
    "CustomResourceDefinition resources Simple CustomResourceDefinition listing "
    "custom resource definition objects works"
)
async def test_definitions_are_listed_and_deleted_by_label(call: Call) -> None:
    """List returns exactly the ten labelled CRDs with equal specs; collection delete spares the unlabelled one."""
    for number in range(11):
        document = definition(f"tens{number}s", kind=f"Ten{number}")
        document["metadata"]["labels"] = {"e2e-list-test": "yes"} if number < 10 else {}
        await define(call, document)
    listed = await call("GET", f"{DEFINITIONS}?labelSelector=e2e-list-test%3Dyes")
    assert len(listed["items"]) == 10
    for item in listed["items"]:
        single = await call("GET", f"{DEFINITIONS}/{item['metadata']['name']}")
        assert single["spec"] == item["spec"]
    await call("DELETE", f"{DEFINITIONS}?labelSelector=e2e-list-test%3Dyes")
    await gone(call, f"{DEFINITIONS}/tens0s.tests.example.com")
    await call("GET", f"{DEFINITIONS}/tens10s.tests.example.com")


@pytest.mark.conformance(
    "CustomResourceDefinition resources should include custom resource definition resources in discovery documents"
)
async def test_definitions_are_in_the_discovery_documents(call: Call) -> None:
    """Group, version and customresourcedefinitions are listed in the discovery documents."""
    groups = (await call("GET", "/apis"))["groups"]
    group = next(row for row in groups if row["name"] == "apiextensions.k8s.io")
    assert "apiextensions.k8s.io/v1" in [row["groupVersion"] for row in group["versions"]]
    versions = (await call("GET", "/apis/apiextensions.k8s.io"))["versions"]
    assert [row["version"] for row in versions] == ["v1"]
    resources = (await call("GET", EXTENSIONS))["resources"]
    assert "customresourcedefinitions" in [row["name"] for row in resources]


@pytest.mark.conformance(
    "CustomResourceDefinition Watch CustomResourceDefinition Watch watch on custom resource definition objects"
)
async def test_watches_of_custom_resources_by_name_see_their_own_events(call: Call, api_server: Served) -> None:
    """Field-selected watches on a custom resource each see only their own ADDED, MODIFIED, DELETED events."""
    await define(call, definition())
    watches = {name: Events(api_server, f"{FOOS}?watch=true&fieldSelector=metadata.name%3D{name}") for name in "ab"}
    try:
        for name, events in watches.items():
            await call("POST", FOOS, foo(name))
            assert (await events.next())[0] == "ADDED"
            await call("PATCH", f"{FOOS}/{name}", {"num": {"num1": 9}}, kind=MERGE)
            kind, seen = await events.next()
            assert (kind, seen["num"]) == ("MODIFIED", {"num1": 9})
            await call("DELETE", f"{FOOS}/{name}")
            kind, seen = await events.next()
            assert (kind, seen["metadata"]["name"]) == ("DELETED", name)
        for events in watches.values():
            assert await events.none_left()
    finally:
        for events in watches.values():
            await events.close()


@pytest.mark.conformance(
    "CustomResourceDefinition resources custom resource defaulting for requests and from storage works"
)
async def test_defaults_come_with_requests_and_from_storage(call: Call) -> None:
    """Apply schema defaults on read from storage and on create, persist request defaults, follow default changes."""
    fields: Json = {"a": {"type": "string"}, "b": {"type": "string"}}
    schema = {"type": "object", "properties": fields}
    await define(call, definition(versions=[version("v1", schema, storage=True)]))
    await call("POST", FOOS, foo("early"))
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/a/default"
    name = f"{DEFINITIONS}/foos.tests.example.com"
    await call("PATCH", name, [{"op": "add", "path": path, "value": "A"}], kind=JSON_PATCH)
    assert (await call("GET", f"{FOOS}/early"))["a"] == "A"
    created = await call("POST", FOOS, foo("late"))
    assert created["a"] == "A"
    change = [
        {"op": "remove", "path": path},
        {"op": "add", "path": path.replace("/a/", "/b/"), "value": "B"},
    ]
    await call("PATCH", name, change, kind=JSON_PATCH)
    early, late = await call("GET", f"{FOOS}/early"), await call("GET", f"{FOOS}/late")
    assert ("a" in early, early["b"]) == (False, "B")
    assert (late["a"], late["b"]) == ("A", "B")


# ── published schemas ──

SCHEMA: Json = {
    "type": "object",
    "description": "Foo CRD for Testing",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "type": "array",
                    "description": "List of Bars and their specs.",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "description": "Name of Bar."},
                            "age": {"type": "string", "description": "Age of Bar."},
                            "feeling": {"type": "string", "description": "Feeling.", "enum": ["Great", "Down"]},
                            "bazs": {"type": "array", "description": "List of Bazs.", "items": {"type": "string"}},
                        },
                    },
                }
            },
        },
        "status": {"type": "object", "description": "Status of Foo"},
    },
}


async def published(call: Call, name: str) -> Json | None:
    """The published definition of a kind without what every object has, None when there is none."""
    found = (await call("GET", "/openapi/v2"))["definitions"].get(name)
    if found is None:
        return None
    for added in ("apiVersion", "kind", "metadata"):
        found.get("properties", {}).pop(added, None)
    found.pop("x-kubernetes-group-version-kind")
    return dict(found)


@pytest.mark.conformance("CustomResourcePublishOpenAPI works for CRD with validation schema")
async def test_a_schema_is_published_and_kubectl_uses_it(call: Call, kubectl: Kubectl) -> None:
    """Strict validation errors for enum, unknown and missing fields; kubectl explain prints types and descriptions."""
    await define(call, definition(versions=[version("v1", SCHEMA, storage=True)]))
    assert await published(call, "com.example.tests.v1.Foo") == SCHEMA
    good = foo("a", spec={"bars": [{"name": "test-bar", "feeling": "Great"}]})
    for verb in ("create", "apply"):
        await kubectl(verb, "-f", "-", stdin=json.dumps(good))
        await kubectl("delete", "foo", "a")
        feeling = foo("a", spec={"bars": [{"name": "b", "feeling": "NonExistent"}]})
        bad = await kubectl(verb, "-f", "-", stdin=json.dumps(feeling), fails=True)
        assert 'Unsupported value: "NonExistent"' in bad
        bad = await kubectl(verb, "-f", "-", stdin=json.dumps(foo("a", spec={"foo": True})), fails=True)
        assert 'unknown field "spec.foo"' in bad
        bad = await kubectl(verb, "-f", "-", stdin=json.dumps(foo("a", spec={"bars": [{"age": "10"}]})), fails=True)
        assert "spec.bars[0].name: Required value" in bad
    told = await kubectl("explain", "foos")
    assert "Foo CRD for Testing" in told
    assert "Specification of Foo" in told
    told = await kubectl("explain", "foos.spec")
    assert "bars\t<[]Object>" in told
    told = await kubectl("explain", "foos.spec.bars")
    assert "name\t<string> -required-" in told
    assert "bazs\t<[]string>" in told
    assert "Name of Bar." in told
    assert 'field "bars2" does not exist' in await kubectl("explain", "foos.spec.bars2", fails=True)


@pytest.mark.conformance("CustomResourcePublishOpenAPI works for CRD without validation schema")
async def test_a_definition_without_schema_takes_anything(call: Call, kubectl: Kubectl) -> None:
    """A CRD without properties accepts any field and explain shows an empty description."""
    await define(call, definition())
    assert await published(call, "com.example.tests.v1.Foo") == {"type": "object"}
    anything = json.dumps(foo("a", a={"b": 1}, spec=[1, 2]))
    await kubectl("create", "-f", "-", stdin=anything)
    await kubectl("apply", "-f", "-", stdin=anything)
    assert (await call("GET", f"{FOOS}/a"))["a"] == {"b": 1}
    assert "<empty>" in await kubectl("explain", "foos")


@pytest.mark.conformance(
    "CustomResourcePublishOpenAPI works for CRD preserving unknown fields at the schema root",
    "CustomResourcePublishOpenAPI works for CRD preserving unknown fields in an embedded object",
)
@pytest.mark.parametrize("nested", [False, True])
async def test_unknown_fields_are_kept_where_the_schema_says_so(call: Call, kubectl: Kubectl, nested: bool) -> None:
    """Publish a schema that lets clients send any field; kubectl create, apply and explain work.

    Unknown fields under the marked object are kept and accepted by client validation; explain shows its description.
    """
    if nested:
        spec = {**ANYTHING, "description": "Specification of Waldo", "properties": {"dummy": {"type": "string"}}}
        schema: Json = {"type": "object", "properties": {"spec": spec}}
    else:
        schema = {**ANYTHING, "description": "preserve-unknown-properties at root", "properties": {}}
    await define(call, definition(versions=[version("v1", schema, storage=True)]))
    document = json.dumps(foo("a", spec={"dummy": "x", "unknown": {"deep": True}}))
    await kubectl("create", "-f", "-", stdin=document)
    await kubectl("apply", "-f", "-", stdin=document)
    assert (await call("GET", f"{FOOS}/a"))["spec"]["unknown"] == {"deep": True}
    told = await kubectl("explain", "foos.spec" if nested else "foos")
    assert ("Specification of Waldo" if nested else "KIND:       Foo") in told


@pytest.mark.conformance("CustomResourcePublishOpenAPI works for multiple CRDs of different groups")
async def test_definitions_of_different_groups_are_published(call: Call) -> None:
    """Both CRDs appear in published OpenAPI under their group-derived definition names."""
    await define(call, definition(group="one.example.com"))
    await define(call, definition("waldos", "two.example.com", "Waldo"))
    assert await published(call, "com.example.one.v1.Foo") is not None
    assert await published(call, "com.example.two.v1.Waldo") is not None


@pytest.mark.conformance("CustomResourcePublishOpenAPI works for multiple CRDs of same group but different versions")
async def test_versions_of_one_definition_are_published(call: Call) -> None:
    """Both versions appear in published OpenAPI."""
    await define(call, definition(versions=[version("v2", SCHEMA), version("v3", SCHEMA, storage=True)]))
    assert await published(call, "com.example.tests.v2.Foo") == SCHEMA
    assert await published(call, "com.example.tests.v3.Foo") == SCHEMA


@pytest.mark.conformance(
    "CustomResourcePublishOpenAPI works for multiple CRDs of same group and version but different kinds"
)
async def test_kinds_of_one_group_and_version_are_published(call: Call) -> None:
    """Both kinds appear in published OpenAPI."""
    await define(call, definition())
    await define(call, definition("waldos", kind="Waldo"))
    assert await published(call, "com.example.tests.v1.Foo") is not None
    assert await published(call, "com.example.tests.v1.Waldo") is not None


@pytest.mark.conformance("CustomResourcePublishOpenAPI updates the published spec when one version gets renamed")
async def test_the_published_schema_follows_a_rename_of_a_version(call: Call) -> None:
    """The published spec follows a version rename: new definition appears, old one goes, other versions stay."""
    await define(call, definition(versions=[version("v2", SCHEMA), version("v3", SCHEMA, storage=True)]))
    patch = [
        {"op": "test", "path": "/spec/versions/0/name", "value": "v2"},
        {"op": "replace", "path": "/spec/versions/0/name", "value": "v4"},
    ]
    await call("PATCH", f"{DEFINITIONS}/foos.tests.example.com", patch, kind=JSON_PATCH)
    assert await published(call, "com.example.tests.v4.Foo") == SCHEMA
    assert await published(call, "com.example.tests.v2.Foo") is None
    assert await published(call, "com.example.tests.v3.Foo") == SCHEMA


@pytest.mark.conformance(
    "CustomResourcePublishOpenAPI removes definition from spec when one version gets changed to not be served"
)
async def test_a_version_that_is_no_longer_served_is_no_longer_published(call: Call) -> None:
    """Stopping to serve one version removes its definition from the published OpenAPI and keeps the other."""
    await define(call, definition(versions=[version("v5", SCHEMA), version("v6alpha1", SCHEMA, storage=True)]))
    patch = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    await call("PATCH", f"{DEFINITIONS}/foos.tests.example.com", patch, kind=JSON_PATCH)
    assert await published(call, "com.example.tests.v6alpha1.Foo") is None
    assert await published(call, "com.example.tests.v5.Foo") == SCHEMA


# ── conversion ──


@dataclass
class Webhook:
    """A conversion webhook: between v1 `hostPort` and v2 `host`, `port`."""

    url: str
    bundle: str
    asked: list[Json] = field(default_factory=list)
    answer: Json | None = None
    """Instead of the conversion."""


def converted(document: Json, api_version: str) -> Json:
    result = {**document, "apiVersion": api_version}
    if api_version.endswith("/v2") and "hostPort" in document:
        host, _, port = result.pop("hostPort").partition(":")
        result |= {"host": host, "port": port}
    elif api_version.endswith("/v1") and "host" in document:
        result["hostPort"] = f"{result.pop('host')}:{result.pop('port')}"
    return result


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    folder = tmp_path / "webhook"
    folder.mkdir()
    authority = Authority(folder)
    pem = authority.issue("webhook", addresses=("127.0.0.1",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem.certificate, pem.key)
    hook = Webhook("", base64.b64encode(authority.pem.certificate.read_bytes()).decode())

    async def convert(request: web.Request) -> web.Response:
        review = await request.json()
        hook.asked.append(review)
        asked = review["request"]
        response = hook.answer or {
            "result": {"status": "Success"},
            "convertedObjects": [converted(item, asked["desiredAPIVersion"]) for item in asked["objects"]],
        }
        return web.json_response({**review, "request": None, "response": {"uid": asked["uid"], **response}})

    application = web.Application()
    application.router.add_post("/crdconvert", convert)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    hook.url = f"https://127.0.0.1:{runner.addresses[0][1]}/crdconvert"
    try:
        yield hook
    finally:
        await runner.cleanup()


def converting(webhook: Webhook, *, storage: str = "v1", **more: Any) -> Json:
    text = {"type": "string"}
    v1 = version("v1", {"type": "object", "properties": {"hostPort": text}}, storage=storage == "v1")
    v2 = version("v2", {"type": "object", "properties": {"host": text, "port": text}}, storage=storage == "v2", **more)
    config = {"clientConfig": {"url": webhook.url, "caBundle": webhook.bundle}, "conversionReviewVersions": ["v1"]}
    return definition(versions=[v1, v2], conversion={"strategy": "Webhook", "webhook": config})


FOOS_V2 = FOOS.replace("/v1/", "/v2/")


@pytest.mark.conformance("CustomResourceConversionWebhook should be able to convert from CR v1 to CR v2")
async def test_an_object_is_converted_when_it_is_read(call: Call, webhook: Webhook) -> None:
    """Reading a v1 object as v2 calls the conversion webhook and returns its result."""
    await define(call, converting(webhook))
    created = await call("POST", FOOS, foo("a", hostPort="localhost:8080"))
    assert webhook.asked == []
    seen = await call("GET", f"{FOOS_V2}/a")
    assert (seen["apiVersion"], seen["host"], seen["port"]) == ("tests.example.com/v2", "localhost", "8080")
    assert seen["metadata"]["uid"] == created["metadata"]["uid"]
    assert [len(review["request"]["objects"]) for review in webhook.asked] == [1]


@pytest.mark.conformance("CustomResourceConversionWebhook should be able to convert a non homogeneous list of CRs")
async def test_objects_stored_in_different_versions_are_listed_in_one(call: Call, webhook: Webhook) -> None:
    """Listing objects stored in different versions converts every one to the requested version through the webhook."""
    await define(call, converting(webhook))
    await call("POST", FOOS, foo("a", hostPort="localhost:1"))
    patch = [
        {"op": "replace", "path": "/spec/versions/0/storage", "value": False},
        {"op": "replace", "path": "/spec/versions/1/storage", "value": True},
    ]
    changed = await call("PATCH", f"{DEFINITIONS}/foos.tests.example.com", patch, kind=JSON_PATCH)
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    await call("POST", FOOS, foo("b", hostPort="localhost:2"))
    assert [item["port"] for item in (await call("GET", FOOS_V2))["items"]] == ["1", "2"]
    assert [item["hostPort"] for item in (await call("GET", FOOS))["items"]] == ["localhost:1", "localhost:2"]


async def test_writes_and_watches_are_converted_too(call: Call, webhook: Webhook, api_server: Served) -> None:
    """Create, patch, apply, watch and delete in a version that is not stored go through the webhook."""
    await define(call, converting(webhook))
    events = Events(api_server, f"{FOOS_V2}?watch=true")
    try:
        created = await call("POST", FOOS_V2, foo("a", "tests.example.com/v2", host="h", port="1"))
        assert (created["host"], created["port"]) == ("h", "1")
        assert (await call("GET", f"{FOOS}/a"))["hostPort"] == "h:1"
        kind, seen = await events.next()
        assert (kind, seen["port"]) == ("ADDED", "1")
        await call("PATCH", f"{FOOS_V2}/a", {"port": "2"}, kind=MERGE)
        assert (await events.next())[1]["port"] == "2"
        applied = foo("a", "tests.example.com/v2", port="3")
        path = f"{FOOS_V2}/a?fieldManager=one&force=true"
        assert (await call("PATCH", path, applied, kind="application/apply-patch+yaml"))["port"] == "3"
        assert (await events.next())[1]["port"] == "3"
        await call("DELETE", f"{FOOS_V2}/a")
        kind, seen = await events.next()
        assert (kind, seen["port"]) == ("DELETED", "3")
    finally:
        await events.close()


async def test_a_webhook_that_fails_is_told_to_the_client(call: Call, webhook: Webhook) -> None:
    """The error of the webhook, or that it answered nonsense, is an internal error with upstream's words."""
    await define(call, converting(webhook))
    await call("POST", FOOS, foo("a", hostPort="h:1"))
    place = "conversion webhook for tests.example.com/v1, Kind=Foo"
    webhook.answer = {"result": {"status": "Failed", "message": "no"}}
    assert (await call("GET", f"{FOOS_V2}/a", status=500))["message"] == f"{place} failed: no"
    webhook.answer = {"result": {"status": "Success"}, "convertedObjects": []}
    assert (await call("GET", FOOS_V2, status=500))["message"] == f"{place} returned 0 objects, expected 1"
    wrong = {**foo("b", "tests.example.com/v2"), "metadata": {"name": "b"}}
    webhook.answer = {"result": {"status": "Success"}, "convertedObjects": [wrong]}
    told = (await call("GET", f"{FOOS_V2}/a", status=500))["message"]
    assert told == f"{place} returned invalid converted object at index 0: must have the same name: a != b"
    webhook.answer = None
    assert (await call("GET", f"{FOOS_V2}/a"))["host"] == "h"


@pytest.mark.conformance(
    "CustomResourceFieldSelectors CustomResourceFieldSelectors MUST list and watch "
    "custom resources matching the field selector"
)
async def test_custom_resources_are_selected_by_the_fields_of_their_version(
    call: Call, webhook: Webhook, api_server: Served
) -> None:
    """Filter custom resources by CRD-declared fields per version, in list, watch and informer.

    Leaving the selector is DELETED.
    """
    await define(call, converting(webhook, selectableFields=[{"jsonPath": ".host"}]))
    for name, host in (("a", "one"), ("b", "two"), ("c", "one")):
        await call("POST", FOOS, foo(name, hostPort=f"{host}:80"))
    selected = f"{FOOS_V2}?fieldSelector=host%3Done"
    assert [item["metadata"]["name"] for item in (await call("GET", selected))["items"]] == ["a", "c"]
    await call("GET", f"{FOOS}?fieldSelector=host%3Done", status=400)
    events = Events(api_server, f"{selected}&watch=true")
    try:
        assert {(await events.next())[1]["metadata"]["name"] for _ in range(2)} == {"a", "c"}
        await call("PATCH", f"{FOOS}/a", {"hostPort": "two:80"}, kind=MERGE)
        kind, seen = await events.next()
        assert (kind, seen["metadata"]["name"]) == ("DELETED", "a")
        await call("PATCH", f"{FOOS}/b", {"hostPort": "one:80"}, kind=MERGE)
        kind, seen = await events.next()
        assert (kind, seen["metadata"]["name"]) == ("ADDED", "b")
    finally:
        await events.close()
    await call("DELETE", selected)
    assert [item["metadata"]["name"] for item in (await call("GET", FOOS))["items"]] == ["a"]
