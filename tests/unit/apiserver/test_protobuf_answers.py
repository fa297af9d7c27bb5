"""A client that speaks protobuf only, as client-go does when it is told to: every verb, watches, failures."""

from typing import Any

import orjson
import pytest

from pybernetes.api import protobuf
from pybernetes.api.registry import built_in
from pybernetes.apiserver.binary_forms import MessageCache
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.http.negotiation import PROTOBUF, WATCH_PROTOBUF, Shape, negotiate
from pybernetes.machinery.errors import NotAcceptable
from unit.apiserver.serving import Server, config_map, pod, serving

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
METADATA = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
LISTS = {"ConfigMapList": "core.v1.ConfigMapList", "PartialObjectMetadataList": "meta.v1.PartialObjectMetadataList"}


def read(answer: Response) -> Any:
    """The document in an answer, which must be protobuf."""
    assert answer.content_type == PROTOBUF, answer.data
    version, kind, message = protobuf.envelope(answer.data)
    if kind in LISTS:
        return {"kind": kind, "apiVersion": version, **protobuf._decoder(LISTS[kind])(message, 0, len(message))}
    if kind == "PartialObjectMetadata":
        found = protobuf._decoder("meta.v1.PartialObjectMetadata")(message, 0, len(message))
        return {"kind": kind, "apiVersion": version, **found}
    return protobuf.decode(answer.data)


async def ask(server: Server, method: str, path: str, body: Any = None, accept: str = PROTOBUF) -> Response:
    data = protobuf.encode(body) if isinstance(body, dict) else body
    return await server.ask(method, path, data, content_type=PROTOBUF, accept=accept)


async def test_every_verb_answers_in_protobuf() -> None:
    async with serving() as server:
        created = await ask(server, "POST", MAPS, config_map("a", x="1"))
        assert created.status == 201
        found = read(await ask(server, "GET", f"{MAPS}/a"))
        assert found["data"] == {"x": "1"}
        assert found["metadata"]["resourceVersion"] == read(created)["metadata"]["resourceVersion"]
        updated = read(await ask(server, "PUT", f"{MAPS}/a", config_map("a", x="2")))
        assert updated["data"] == {"x": "2"}
        patch = orjson.dumps({"data": {"y": "3"}})
        answer = await server.ask(
            "PATCH", f"{MAPS}/a", patch, content_type="application/merge-patch+json", accept=PROTOBUF
        )
        assert read(answer)["data"] == {"x": "2", "y": "3"}
        items = read(await ask(server, "GET", MAPS))
        assert items["kind"] == "ConfigMapList"
        assert [item["metadata"]["name"] for item in items["items"]] == ["a"]
        assert items["metadata"]["resourceVersion"]
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}}
        refused = await ask(server, "DELETE", f"{MAPS}/a", options)
        assert (refused.status, read(refused)["reason"]) == (409, "Conflict")
        gone = await ask(server, "DELETE", f"{MAPS}/a", {"apiVersion": "v1", "kind": "DeleteOptions"})
        assert (read(gone)["status"], read(gone)["details"]["name"]) == ("Success", "a")


async def test_a_dry_run_answers_in_protobuf() -> None:
    async with serving() as server:
        answer = await ask(server, "POST", f"{MAPS}?dryRun=All", config_map("a", x="1"))
        assert read(answer)["data"] == {"x": "1"}


async def test_failures_are_statuses_in_protobuf_with_their_causes() -> None:
    async with serving() as server:
        missing = await ask(server, "GET", f"{MAPS}/none")
        status = read(missing)
        assert missing.status == status["code"] == 404
        assert status["message"] == 'configmaps "none" not found'
        bad = read(await ask(server, "POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A_"}}))
        assert bad["reason"] == "Invalid"
        assert "metadata.name" in {cause["field"] for cause in bad["details"]["causes"]}


async def test_what_is_protobuf_is_the_same_as_what_is_json() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a", app="web"))
        whole = await server.get(f"{PODS}/a")
        binary = await ask(server, "GET", f"{PODS}/a")
        assert binary.data == protobuf.encode(whole)


async def test_pages_of_lists_carry_their_token() -> None:
    async with serving() as server:
        for name in "abc":
            await server.create(MAPS, config_map(name))
        first = read(await ask(server, "GET", f"{MAPS}?limit=2"))
        assert first["metadata"]["remainingItemCount"] == 1
        rest = read(await ask(server, "GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}"))
        assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]


async def test_large_lists_are_whole_though_they_are_encoded_in_turns() -> None:
    async with serving() as server:
        for number in range(450):
            await server.create(MAPS, config_map(f"m-{number:03}"))
        found = read(await ask(server, "GET", MAPS))
        assert len(found["items"]) == 450


async def test_metadata_alone_comes_in_protobuf() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a", x="1"))
        one = read(await ask(server, "GET", f"{MAPS}/a", accept=METADATA))
        assert (one["kind"], one["apiVersion"], one["metadata"]["name"]) == (
            "PartialObjectMetadata",
            "meta.k8s.io/v1",
            "a",
        )
        many = read(await ask(server, "GET", MAPS, accept=METADATA_LIST))
        assert [item["metadata"]["name"] for item in many["items"]] == ["a"]


def frames(data: bytes) -> list[tuple[str, Any]]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        event = protobuf._raw_fields(data, 4, 4 + size)
        raw = protobuf._raw_fields(event[2], 0, len(event[2]))[1]
        found.append((event[1].decode(), protobuf.decode(raw)))
        data = data[4 + size :]
    return found


async def test_watches_send_frames_with_their_length_before_them() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a", x="1"))
        watch = await server.watch(MAPS, accept=f"{PROTOBUF};stream=watch")
        assert watch.content_type == WATCH_PROTOBUF
        [(kind, document)] = frames(await watch.stream.read())
        assert (kind, document["data"]) == ("ADDED", {"x": "1"})
        await server.call("DELETE", f"{MAPS}/a")
        [(kind, document)] = frames(await watch.stream.read())
        assert (kind, document["kind"], document["metadata"]["name"]) == ("DELETED", "ConfigMap", "a")
        watch.close()


async def test_initial_events_end_with_a_bookmark_frame() -> None:
    async with serving() as server:
        query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        watch = await server.watch(f"{MAPS}?{query}", accept=f"{PROTOBUF};stream=watch")
        [(kind, document)] = frames(await watch.stream.read())
        assert kind == "BOOKMARK"
        assert document["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        watch.close()


@pytest.mark.parametrize(
    ("accept", "media_type", "shape"),
    [
        (PROTOBUF, PROTOBUF, Shape.OBJECT),
        (f"{PROTOBUF},application/json", PROTOBUF, Shape.OBJECT),
        (f"application/json,{PROTOBUF}", "application/json", Shape.OBJECT),
        (f"application/json;q=0.5,{PROTOBUF}", PROTOBUF, Shape.OBJECT),
        (f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1,application/json", "application/json", Shape.OBJECT),
        (METADATA, PROTOBUF, Shape.METADATA),
        (f"{METADATA},application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", PROTOBUF, Shape.METADATA),
        ("application/cbor,application/json", "application/json", Shape.OBJECT),
    ],
)
def test_the_first_clause_that_can_be_served_is(accept: str, media_type: str, shape: Shape) -> None:
    found = negotiate(accept)
    assert (found.media_type, found.shape) == (media_type, shape)


def test_refusals_name_what_there_is() -> None:
    with pytest.raises(NotAcceptable) as refused:
        negotiate("application/cbor")
    assert str(refused.value) == (
        "only the following media types are accepted: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf"
    )
    with pytest.raises(NotAcceptable) as refused:
        negotiate("application/yaml", streaming=True)
    with pytest.raises(NotAcceptable):  # the form most wanted is chosen before anybody asks whether it can be streamed
        negotiate("application/yaml, application/json;q=0.1", streaming=True)
    assert str(refused.value) == (
        "only the following media types are accepted: application/json;stream=watch, "
        "application/vnd.kubernetes.protobuf;stream=watch"
    )


def test_custom_resources_have_no_binary_form_but_their_metadata_has() -> None:
    with pytest.raises(NotAcceptable):
        negotiate(PROTOBUF, binary=False)
    assert negotiate(METADATA, binary=False).media_type == PROTOBUF


def test_every_built_in_kind_and_its_list_has_a_binary_form() -> None:
    from pybernetes.api import schema

    for resource in built_in():
        alias = schema.alias_of(resource.api_version, resource.kind)
        assert protobuf.knows(alias), resource
        if "list" in resource.verbs:
            listed = protobuf._messages()[f"{alias.rsplit('.', 1)[0]}.{resource.list_kind}"]
            assert (listed["metadata"][0], listed["items"][0]) == (1, 2), resource


def test_kept_messages_stay_below_their_bound() -> None:
    cache = MessageCache(max_bytes=100)
    for number in range(10):
        cache.put((CachedObject(str(number), b"", number, number), "form"), b"x" * 30)
    assert cache.statistics() == {"messages": 3, "bytes": 90, "max_bytes": 100}
