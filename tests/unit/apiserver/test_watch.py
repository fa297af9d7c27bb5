from unit.apiserver.serving import config_map, pod, serving

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


def seen(events: list[dict[str, dict[str, dict[str, str]]]]) -> list[tuple[object, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


async def test_a_watch_from_nothing_begins_with_what_is_there() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        watch = await server.watch(MAPS)
        assert seen(await watch.take(1)) == [("ADDED", "a")]
        await server.create(MAPS, config_map("b"))
        await server.call("PUT", f"{MAPS}/a", config_map("a", x="1"))
        await server.call("DELETE", f"{MAPS}/b")
        assert seen(await watch.take(3)) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        watch.close()


async def test_a_watch_from_a_version_delivers_every_change_after_it() -> None:
    async with serving() as server:
        first = await server.create(MAPS, config_map("a"))
        await server.create(MAPS, config_map("b"))
        await server.call("DELETE", f"{MAPS}/a")
        watch = await server.watch(f"{MAPS}?resourceVersion={first['metadata']['resourceVersion']}")
        events = await watch.take(2)
        assert seen(events) == [("ADDED", "b"), ("DELETED", "a")]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(versions)
        watch.close()


async def test_an_object_that_stops_matching_is_deleted_for_the_watcher() -> None:
    async with serving() as server:
        created = await server.create(PODS, pod("a", app="web"))
        version = created["metadata"]["resourceVersion"]
        watch = await server.watch(f"{PODS}?labelSelector=app%3Dweb&resourceVersion={version}")
        patched = await server.call(
            "PATCH", f"{PODS}/a", {"metadata": {"labels": {"app": "db"}}}, content_type="application/merge-patch+json"
        )
        await server.call(
            "PATCH", f"{PODS}/a", {"metadata": {"labels": {"app": "web"}}}, content_type="application/merge-patch+json"
        )
        gone, back = await watch.take(2)
        assert gone["type"] == "DELETED"
        assert gone["object"]["metadata"]["labels"] == {"app": "web"}
        assert gone["object"]["metadata"]["resourceVersion"] == patched["metadata"]["resourceVersion"]
        assert back["type"] == "ADDED"
        watch.close()


async def test_initial_events_end_with_a_bookmark_that_says_so() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        watch = await server.watch(
            f"{MAPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        )
        added, mark = await watch.take(2)
        assert added["type"] == "ADDED"
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert mark["object"]["metadata"]["resourceVersion"] == str(server.storage.revision)
        watch.close()


async def test_bookmarks_come_each_minute_and_before_the_end() -> None:
    async with serving() as server:
        watch = await server.watch(f"{MAPS}?allowWatchBookmarks=true&timeoutSeconds=100")
        await server.clock.settle()
        await server.create(PODS, pod("a"))
        await server.clock.advance(62)
        first = await watch.next()
        assert (first["type"], first["object"]["metadata"]) == (
            "BOOKMARK",
            {"resourceVersion": str(server.storage.revision)},
        )
        await server.clock.advance(40)
        assert (await watch.next())["type"] == "BOOKMARK"
        assert await watch.next() is None


async def test_a_watch_from_before_what_is_kept_gets_an_error_event() -> None:
    async with serving() as server:
        watch = await server.watch(f"{MAPS}?resourceVersion=1")
        await server.create(MAPS, config_map("a"))
        assert (await watch.next())["type"] == "ADDED"
        watch.close()
        cache = server.api.core.cache.resource("/registry/configmaps/")
        cache.replayable_after = server.storage.revision
        late = await server.watch(f"{MAPS}?resourceVersion=1")
        event = await late.next()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await late.next() is None


async def test_a_reader_that_is_slow_catches_up_from_the_ring() -> None:
    async with serving() as server:
        watch = await server.watch(f"{MAPS}?resourceVersion={server.storage.revision}")
        await server.clock.settle()
        big = "x" * 300_000
        await server.create(MAPS, config_map("m"))
        for number in range(12):
            await server.call("PUT", f"{MAPS}/m", config_map("m", value=f"{number}{big}"))
            await server.clock.settle()
        assert watch.stream.paused
        events = await watch.take(13)
        assert [event["type"] for event in events] == ["ADDED"] + ["MODIFIED"] * 12
        watch.close()


async def test_tables_are_watched_row_by_row() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        watch = await server.watch(PODS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        event = await watch.next()
        assert event["object"]["kind"] == "Table"
        assert event["object"]["rows"][0]["cells"][0] == "a"
        assert event["object"]["columnDefinitions"]
        watch.close()
