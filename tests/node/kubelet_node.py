"""A real containerd of the test's own, and kubelets on it whose API server is a client in memory."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pybernetes.api import core_v1, meta_v1
from pybernetes.cluster import containerd
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.images import build, pause
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import Chance, SystemClock
from pybernetes.kubelet import kubelet
from pybernetes.kubelet.cgroups import manager as cgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.volumes import actions
from support.fake_client import FakeClient

NODE = "n1"
IMAGE = "localhost/kubelet-test:1"
POD_CIDR = "10.251.7.0/24"
CGROUP_ROOT = "/kubelet-test/kubepods"
APPLETS = "sh sleep cat echo httpd nc true false env ls id touch dd head tail test kill ps grep mkdir rm wc"
CLOCK = SystemClock()


def image() -> bytes:
    """A busybox that stays away from name resolution."""
    items: list[build.Item] = [build.Directory("bin"), build.Directory("tmp", 0o1777), build.Directory("www")]
    items.append(build.from_disk("/bin/busybox", "bin/busybox"))
    items += [build.Link(f"bin/{name}", "busybox") for name in APPLETS.split()]
    return build.archive(IMAGE, items, build.Runtime(command=("sh",)))


class Containerd:
    """One containerd below `root`."""

    def __init__(self, root: Path) -> None:
        self.state = StateDirectory(root)
        self.config = ClusterConfig(name="kubelet-test")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        state = self.state
        for path in (state.run, state.containerd, state.cni / "net.d", state.logs):
            path.mkdir(parents=True, exist_ok=True)
        containerd.prepare(state)
        settings = state.containerd / "config.toml"
        settings.write_text(containerd.configuration(state, crun=False))
        containerd.write_pod_network(self.config, state, POD_CIDR)
        with (state.logs / "containerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["containerd", "--config", str(settings)], stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(200):
            if self.ctr("version", check=False).returncode == 0:
                return
            CLOCK.pause(0.05)
        raise AssertionError((state.logs / "containerd.log").read_text())

    def load(self, archive: bytes) -> None:
        path = self.state.containerd / "image.tar"
        path.write_bytes(archive)
        self.ctr("images", "import", str(path))
        path.unlink()

    def kill(self) -> None:
        """As a crash."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def ctr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ctr", "-a", str(self.state.containerd_socket), "-n", "k8s.io", *arguments],
            capture_output=True,
            text=True,
            check=check,
        )

    def containers(self) -> list[str]:
        return self.ctr("containers", "list", "-q").stdout.split()


@contextmanager
def real_containerd(root: Path) -> Iterator[Containerd]:
    """Running, with the images; afterwards nothing of it is left."""
    one = Containerd(root)
    one.start()
    try:
        one.load(pause.build_pause())
        one.load(image())
        yield one
    finally:
        for task in one.ctr("tasks", "list", "-q", check=False).stdout.split():
            one.ctr("tasks", "rm", "-f", task, check=False)
        one.stop()
        actions.unmount_all(root)
        groups = cgroups.CgroupManager(cgroups.detect(), CGROUP_ROOT, node_memory_bytes=1)
        groups.destroy()
        shutil.rmtree(root)


class RealNode:
    """A kubelet on a real runtime."""

    def __init__(self, runtime: Containerd, client: FakeClient) -> None:
        self.runtime = runtime
        self.client = client
        state = runtime.state
        self.config = KubeletConfig(
            node_name=NODE,
            node_ips=("10.251.7.254",),
            container_runtime_endpoint=str(state.containerd_socket),
            root_dir=state.kubelet,
            pod_logs_dir=state.root / "pod-logs",
            cluster_dns=("10.96.0.10",),
            cgroup_root=CGROUP_ROOT,
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(kubelet.run(self.client, self.config, CLOCK, Chance()))

    async def crash(self) -> None:
        """End without tidying up."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def create(self, name: str, **spec: object) -> core_v1.Pod:
        fields: dict[str, object] = {"nodeName": NODE, "terminationGracePeriodSeconds": 5, **spec}
        return await self.client.create(
            core_v1.Pod(
                metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
                spec=core_v1.PodSpec(**fields),  # type: ignore[arg-type]
            )
        )

    async def delete(self, name: str) -> None:
        await self.client.delete(core_v1.Pod, name, "default")

    def exists(self, name: str) -> bool:
        return ("", "pods", "default", name) in self.client.documents

    async def pod(self, name: str) -> core_v1.Pod:
        return await self.client.get(core_v1.Pod, name, "default")

    async def until(self, name: str, what: Callable[[core_v1.Pod], object], seconds: float = 30.0) -> core_v1.Pod:
        """The pod once `what` is true of it."""
        end = CLOCK.monotonic() + seconds
        while True:
            self._check()
            found = await self.pod(name)
            if what(found):
                return found
            if CLOCK.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {found.status}\n{self.events()}")
            await CLOCK.sleep(0.02)

    async def until_true(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        end = CLOCK.monotonic() + seconds
        while not what():
            self._check()
            if CLOCK.monotonic() > end:
                raise AssertionError(f"not within {seconds} s\n{self.events()}")
            await CLOCK.sleep(0.02)

    async def gone(self, name: str, seconds: float = 30.0) -> None:
        await self.until_true(lambda: not self.exists(name), seconds)

    def _check(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    def events(self, reason: str = "") -> list[str]:
        return [
            f"{document['reason']}: {document['message']}"
            for key, document in self.client.documents.items()
            if key[1] == "events" and reason in ("", document["reason"])
        ]

    def log(self, name: str, container: str = "c", restart: int = 0) -> str:
        """The text of a container's log without CRI's prefixes."""
        found = list(self.config.pod_logs_dir.glob(f"default_{name}_*/{container}/{restart}.log"))
        lines = found[0].read_text().splitlines() if found else []
        return "".join(line.split(" ", 3)[3] + "\n" for line in lines)


@asynccontextmanager
async def real_node(runtime: Containerd) -> AsyncIterator[RealNode]:
    """A running kubelet; its pods are removed at the end."""
    one = RealNode(runtime, FakeClient(CLOCK))
    one.start()
    try:
        yield one
        for key in [key for key in one.client.documents if key[1] == "pods"]:
            await one.client.delete(core_v1.Pod, key[3], key[2], grace_period_seconds=1)
        await one.until_true(lambda: not any(key[1] == "pods" for key in one.client.documents))
        await one.until_true(lambda: not runtime.containers())
    finally:
        await one.crash()


def shell(script: str, name: str = "c", **more: object) -> core_v1.Container:
    """A container that runs a shell script."""
    fields = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **more,
    }
    return core_v1.Container(**fields)  # type: ignore[arg-type]


FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.2; done"


def is_ready(pod: core_v1.Pod) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def waiting(pod: core_v1.Pod, container: str = "c") -> str:
    for status in (*pod.status.initContainerStatuses, *pod.status.containerStatuses):
        if status.name == container and status.state.waiting is not None:
            return status.state.waiting.reason
    return ""


def ended(pod: core_v1.Pod, container: str = "c") -> core_v1.ContainerStateTerminated | None:
    for status in (*pod.status.initContainerStatuses, *pod.status.containerStatuses):
        if status.name == container:
            return status.state.terminated or status.lastState.terminated
    return None
