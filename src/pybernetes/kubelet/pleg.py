"""Tells which pods have news in the runtime: from its event stream, and by listing.

While the stream is up, listing is only a safety net, seldom; while it is down, once a second. An exit event may come
before CRI says so, so the object is looked at again until CRI agrees, and only then the pod is woken.

Follows: kubernetes pkg/kubelet/pleg/{evented,generic}.go.
"""

import asyncio
import logging
from collections.abc import Callable

from pybernetes.effects import Clock
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure, RuntimeNotFound, RuntimeUnsupported
from pybernetes.kubelet.cri.interface import RuntimeEvent, RuntimeService
from pybernetes.kubelet.runtime_status import POD_UID_LABEL
from pybernetes.kubelet.waiting import wait_for_event

logger = logging.getLogger("pybernetes.kubelet")

RELIST_SECONDS = 1.0
"""Between lists while there is no event stream."""
EVENTED_RELIST_SECONDS = 60.0
"""Between lists while there is one."""
RECONNECT_SECONDS = 1.0
EXIT_CHECK_SECONDS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0)
"""When to look whether CRI knows of an exit; then the next list will have to do."""
MAX_PENDING_CHECKS = 10_000

States = dict[str, tuple[str, int]]
"""Object id → (pod uid, state)."""


class Pleg:
    """The pod lifecycle event generator. `run` calls `on_change` with the uid of each pod that has news."""

    def __init__(
        self, runtime: RuntimeService, clock: Clock, on_change: Callable[[str], None], on_relist: Callable[[], None]
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._on_change = on_change
        self._on_relist = on_relist
        self._states: States = {}
        self._relist_now = asyncio.Event()
        self._streaming = False
        self._checks: set[str] = set()
        self.healthy_at = clock.monotonic()
        """When the runtime last answered a list."""

    def pods(self) -> set[str]:
        """Uids of all pods the runtime had at the last list."""
        return {uid for uid, _ in self._states.values() if uid}

    async def run(self) -> None:
        """Watch until cancelled; a runtime that is away is waited for."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream(tasks), name="kubelet/pleg-events")
            while True:
                self._relist_now.clear()
                try:
                    await self.relist()
                except RuntimeFailure as error:
                    logger.warning("relist failed error=%s", error)
                period = EVENTED_RELIST_SECONDS if self._streaming else RELIST_SECONDS
                await wait_for_event(self._relist_now, self._clock, period)

    async def relist(self) -> None:
        """Compare with the last list and tell about pods that differ."""
        sandboxes = await self._runtime.list_pod_sandboxes()
        containers = await self._runtime.list_containers()
        states: States = {one.id: (one.labels.get(POD_UID_LABEL, ""), int(one.state)) for one in sandboxes}
        states |= {one.id: (one.labels.get(POD_UID_LABEL, ""), int(one.state)) for one in containers}
        changed = {
            (states.get(key) or self._states[key])[0]
            for key in states.keys() | self._states.keys()
            if states.get(key) != self._states.get(key)
        }
        self._states = states
        self.healthy_at = self._clock.monotonic()
        for uid in sorted(changed):
            self._on_change(uid)
        self._on_relist()

    async def _stream(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                self._streaming = True  # said before the first event, which may be long in coming; a failure is not
                async for event in self._runtime.events():
                    self._handle(event, tasks)
            except RuntimeUnsupported:
                self._streaming = False
                self._relist_now.set()
                logger.info("runtime has no event stream, listing once a second")
                return
            except RuntimeFailure as error:
                logger.info("event stream broke error=%s", error)
            self._streaming = False
            self._relist_now.set()
            await self._clock.sleep(RECONNECT_SECONDS)

    def _handle(self, event: RuntimeEvent, tasks: asyncio.TaskGroup) -> None:
        if event.topic not in ("/tasks/exit", "/tasks/delete") or event.id in self._checks:
            return
        if len(self._checks) >= MAX_PENDING_CHECKS:
            self._relist_now.set()
            return
        self._checks.add(event.id)
        tasks.create_task(self._confirm_exit(event.id), name=f"kubelet/pleg-exit/{event.id[:12]}")

    async def _confirm_exit(self, object_id: str) -> None:
        """Wake the pod once CRI says that the container or sandbox ended."""
        try:
            for seconds in EXIT_CHECK_SECONDS:
                await self._clock.sleep(seconds)
                uid = await self._ended(object_id)
                if uid is not None:
                    if uid:
                        self._on_change(uid)
                    return
        except RuntimeFailure as error:
            logger.info("exit not confirmed id=%s error=%s", object_id[:12], error)
        finally:
            self._checks.discard(object_id)
        self._relist_now.set()

    async def _ended(self, object_id: str) -> str | None:
        """Uid of the pod if the object has ended (empty if it is gone altogether), None if not yet."""
        try:
            container = await self._runtime.container_status(object_id)
        except RuntimeNotFound:
            try:
                sandbox = await self._runtime.pod_sandbox_status(object_id)
            except RuntimeNotFound:
                known = self._states.get(object_id)
                return known[0] if known is not None else ""
            return sandbox.labels.get(POD_UID_LABEL, "") if sandbox.state != api.SANDBOX_READY else None
        return container.labels.get(POD_UID_LABEL, "") if container.state != api.CONTAINER_RUNNING else None
