"""Simulated nodes: N nodes in one loop, one watch on pods for all of them, and a clock instead of containers.

    pods watch ──► next_step (`stages`) ──► heap of due steps ──► workers ──► status patches, deletions

The nodes are registered Ready at once; their leases are renewed one after the other, evenly spread, so that a
thousand nodes are a trickle of writes and not a burst.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from pybernetes.api import coordination_v1, core_v1
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client, PatchType, Unreachable
from pybernetes.effects import Chance, Clock
from pybernetes.machinery.errors import AlreadyExists, Conflict, NotFound, StatusError
from pybernetes.simnode import nodes, stages
from pybernetes.simnode.config import SimConfig
from pybernetes.simnode.stages import Step

log = logging.getLogger("pybernetes.simnode")

RETRY_SECONDS = 1.0
STATUS_SECONDS = 300.0
"""A node's status is written anew this often, as the kubelet's nodeStatusReportFrequency."""


@dataclass(frozen=True, slots=True)
class SimStatistics:
    steps: int
    failures: int
    scheduled: int


@dataclass(frozen=True, slots=True)
class Due:
    """A step a pod is due to take."""

    step: Step
    uid: str


class SimNodes:
    """See the module; `run` serves until cancelled."""

    def __init__(self, client: Client, config: SimConfig, clock: Clock, chance: Chance) -> None:
        self.client, self.config, self.clock, self.chance = client, config, clock, chance
        self.indexes = {nodes.node_name(config, index): index for index in range(config.count)}
        self.addresses = nodes.PodAddresses()
        self.registered = asyncio.Event()
        """Set once every node exists."""
        self._pods = Informer(client, core_v1.Pod, fields="spec.nodeName!=", clock=clock, chance=chance)
        self._leases: dict[str, coordination_v1.Lease] = {}
        self._due: dict[str, Due] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._ready: asyncio.Queue[str] = asyncio.Queue()  # bounded by the pods there are: one entry per pod
        self._steps = self._failures = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        self._pods.add_handler(self._seen, lambda _, pod: self._seen(pod), self._gone)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pods.run(), name="simnode/pods-informer")
            tasks.create_task(self._register_all(), name="simnode/register")
            tasks.create_task(self._renew_leases(), name="simnode/leases")
            tasks.create_task(self._report_statuses(), name="simnode/statuses")
            tasks.create_task(self._time(), name="simnode/timer")
            for number in range(self.config.workers):
                tasks.create_task(self._work(), name=f"simnode/worker-{number}")

    def statistics(self) -> SimStatistics:
        return SimStatistics(self._steps, self._failures, len(self._due))

    async def _register_all(self) -> None:
        pending = iter(self.indexes)

        async def register_some() -> None:
            for name in pending:
                await self._until_done(self._register, name)

        async with asyncio.TaskGroup() as tasks:
            for number in range(min(self.config.workers, self.config.count)):
                tasks.create_task(register_some(), name=f"simnode/register-{number}")
        self.registered.set()
        log.info("registered nodes=%d", self.config.count)

    async def _register(self, name: str) -> None:
        try:
            await self.client.create(nodes.node(self.config, self.indexes[name], self.clock.now()))
        except AlreadyExists:
            await self._report(name)
        await self._renew(name)

    async def _renew_leases(self) -> None:
        await self.registered.wait()
        pause = self.config.renew_seconds / max(1, self.config.count)
        while True:
            for name in self.indexes:
                await self.clock.sleep(pause)
                await self._until_done(self._renew, name)

    async def _renew(self, name: str) -> None:
        """Write the node's lease; after a conflict (somebody else wrote it) the newest one is taken as it is."""
        fresh = nodes.lease(self.config, name, self.clock.now())
        known = self._leases.get(name)
        try:
            if known is None:
                self._leases[name] = await self.client.create(fresh)
            else:
                self._leases[name] = await self.client.update(msgspec.structs.replace(known, spec=fresh.spec))
        except (AlreadyExists, Conflict):
            self._leases[name] = await self.client.get(coordination_v1.Lease, name, nodes.LEASE_NAMESPACE)
            if known is None:
                await self._renew(name)
        except NotFound:
            self._leases.pop(name, None)

    async def _report_statuses(self) -> None:
        await self.registered.wait()
        pause = STATUS_SECONDS / max(1, self.config.count)
        while True:
            for name in self.indexes:
                await self.clock.sleep(pause)
                await self._until_done(self._report, name)

    async def _report(self, name: str) -> None:
        """Write the node's conditions; a node somebody deleted registers again, as a kubelet that restarts does."""
        status = {"conditions": msgspec.to_builtins(nodes.conditions(self.clock.now()))}
        try:
            await self.client.patch(
                core_v1.Node, name, patch={"status": status}, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except NotFound:
            await self.client.create(nodes.node(self.config, self.indexes[name], self.clock.now()))

    async def _until_done(self, action: Callable[[str], Awaitable[None]], name: str) -> None:
        """Repeat an action on a node until the API server takes it."""
        while True:
            try:
                await action(name)
            except (StatusError, Unreachable) as error:
                self._failures += 1
                log.warning("request failed node=%s error=%s", name, error)
                await self.clock.sleep(self.chance.jitter(RETRY_SECONDS, 0.5))
            else:
                return

    def _seen(self, pod: core_v1.Pod) -> None:
        index = self.indexes.get(pod.spec.nodeName)
        if index is None:
            return
        if pod.status.podIP:
            self.addresses.keep(pod.metadata.uid, index, pod.status.podIP)
        following = stages.next_step(pod, self.config.delays)
        if following is None:
            self._due.pop(pod.key, None)
            return
        due = Due(following.step, pod.metadata.uid)
        if self._due.get(pod.key) == due:
            return  # it waits for this already; a change of something else does not start the wait anew
        self._due[pod.key] = due
        self._schedule(pod.key, following.seconds)

    def _gone(self, pod: core_v1.Pod) -> None:
        self._due.pop(pod.key, None)
        self.addresses.release(pod.metadata.uid)

    def _schedule(self, key: str, seconds: float) -> None:
        if seconds <= 0:
            self._ready.put_nowait(key)
            return
        heapq.heappush(self._heap, (self.clock.monotonic() + seconds, next(self._numbers), key))
        self._wake.set()

    async def _time(self) -> None:
        """Hand due steps to the workers; looks again whenever an earlier one may have come in."""
        while True:
            self._wake.clear()
            now = self.clock.monotonic()
            while self._heap and self._heap[0][0] <= now:
                self._ready.put_nowait(heapq.heappop(self._heap)[2])
            if not self._heap:
                await self._wake.wait()
                continue
            async with asyncio.TaskGroup() as tasks:
                alarm = tasks.create_task(self.clock.sleep(self._heap[0][0] - now), name="simnode/alarm")
                change = tasks.create_task(self._wake.wait(), name="simnode/change")
                await asyncio.wait((alarm, change), return_when=asyncio.FIRST_COMPLETED)
                alarm.cancel()
                change.cancel()

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            due, pod = self._due.get(key), self._pods.get(key)
            if due is None or pod is None or pod.metadata.uid != due.uid:
                continue
            following = stages.next_step(pod, self.config.delays)
            if following is None or following.step is not due.step:
                continue  # it has moved on; what follows was scheduled when that was seen
            if due.step is Step.FOLLOW:
                del self._due[key]  # the spec may change again before the answer: that is a step of its own
            try:
                await self._take(pod, due.step)
                self._steps += 1
            except (NotFound, Conflict):
                if self._due.get(key) == due:  # the watch tells what became of it
                    del self._due[key]
            except (StatusError, Unreachable) as error:
                self._failures += 1
                log.warning("step failed pod=%s step=%s error=%s", key, due.step, error)
                self._due.setdefault(key, due)
                self._schedule(key, self.chance.jitter(RETRY_SECONDS, 0.5))

    async def _take(self, pod: core_v1.Pod, step: Step) -> None:
        if step is Step.STOP:
            await self.client.delete(core_v1.Pod, pod.name, pod.namespace, uid=pod.metadata.uid, grace_period_seconds=0)
            return
        now = self.clock.now()
        if step is Step.START:
            index = self.indexes[pod.spec.nodeName]
            host = nodes.host_ip(index)
            address = host if pod.spec.hostNetwork else self.addresses.take(pod.metadata.uid, index)
            at_once = stages.delay(pod, Step.READY, self.config.delays.ready) <= 0
            status = stages.running_status(pod, now, pod_ip=address, host_ip=host, ready=at_once)
        elif step is Step.READY:
            status = stages.ready_status(pod, now)
        elif step is Step.FOLLOW:
            status = stages.followed_status(pod, now)
        else:
            status = stages.completed_status(pod, now)
        await self.client.patch(
            core_v1.Pod,
            pod.name,
            pod.namespace,
            patch={"metadata": {"uid": pod.metadata.uid}, "status": status},
            patch_type=PatchType.STRATEGIC,
            subresource="status",
        )


async def run(client: Client, config: SimConfig, clock: Clock, chance: Chance) -> None:
    """Serve until cancelled."""
    await SimNodes(client, config, clock, chance).run()
