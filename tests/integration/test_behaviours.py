"""What lookalikes of the API get wrong, behaviour by behaviour, over HTTPS: reading, watching, writing, deleting.

One server for the whole file; every test works in a namespace of its own.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from integration.conftest import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
SECONDS = 20


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Json
    document: Json


@dataclass(frozen=True)
class Client:
    """Asks as an administrator; `space` is the path of the test's own namespace."""

    session: aiohttp.ClientSession
    url: str
    namespace: str

    @property
    def space(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def maps(self) -> str:
        return f"{self.space}/configmaps"

    async def raw(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> Any:
        sent = {"Content-Type": kind, **headers}
        data = body if isinstance(body, str | None) else json.dumps(body)
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            return Answer(answer.status, dict(answer.headers), json.loads(await answer.text()))

    async def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Json:
        """The document answered by a request that succeeds."""
        answer = await self.raw(method, path, body, kind)
        assert answer.status < 300, answer.document
        return dict(answer.document)

    async def refused(
        self, code: int, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> Json:
        """The Status of a request that fails with `code`."""
        answer = await self.raw(method, path, body, kind)
        assert (answer.status, answer.document["kind"]) == (code, "Status"), answer.document
        assert answer.document["code"] == code
        return dict(answer.document)

    async def watch(self, path: str, count: int) -> list[Json]:
        """The first `count` events of a watch."""
        events: list[Json] = []
        async with asyncio.timeout(SECONDS), self.session.get(self.url + path) as answer:
            assert answer.status == 200
            async for line in answer.content:
                events.append(json.loads(line))
                if len(events) == count:
                    break
        return events

    async def make(self, name: str, **metadata: Any) -> Json:
        return await self.ask("POST", self.maps, config(name, **metadata))


def config(name: str, data: Json | None = None, **metadata: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {"x": "1"}}


def version(document: Json) -> int:
    return int(document["metadata"]["resourceVersion"])


def names(listing: Json) -> list[str]:
    return [item["metadata"]["name"] for item in listing["items"]]


def causes(status: Json) -> list[str]:
    return [cause["field"] for cause in status["details"]["causes"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(tmp_path_factory.mktemp("behaviours")) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Served) -> AsyncIterator[Client]:
    context = ssl.create_default_context(cafile=str(server.ca.certificate))
    context.load_cert_chain(server.admin.certificate, server.admin.key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        outside = Client(session, server.url, "default")
        made = await outside.ask("POST", "/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
        inside = Client(session, server.url, made["metadata"]["name"])
        await inside.ask("POST", f"{inside.space}/serviceaccounts", {"metadata": {"name": "default"}})
        yield inside


# Lists and watches


async def test_versions_are_decimal_and_grow_over_all_kinds(client: Client) -> None:
    first = await client.make("a")
    other = await client.ask("POST", f"{client.space}/secrets", {"metadata": {"name": "a"}})
    assert not first["metadata"]["resourceVersion"].startswith("0")
    assert version(first) < version(other)


async def test_a_list_has_the_version_of_the_store_not_of_its_newest_item(client: Client) -> None:
    made = await client.make("a")
    other = await client.ask("POST", f"{client.space}/secrets", {"metadata": {"name": "a"}})
    assert version(await client.ask("GET", client.maps)) >= version(other) > version(made)


@pytest.mark.parametrize("match", ["NotOlderThan", "Exact"])
async def test_a_match_without_a_version_is_invalid(client: Client, match: str) -> None:
    status = await client.refused(422, "GET", f"{client.maps}?resourceVersionMatch={match}")
    assert "resourceVersionMatch" in status["message"]


async def test_exactly_version_zero_is_invalid(client: Client) -> None:
    await client.refused(422, "GET", f"{client.maps}?resourceVersionMatch=Exact&resourceVersion=0")


async def test_an_exact_version_shows_the_past_and_a_minimum_the_present(client: Client) -> None:
    past = version(await client.make("a"))
    await client.make("b")
    exact = await client.ask("GET", f"{client.maps}?resourceVersion={past}&resourceVersionMatch=Exact")
    assert (names(exact), version(exact)) == (["a"], past)
    least = await client.ask("GET", f"{client.maps}?resourceVersion={past}&resourceVersionMatch=NotOlderThan")
    assert names(least) == ["a", "b"]


async def test_pages_share_the_first_ones_version_and_count_what_remains(client: Client) -> None:
    for name in "edcba":
        await client.make(name)
    page = await client.ask("GET", f"{client.maps}?limit=2")
    first, seen = version(page), names(page)
    assert page["metadata"]["remainingItemCount"] == 3
    await client.make("aa")
    while token := page["metadata"].get("continue"):
        page = await client.ask("GET", f"{client.maps}?limit=2&continue={token}")
        seen += names(page)
        assert version(page) == first
    assert seen == list("abcde")
    assert "remainingItemCount" not in page["metadata"]


async def test_pages_of_a_selection_do_not_count_what_remains(client: Client) -> None:
    for name in "abc":
        await client.make(name, labels={"app": "x"})
    page = await client.ask("GET", f"{client.maps}?limit=1&labelSelector=app%3Dx")
    assert page["metadata"]["continue"]
    assert "remainingItemCount" not in page["metadata"]


async def test_a_watch_from_a_version_delivers_every_later_change_in_order(client: Client) -> None:
    since = version(await client.make("a"))
    await client.make("b")
    await client.ask("PATCH", f"{client.maps}/a", {"data": {"x": "2"}}, MERGE)
    await client.ask("DELETE", f"{client.maps}/b")
    events = await client.watch(f"{client.maps}?watch=1&resourceVersion={since}", 3)
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
        ("ADDED", "b"),
        ("MODIFIED", "a"),
        ("DELETED", "b"),
    ]
    versions = [version(event["object"]) for event in events]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("since", ["", "&resourceVersion=0"])
async def test_a_watch_from_nowhere_first_adds_what_there_is(client: Client, since: str) -> None:
    await client.make("a")
    (event,) = await client.watch(f"{client.maps}?watch=true{since}", 1)
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")


async def test_leaving_a_selection_is_deletion_and_entering_it_is_addition(client: Client) -> None:
    since = version(await client.make("a", labels={"app": "x"}))
    gone = await client.ask("PATCH", f"{client.maps}/a", {"metadata": {"labels": {"app": "y"}}}, MERGE)
    await client.ask("PATCH", f"{client.maps}/a", {"metadata": {"labels": {"app": "x"}}}, MERGE)
    path = f"{client.maps}?watch=1&labelSelector=app%3Dx&resourceVersion={since}"
    left, back = await client.watch(path, 2)
    assert (left["type"], back["type"]) == ("DELETED", "ADDED")
    assert left["object"]["metadata"]["labels"] == {"app": "x"}
    assert version(left["object"]) == version(gone)


async def test_initial_events_end_with_an_annotated_bookmark(client: Client) -> None:
    await client.make("a")
    path = f"{client.maps}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    added, mark = await client.watch(path, 2)
    assert (added["type"], mark["type"]) == ("ADDED", "BOOKMARK")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_unknown_fields_cannot_be_selected(client: Client) -> None:
    status = await client.refused(400, "GET", f"{client.maps}?fieldSelector=data.x%3D1")
    assert status["message"].endswith('only "metadata.name", "metadata.namespace"')
    status = await client.refused(400, "GET", f"{client.space}/pods?fieldSelector=spec.x%3D1")
    assert status["message"].endswith("field label not supported: spec.x")


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app in (x,y)", ["a", "b"]),
        ("app notin (x)", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app==x", ["a"]),
        ("app!=x", ["b", "c"]),
    ],
)
async def test_label_selectors_know_sets_and_equality(client: Client, selector: str, found: list[str]) -> None:
    await client.make("a", labels={"app": "x"})
    await client.make("b", labels={"app": "y"})
    await client.make("c")
    assert names(await client.ask("GET", f"{client.maps}?labelSelector={selector}")) == found


@pytest.mark.parametrize(
    "path", ["/api/v1/namespaces/{}/configmaps/a?watch=true", "/api/v1/watch/namespaces/{}/configmaps/a"]
)
async def test_one_name_can_be_watched(client: Client, path: str) -> None:
    await client.make("b")
    await client.make("a")
    (event,) = await client.watch(path.format(client.namespace), 1)
    assert event["object"]["metadata"]["name"] == "a"


async def test_deleting_a_collection_spares_what_is_not_selected_and_what_is_finalized(client: Client) -> None:
    await client.make("a", labels={"app": "x"})
    await client.make("b", labels={"app": "x"}, finalizers=["example.com/wait"])
    await client.make("c")
    await client.ask("DELETE", f"{client.maps}?labelSelector=app%3Dx")
    rest = await client.ask("GET", client.maps)
    assert names(rest) == ["b", "c"]
    assert [("deletionTimestamp" in item["metadata"]) for item in rest["items"]] == [True, False]


# Writes


async def test_an_update_of_an_old_version_conflicts(client: Client) -> None:
    old = await client.make("a")
    await client.ask("PUT", f"{client.maps}/a", {**old, "data": {"x": "2"}})
    status = await client.refused(409, "PUT", f"{client.maps}/a", {**old, "data": {"x": "3"}})
    assert status["reason"] == "Conflict"
    assert "the object has been modified; please apply your changes to the latest version" in status["message"]


async def test_an_update_that_changes_nothing_keeps_the_version(client: Client) -> None:
    made = await client.make("a")
    assert version(await client.ask("PUT", f"{client.maps}/a", made)) == version(made)
    assert version(await client.ask("PATCH", f"{client.maps}/a", {"data": {"x": "1"}}, MERGE)) == version(made)


async def test_a_failed_test_of_a_json_patch_is_422(client: Client) -> None:
    await client.make("a")
    wrong = [{"op": "test", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data/x"}]
    await client.refused(422, "PATCH", f"{client.maps}/a", wrong, JSON_PATCH)
    assert (await client.ask("GET", f"{client.maps}/a"))["data"] == {"x": "1"}


async def test_a_json_patch_has_at_most_ten_thousand_operations(client: Client) -> None:
    await client.make("a")
    many = [{"op": "add", "path": "/data/x", "value": "2"}] * 10_001
    status = await client.refused(413, "PATCH", f"{client.maps}/a", many, JSON_PATCH)
    assert status["reason"] == "RequestEntityTooLarge"


async def test_a_patch_of_an_unknown_type_is_415(client: Client) -> None:
    await client.make("a")
    await client.refused(415, "PATCH", f"{client.maps}/a", {}, "application/json")


async def test_strategic_merge_joins_lists_by_key_and_takes_directives(client: Client) -> None:
    containers = [{"name": "a", "image": "one"}, {"name": "b", "image": "two"}]
    labels = {"app": "x"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    path = f"/apis/apps/v1/namespaces/{client.namespace}/deployments"
    await client.ask("POST", path, {"metadata": {"name": "web"}, "spec": spec})
    change = [{"name": "a", "image": "three"}, {"name": "b", "$patch": "delete"}]
    patched = await client.ask(
        "PATCH", f"{path}/web", {"spec": {"template": {"spec": {"containers": change}}}}, STRATEGIC
    )
    found = patched["spec"]["template"]["spec"]["containers"]
    assert [(row["name"], row["image"]) for row in found] == [("a", "three")]


async def test_apply_needs_a_manager(client: Client) -> None:
    status = await client.refused(422, "PATCH", f"{client.maps}/a", config("a"), APPLY)
    assert causes(status) == ["fieldManager"]


async def test_apply_creates_removes_what_it_leaves_out_and_names_conflicts(client: Client) -> None:
    path = f"{client.maps}/a"
    made = await client.raw("PATCH", f"{path}?fieldManager=one", config("a", {"x": "1", "y": "1"}), APPLY)
    assert made.status == 201
    assert (await client.ask("PATCH", f"{path}?fieldManager=one", config("a"), APPLY))["data"] == {"x": "1"}
    status = await client.refused(409, "PATCH", f"{path}?fieldManager=two", config("a", {"x": "2"}), APPLY)
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert causes(status) == [".data.x"]
    forced = await client.ask("PATCH", f"{path}?fieldManager=two&force=true", config("a", {"x": "2"}), APPLY)
    assert forced["data"] == {"x": "2"}


async def test_unknown_and_duplicate_fields_are_ignored_warned_of_or_refused(client: Client) -> None:
    body = '{"metadata":{"name":"%s"},"data":{"x":"1","x":"2"},"foo":1}'
    strict = await client.refused(400, "POST", f"{client.maps}?fieldValidation=Strict", body % "a")
    assert 'strict decoding error: unknown field "foo", duplicate field "data.x"' in strict["message"] or (
        'strict decoding error: duplicate field "data.x", unknown field "foo"' in strict["message"]
    )
    warned = await client.raw("POST", client.maps, body % "a")
    assert warned.status == 201
    assert warned.headers["Warning"].startswith('299 - "')
    quiet = await client.raw("POST", f"{client.maps}?fieldValidation=Ignore", body % "b")
    assert "Warning" not in quiet.headers


async def test_a_dry_run_answers_the_object_and_stores_nothing(client: Client) -> None:
    service = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    for path, body in ((client.maps, config("a")), (f"{client.space}/services", service)):
        shown = await client.ask("POST", f"{path}?dryRun=All", body)
        assert shown["metadata"]["uid"]
        assert "resourceVersion" not in shown["metadata"]
        await client.refused(404, "GET", f"{path}/a")
    await client.refused(422, "POST", f"{client.maps}?dryRun=Some", config("a"))


async def test_generated_names_have_five_letters_more(client: Client) -> None:
    made = [await client.ask("POST", client.maps, {"metadata": {"generateName": "a-"}}) for _ in range(3)]
    found = {row["metadata"]["name"] for row in made}
    assert len(found) == 3
    assert {len(name) for name in found} == {7}


async def test_status_and_spec_are_written_apart(client: Client) -> None:
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "one"}]}}
    path = f"/apis/apps/v1/namespaces/{client.namespace}/replicasets"
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    made = await client.ask("POST", path, {"metadata": {"name": "web"}, "spec": spec, "status": {"replicas": 9}})
    assert made["status"]["replicas"] == 0
    both = {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 1}}
    after = await client.ask("PUT", f"{path}/web/status", both)
    assert (after["spec"]["replicas"], after["status"]["replicas"]) == (2, 1)
    assert after["metadata"]["generation"] == 1
    again = {**after, "spec": {**after["spec"], "replicas": 5}, "status": {"replicas": 7}}
    last = await client.ask("PUT", f"{path}/web", again)
    assert (last["spec"]["replicas"], last["status"]["replicas"], last["metadata"]["generation"]) == (5, 1, 2)
    scale = await client.ask("GET", f"{path}/web/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["status"] == {"replicas": 1, "selector": "app=x"}
    scale["spec"]["replicas"] = 3
    await client.ask("PUT", f"{path}/web/scale", scale)
    await client.refused(409, "PUT", f"{path}/web/scale", {**scale, "spec": {"replicas": 4}})
    assert (await client.ask("GET", f"{path}/web"))["spec"]["replicas"] == 3


async def test_preconditions_of_a_deletion_are_checked(client: Client) -> None:
    made = await client.make("a")
    for precondition in ({"uid": "other"}, {"resourceVersion": "1"}):
        status = await client.refused(409, "DELETE", f"{client.maps}/a", {"preconditions": precondition})
        assert "the object has been modified" in status["message"] or "Precondition failed" in status["message"]
    await client.ask("DELETE", f"{client.maps}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})


async def test_answers_come_in_the_form_accepted(client: Client) -> None:
    await client.make("a")
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    shown = (await client.raw("GET", client.maps, Accept=table)).document
    assert (shown["kind"], [row["name"] for row in shown["columnDefinitions"]]) == ("Table", ["Name", "Data", "Age"])
    partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    (item,) = (await client.raw("GET", client.maps, Accept=partial)).document["items"]
    assert "data" not in item
    assert (await client.raw("GET", client.maps, Accept="text/csv")).status == 406
    assert (await client.raw("POST", client.maps, "x", "text/csv")).status == 415


# Deletion


def pod(name: str, **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def test_a_pod_on_a_node_ends_after_its_grace_and_a_later_deletion_only_shortens(client: Client) -> None:
    path = f"{client.space}/pods"
    await client.ask("POST", path, pod("a", nodeName="n"))
    first = await client.ask("DELETE", f"{path}/a")
    assert (first["kind"], first["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 30)
    assert first["metadata"]["generation"] == 2
    shorter = await client.ask("DELETE", f"{path}/a", {"gracePeriodSeconds": 5})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    longer = await client.ask("DELETE", f"{path}/a", {"gracePeriodSeconds": 50})
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 5
    await client.ask("DELETE", f"{path}/a", {"gracePeriodSeconds": 0})
    await client.refused(404, "GET", f"{path}/a")


async def test_a_pod_on_no_node_goes_at_once(client: Client) -> None:
    path = f"{client.space}/pods"
    await client.ask("POST", path, pod("a"))
    await client.ask("DELETE", f"{path}/a")
    await client.refused(404, "GET", f"{path}/a")


async def test_an_object_goes_with_its_last_finalizer_and_takes_no_new_one(client: Client) -> None:
    await client.make("a", finalizers=["example.com/one"])
    path = f"{client.maps}/a"
    assert (await client.ask("DELETE", path))["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["example.com/one", "example.com/two"]}}
    status = await client.refused(422, "PATCH", path, more, MERGE)
    assert causes(status) == ["metadata.finalizers"]
    await client.ask("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    await client.refused(404, "GET", path)


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
async def test_propagation_policies_wait_by_finalizers(client: Client, policy: str, finalizer: str) -> None:
    await client.make("a")
    await client.ask("DELETE", f"{client.maps}/a?propagationPolicy={policy}")
    assert (await client.ask("GET", f"{client.maps}/a"))["metadata"]["finalizers"] == [finalizer]


async def test_a_terminating_namespace_takes_nothing_new(client: Client) -> None:
    assert (await client.ask("DELETE", client.space))["status"]["phase"] == "Terminating"
    status = await client.refused(403, "POST", client.maps, config("a"))
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["NamespaceTerminating"]


async def test_a_service_without_a_name_gets_no_address_and_says_what_is_missing(client: Client) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    status = await client.refused(422, "POST", f"{client.space}/services", {"spec": spec})
    assert causes(status) == ["metadata.name"]
