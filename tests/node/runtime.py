"""A containerd of the test's own, with an image of a shell; nothing is left of it afterwards."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster import containerd
from pybernetes.cluster.images.build import File, Link, Runtime, archive
from pybernetes.cluster.images.load import load_archive
from pybernetes.cluster.images.pause import build_pause
from pybernetes.cluster.state import StateDirectory
from pybernetes.kubelet import mounts
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.channel import RuntimeChannel
from pybernetes.kubelet.cri.runtime import CriRuntime

SHELL_IMAGE = "localhost/shell:1"
APPLETS = ("sh", "cat", "echo", "sleep", "ls", "nc", "tar", "head", "wc", "stty", "true", "id", "touch", "grep", "seq")
START_SECONDS = 20.0


def shell_image() -> bytes:
    busybox = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    items: list[File | Link] = [
        File("bin/busybox", busybox, 0o755),
        File("etc/passwd", b"root:x:0:0::/:/bin/sh\n", 0o644),
    ]
    items += [Link(f"bin/{name}", "busybox") for name in APPLETS]
    return archive(SHELL_IMAGE, items, Runtime(command=("/bin/sh",), environment={"PATH": "/bin"}))


@contextmanager
def running_containerd(root: Path) -> Iterator[StateDirectory]:
    """containerd with its state below `root`, the images imported."""
    state = StateDirectory(root)
    for directory in (state.run, state.containerd, state.cni / "net.d"):
        directory.mkdir(parents=True)
    config = root / "config.toml"
    config.write_text(containerd.configuration(state, crun=False))
    with (root / "containerd.log").open("wb") as log:
        process = subprocess.Popen(["containerd", "-c", str(config)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS  # noqa: TID251
        while not state.containerd_socket.exists():
            assert process.poll() is None, (root / "containerd.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "containerd does not start"  # noqa: TID251
            time.sleep(0.05)  # noqa: TID251
        for name, data in (("pause", build_pause()), ("shell", shell_image())):
            path = root / f"{name}.tar"
            path.write_bytes(data)
            load_archive(state, path)
        yield state
    finally:
        process.terminate()
        process.wait(20)
        for mounted in mounts.at_or_under(root):
            mounts.unmount(Path(mounted))


@dataclass
class Sandbox:
    """One pod on the node's own network, made over CRI."""

    runtime: CriRuntime
    id: str
    config: api.PodSandboxConfig
    logs: Path

    async def start(self, name: str, *command: str, tty: bool = False, stdin: bool = False, attempt: int = 0) -> str:
        """The id of a container that runs `command`."""
        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name, attempt=attempt),
            image=api.ImageSpec(image=SHELL_IMAGE),
            command=list(command),
            labels={"io.kubernetes.container.name": name, "io.kubernetes.pod.uid": self.config.metadata.uid},
            log_path=f"{name}/{attempt}.log",
            tty=tty,
            stdin=stdin,
            stdin_once=stdin,  # else the runtime ends an attach with its input, as upstream
        )
        config.linux.CopyFrom(
            api.LinuxContainerConfig(
                security_context=api.LinuxContainerSecurityContext(
                    namespace_options=api.NamespaceOption(network=api.NODE, pid=api.CONTAINER)
                )
            )
        )
        (self.logs / name).mkdir(exist_ok=True)
        container = await self.runtime.create_container(self.id, config, self.config)
        await self.runtime.start_container(container)
        return container


@asynccontextmanager
async def sandbox(state: StateDirectory, uid: str, cgroup_parent: str, logs: Path) -> AsyncIterator[Sandbox]:
    """A sandbox of the pod `uid`; everything of it is removed."""
    channel = RuntimeChannel(str(state.containerd_socket))
    runtime = CriRuntime(channel)
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name="web", namespace="shop", uid=uid),
        labels={"io.kubernetes.pod.uid": uid, "io.kubernetes.pod.name": "web", "io.kubernetes.pod.namespace": "shop"},
        log_directory=str(logs),
        linux=api.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent,
            security_context=api.LinuxSandboxSecurityContext(namespace_options=api.NamespaceOption(network=api.NODE)),
        ),
    )
    logs.mkdir(parents=True)
    try:
        made = await until_ready(lambda: runtime.run_pod_sandbox(config))
        try:
            yield Sandbox(runtime, made, config, logs)
        finally:
            await runtime.stop_pod_sandbox(made)
            await runtime.remove_pod_sandbox(made)
    finally:
        await channel.close()


async def until_ready(call: Callable[[], Awaitable[str]]) -> str:
    """The answer of a runtime that may still be starting."""
    for attempt in range(100):
        try:
            return await call()
        except Exception:
            if attempt == 99:
                raise
            await asyncio.sleep(0.1)  # noqa: TID251
    raise AssertionError
