"""Which pods this node has: a worker for each, started when the API server or the runtime knows the pod.

Pods come from one watch of those bound to the node. A pod is looked up by uid: two pods of one name, one ending and
one beginning, are two pods. What the runtime has and the API server does not is ended, but only once the first list
from the API server is complete.

Follows: kubernetes pkg/kubelet/kubelet.go, HandlePodAdditions … HandlePodCleanups.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from pybernetes.api import core_v1
from pybernetes.client.informer import Informer
from pybernetes.effects import format_time
from pybernetes.kubelet import events
from pybernetes.kubelet.container_starter import ContainerStarter
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.node_parts import NodeParts
from pybernetes.kubelet.observation import observe
from pybernetes.kubelet.orphans import pod_to_end
from pybernetes.kubelet.pod_admission import REJECTED_PREFIX, rejection
from pybernetes.kubelet.pod_killer import PodKiller
from pybernetes.kubelet.pod_worker import PodWorker, Stage
from pybernetes.kubelet.runtime_status import POD_UID_LABEL
from pybernetes.kubelet.seam import VolumeError
from pybernetes.kubelet.status import reasons

logger = logging.getLogger("pybernetes.kubelet")

WORKER_RESTART_SECONDS = 10.0


class PodManager:
    """The workers of one node by uid. `run` owns them."""

    def __init__(
        self,
        parts: NodeParts,
        informer: Informer[core_v1.Pod],
        node: Callable[[], core_v1.Node],
        orphan_volumes: Callable[[Iterable[str]], list[str]] = lambda _known: [],
    ) -> None:
        self._parts = parts
        self._informer = informer
        self._node = node
        self._orphan_volumes = orphan_volumes
        self._killer = PodKiller(parts.runtime, parts.recorder, parts.clock)
        self._starter = ContainerStarter(parts, self._killer)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._done: set[str] = set()
        """Uids the API server still has and this node has nothing of: rejected, or ended and about to be deleted."""
        self._cleaning = asyncio.Event()

    def workers(self) -> list[PodWorker]:
        return [*self._workers.values()]

    def worker(self, uid: str) -> PodWorker | None:
        return self._workers.get(uid)

    def pods(self) -> list[core_v1.Pod]:
        """Pods with the newest statuses, as the kubelet's `/pods` shows them."""
        return [replace(worker.pod, status=self._parts.statuses.get(worker.pod)) for worker in self._workers.values()]

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a pod by name; of two, the one that is not ending."""
        found = [one for one in self._workers.values() if (one.pod.namespace, one.pod.name) == (namespace, name)]
        return min(found, key=lambda one: one.stage.value, default=None)

    def wake(self, uid: str) -> None:
        """The runtime or a probe has news of the pod."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.wake()
        else:
            self._cleaning.set()

    def probe_changed(self, uid: str) -> None:
        """A verdict changed: readiness is reported at once, the rest is the worker's."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.publish()
            worker.wake()

    def wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    def clean_up(self) -> None:
        """Look for what nobody knows, soon."""
        self._cleaning.set()

    async def run(self) -> None:
        """Follow the API server until cancelled. The informer must be running and is waited for."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await self._informer.wait_synced()
            self._informer.add_handler(self._added, self._updated, self._deleted)
            try:
                while True:
                    self._cleaning.clear()
                    await self._clean_up_orphans()
                    await self._cleaning.wait()
            finally:
                self._tasks = None

    # the API server's side

    def _added(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        worker = self._workers.get(uid)
        if worker is not None:
            self._parts.statuses.observed(pod)
            worker.update(pod)
        elif uid not in self._done:
            self._admit(pod)
        elif pod.metadata.deletionTimestamp is not None:
            self._parts.statuses.finish(pod)

    def _updated(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._deleted(old)
            self._added(new)
            return
        worker = self._workers.get(new.metadata.uid)
        if worker is None:
            self._added(new)
            return
        self._parts.statuses.observed(new)
        if _differs(old, new):
            worker.update(new)
        else:
            worker.pod = new

    def _deleted(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        self._done.discard(uid)
        worker = self._workers.get(uid)
        if worker is not None:
            worker.pod = pod  # a deletion by force says with how much grace
            worker.gone()
        self._parts.statuses.forget(uid)

    def _admit(self, pod: core_v1.Pod) -> None:
        """Start the pod's worker, unless the pod is new and does not fit here."""
        is_new = pod.status.startTime is None and pod.metadata.deletionTimestamp is None
        if is_new:
            others = [
                worker.pod
                for worker in self._workers.values()
                if self._parts.statuses.get(worker.pod).phase not in (reasons.SUCCEEDED, reasons.FAILED)
                and worker.stage is not Stage.TERMINATED
            ]
            why_not = rejection(pod, others, self._node(), self._parts.node_facts().allocatable)
            if why_not is not None:
                self._reject(pod, why_not.reason, why_not.message)
                return
        self._start(PodWorker(pod, self._parts, self._starter, self._killer))

    def _reject(self, pod: core_v1.Pod, reason: str, message: str) -> None:
        logger.info("pod rejected pod=%s reason=%s", pod.key, reason)
        self._done.add(pod.metadata.uid)
        self._parts.recorder.event(pod, events.WARNING, reason, message)
        self._parts.statuses.set(
            pod,
            replace(
                pod.status,
                phase=reasons.FAILED,
                reason=reason,
                message=REJECTED_PREFIX + message,
                startTime=format_time(self._parts.clock.now()),
                observedGeneration=pod.metadata.generation,
            ),
        )

    def _start(self, worker: PodWorker) -> None:
        assert self._tasks is not None
        self._workers[worker.uid] = worker
        self._tasks.create_task(self._work(worker), name=f"kubelet/pod/{worker.pod.key}")

    async def _work(self, worker: PodWorker) -> None:
        """Run a worker to its end. One that fails by our own mistake must not take the other pods with it."""
        uid = worker.uid
        try:
            while True:
                try:
                    await worker.run()
                    break
                except Exception:
                    logger.exception("pod worker failed, starting it again pod=%s uid=%s", worker.pod.key, uid)
                    await self._parts.clock.sleep(WORKER_RESTART_SECONDS)
            left = self._informer.get(worker.pod.key)
            if left is not None and left.metadata.uid == uid:
                self._done.add(uid)
        finally:
            self._workers.pop(uid, None)
            self._parts.probes.remove(uid)

    # what nobody knows

    async def _clean_up_orphans(self) -> None:
        """End pods only the runtime knows; remove cgroups and volumes of pods that nobody knows."""
        parts = self._parts
        try:
            uids = {one.labels.get(POD_UID_LABEL, "") for one in await parts.runtime.list_pod_sandboxes()}
            uids |= {one.labels.get(POD_UID_LABEL, "") for one in await parts.runtime.list_containers()}
            uids.discard("")
            for uid in sorted(uids - self._workers.keys() - self._known()):
                runtime = await observe(parts.runtime, uid)
                if uid in self._workers or uid in self._known() or not (runtime.sandboxes or runtime.containers):
                    continue
                pod = pod_to_end(runtime, parts.clock.now())
                logger.info("pod is not known any more, ending it pod=%s uid=%s", pod.key, uid)
                self._start(PodWorker(pod, parts, self._starter, self._killer, orphan=True))
        except RuntimeFailure as error:
            logger.warning("clean-up put off error=%s", error)
            return
        known = self._workers.keys() | self._known()
        cgroups = await asyncio.to_thread(parts.cgroups.pod_uids)
        left_over = set(cgroups) | set(await asyncio.to_thread(self._orphan_volumes, known))
        for uid in sorted(left_over - self._workers.keys() - self._known()):
            try:
                await parts.volumes.teardown(uid)
                await asyncio.to_thread(parts.cgroups.remove, uid)
            except (VolumeError, OSError) as error:
                logger.warning("left over not removed uid=%s error=%s", uid, error)

    def _known(self) -> set[str]:
        return {pod.metadata.uid for pod in self._informer.list()}


def _differs(old: core_v1.Pod, new: core_v1.Pod) -> bool:
    """Whether a worker must look: anything but what the kubelet itself reported."""
    return _told(old) != _told(new) or old.spec != new.spec or _foreign(old) != _foreign(new)


def _told(pod: core_v1.Pod) -> tuple[object, ...]:
    """What of a pod's metadata a worker acts upon."""
    meta = pod.metadata
    return (meta.generation, meta.labels, meta.annotations, meta.deletionTimestamp, meta.deletionGracePeriodSeconds)


def _foreign(pod: core_v1.Pod) -> list[core_v1.PodCondition]:
    return [condition for condition in pod.status.conditions if condition.type not in reasons.KUBELET_CONDITIONS]
