"""The kubelet: puts its parts together and runs them.

    API server ──► informer ──► pod manager ──► pod workers ──► CRI
                                    ▲   ▲            │
                       pleg, probes ┘   └ references └─► status manager ──► API server

Nothing is kept on disk that the kubelet needs to go on: after a crash it finds its containers by their labels.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pybernetes.api import core_v1, node_v1
from pybernetes.api.object import Object
from pybernetes.client.events import EventRecorder, reference
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client
from pybernetes.effects import Chance, Clock
from pybernetes.kubelet import dns_config
from pybernetes.kubelet.backoff import format_duration
from pybernetes.kubelet.cgroups import manager as cgroup_manager
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.channel import RuntimeChannel
from pybernetes.kubelet.cri.images import CriImages
from pybernetes.kubelet.cri.interface import ImageService, RuntimeService
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.dns_config import DnsConfig
from pybernetes.kubelet.image_puller import ImagePuller
from pybernetes.kubelet.logs.rotation import LogRotator
from pybernetes.kubelet.node_parts import NodeParts, PodCgroups
from pybernetes.kubelet.node_status import NodeStatus
from pybernetes.kubelet.pleg import Pleg
from pybernetes.kubelet.pod_manager import PodManager
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.probes.probers import Probers
from pybernetes.kubelet.references import WatchedReferences
from pybernetes.kubelet.seam import References, VolumeError, Volumes
from pybernetes.kubelet.server.access import Access, server_context
from pybernetes.kubelet.server.server import KubeletServer
from pybernetes.kubelet.status.manager import StatusManager
from pybernetes.kubelet.volumes.manager import VolumeManager

logger = logging.getLogger("pybernetes.kubelet")

COMPONENT = "kubelet"
PLEG_THRESHOLD_SECONDS = 180.0
"""A runtime that has not answered a list for so long makes the kubelet unhealthy."""


class PodEvents:
    """`events.Recorder` on the client's recorder."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder

    def event(self, obj: Object, event_type: str, reason: str, message: str, *, field_path: str = "") -> None:
        self._recorder.event(reference(obj, field_path), event_type, reason, message)


class Kubelet:
    """One node's kubelet, its parts reachable for the server and for tests."""

    def __init__(
        self,
        client: Client,
        config: KubeletConfig,
        clock: Clock,
        chance: Chance,
        *,
        runtime: RuntimeService,
        images: ImageService,
        pod_cgroups: PodCgroups,
        volumes: Volumes | None = None,
        references: References | None = None,
        on_pod_cidr: Callable[[str], object] | None = None,
    ) -> None:
        """`volumes` and `references` of None are the real ones. `on_pod_cidr` hears, in a thread, of the range the
        node's pods get, before the runtime is told."""  # noqa: D205, D209
        self.client, self.config, self.clock = client, config, clock
        self.runtime, self.images = runtime, images
        self._recorder = EventRecorder(client, COMPONENT, config.node_name, clock)
        self.recorder = PodEvents(self._recorder)
        self.statuses = StatusManager(client, clock)
        self.node_status = NodeStatus(
            client,
            config,
            clock,
            runtime,
            images,
            self.recorder,
            on_runtime_ready=self._wake_all,
            on_pod_cidr=on_pod_cidr,
        )
        self.probes = ProbeManager(Probers(runtime), self.recorder, clock, chance, self._probe_changed)
        self.pleg = Pleg(runtime, clock, self._runtime_changed, self._relisted)
        watched = WatchedReferences(client, clock)
        if references is None:
            references = watched
            watched.on_change(self._references_changed)
        self.references = references
        self._watched = watched if references is watched else None
        self.volume_manager: VolumeManager | None = None
        if volumes is None:
            volumes = self.volume_manager = VolumeManager(
                client,
                watched,
                clock,
                chance,
                root=config.root_dir,
                node=self.node_status.facts,
                cluster_domain=config.cluster_domain,
                on_failure=self._volume_failed,
            )
        self.pods_informer = Informer(
            client, core_v1.Pod, fields=f"spec.nodeName={config.node_name}", clock=clock, chance=chance
        )
        self.services = Informer(client, core_v1.Service, clock=clock, chance=chance)
        parts = NodeParts(
            config=config,
            clock=clock,
            chance=chance,
            runtime=runtime,
            puller=ImagePuller(images, self.recorder, clock),
            probes=self.probes,
            statuses=self.statuses,
            recorder=self.recorder,
            volumes=volumes,
            references=references,
            cgroups=pod_cgroups,
            services=self._all_services,
            node_facts=self.node_status.facts,
            host_dns=self._host_dns,
            runtime_problem=self.node_status.network_problem,
            runtime_handler=self._runtime_handler,
            volume_path=self.volume_manager.volume_path if self.volume_manager is not None else _no_volume_path,
        )
        orphan_volumes = self.volume_manager.orphans if self.volume_manager is not None else (lambda _known: [])
        self.log_rotator = LogRotator(self._running_logs, runtime.reopen_container_log, clock)
        self.pods = PodManager(parts, self.pods_informer, lambda: self.node_status.node, orphan_volumes)

    async def run(self) -> None:
        """Run until cancelled."""
        config = self.config
        config.root_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        if self.volume_manager is not None:
            await asyncio.to_thread(self.volume_manager.start)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run(), name="kubelet/events")
            tasks.create_task(self.node_status.run(), name="kubelet/node")
            tasks.create_task(self.pods_informer.run(), name="kubelet/pods-informer")
            tasks.create_task(self.services.run(), name="kubelet/services-informer")
            tasks.create_task(self.statuses.run(), name="kubelet/statuses")
            tasks.create_task(self.probes.run(), name="kubelet/probes")
            if self._watched is not None:
                tasks.create_task(self._watched.run(), name="kubelet/references")
            if self.volume_manager is not None:
                tasks.create_task(self.volume_manager.run(), name="kubelet/volumes")
            await self.node_status.registered.wait()
            await self.services.wait_synced()
            tasks.create_task(self.pleg.run(), name="kubelet/pleg")
            tasks.create_task(self.pods.run(), name="kubelet/pods")
            tasks.create_task(self.log_rotator.run(), name="kubelet/log-rotation")
            logger.info("kubelet running node=%s", config.node_name)

    def problem(self) -> str:
        """What is wrong with this kubelet, for `/healthz`; empty when nothing is."""
        silent = self.clock.monotonic() - self.pleg.healthy_at
        if silent > PLEG_THRESHOLD_SECONDS:
            return f"pleg was last seen active {format_duration(round(silent))} ago; threshold is 3m0s"
        return ""

    async def _running_logs(self) -> Mapping[str, Path]:
        return {
            container.id: Path(container.log_path)
            for worker in self.pods.workers()
            for container in worker.runtime.running
            if container.log_path
        }

    async def _runtime_handler(self, pod: core_v1.Pod) -> str:
        """Which of the runtime's handlers the pod's RuntimeClass names; the default one is empty.

        Raises:
            StatusError, Unreachable: the class cannot be read.
        """
        name = pod.spec.runtimeClassName
        return (await self.client.get(node_v1.RuntimeClass, name)).handler if name else ""

    def _all_services(self) -> Sequence[core_v1.Service]:
        return self.services.list()

    def _host_dns(self) -> DnsConfig:
        try:
            return dns_config.parse_resolv_conf(Path(self.config.resolv_conf).read_text(encoding="utf-8"))
        except OSError:
            return DnsConfig()

    def _wake_all(self) -> None:
        self.pods.wake_all()

    def _probe_changed(self, uid: str) -> None:
        self.pods.probe_changed(uid)

    def _runtime_changed(self, uid: str) -> None:
        self.pods.wake(uid)

    def _relisted(self) -> None:
        self.pods.clean_up()

    def _references_changed(self, uids: frozenset[str]) -> None:
        for uid in sorted(uids):
            self.pods.wake(uid)

    def _volume_failed(self, pod: core_v1.Pod, error: VolumeError) -> None:
        for message in error.messages:
            self.recorder.event(pod, "Warning", "FailedMount", message)


def _no_volume_path(_uid: str, _volume: str) -> Path | None:
    return None


async def run(
    client: Client,
    config: KubeletConfig,
    clock: Clock,
    chance: Chance,
    *,
    on_pod_cidr: Callable[[str], object] | None = None,
) -> None:
    """Be the kubelet of `config.node_name` until cancelled.

    Raises:
        OSError: the machine refuses something without which no pod can run: cgroups, mounts, the server's port.
        RuntimeError: no cgroups are mounted.
    """
    async with AsyncExitStack() as stack:
        channel = RuntimeChannel(config.container_runtime_endpoint)
        stack.push_async_callback(channel.close)
        groups = CgroupManager(
            cgroup_manager.detect(),
            config.cgroup_root,
            node_memory_bytes=cgroup_manager.node_memory_bytes(),
            pod_pids_limit=config.pod_pids_limit,
            cfs_quota=config.cpu_cfs_quota,
        )
        await asyncio.to_thread(groups.start)
        kubelet = Kubelet(
            client,
            config,
            clock,
            chance,
            runtime=CriRuntime(channel),
            images=CriImages(channel),
            pod_cgroups=groups,
            on_pod_cidr=on_pod_cidr,
        )
        if config.tls_cert_file is not None and config.tls_private_key_file is not None:
            context = server_context(config.tls_cert_file, config.tls_private_key_file, config.client_ca_file)
            server = KubeletServer(
                kubelet.pods.pods,
                kubelet.runtime,
                groups,
                clock,
                Access(client, clock, config.node_name),
                node_name=config.node_name,
                root=config.root_dir,
                healthy=kubelet.problem,
            )
            await server.start(config.address, config.port, context)
            stack.push_async_callback(server.stop)
        await kubelet.run()
