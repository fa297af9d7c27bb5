import asyncio

import pytest

from unit.apiserver.serving import config_map, pod, serving

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


async def test_lists_are_in_key_order_and_show_the_stores_revision() -> None:
    async with serving() as server:
        for name in ("b", "a", "c"):
            await server.create(MAPS, config_map(name))
        found = await server.get(MAPS)
        assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b", "c"]
        assert found["metadata"]["resourceVersion"] == str(server.storage.revision)
        assert found["kind"] == "ConfigMapList"
        assert "kind" not in found["items"][0]


async def test_pages_show_the_state_of_the_first_one() -> None:
    async with serving() as server:
        for number in range(5):
            await server.create(MAPS, config_map(f"m{number}"))
        first = await server.get(f"{MAPS}?limit=2")
        assert first["metadata"]["remainingItemCount"] == 3
        await server.call("DELETE", f"{MAPS}/m2")
        await server.create(MAPS, config_map("m9"))
        token = first["metadata"]["continue"]
        second = await server.get(f"{MAPS}?limit=2&continue={token}")
        third = await server.get(f"{MAPS}?limit=2&continue={second['metadata']['continue']}")
        names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
        assert names == ["m0", "m1", "m2", "m3", "m4"]
        versions = {page["metadata"]["resourceVersion"] for page in (first, second, third)}
        assert versions == {first["metadata"]["resourceVersion"]}
        assert "continue" not in third["metadata"]
        assert "remainingItemCount" not in third["metadata"]


async def test_an_expired_page_offers_to_go_on_inconsistently() -> None:
    async with serving() as server:
        for number in range(4):
            await server.create(MAPS, config_map(f"m{number}"))
        first = await server.get(f"{MAPS}?limit=2")
        await server.create(MAPS, config_map("m8"))
        await server.storage.compact(server.storage.revision)
        status = await server.get(f"{MAPS}?limit=2&continue={first['metadata']['continue']}", status=410)
        assert status["reason"] == "Expired"
        rest = await server.get(f"{MAPS}?continue={status['metadata']['continue']}")
        assert [item["metadata"]["name"] for item in rest["items"]] == ["m2", "m3", "m8"]
        assert rest["metadata"]["resourceVersion"] == str(server.storage.revision)


async def test_exact_lists_show_the_past() -> None:
    async with serving() as server:
        created = await server.create(MAPS, config_map("a"))
        version = created["metadata"]["resourceVersion"]
        await server.create(MAPS, config_map("b"))
        past = await server.get(f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")
        assert [item["metadata"]["name"] for item in past["items"]] == ["a"]
        assert past["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422),
        ("resourceVersion=0&resourceVersionMatch=Sometimes", 422),
        ("resourceVersion=abc", 400),
        ("continue=nonsense", 400),
        ("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", 422),
        ("fieldSelector=spec.color%3Dred", 400),
        ("labelSelector=a%3D%3D%3Db", 400),
    ],
)
async def test_bad_list_parameters_are_refused(query: str, status: int) -> None:
    async with serving() as server:
        await server.get(f"{MAPS}?{query}", status=status)


@pytest.mark.parametrize("path", [MAPS, f"{MAPS}/a", f"{MAPS}?watch=1"])
async def test_a_version_that_does_not_come_is_504_after_three_seconds(path: str) -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        query = "&resourceVersion=99999" if "?" in path else "?resourceVersion=99999"
        asking = asyncio.create_task(server.get(f"{path}{query}", status=504))
        await server.clock.advance(2.9)
        assert not asking.done()
        await server.clock.advance(0.2)
        status = await asking
        assert status["message"].startswith("Timeout: Too large resource version: 99999, current: ")
        assert status["details"] == {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }


async def test_a_version_that_comes_in_time_is_waited_for() -> None:
    async with serving() as server:
        made = await server.create(MAPS, config_map("a"))
        version = int(made["metadata"]["resourceVersion"]) + 1
        asking = asyncio.create_task(server.get(f"{MAPS}?resourceVersion={version}"))
        await server.clock.advance(1)
        await server.create(MAPS, config_map("b"))
        await server.clock.advance(0.1)
        found = await asking
        assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b"]


NEWEST, ANY = ["a", "b", "c"], ["a", "b", "c"]


@pytest.mark.parametrize(
    ("version", "match", "limit", "expected"),
    [
        ("", "", "", NEWEST),
        ("", "", "2", ["a", "b"]),
        ("", "Exact", "", 422),
        ("", "NotOlderThan", "", 422),
        ("0", "", "", ANY),
        ("0", "NotOlderThan", "", ANY),
        ("0", "Exact", "", 422),
        ("old", "", "", NEWEST),
        ("old", "", "5", ["a"]),
        ("old", "Exact", "", ["a"]),
        ("old", "Exact", "5", ["a"]),
        ("old", "NotOlderThan", "", NEWEST),
        ("old", "NotOlderThan", "2", ["a", "b"]),
        ("old", "Newest", "", 422),
    ],
)
async def test_what_a_list_shows_for_each_version_and_match(
    version: str, match: str, limit: str, expected: list[str] | int
) -> None:
    # The table of https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
    async with serving() as server:
        old = (await server.create(MAPS, config_map("a")))["metadata"]["resourceVersion"]
        for name in "bc":
            await server.create(MAPS, config_map(name))
        given = {"resourceVersion": old if version == "old" else version, "resourceVersionMatch": match, "limit": limit}
        query = "&".join(f"{key}={value}" for key, value in given.items() if value)
        answer = await server.call("GET", f"{MAPS}?{query}", status=expected if isinstance(expected, int) else 200)
        if isinstance(expected, list):
            assert [item["metadata"]["name"] for item in answer["items"]] == expected


async def test_selectors_choose() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a", app="web"))
        await server.create(PODS, pod("b", app="db"))
        by_label = await server.get(f"{PODS}?labelSelector=app%20in%20(db,cache)")
        by_field = await server.get(f"{PODS}?fieldSelector=metadata.name%3Da,status.phase%3DPending")
        assert [item["metadata"]["name"] for item in by_label["items"]] == ["b"]
        assert [item["metadata"]["name"] for item in by_field["items"]] == ["a"]


async def test_metadata_only_lists_hold_metadata_only() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        found = await server.get(PODS, accept=accept)
        assert found["kind"] == "PartialObjectMetadataList"
        assert found["items"][0]["kind"] == "PartialObjectMetadata"
        assert "spec" not in found["items"][0]


async def test_unknown_resources_and_media_types_are_refused() -> None:
    async with serving() as server:
        assert (await server.get("/api/v1/podds", status=404))["reason"] == "NotFound"
        assert (await server.get(f"{PODS}/a/nothing", status=404))["reason"] == "NotFound"
        assert (await server.get(PODS, accept="text/html", status=406))["reason"] == "NotAcceptable"
        assert (await server.call("POST", "/api/v1/componentstatuses", {}, status=405))["reason"] == "MethodNotAllowed"
