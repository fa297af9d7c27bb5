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
        ("resourceVersion=99999", 504),
        ("continue=nonsense", 400),
        ("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", 422),
        ("fieldSelector=spec.color%3Dred", 400),
        ("labelSelector=a%3D%3D%3Db", 400),
    ],
)
async def test_bad_list_parameters_are_refused(query: str, status: int) -> None:
    async with serving() as server:
        await server.get(f"{MAPS}?{query}", status=status)


async def test_a_future_version_says_so_in_its_cause() -> None:
    async with serving() as server:
        status = await server.get(f"{MAPS}?resourceVersion=99999", status=504)
        assert status["details"]["causes"] == [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        ]
        assert status["details"]["retryAfterSeconds"] == 1


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
