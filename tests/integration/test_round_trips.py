"""Every row of `data/resources.json`, through every verb it allows, in JSON, YAML and protobuf.

Generated: a new row takes part by itself, and fails here until the server can do all that it promises. Objects come
from `support.examples`; protobuf is read by two readers (`support.forms`).
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from integration.conftest import form_client
from support import wire
from support.forms import FORMS, JSON, METADATA, METADATA_LIST, PROTOBUF, TABLE, YAML, FormClient, missing
from support.rows import (
    APPLY,
    ASKED,
    CHANGED_AT_ONCE,
    JSON_PATCH,
    MERGE,
    ROWS,
    STORED,
    STRATEGIC,
    collection,
    event_of,
    only,
    place,
    sample,
    settled,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FormClient]:
    async with form_client(tmp_path_factory.mktemp("round-trips")) as client:
        yield client


async def test_every_stored_row_allows_every_verb_tried_here() -> None:
    every = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    shorter = {name: every - {*ROWS[name].verbs} for name in STORED if {*ROWS[name].verbs} != every}
    assert shorter == {"v1/namespaces": {"deletecollection"}}
    assert {*ROWS} - {*STORED} - {*ASKED} == {"v1/componentstatuses"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STORED)
async def test_what_is_created_in_a_form_is_told_in_every_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    sent, path = sample(resource), place(resource)
    try:
        made = await api.ok("POST", collection(resource), sent, form=form, expect=201)
        assert missing(sent, made) == []
        plain = await api.ok("GET", path)
        if resource.kind not in CHANGED_AT_ONCE:
            assert wire.differences(plain, made) == []
        plain = await settled(api, path)
        for other in FORMS:
            answer = await api.send("GET", path, form=other)
            assert answer.status == 200
            assert wire.differences(plain, answer.document) == [], other
            if other == PROTOBUF:
                assert wire.differences(plain, wire.read_body(answer.body)) == []
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STORED)
async def test_lists_updates_and_deletions_speak_the_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    made = await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        made = await settled(api, path)
        made["metadata"]["labels"]["changed"] = "yes"
        changed = await api.ok("PUT", path, made, form=form)
        assert changed["metadata"]["labels"]["changed"] == "yes"
        assert wire.differences(made.get("spec"), changed.get("spec")) == []
        assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        listed = await api.send("GET", collection(resource), form=form, fieldSelector=only(path))
        found = wire.read_body(listed.body) if form == PROTOBUF else listed.document
        assert (found["kind"], found["apiVersion"]) == (resource.list_kind, resource.api_version)
        (item,) = found["items"]
        plain = await api.ok("GET", path)
        assert wire.differences({k: v for k, v in plain.items() if k not in {"apiVersion", "kind"}}, item) == []
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "dryRun": []}
        gone = await api.send("DELETE", path, options, form=form)
        assert gone.status == 200, gone.document
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STORED)
async def test_all_four_patches_are_answered_in_the_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        labels = {}
        for kind, patch in (
            (MERGE, {"metadata": {"labels": {"merge": "1"}}}),
            (STRATEGIC, {"metadata": {"labels": {"strategic": "1"}}}),
            (JSON_PATCH, [{"op": "add", "path": "/metadata/labels/json", "value": "1"}]),
        ):
            told = await api.ok("PATCH", path, patch, form=form, content_type=kind)
            labels = told["metadata"]["labels"]
        assert {"merge": "1", "strategic": "1", "json": "1"}.items() <= labels.items()
        applied = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": path.rpartition("/")[2], "labels": {"applied": "1"}},
        }
        told = await api.ok("PATCH", path, applied, form=form, content_type=APPLY, fieldManager="tester")
        assert told["metadata"]["labels"]["applied"] == "1"
        assert {(e["manager"], e["operation"]) for e in told["metadata"]["managedFields"]} >= {("tester", "Apply")}
        if resource.kind not in CHANGED_AT_ONCE:
            assert wire.differences(await api.ok("GET", path), told) == []
    finally:
        await api.remove(path)


@pytest.mark.parametrize("name", STORED)
async def test_a_whole_example_can_be_applied_twice(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path, applied = place(resource), sample(resource)
    if resource.kind == "Node":  # admission adds a taint to this atomic list, and the second declaration drops it
        del applied["spec"]
    try:
        how = {"content_type": APPLY, "fieldManager": "tester"}
        await api.ok("PATCH", path, applied, expect=201, **how)
        made = await settled(api, path)
        again = await api.ok("PATCH", path, applied, expect=200, **how)
        assert again == made
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", [JSON, PROTOBUF])
@pytest.mark.parametrize("name", STORED)
async def test_a_watch_tells_every_change_in_the_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    start = (await api.ok("GET", collection(resource)))["metadata"]["resourceVersion"]
    shape = {"fieldSelector": only(path), "resourceVersion": start}
    async with (
        api.watching(collection(resource), form, **shape) as events,
        api.watching(collection(resource), form + METADATA, **shape) as partial,
    ):
        told = [await api.ok("POST", collection(resource), sample(resource), expect=201)]
        patch = {"metadata": {"labels": {"merge": "1"}}}
        told.append(await api.ok("PATCH", path, patch, content_type=MERGE))
        await api.remove(path)
        for expected, document in zip(("ADDED", "MODIFIED"), told, strict=True):
            event = await event_of(events, document)
            assert event["type"] == expected
            assert wire.differences(document, event["object"]) == []
            event = await event_of(partial, document)
            assert (event["type"], event["object"]["kind"]) == (expected, "PartialObjectMetadata")
            assert wire.differences(document["metadata"], event["object"]["metadata"]) == []
        for stream in (events, partial):
            event = await anext(stream)
            while event["type"] == "MODIFIED":  # finalizers and grace on the way
                event = await anext(stream)
            assert event["type"] == "DELETED"
            assert event["object"]["metadata"]["uid"] == told[0]["metadata"]["uid"]


@pytest.mark.parametrize("name", STORED)
async def test_yaml_is_no_form_of_a_watch(api: FormClient, name: str) -> None:
    stream = {"watch": "true", "timeoutSeconds": "1"}
    for accept in (YAML, f"{YAML}, {JSON};q=0.1"):
        answer = await api.send("GET", collection(ROWS[name]), form=YAML, accept=accept, **stream)
        assert answer.status == 406, answer.document
        assert answer.document["message"] == (
            "only the following media types are accepted: "
            "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        )


@pytest.mark.parametrize("name", [n for n in STORED if "deletecollection" in ROWS[n].verbs])
async def test_a_collection_is_deleted_by_selector(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        found = await api.ok("DELETE", collection(resource), labelSelector="app=nothing")
        assert (found["kind"], found.get("items")) == (resource.list_kind, [])
        for form in (PROTOBUF, YAML, JSON):
            dry = await api.send("DELETE", collection(resource), form=form, labelSelector="app=web", dryRun="All")
            listed = wire.read_body(dry.body) if form == PROTOBUF else dry.document
            assert [item["metadata"]["name"] for item in listed["items"]] == [path.rpartition("/")[2]]
        await api.ok("GET", path)
        await api.ok("DELETE", collection(resource), labelSelector="app=web", gracePeriodSeconds="0")
        left = await api.send("GET", path)
        assert left.status == 404 or "deletionTimestamp" in left.document["metadata"]
    finally:
        await api.remove(path)


@pytest.mark.parametrize("name", STORED)
async def test_metadata_alone_and_tables_are_told(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    made = await settled(api, path)
    one = only(path)
    try:
        for form in FORMS:
            answer = await api.send("GET", path, form=form, accept=form + METADATA)
            alone = wire.read_body(answer.body) if form == PROTOBUF else answer.document
            assert (alone["kind"], alone["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
            assert wire.differences(made["metadata"], alone["metadata"]) == []
            short = {"accept": form + METADATA_LIST, "fieldSelector": one}
            answer = await api.send("GET", collection(resource), form=form, **short)
            listed = wire.read_body(answer.body) if form == PROTOBUF else answer.document
            assert listed["kind"] == "PartialObjectMetadataList"
            assert [wire.differences(made["metadata"], item["metadata"]) for item in listed["items"]] == [[]]
        for form in (JSON, YAML):
            table = await api.ok("GET", path, accept=form + TABLE)
            tables = await api.ok("GET", collection(resource), accept=form + TABLE, fieldSelector=one)
            for found in (table, tables):
                assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
                (row,) = found["rows"]
                assert len(row["cells"]) == len(found["columnDefinitions"]) >= 1
                assert row["object"]["kind"] == "PartialObjectMetadata"
                assert row["cells"][0]
        refused = await api.send("GET", path, accept=PROTOBUF + TABLE)
        assert refused.status == 406
    finally:
        await api.remove(path)


async def names_in(api: FormClient, path: str) -> list[str]:
    """The names in a collection; its version moves with what the server writes elsewhere."""
    return [item["metadata"]["name"] for item in (await api.ok("GET", path))["items"]]


@pytest.mark.parametrize("name", STORED)
async def test_a_dry_run_leaves_nothing_behind(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    before = await names_in(api, collection(resource))
    answer = await api.ok("POST", collection(resource), sample(resource), expect=201, dryRun="All")
    assert missing(sample(resource), answer) == []
    applied = {"content_type": APPLY, "fieldManager": "tester", "dryRun": "All"}
    await api.ok("PATCH", path, sample(resource), expect=201, **applied)
    assert (await api.send("GET", path)).status == 404
    assert await names_in(api, collection(resource)) == before
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        made = await settled(api, path)
        changed = {**made, "metadata": {**made["metadata"], "labels": {"changed": "yes"}}}
        assert (await api.ok("PUT", path, changed, dryRun="All"))["metadata"]["labels"]["changed"] == "yes"
        for kind in (MERGE, STRATEGIC):
            told = await api.ok("PATCH", path, {"metadata": {"labels": {"a": "1"}}}, content_type=kind, dryRun="All")
            assert told["metadata"]["labels"]["a"] == "1"
        operation = [{"op": "replace", "path": "/metadata/labels", "value": {"a": "1"}}]
        await api.ok("PATCH", path, operation, content_type=JSON_PATCH, dryRun="All")
        await api.ok("PATCH", path, sample(resource), expect=200, **{**applied, "force": "true"})
        await api.ok("DELETE", path, dryRun="All")
        assert await api.ok("GET", path) == made
    finally:
        await api.remove(path)
