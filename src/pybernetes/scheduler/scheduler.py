"""The scheduler: watches nodes and pods, decides one pod after the other, binds in the background.

    informers ──► columns, queue ──► cycle.choose ──► assume ──► bind (many at a time) ──► confirmed by the watch
                                          │ nowhere                  │ refused: forget, try again
                                          ▼                          ▼
                                 condition, event, preemption      queue

Deciding is synchronous: between reading the columns and assuming the pod nothing else runs, so that no two pods get
the same room. A binding names the pod's uid, and the API server binds a pod only once.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pybernetes.api import core_v1, meta_v1, policy_v1
from pybernetes.client.events import NORMAL, WARNING, EventRecorder
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client, PatchType, Unreachable
from pybernetes.effects import Chance, Clock, format_time
from pybernetes.machinery.errors import Conflict, NotFound, StatusError
from pybernetes.scheduler import preemption
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.cycle import Placement, choose
from pybernetes.scheduler.framework import Diagnosis, FilterPlugin, explain
from pybernetes.scheduler.plugins.index import FILTERS, SCORES
from pybernetes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from pybernetes.scheduler.pod_info import PodInfo, pod_info
from pybernetes.scheduler.queue import ClusterEvent, SchedulingQueue, Waiting

log = logging.getLogger("pybernetes.scheduler")

MAX_BINDINGS = 64
"""Bindings under way at once."""
ATTEMPTS_PER_TURN = 32
"""Decisions before the event loop gets its turn."""
STATUS_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    scheduler_name: str = "default-scheduler"
    host: str = ""


@dataclass(slots=True)
class SchedulerStatistics:
    scheduled: int = 0
    unschedulable: int = 0
    errors: int = 0
    preempted: int = 0


class Scheduler:
    """One profile with upstream's default plugins."""

    def __init__(self, client: Client, clock: Clock, chance: Chance, config: SchedulerConfig) -> None:
        self.client, self.clock, self.chance, self.config = client, clock, chance, config
        self.columns = Columns()
        self.queue = SchedulingQueue(clock)
        self.recorder = EventRecorder(client, config.scheduler_name, config.host, clock)
        self.statistics = SchedulerStatistics()
        self._nodes = Informer(client, core_v1.Node)
        self._pods = Informer(client, core_v1.Pod, fields="status.phase!=Succeeded,status.phase!=Failed")
        self._namespaces = Informer(client, core_v1.Namespace)
        self._budgets = Informer(client, policy_v1.PodDisruptionBudget)
        near = InterPodAffinity(self._namespace_labels)
        self._filters: tuple[FilterPlugin, ...] = tuple(near if p.NAME == near.NAME else p for p in FILTERS)
        self._scores = tuple((near, weight) if p.NAME == near.NAME else (p, weight) for p, weight in SCORES)
        self._bindings = asyncio.Semaphore(MAX_BINDINGS)
        self._assumed: set[str] = set()
        self._nominated: dict[str, tuple[PodInfo, str]] = {}

    def _namespace_labels(self, name: str) -> Mapping[str, str]:
        namespace = self._namespaces.get(name)
        return namespace.metadata.labels if namespace else {}

    async def run(self) -> None:
        """Schedule until cancelled. After a restart everything is learned from the API server again."""
        self._nodes.add_handler(self._node_added, self._node_changed, self._node_gone)
        self._pods.add_handler(self._pod_seen, self._pod_changed, self._pod_gone)
        self._namespaces.add_handler(self._namespace_seen, self._namespace_changed, self._namespace_seen)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.recorder.run(), name="scheduler/events")
            for informer in (self._nodes, self._pods, self._namespaces, self._budgets):
                tasks.create_task(informer.run(), name=f"scheduler/{informer.kind.PLURAL}-informer")
            for informer in (self._nodes, self._pods, self._namespaces, self._budgets):
                await informer.wait_synced()
            tasks.create_task(self.queue.run(), name="scheduler/backoff")
            await self._schedule_all(tasks)

    # ── what is seen ──

    def _node_added(self, node: core_v1.Node) -> None:
        self.columns.set_node(node)
        self.queue.wake(ClusterEvent.NODE_ADDED)

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        self.columns.set_node(new)
        if old.status.allocatable != new.status.allocatable:
            self.queue.wake(ClusterEvent.NODE_ALLOCATABLE)
        if old.metadata.labels != new.metadata.labels:
            self.queue.wake(ClusterEvent.NODE_LABELS)
        if (old.spec.taints, old.spec.unschedulable) != (new.spec.taints, new.spec.unschedulable):
            self.queue.wake(ClusterEvent.NODE_TAINTS)

    def _node_gone(self, node: core_v1.Node) -> None:
        self.columns.remove_node(node.name)

    def _namespace_seen(self, _: core_v1.Namespace) -> None:
        self.columns.counts.namespaces_changed()

    def _namespace_changed(self, old: core_v1.Namespace, new: core_v1.Namespace) -> None:
        if old.metadata.labels != new.metadata.labels:
            self.columns.counts.namespaces_changed()

    def _is_ours(self, pod: core_v1.Pod) -> bool:
        return (pod.spec.schedulerName or "default-scheduler") == self.config.scheduler_name

    def _may_be_tried(self, pod: core_v1.Pod) -> bool:
        gone = pod.metadata.deletionTimestamp is not None
        return not gone and not pod.spec.schedulingGates and pod.metadata.uid not in self._assumed

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        if pod.spec.nodeName:
            self._assumed.discard(uid)
            self._nominated.pop(uid, None)
            self.columns.place(pod_info(pod), pod.spec.nodeName)
            self.queue.remove(uid)
            self.queue.wake(ClusterEvent.POD_PLACED)
        elif self._is_ours(pod) and self._may_be_tried(pod):
            self.queue.add(pod_info(pod))

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._pod_gone(old)
            self._pod_seen(new)
        elif new.metadata.deletionTimestamp is not None and not new.spec.nodeName:
            self.queue.remove(new.metadata.uid)
        elif old.spec != new.spec or old.metadata.labels != new.metadata.labels:
            self._pod_seen(new)
        elif new.spec.nodeName and old.metadata.deletionTimestamp != new.metadata.deletionTimestamp:
            # It is leaving: spreading no longer counts it, and who waits for its room need not evict more.
            self.columns.place(pod_info(new), new.spec.nodeName)
        elif not new.spec.nodeName and self._is_ours(new):
            self.queue.refresh(pod_info(new))

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        self._assumed.discard(uid)
        self._nominated.pop(uid, None)
        self.queue.remove(uid)
        if self.columns.placed_on(uid) is not None:
            self.columns.unplace(uid)
            self.queue.wake(ClusterEvent.POD_GONE)

    # ── what is decided ──

    async def _schedule_all(self, tasks: asyncio.TaskGroup) -> None:
        attempts = 0
        while True:
            waiting = await self.queue.pop()
            await self._bindings.acquire()
            attempts += 1
            self._schedule_one(waiting, tasks)
            if attempts % ATTEMPTS_PER_TURN == 0:
                await self.clock.sleep(0)

    def _schedule_one(self, waiting: Waiting, tasks: asyncio.TaskGroup) -> None:
        """Decide one pod without giving way, then leave the slow part to a task that frees the binding slot."""
        info = waiting.info
        reserved = self._reserve_nominated(info)
        try:
            answer = choose(info, self.columns, self._filters, self._scores, self.chance)
        finally:
            for uid in reserved:
                self.columns.unplace(uid)
        if isinstance(answer, Placement):
            self.columns.place(info, answer.node_name)
            self._assumed.add(info.uid)
            tasks.create_task(self._bind(waiting, answer), name=f"scheduler/bind/{info.key}")
        else:
            tasks.create_task(self._refuse(waiting, answer), name=f"scheduler/refuse/{info.key}")

    def _reserve_nominated(self, info: PodInfo) -> list[str]:
        """Count pods of at least this priority that wait for victims to go as if they were there already."""
        reserved = []
        for uid, (other, node_name) in self._nominated.items():
            if uid != info.uid and other.priority >= info.priority and self.columns.row_of(node_name) is not None:
                self.columns.place(other, node_name)
                reserved.append(uid)
        return reserved

    async def _bind(self, waiting: Waiting, placement: Placement) -> None:
        info = waiting.info
        pod = info.pod
        binding = core_v1.Binding(
            metadata=meta_v1.ObjectMeta(name=pod.name, namespace=pod.namespace, uid=pod.metadata.uid),
            target=core_v1.ObjectReference(apiVersion="v1", kind="Node", name=placement.node_name),
        )
        try:
            await self.client.create_subresource(pod, "binding", binding, core_v1.Binding)
        except (NotFound, Conflict) as error:
            # The pod is gone, or bound by somebody else: the watch tells which.
            log.info("binding refused pod=%s node=%s error=%s", info.key, placement.node_name, error)
            self._forget(info)
            self.queue.failed(waiting)
        except (StatusError, Unreachable) as error:
            log.warning("binding failed pod=%s node=%s error=%s", info.key, placement.node_name, error)
            self.statistics.errors += 1
            self._forget(info)
            self.queue.failed(waiting)
        else:
            self.statistics.scheduled += 1
            self._nominated.pop(info.uid, None)
            self.queue.done(info.uid)
            message = f"Successfully assigned {info.key} to {placement.node_name}"
            self.recorder.event(pod, NORMAL, "Scheduled", message)
        finally:
            self._bindings.release()

    def _forget(self, info: PodInfo) -> None:
        """Take an assumed pod away again, unless the watch has shown it bound meanwhile."""
        if info.uid in self._assumed:
            self._assumed.discard(info.uid)
            self.columns.unplace(info.uid)
            self.queue.wake(ClusterEvent.POD_GONE)

    async def _refuse(self, waiting: Waiting, diagnosis: Diagnosis) -> None:
        info = waiting.info
        self.statistics.unschedulable += 1
        message = explain(diagnosis.node_count, diagnosis.counts())
        nominated = ""
        try:
            if diagnosis.node_count:
                nominated, why_not = await self._preempt(info, diagnosis)
                if why_not:
                    message = f"{message} {why_not}"
            self.recorder.event(info.pod, WARNING, "FailedScheduling", message)
            self.queue.refused(waiting, diagnosis.plugins() or {"NodeName"})
            await self._tell(info.pod, message, nominated)
        except (StatusError, Unreachable) as error:
            log.info("unschedulable pod not updated pod=%s error=%s", info.key, error)
        finally:
            self._bindings.release()

    async def _preempt(self, info: PodInfo, diagnosis: Diagnosis) -> tuple[str, str]:
        """The node whose victims were told to go, or why there is none."""
        pod = info.pod
        if pod.spec.preemptionPolicy == "Never":
            return "", f"preemption: {preemption.NEVER}"
        if self._victims_leaving(info):
            return "", f"preemption: {preemption.TERMINATING}"
        candidate, reasons = preemption.find(info, self.columns, diagnosis, self._filters, self._budgets.list())
        if candidate is None:
            return "", f"preemption: {explain(diagnosis.node_count, reasons)}"
        self._nominated[info.uid] = (info, candidate.node_name)
        for victim in candidate.victims:
            await self._evict(victim, info, candidate.node_name)
        return candidate.node_name, ""

    def _victims_leaving(self, info: PodInfo) -> bool:
        nominated = info.pod.status.nominatedNodeName
        row = self.columns.row_of(nominated) if nominated else None
        if row is None:
            return False
        return any(
            other.priority < info.priority and other.pod.metadata.deletionTimestamp is not None
            for other in self.columns.pods_on(row).values()
        )

    async def _evict(self, victim: PodInfo, preemptor: PodInfo, node_name: str) -> None:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{self.config.scheduler_name}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": format_time(self.clock.now()),
        }
        pod = victim.pod
        try:
            await self.client.patch(
                core_v1.Pod,
                pod.name,
                pod.namespace,
                patch={"status": {"conditions": [condition]}},
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
            await self.client.delete(core_v1.Pod, pod.name, pod.namespace, uid=victim.uid)
        except NotFound:
            return  # it is gone, as wanted
        self.statistics.preempted += 1
        message = f"Preempted by pod {preemptor.uid} on node {node_name}"
        self.recorder.event(pod, NORMAL, "Preempted", message)

    async def _tell(self, pod: core_v1.Pod, message: str, nominated: str) -> None:
        """Write the condition PodScheduled and the nominated node, when they differ from what is there."""
        present = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        same = present is not None and present.status == "False" and present.message == message
        if same and (not nominated or nominated == pod.status.nominatedNodeName):
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "observedGeneration": pod.metadata.generation,
        }
        if present is None or present.status != "False":
            condition["lastTransitionTime"] = format_time(self.clock.now())
        status: dict[str, object] = {"conditions": [condition]}
        if nominated:
            status["nominatedNodeName"] = nominated
        try:
            await self.client.patch(
                core_v1.Pod,
                pod.name,
                pod.namespace,
                patch={"metadata": {"uid": pod.metadata.uid}, "status": status},
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
        except (NotFound, Conflict):
            return  # it is gone, or another one by the same name


async def run(client: Client, clock: Clock, chance: Chance, config: SchedulerConfig) -> None:
    """Schedule until cancelled."""
    await Scheduler(client, clock, chance, config).run()
