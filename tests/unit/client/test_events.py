from pybernetes.api import core_v1, meta_v1
from pybernetes.client.events import BURST, NORMAL, EventRecorder
from pybernetes.effects import VirtualClock
from support.fake_client import FakeClient
from support.running import quiet, running

POD = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="web-0", namespace="default", uid="u1"))


async def test_the_same_event_again_raises_the_count_of_the_first() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    recorder = EventRecorder(client, "kubelet", "n1", clock)
    async with running(recorder.run()):
        recorder.event(POD, NORMAL, "Pulled", "image present")
        await clock.advance(60)
        recorder.event(POD, NORMAL, "Pulled", "image present")
        await quiet(clock)
    (event,) = (await client.list(core_v1.Event)).items
    assert event.count == 2
    assert event.firstTimestamp == "2026-01-01T00:00:00Z"
    assert event.lastTimestamp == "2026-01-01T00:01:00Z"
    assert event.name.startswith("web-0.")
    assert (event.source.component, event.source.host) == ("kubelet", "n1")
    assert event.involvedObject.uid == "u1"


async def test_an_object_with_too_many_events_is_quieted() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    recorder = EventRecorder(client, "kubelet", "n1", clock)
    async with running(recorder.run()):
        for number in range(BURST + 20):
            recorder.event(POD, NORMAL, "Reason", f"message {number}")
        await quiet(clock, 20)
    assert len((await client.list(core_v1.Event)).items) == BURST
    assert recorder.statistics.dropped == 20
