from typing import Any

from unit.apiserver.serving import Server, config_map, serving

MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


async def apply(server: Server, manager: str, body: Any, *, force: bool = False, status: int = 0) -> Any:
    query = f"fieldManager={manager}{'&force=true' if force else ''}"
    given = {"apiVersion": "v1", "kind": "ConfigMap", **body}
    return await server.call("PATCH", f"{MAPS}/a?{query}", given, content_type=APPLY, status=status)


def owners(document: Any) -> dict[str, Any]:
    return {f"{e['manager']}/{e['operation']}": e["fieldsV1"] for e in document["metadata"]["managedFields"]}


async def test_apply_creates_and_owns_what_it_says() -> None:
    async with serving() as server:
        made = await apply(server, "one", {"data": {"x": "1"}}, status=201)
        assert owners(made) == {"one/Apply": {"f:data": {"f:x": {}}}}


async def test_what_another_owns_is_a_conflict_unless_forced() -> None:
    async with serving() as server:
        await apply(server, "one", {"data": {"x": "1"}})
        refused = await apply(server, "two", {"data": {"x": "2"}}, status=409)
        assert refused["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
        forced = await apply(server, "two", {"data": {"x": "2"}}, force=True)
        assert forced["data"] == {"x": "2"}
        assert owners(forced) == {"two/Apply": {"f:data": {"f:x": {}}}}


async def test_what_is_no_longer_applied_goes() -> None:
    async with serving() as server:
        await apply(server, "one", {"data": {"x": "1", "y": "1"}})
        await server.call("PATCH", f"{MAPS}/a?fieldManager=two", {"data": {"z": "1"}}, content_type=MERGE)
        left = await apply(server, "one", {"data": {"x": "1"}})
        assert left["data"] == {"x": "1", "z": "1"}


async def test_applying_the_same_again_changes_nothing() -> None:
    async with serving() as server:
        first = await apply(server, "one", {"data": {"x": "1"}})
        await server.clock.advance(60)
        again = await apply(server, "one", {"data": {"x": "1"}}, status=200)
        assert again == first


async def test_apply_needs_a_manager() -> None:
    async with serving() as server:
        body = {"apiVersion": "v1", "kind": "ConfigMap"}
        refused = await server.call("PATCH", f"{MAPS}/a", body, content_type=APPLY, status=422)
        assert "fieldManager: Required value: is required for apply patch" in refused["message"]


async def test_plain_writes_are_owned_by_the_user_agent() -> None:
    async with serving() as server:
        answer = await server.ask("POST", MAPS, config_map("a", x="1"), headers={"user-agent": "kubectl/v1.36 (x)"})
        assert b'"manager":"kubectl","operation":"Update","apiVersion":"v1"' in answer.data
        same = await server.ask("PUT", f"{MAPS}/a", config_map("a", x="1"), headers={"user-agent": "other/1"})
        assert b'"manager":"other"' not in same.data


async def test_declaring_no_metadata_any_more_keeps_the_objects_identity() -> None:
    async with serving() as server:
        path = f"{MAPS}/a?fieldManager=me"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"x": "y"}}}
        first = await server.call("PATCH", path, body, content_type="application/apply-patch+yaml")
        body["metadata"] = {"name": "a"}
        second = await server.call("PATCH", path, body, content_type="application/apply-patch+yaml")
        for field in ("name", "namespace", "uid", "creationTimestamp"):
            assert second["metadata"][field] == first["metadata"][field]
        assert "labels" not in second["metadata"]
