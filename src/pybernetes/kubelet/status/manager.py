"""Writes pods' statuses to the API server, the newest only, and deletes pods that have ended.

Pod workers call `set` and go on; a few writers send what differs from what the server has. A pod whose containers and
volumes are gone and whose deletion was asked for is removed by `finish`, after its last status was written.

Follows: kubernetes pkg/kubelet/status/status_manager.go.
"""

import logging
from asyncio import TaskGroup
from dataclasses import dataclass

from pybernetes.api import core_v1
from pybernetes.client.interface import Client, PatchType, Unreachable
from pybernetes.client.workqueue import WorkQueue
from pybernetes.effects import Clock
from pybernetes.kubelet.status.patch import status_patch
from pybernetes.machinery.errors import NotFound, StatusError

logger = logging.getLogger("pybernetes.kubelet")

WRITERS = 8
"""Patches under way at once."""


@dataclass(slots=True)
class _Entry:
    pod: core_v1.Pod
    written: core_v1.PodStatus
    """What the API server has, as far as we know."""
    wanted: core_v1.PodStatus
    finished: bool = False
    repaired: core_v1.PodStatus | None = None
    """A status of the server's that was overwritten once; seen again, it is how the server writes ours."""


class StatusManager:
    """Statuses of the pods of one node by uid."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._queue = WorkQueue(clock)
        self._entries: dict[str, _Entry] = {}

    def get(self, pod: core_v1.Pod) -> core_v1.PodStatus:
        """The newest status of the pod, written or not."""
        entry = self._entries.get(pod.metadata.uid)
        return entry.wanted if entry is not None else pod.status

    def set(self, pod: core_v1.Pod, status: core_v1.PodStatus) -> bool:
        """The pod's status is now `status`; whether that is news."""
        uid = pod.metadata.uid
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = _Entry(pod, pod.status, pod.status)
        entry.pod = pod
        changed = entry.wanted != status
        entry.wanted = status
        if entry.wanted != entry.written:
            self._queue.add(uid)
        return changed

    def observed(self, pod: core_v1.Pod) -> None:
        """The API server has this pod now; a status that another wrote over ours is written again."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            return
        entry.pod = pod
        if entry.wanted == entry.written != pod.status != entry.repaired:
            entry.repaired = entry.written = pod.status
            self._queue.add(pod.metadata.uid)

    def finish(self, pod: core_v1.Pod) -> None:
        """Nothing of the pod is left on this node: delete it once its status is written, if that was asked for."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            entry = self._entries[pod.metadata.uid] = _Entry(pod, pod.status, pod.status)
        entry.pod = pod
        entry.finished = True
        self._queue.add(pod.metadata.uid)

    def forget(self, uid: str) -> None:
        """The API server has no such pod any more."""
        self._entries.pop(uid, None)
        self._queue.forget(uid)

    async def run(self) -> None:
        """Write until cancelled."""
        async with TaskGroup() as tasks:
            tasks.create_task(self._queue.run(), name="kubelet/status-queue")
            for number in range(WRITERS):
                tasks.create_task(self._write(), name=f"kubelet/status-writer-{number}")

    async def _write(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                await self._sync(uid)
                self._queue.forget(uid)
            except NotFound:  # the watch will say so too, and then the pod is ended: it alone decides that
                logger.info("status not written, the pod is gone uid=%s", uid)
            except (StatusError, Unreachable) as error:
                logger.warning("status not written uid=%s error=%s", uid, error)
                self._queue.add_rate_limited(uid)
            finally:
                self._queue.done(uid)

    async def _sync(self, uid: str) -> None:
        entry = self._entries.get(uid)
        if entry is None:
            return
        pod, wanted = entry.pod, entry.wanted
        patch = status_patch(uid, entry.written, wanted)
        if patch is not None:
            await self._client.patch(
                core_v1.Pod, pod.name, pod.namespace, patch=patch, patch_type=PatchType.STRATEGIC, subresource="status"
            )
            entry.written = wanted
            if entry.wanted != wanted:
                self._queue.add(uid)
                return
        if entry.finished and entry.pod.metadata.deletionTimestamp is not None:
            await self._client.delete(core_v1.Pod, pod.name, pod.namespace, uid=uid, grace_period_seconds=0)
