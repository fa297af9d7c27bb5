"""Keeps the node's object and lease in the API server true: registration, status, heartbeat.

The status is looked at every ten seconds and written when something but its time stamps changed, or after five
minutes all the same; the lease says in between that the node lives.

Follows: kubernetes pkg/kubelet/kubelet_node_status.go; component-helpers apimachinery/lease/controller.go.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from pybernetes.api import coordination_v1, core_v1, meta_v1
from pybernetes.api.object import encode
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client, PatchType, Unreachable
from pybernetes.effects import Clock, format_micro_time, format_time
from pybernetes.kubelet import events, node_facts
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import ImageService, RuntimeService
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.node_conditions import conditions
from pybernetes.kubelet.waiting import wait_for_event
from pybernetes.machinery.errors import AlreadyExists, Conflict, NotFound, StatusError

logger = logging.getLogger("pybernetes.kubelet")

LEASE_NAMESPACE = "kube-node-lease"
LEASE_RENEW_SHARE = 0.25
"""A lease of 40 s is renewed every 10 s."""
MAX_IMAGES = 50
MAX_NAMES_PER_IMAGE = 5
RUNTIME_CHECK_SECONDS = 5.0
RUNTIME_AWAY_CHECK_SECONDS = 0.5
RUNTIME_GRACE_SECONDS = 30.0
"""A runtime that worked may be away for so long, for a restart, before the node says that it is not ready."""
REGISTER_RETRY_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 7.0)
CONTROLLER_ATTACH_ANNOTATION = "volumes.kubernetes.io/controller-managed-attach-detach"


class NodeStatus:
    """See the module. `changed` may be set by anyone to have the status looked at now."""

    def __init__(
        self,
        client: Client,
        config: KubeletConfig,
        clock: Clock,
        runtime: RuntimeService,
        images: ImageService,
        recorder: events.Recorder,
        on_runtime_ready: Callable[[], None],
        on_pod_cidr: Callable[[str], object] | None = None,
    ) -> None:
        self._client = client
        self._config = config
        self._clock = clock
        self._runtime = runtime
        self._images = images
        self._recorder = recorder
        self._on_runtime_ready = on_runtime_ready
        self._on_pod_cidr = on_pod_cidr
        self.machine = node_facts.read_machine()
        self.ips = config.node_ips or node_facts.default_node_ips()
        self.capacity = node_facts.Amounts()
        self.allocatable = node_facts.Amounts()
        self.node = core_v1.Node(metadata=meta_v1.ObjectMeta(name=config.node_name))
        self.registered = asyncio.Event()
        self.changed = asyncio.Event()
        self._runtime_problem = "container runtime status check may not have completed yet"
        self._network_problem = "container runtime network not ready"
        self._runtime_info = ("containerd", "unknown")
        self._reported_at: float | None = None
        self._reported = core_v1.NodeStatus()
        self._told_pod_cidr = ""

    def facts(self) -> NodeFacts:
        """What pods may learn of the node."""
        return NodeFacts(host_ips=tuple(self.ips), allocatable=self.allocatable)

    def network_problem(self) -> str:
        """Why pods with a network of their own cannot start; empty when they can."""
        return self._runtime_problem or self._network_problem

    async def run(self) -> None:
        """Register, then keep status and lease until cancelled."""
        await asyncio.to_thread(self._measure)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_runtime(), name="kubelet/runtime-status")
            await self._register()
            tasks.create_task(self._keep_lease(), name="kubelet/lease")
            tasks.create_task(self._keep_status(), name="kubelet/node-status")
            tasks.create_task(self._follow_node(), name="kubelet/own-node")

    def _measure(self) -> None:
        self._config.root_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.capacity = node_facts.capacity(self.machine, self._config.root_dir, self._config.max_pods)
        self.allocatable = node_facts.allocatable(
            self.capacity, self._config.system_reserved, self._config.kube_reserved
        )

    async def _follow_node(self) -> None:
        """Know what others say about the node: its pod network range, labels and taints."""
        informer = Informer(self._client, core_v1.Node, fields=f"metadata.name={self._config.node_name}")
        news = asyncio.Event()

        def seen(node: core_v1.Node) -> None:
            self.node = node
            news.set()

        informer.add_handler(seen, lambda _old, new: seen(new))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informer.run(), name="kubelet/node-informer")
            while True:
                news.clear()
                await self._set_pod_cidr()
                await news.wait()

    # the runtime

    async def _watch_runtime(self) -> None:
        """Know whether the runtime and its network are ready, soon after that changes."""
        answered_at: float | None = None
        while True:
            before = (self._runtime_problem, self._network_problem)
            away = False
            try:
                status = await self._runtime.status()
                answered_at = self._clock.monotonic()
                if before[0]:
                    version = await self._runtime.version()
                    self._runtime_info = (version.runtime_name, version.runtime_version)
                by_type = {condition.type: condition for condition in status.status.conditions}
                self._runtime_problem = _problem(by_type.get("RuntimeReady"), "container runtime not ready")
                self._network_problem = _problem(by_type.get("NetworkReady"), "container runtime network not ready")
            except RuntimeFailure as error:
                away = True
                if answered_at is None or self._clock.monotonic() - answered_at > RUNTIME_GRACE_SECONDS:
                    self._runtime_problem = f"container runtime is down: {error}"
            if before != (self._runtime_problem, self._network_problem):
                logger.info("runtime status changed problem=%s", self.network_problem() or "none")
                self.changed.set()
                if not self.network_problem():
                    self._on_runtime_ready()
            away = away or bool(self.network_problem())
            await self._clock.sleep(RUNTIME_AWAY_CHECK_SECONDS if away else RUNTIME_CHECK_SECONDS)

    async def _set_pod_cidr(self) -> None:
        """Tell the runtime which range the node's pods get; once per range."""
        pod_cidr = ",".join(self.node.spec.podCIDRs) or self.node.spec.podCIDR or self._config.pod_cidr
        if not pod_cidr or pod_cidr == self._told_pod_cidr:
            return
        if self._on_pod_cidr is not None:
            await asyncio.to_thread(self._on_pod_cidr, pod_cidr)
        try:
            await self._runtime.update_pod_cidr(pod_cidr)
        except RuntimeFailure as error:
            logger.warning("runtime not told of the pod network range=%s error=%s", pod_cidr, error)
            return
        logger.info("pod network range=%s", pod_cidr)
        self._told_pod_cidr = pod_cidr

    # the node object

    async def _register(self) -> None:
        """The node exists in the API server, with our labels; waits for the server as long as it takes."""
        attempt = 0
        while True:
            try:
                await self._try_register()
                break
            except (StatusError, Unreachable) as error:
                logger.info("node not registered yet node=%s error=%s", self._config.node_name, error)
                await self._clock.sleep(REGISTER_RETRY_SECONDS[min(attempt, len(REGISTER_RETRY_SECONDS) - 1)])
                attempt += 1
        self.registered.set()
        self._recorder.event(self._reference_node(), events.NORMAL, events.STARTING, "Starting kubelet.")

    async def _try_register(self) -> None:
        config = self._config
        labels = node_facts.labels(config.node_name, self.machine, config.labels)
        if not config.register_node:
            self.node = await self._client.get(core_v1.Node, config.node_name)
            return
        wanted = core_v1.Node(
            metadata=meta_v1.ObjectMeta(
                name=config.node_name, labels=labels, annotations={CONTROLLER_ATTACH_ANNOTATION: "true"}
            ),
            spec=core_v1.NodeSpec(
                taints=list(config.taints),
                podCIDR=config.pod_cidr,
                podCIDRs=[config.pod_cidr] if config.pod_cidr else [],
            ),
            status=await self._status(()),
        )
        try:
            self.node = await self._client.create(wanted)
        except AlreadyExists:
            found = await self._client.get(core_v1.Node, config.node_name)
            missing = {name: value for name, value in labels.items() if found.metadata.labels.get(name) != value}
            if missing:
                found = await self._client.patch(
                    core_v1.Node,
                    config.node_name,
                    patch={"metadata": {"labels": missing}},
                    patch_type=PatchType.STRATEGIC,
                )
            self.node = found

    def _reference_node(self) -> core_v1.Node:
        """The node as events about it name it: its uid is its name, so that they are found before it is known."""
        return core_v1.Node(metadata=meta_v1.ObjectMeta(name=self._config.node_name, uid=self._config.node_name))

    async def _status(self, old: Sequence[core_v1.NodeCondition]) -> core_v1.NodeStatus:
        config = self._config
        pressure = await asyncio.to_thread(node_facts.read_pressure, config.root_dir)
        problems = [one for one in (self._runtime_problem, self._network_problem) if one]
        return core_v1.NodeStatus(
            addresses=node_facts.addresses(config.node_name, self.ips),
            capacity=self.capacity,
            allocatable=self.allocatable,
            conditions=conditions(pressure, problems, old, format_time(self._clock.now())),
            daemonEndpoints=core_v1.NodeDaemonEndpoints(kubeletEndpoint=core_v1.DaemonEndpoint(Port=config.port)),
            nodeInfo=node_facts.node_info(self.machine, *self._runtime_info),
            images=await self._image_list(),
            runtimeHandlers=[core_v1.NodeRuntimeHandler(name="")],
        )

    async def _image_list(self) -> list[core_v1.ContainerImage]:
        """The largest images with a few names each, as the scheduler's image locality wants them."""
        try:
            found = await self._images.list_images()
        except RuntimeFailure:
            return []
        by_size = sorted(found, key=lambda image: (-image.size, image.id))[:MAX_IMAGES]
        return [
            core_v1.ContainerImage(
                names=[*image.repo_digests, *image.repo_tags][:MAX_NAMES_PER_IMAGE], sizeBytes=image.size
            )
            for image in by_size
        ]

    async def _keep_status(self) -> None:
        while True:
            self.changed.clear()
            try:
                await self._report()
            except NotFound:
                logger.warning("node object is gone, registering again node=%s", self._config.node_name)
                await self._register()
                continue
            except (StatusError, Unreachable) as error:
                logger.warning("node status not written node=%s error=%s", self._config.node_name, error)
            await wait_for_event(self.changed, self._clock, self._config.node_status_update_seconds)

    async def _report(self) -> None:
        """Write the status if it changed or has not been written for long."""
        status = await self._status(self.node.status.conditions)
        now = self._clock.monotonic()
        due = self._reported_at is None or now - self._reported_at >= self._config.node_status_report_seconds
        if not due and _without_times(status) == _without_times(self._reported):
            return
        was_ready = _is_ready(self.node.status) if self._reported_at is None else _is_ready(self._reported)
        patch: dict[str, Any] = {"status": msgspec.to_builtins(status)}
        if status.addresses:
            patch["status"]["addresses"] = [*patch["status"]["addresses"], {"$patch": "replace"}]
        self.node = await self._client.patch(
            core_v1.Node, self._config.node_name, patch=patch, patch_type=PatchType.STRATEGIC, subresource="status"
        )
        self._reported = status
        self._reported_at = now
        if was_ready is not _is_ready(status):
            reason = events.NODE_READY if _is_ready(status) else events.NODE_NOT_READY
            self._recorder.event(
                self._reference_node(), events.NORMAL, reason, f"Node {self._config.node_name} status is now: {reason}"
            )

    # the lease

    async def _keep_lease(self) -> None:
        period = self._config.node_lease_duration_seconds * LEASE_RENEW_SHARE
        lease: coordination_v1.Lease | None = None
        while True:
            pause = period
            try:
                lease = await self._renew(lease)
            except (Conflict, NotFound, AlreadyExists):
                lease, pause = None, 0.2
            except (StatusError, Unreachable) as error:
                logger.warning("lease not renewed node=%s error=%s", self._config.node_name, error)
                lease, pause = None, min(1.0, period)
            await self._clock.sleep(pause)

    async def _renew(self, lease: coordination_v1.Lease | None) -> coordination_v1.Lease:
        now = format_micro_time(self._clock.now())
        name = self._config.node_name
        if lease is None:
            try:
                lease = await self._client.get(coordination_v1.Lease, name, LEASE_NAMESPACE)
            except NotFound:
                return await self._client.create(
                    coordination_v1.Lease(
                        metadata=meta_v1.ObjectMeta(
                            name=name,
                            namespace=LEASE_NAMESPACE,
                            ownerReferences=[
                                meta_v1.OwnerReference(
                                    apiVersion="v1", kind="Node", name=name, uid=self.node.metadata.uid
                                )
                            ],
                        ),
                        spec=coordination_v1.LeaseSpec(
                            holderIdentity=name,
                            leaseDurationSeconds=self._config.node_lease_duration_seconds,
                            renewTime=now,
                        ),
                    )
                )
        spec = replace(
            lease.spec,
            holderIdentity=name,
            leaseDurationSeconds=self._config.node_lease_duration_seconds,
            renewTime=now,
        )
        return await self._client.update(replace(lease, spec=spec))


def _problem(condition: Any, what: str) -> str:
    """Why a condition of the runtime is not met; empty when it is."""
    if condition is None:
        return f"{what}: the runtime does not say"
    if condition.status:
        return ""
    name = condition.type
    return f"{what}: {name}=false reason:{condition.reason} message:{condition.message}"


def _without_times(status: core_v1.NodeStatus) -> bytes:
    """The status in bytes, without what changes with every look."""
    stripped = [replace(one, lastHeartbeatTime=None, lastTransitionTime=None) for one in status.conditions]
    return encode(core_v1.Node(status=replace(status, conditions=sorted(stripped, key=lambda one: one.type))))


def _is_ready(status: core_v1.NodeStatus) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions)
