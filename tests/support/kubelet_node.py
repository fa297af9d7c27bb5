"""One kubelet with a fake runtime and a client in memory, on virtual time: for unit tests of the whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.api import core_v1, meta_v1
from pybernetes.effects import Chance, SystemClock, VirtualClock
from pybernetes.kubelet.cgroups.amounts import ContainerResources
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.fake import FakeRuntime
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.seam import ContainerLike, Mount, VolumeError
from support.fake_client import FakeClient

NODE = "n1"
IMAGE = "localhost/app:1"


class FakeVolumes:
    """`seam.Volumes` without volumes. `problem`: why they cannot be prepared."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.torn_down: list[str] = []
        self.problem = ""

    async def prepare(self, pod: core_v1.Pod) -> None:
        if self.problem:
            raise VolumeError(self.problem)
        self.prepared.append(pod.name)

    async def mounts(
        self, pod: core_v1.Pod, container: ContainerLike, environment: dict[str, str], pod_ips: tuple[str, ...] = ()
    ) -> list[Mount]:
        del pod, container, environment, pod_ips
        return []

    async def teardown(self, uid: str) -> None:
        self.torn_down.append(uid)


class FakeCgroups:
    def __init__(self) -> None:
        self.uids: set[str] = set()

    def ensure(self, pod: core_v1.Pod) -> str:
        self.uids.add(pod.metadata.uid)
        return f"/kubepods/pod{pod.metadata.uid}"

    def container_resources(self, pod: core_v1.Pod, container: ContainerLike) -> ContainerResources:
        del pod, container
        return ContainerResources()

    def remove(self, uid: str) -> None:
        self.uids.discard(uid)

    def pod_uids(self) -> list[str]:
        return sorted(self.uids)


class Node:
    """The kubelet under test and what surrounds it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock)
        self.runtime = FakeRuntime(self.clock, images=[IMAGE])
        self.volumes = FakeVolumes()
        self.cgroups = FakeCgroups()
        self.kubelet = self._new_kubelet()
        self._task: asyncio.Task[None] | None = None

    def _new_kubelet(self) -> Kubelet:
        config = KubeletConfig(
            node_name=NODE,
            node_ips=("192.168.0.1",),
            cluster_dns=("10.96.0.10",),
            root_dir=self.root / "kubelet",
            pod_logs_dir=self.root / "logs",
        )
        return Kubelet(
            self.client,
            config,
            self.clock,
            Chance(1),
            runtime=self.runtime,
            images=self.runtime,
            pod_cgroups=self.cgroups,
            volumes=self.volumes,
        )

    async def start(self) -> None:
        self._task = asyncio.create_task(self.kubelet.run())

    async def stop(self) -> None:
        """As a crash: nothing is tidied up."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def restart(self) -> None:
        await self.stop()
        self.kubelet = self._new_kubelet()
        await self.start()

    async def until(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        """Let virtual time pass until `what` is true; fails after `seconds` of it."""
        end = self.clock.monotonic() + seconds
        while True:
            for _ in range(4):  # threads that read files need real time
                await self.clock.settle()
                self._check()
                if what():
                    return
                await SystemClock().sleep(0.0005)
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not within {seconds} s: {self.statuses()}\n{self.events()}")
            await self.clock.advance(0.25)

    async def pass_time(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            await self.clock.advance(min(0.5, end - self.clock.monotonic()))
            await SystemClock().sleep(0.0005)
            await self.clock.settle()
        self._check()

    def _check(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    async def create(self, name: str = "web", **spec: object) -> core_v1.Pod:
        return await self.client.create(pod(name, **spec))

    def pod(self, name: str = "web") -> core_v1.Pod | None:
        return next((one for one in self._pods() if one.name == name), None)

    def _pods(self) -> list[core_v1.Pod]:
        return [*self.kubelet.pods_informer.list()]

    def status(self, name: str = "web") -> core_v1.PodStatus:
        found = self.pod(name)
        return found.status if found is not None else core_v1.PodStatus()

    def container(self, container: str = "c", name: str = "web") -> core_v1.ContainerStatus:
        status = self.status(name)
        everyone = (*status.initContainerStatuses, *status.containerStatuses, *status.ephemeralContainerStatuses)
        return next((one for one in everyone if one.name == container), core_v1.ContainerStatus())

    def waiting(self, container: str = "c", name: str = "web") -> str:
        state = self.container(container, name).state
        return state.waiting.reason if state.waiting is not None else ""

    def condition(self, kind: str, name: str = "web") -> core_v1.PodCondition:
        found = [one for one in self.status(name).conditions if one.type == kind]
        return found[0] if found else core_v1.PodCondition()

    def is_ready(self, name: str = "web") -> bool:
        return self.condition("Ready", name).status == "True"

    def statuses(self) -> str:
        return "\n".join(f"{one.name}: {one.status}" for one in self._pods())

    def events(self, reason: str = "") -> list[str]:
        return [
            f"{document['reason']}: {document['message']}"
            for key, document in self.client.documents.items()
            if key[1] == "events" and reason in ("", document["reason"])
        ]


def container(name: str = "c", **more: object) -> core_v1.Container:
    fields = {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", **more}
    return core_v1.Container(**fields)  # type: ignore[arg-type]


def pod(name: str = "web", **spec: object) -> core_v1.Pod:
    fields: dict[str, object] = {"nodeName": NODE, "containers": [container()], **spec}
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=core_v1.PodSpec(**fields),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def node(root: Path) -> AsyncIterator[Node]:
    """A node whose kubelet runs."""
    one = Node(root)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
