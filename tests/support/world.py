"""Controllers on a virtual clock around an API server in memory, with pods that start when the test says so."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pybernetes.api import core_v1
from pybernetes.api.object import Object
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, VirtualClock, format_time
from support.fake_client import FakeClient
from support.objects import with_spec, with_status
from support.running import quiet, running

T = TypeVar("T", bound=Object)


class World:
    def __init__(self, *controllers: str, **options: object) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock, Chance(1))
        self.manager = Manager(
            self.client,
            self.clock,
            Chance(2),
            Options(controllers=controllers, **options),  # type: ignore[arg-type]
        )

    @asynccontextmanager
    async def started(self) -> AsyncIterator["World"]:
        async with running(self.manager.run()):
            await self.settle()
            yield self

    async def settle(self, seconds: float = 0) -> None:
        """Let everything happen that does, `seconds` long."""
        await quiet(self.clock)
        if seconds:
            await self.clock.advance(seconds)
            await quiet(self.clock)

    async def all(self, kind: type[T], labels: str = "") -> Sequence[T]:
        return (await self.client.list(kind, labels=labels)).items

    async def one(self, kind: type[T], name: str, namespace: str = "default") -> T:
        return await self.client.get(kind, name, namespace)

    async def pods(self) -> Sequence[core_v1.Pod]:
        return await self.all(core_v1.Pod)

    async def start_pods(self, node: str = "n1") -> None:
        """Every pod that waits gets a node and becomes ready."""
        for pod in await self.pods():
            if pod.metadata.deletionTimestamp is None and pod.status.phase in ("", "Pending"):
                await self.set_phase(pod, "Running", ready=True, node=node)
        await self.settle()

    async def set_phase(self, pod: core_v1.Pod, phase: str, *, ready: bool = False, node: str = "n1") -> None:
        if not pod.spec.nodeName:
            pod = await self.client.update(with_spec(pod, nodeName=node))
        at = format_time(self.clock.now())
        condition = core_v1.PodCondition(type="Ready", status="True" if ready else "False", lastTransitionTime=at)
        await self.client.update(
            with_status(
                pod,
                phase=phase,
                conditions=[condition],
                podIP=pod.status.podIP or f"10.244.0.{len(self.client.history) % 250}",
            ),
            subresource="status",
        )

    async def finish_deletions(self) -> None:
        """As the kubelet: what is terminating goes."""
        for pod in await self.pods():
            if pod.metadata.deletionTimestamp is not None and not pod.metadata.finalizers:
                self.client.remove_now(core_v1.Pod, pod.key)
        await self.settle()

    async def messages(self) -> Sequence[str]:
        """What the events say, in order."""
        await self.settle()
        events = sorted(await self.all(core_v1.Event), key=lambda event: int(event.metadata.resourceVersion))
        return [f"{event.reason}: {event.message}" for event in events]
