"""Watches, pages of lists and tables, as the official suite asks for them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integration.conformance.suite import Json, Suite, administrator, made
from integration.conftest import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LABEL = "watch-this-configmap"
A, B = "multiple-watchers-A", "multiple-watchers-B"


def config(name: str, label: str, **data: str) -> Json:
    return made(name, {LABEL: label}, data=data)


async def mutate(suite: Suite, name: str, value: int) -> Json:
    return await suite.patch(suite.core("configmaps", name), {"data": {"mutation": str(value)}})


def mutation(event: tuple[str, Json]) -> tuple[str, str]:
    return event[0], event[1].get("data", {}).get("mutation", "")


@pytest.mark.conformance("Watchers should observe add, update, and delete watch notifications on configmaps")
async def test_watches_with_selectors_each_see_their_own_events(suite: Suite) -> None:
    maps = suite.core("configmaps")
    start = await suite.get(maps)
    async with (
        suite.watch(maps, start, labelSelector=f"{LABEL}={A}") as of_a,
        suite.watch(maps, start, labelSelector=f"{LABEL}={B}") as of_b,
        suite.watch(maps, start, labelSelector=f"{LABEL} in ({A},{B})") as of_both,
    ):
        await suite.create(maps, config("a", A))
        for value in (1, 2):
            await mutate(suite, "a", value)
        await suite.delete(f"{maps}/a")
        await suite.create(maps, config("b", B))
        await suite.delete(f"{maps}/b")
        seen_a = [mutation(await of_a.next()) for _ in range(4)]
        assert seen_a == [("ADDED", ""), ("MODIFIED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]
        assert await of_b.types(2) == ["ADDED", "DELETED"]
        assert await of_both.types(6) == ["ADDED", "MODIFIED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
        assert await of_a.quiet()
        assert await of_b.quiet()


@pytest.mark.conformance("Watchers should be able to start watching from a specific resource version")
async def test_a_watch_starts_after_the_version_it_names(suite: Suite) -> None:
    maps = suite.core("configmaps")
    await suite.create(maps, config("a", "from-resource-version"))
    first = await mutate(suite, "a", 1)
    await mutate(suite, "a", 2)
    await suite.delete(f"{maps}/a")
    async with suite.watch(maps, first, labelSelector=f"{LABEL}=from-resource-version") as events:
        assert mutation(await events.next()) == ("MODIFIED", "2")
        assert mutation(await events.next()) == ("DELETED", "2")


@pytest.mark.conformance(
    "Watchers should be able to restart watching from the last resource version observed by the previous watch"
)
async def test_a_watch_goes_on_where_another_ended(suite: Suite) -> None:
    maps = suite.core("configmaps")
    selected = {"labelSelector": f"{LABEL}=watch-closed-and-restarted"}
    start = await suite.get(maps)
    async with suite.watch(maps, start, **selected) as first:
        await suite.create(maps, config("a", "watch-closed-and-restarted"))
        await mutate(suite, "a", 1)
        assert await first.types(1) == ["ADDED"]
        _, last = await first.next()
    await mutate(suite, "a", 2)
    async with suite.watch(maps, last, **selected) as second:
        await suite.delete(f"{maps}/a")
        assert mutation(await second.next()) == ("MODIFIED", "2")
        assert await second.types(1) == ["DELETED"]


@pytest.mark.conformance(
    "Watchers should observe an object deletion if it stops meeting the requirements of the selector"
)
async def test_leaving_a_selection_deletes_and_returning_adds(suite: Suite) -> None:
    maps = suite.core("configmaps")
    start = await suite.get(maps)
    async with suite.watch(maps, start, labelSelector=f"{LABEL}=label-changed") as events:
        await suite.create(maps, config("a", "label-changed"))
        await mutate(suite, "a", 1)
        await suite.patch(f"{maps}/a", {"metadata": {"labels": {LABEL: "wrong-value"}}})
        assert await events.types(3) == ["ADDED", "MODIFIED", "DELETED"]
        await mutate(suite, "a", 2)
        assert await events.quiet()
        await suite.patch(f"{maps}/a", {"metadata": {"labels": {LABEL: "label-changed"}}})
        await mutate(suite, "a", 3)
        await suite.delete(f"{maps}/a")
        assert [mutation(await events.next()) for _ in range(3)] == [
            ("ADDED", "2"),
            ("MODIFIED", "3"),
            ("DELETED", "3"),
        ]


@pytest.mark.conformance("Watchers should receive events on concurrent watches in same order")
async def test_watches_begun_at_successive_versions_agree_on_the_order(suite: Suite) -> None:
    maps = suite.core("configmaps")
    start = await suite.get(maps)

    async def write() -> None:
        for number in range(60):
            name = f"cm-{number % 5}"
            if number < 5:
                await suite.create(maps, config(name, "order"))
            else:
                await mutate(suite, name, number)

    writing = asyncio.create_task(write())
    async with suite.watch(maps, start) as reference:
        order = [(await reference.next())[1]["metadata"]["resourceVersion"] for _ in range(60)]
    await writing
    assert order == sorted(order, key=int)

    async def follow(since: int) -> list[str]:
        async with suite.watch(maps, resourceVersion=order[since]) as events:
            return [(await events.next())[1]["metadata"]["resourceVersion"] for _ in range(59 - since)]

    for since, seen in enumerate(await asyncio.gather(*(follow(since) for since in range(59)))):
        assert seen == order[since + 1 :]


async def test_bookmarks_tell_the_version_of_a_quiet_watch(suite: Suite) -> None:
    maps = suite.core("configmaps")
    await suite.create(maps, config("a", "x"))
    async with suite.watch(
        maps, allowWatchBookmarks="true", sendInitialEvents="true", resourceVersionMatch="NotOlderThan"
    ) as events:
        mark = await events.until("BOOKMARK")
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    async with suite.watch(maps, mark) as events:
        await mutate(suite, "a", 1)
        assert mutation(await events.next()) == ("MODIFIED", "1")


# ── chunking ──

TEMPLATE = {"template": {"spec": {"containers": [{"name": "test", "image": "test2"}]}}}
COUNT = 400


async def fill(suite: Suite) -> None:
    names = [f"template-{number:04d}" for number in range(COUNT)]
    await asyncio.gather(*(suite.create(suite.core("podtemplates"), made(name, **TEMPLATE)) for name in names))


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Suite]:
    """A server without controllers, whose history the test expires."""
    async with serving(tmp_path) as served, administrator(served) as outside:
        namespace = await outside.create("/api/v1/namespaces", made("chunks"))
        yield Suite(outside.session, served, namespace["metadata"]["name"])


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.conformance(
    "Servers with support for API chunking should return chunks of results for list calls",
    "Servers with support for API chunking should support continue listing from the last key if the original "
    "version has been compacted away, though the list is inconsistent",
)
async def test_lists_come_in_pages_of_one_version_until_that_expires(alone: Suite) -> None:
    """Pages keep one version, name order, remainingItemCount; then 410 with a token that resumes at a newer one."""
    templates = alone.core("podtemplates")
    await fill(alone)
    token, version = "", ""
    seen: list[str] = []
    while token or not seen:
        page = await alone.get(templates, limit=17, **({"continue": token} if token else {}))
        version = version or page["metadata"]["resourceVersion"]
        assert page["metadata"]["resourceVersion"] == version
        seen += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        assert page["metadata"].get("remainingItemCount", 0) == COUNT - len(seen)
    assert seen == [f"template-{number:04d}" for number in range(COUNT)]
    whole = await alone.get(templates)
    assert "continue" not in whole["metadata"]
    assert len(whole["items"]) == COUNT

    first = await alone.get(templates, limit=40)
    await alone.delete(f"{templates}/template-0399")
    storage = alone.served.server.storage
    await storage.compact(storage.revision)
    refused = await alone.ask("GET", templates, None, 410, limit=40, **{"continue": first["metadata"]["continue"]})
    assert refused["reason"] == "Expired"
    token = refused["metadata"]["continue"]
    assert token != first["metadata"]["continue"]
    rest: list[str] = []
    while token:
        page = await alone.get(templates, limit=40, **{"continue": token})
        assert page["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
        rest += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert rest == [f"template-{number:04d}" for number in range(40, 399)]


@pytest.mark.conformance(
    "Servers with support for Table transformation should return a 406 for a backend which does not implement metadata"
)
async def test_a_review_is_no_table(suite: Suite) -> None:
    review = {"spec": {"resourceAttributes": {"namespace": suite.namespace, "verb": "list", "resource": "pods"}}}
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = await suite.raw("POST", path, review, Accept=table)
    assert answer.status == 406
    assert answer.document["reason"] == "NotAcceptable"
