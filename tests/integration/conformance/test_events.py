"""Events under both of their groups."""

import pytest

from integration.conformance.suite import STRATEGIC, Json, Suite, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = "events.k8s.io"
MICRO = "2026-01-02T03:04:05.123456Z"


def old_event(suite: Suite, name: str, label: str) -> Json:
    about = {"namespace": suite.namespace, "kind": "Pod", "name": "pod"}
    more = {"reason": "Test", "type": "Normal", "count": 1, "involvedObject": about}
    return made(name, {"testevent-set": label}, message="This is a test", **more)


def new_event(suite: Suite, name: str, label: str) -> Json:
    return made(
        name,
        {"testevent-set": label},
        eventTime=MICRO,
        note="This is a test event",
        reason="Test",
        action="Do",
        type="Normal",
        regarding={"namespace": suite.namespace, "kind": "Pod", "name": "pod"},
        reportingController="test-controller",
        reportingInstance="test-node",
    )


@pytest.mark.conformance("Events should manage the lifecycle of an event")
async def test_the_life_of_a_core_event(suite: Suite) -> None:
    path, label = suite.core("events"), suite.namespace
    await suite.create(path, old_event(suite, "event-test", label))
    selected = {"labelSelector": f"testevent-set={label}"}
    assert await suite.names("/api/v1/events", **selected) == ["event-test"]
    await suite.patch(f"{path}/event-test", {"message": "This is a test event - patched"}, STRATEGIC)
    found = await suite.get(f"{path}/event-test")
    assert found["message"] == "This is a test event - patched"
    found["series"] = {"count": 100, "lastObservedTime": MICRO}
    assert (await suite.update(f"{path}/event-test", found))["series"] == found["series"]
    assert (await suite.get(f"{path}/event-test"))["series"] == {"count": 100, "lastObservedTime": MICRO}
    await suite.delete(f"{path}/event-test")
    assert await suite.names("/api/v1/events", **selected) == []


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(False, marks=pytest.mark.conformance("Events should delete a collection of events"), id="core"),
        pytest.param(True, marks=pytest.mark.conformance("Events API should delete a collection of events"), id=EVENTS),
    ],
)
async def test_a_collection_of_events_goes_by_label(suite: Suite, new: bool) -> None:
    path, selected = suite.group(EVENTS, "events") if new else suite.core("events"), "testevent-set=true"
    for name in ("test-event-1", "test-event-2", "test-event-3"):
        await suite.create(path, (new_event if new else old_event)(suite, name, "true"))
    await suite.create(path, (new_event if new else old_event)(suite, "spared", "false"))
    assert len(await suite.items(path, labelSelector=selected)) == 3
    await suite.delete(path, labelSelector=selected)
    assert await suite.names(path, labelSelector=selected) == []
    assert "spared" in await suite.names(path)


@pytest.mark.conformance("Events API should ensure that an event can be fetched, patched, deleted, and listed")
async def test_both_groups_show_the_same_event(suite: Suite) -> None:
    path, core = suite.group(EVENTS, "events"), suite.core("events")
    await suite.create(path, new_event(suite, "event-test", suite.namespace))
    by_controller = {"fieldSelector": "reportingController=test-controller"}
    assert await suite.names(path, **by_controller) == ["event-test"]
    assert await suite.names(core, fieldSelector="source=test-controller") == ["event-test"]
    assert await suite.names(path, fieldSelector="reportingController=another") == []
    everywhere = await suite.items(f"/apis/{EVENTS}/v1/events", labelSelector=f"testevent-set={suite.namespace}")
    assert [item["metadata"]["name"] for item in everywhere] == ["event-test"]
    as_core = await suite.get(f"{core}/event-test")
    assert as_core["message"] == "This is a test event"
    assert as_core["involvedObject"]["name"] == "pod"
    series = {"series": {"count": 2, "lastObservedTime": MICRO}}
    assert (await suite.patch(f"{path}/event-test", series, STRATEGIC))["series"] == series["series"]
    found = await suite.get(f"{path}/event-test")
    found["series"] = {"count": 100, "lastObservedTime": "2026-01-02T03:04:06.000001Z"}
    updated = await suite.update(f"{path}/event-test", found)
    assert updated["series"] == found["series"]
    assert updated["eventTime"] == MICRO
    await suite.delete(f"{path}/event-test")
    assert await suite.names(path, **by_controller) == []
