"""A container runtime in memory, with CRI's behaviour and no containers: for tests and simulations.

Names are reserved as containerd reserves them, states move as there, exits come when the test says so, and a
container that is stopped ends with the exit code of its signal. Faults: `fail_next` makes one coming call fail.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence

from pybernetes.effects import Clock
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure, RuntimeNotFound, RuntimeUnavailable
from pybernetes.kubelet.cri.interface import ExecResult, RuntimeEvent
from pybernetes.kubelet.cri.runtime import POD_UID_LABEL

TERM_EXIT_CODE = 143
KILL_EXIT_CODE = 137
MAX_PENDING_EVENTS = 10_000

ExecHandler = Callable[[str, Sequence[str]], ExecResult]


def _succeed(_container: str, _command: Sequence[str]) -> ExecResult:
    return ExecResult(0, b"", b"")


class FakeRuntime:
    """`RuntimeService` and `ImageService` in one. `calls` lists what was asked, in order."""

    def __init__(self, clock: Clock, *, images: Sequence[str] = (), registry: Sequence[str] = ()) -> None:
        self.clock = clock
        self.sandboxes: dict[str, api.PodSandboxStatus] = {}
        self.containers: dict[str, api.ContainerStatus] = {}
        self.configs: dict[str, api.ContainerConfig] = {}
        self.sandbox_configs: dict[str, api.PodSandboxConfig] = {}
        self.images: dict[str, api.Image] = {}
        self.registry = set(registry)
        self.calls: list[str] = []
        self.on_exec: ExecHandler = _succeed
        self.away = False
        """Whether every call fails because nobody listens."""
        self.ignores_term: set[str] = set()
        """Names of containers that end only by KILL."""
        self._parents: dict[str, str] = {}
        self._reserved: dict[str, str] = {}
        self._failures: dict[str, list[RuntimeFailure]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._numbers = itertools.count(1)
        self._listeners: list[asyncio.Queue[RuntimeEvent]] = []
        for image in images:
            self.add_image(image)

    # what a test does to it

    def add_image(self, image: str, *, user: str = "") -> None:
        number = f"{len(self.images) + 1:064x}"
        uid = api.Int64Value(value=int(user)) if user.isdigit() else None
        self.images[image] = api.Image(
            id=f"sha256:{number}",
            repo_tags=[image],
            size=1000,
            uid=uid,
            username="" if uid is not None else user,
        )

    def fail_next(self, call: str, failure: RuntimeFailure) -> None:
        """The next `call`, such as `start_container`, raises `failure`."""
        self._failures.setdefault(call, []).append(failure)

    def exit(self, container_id: str, code: int = 0, *, reason: str = "", message: str = "") -> None:
        """The container's first process ends now."""
        status = self.containers[container_id]
        if status.state != api.CONTAINER_RUNNING:
            return
        status.state = api.CONTAINER_EXITED
        status.exit_code = code
        status.reason = reason or ("Completed" if code == 0 else "Error")
        status.message = message
        status.finished_at = self._nanoseconds()
        self._ends[container_id].set()
        self._tell("/tasks/exit", container_id)
        self._tell("/tasks/delete", container_id)

    def kill_sandbox(self, sandbox_id: str) -> None:
        """The pause container dies by itself: the network is gone, the containers keep running."""
        self.sandboxes[sandbox_id].state = api.SANDBOX_NOTREADY
        self._tell("/tasks/exit", sandbox_id)
        self._tell("/tasks/delete", sandbox_id)

    def running(self, name: str) -> bool:
        """Whether a container of that name runs."""
        found = self.containers.values()
        return any(one.metadata.name == name and one.state == api.CONTAINER_RUNNING for one in found)

    def container(self, name: str, *, running: bool = True) -> api.ContainerStatus:
        """The newest container of that name in a running (or any) state."""
        found = [
            status
            for status in self.containers.values()
            if status.metadata.name == name and (not running or status.state == api.CONTAINER_RUNNING)
        ]
        return found[-1]

    def count(self, call: str) -> int:
        return sum(1 for one in self.calls if one.split(" ")[0] == call)

    # RuntimeService

    async def version(self) -> api.VersionResponse:
        await self._called("version")
        return api.VersionResponse(
            version="0.1.0", runtime_name="fake", runtime_version="1.0", runtime_api_version="v1"
        )

    async def status(self) -> api.StatusResponse:
        await self._called("status")
        ready = [api.RuntimeCondition(type=kind, status=True) for kind in ("RuntimeReady", "NetworkReady")]
        return api.StatusResponse(status=api.RuntimeStatus(conditions=ready))

    async def update_pod_cidr(self, pod_cidr: str) -> None:
        await self._called("update_pod_cidr", pod_cidr)

    async def run_pod_sandbox(self, config: api.PodSandboxConfig, runtime_handler: str = "") -> str:
        meta = config.metadata
        await self._called("run_pod_sandbox", meta.name)
        number = next(self._numbers)
        sandbox_id = f"sandbox-{number}"
        self._reserve(f"{meta.name}_{meta.namespace}_{meta.uid}_{meta.attempt}", sandbox_id)
        self.sandbox_configs[sandbox_id] = config
        self.sandboxes[sandbox_id] = api.PodSandboxStatus(
            id=sandbox_id,
            metadata=meta,
            state=api.SANDBOX_READY,
            created_at=self._nanoseconds(),
            network=api.PodSandboxNetworkStatus(ip=f"10.244.{number >> 8}.{number & 255}"),
            linux=api.LinuxPodSandboxStatus(
                namespaces=api.Namespace(options=config.linux.security_context.namespace_options)
            ),
            labels=dict(config.labels),
            annotations=dict(config.annotations),
            runtime_handler=runtime_handler,
        )
        return sandbox_id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        await self._called("stop_pod_sandbox", sandbox_id)
        sandbox = self.sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for container_id, parent in self._parents.items():
            if parent == sandbox_id:
                self.exit(container_id, KILL_EXIT_CODE)
        if sandbox.state == api.SANDBOX_READY:
            sandbox.state = api.SANDBOX_NOTREADY
            self._tell("/tasks/exit", sandbox_id)
            self._tell("/tasks/delete", sandbox_id)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        await self._called("remove_pod_sandbox", sandbox_id)
        for container_id in [one for one, parent in self._parents.items() if parent == sandbox_id]:
            self._forget(container_id)
        self.sandboxes.pop(sandbox_id, None)
        self._release(sandbox_id)

    async def pod_sandbox_status(self, sandbox_id: str) -> api.PodSandboxStatus:
        await self._called("pod_sandbox_status", sandbox_id)
        found = self.sandboxes.get(sandbox_id)
        if found is None:
            raise RuntimeNotFound("NotFound", f'an error occurred when try to find sandbox "{sandbox_id}": not found')
        return api.PodSandboxStatus.FromString(found.SerializeToString())

    async def list_pod_sandboxes(self, *, pod_uid: str = "") -> Sequence[api.PodSandbox]:
        await self._called("list_pod_sandboxes", pod_uid)
        return [
            api.PodSandbox(
                id=one.id,
                metadata=one.metadata,
                state=one.state,
                created_at=one.created_at,
                labels=dict(one.labels),
                annotations=dict(one.annotations),
            )
            for one in self.sandboxes.values()
            if pod_uid in ("", one.labels[POD_UID_LABEL])
        ]

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        name = config.metadata.name
        await self._called("create_container", name)
        if sandbox_id not in self.sandboxes:
            raise RuntimeNotFound("NotFound", f'failed to find sandbox id "{sandbox_id}": not found')
        if not any(config.image.image in (tag, image.id) for tag, image in self.images.items()):
            raise RuntimeNotFound("NotFound", f'failed to resolve image "{config.image.image}": not found')
        pod = sandbox_config.metadata
        container_id = f"container-{next(self._numbers)}"
        self._reserve(f"{name}_{pod.name}_{pod.uid}_{config.metadata.attempt}", container_id)
        self._parents[container_id] = sandbox_id
        self._ends[container_id] = asyncio.Event()
        self.configs[container_id] = config
        self.containers[container_id] = api.ContainerStatus(
            id=container_id,
            metadata=config.metadata,
            state=api.CONTAINER_CREATED,
            created_at=self._nanoseconds(),
            image=config.image,
            image_ref=config.image.image,
            labels=dict(config.labels),
            annotations=dict(config.annotations),
            log_path=f"{sandbox_config.log_directory}/{config.log_path}",
            resources=api.ContainerResources(linux=config.linux.resources),
        )
        return container_id

    async def start_container(self, container_id: str) -> None:
        status = self._known(container_id)
        await self._called("start_container", status.metadata.name)
        status.state = api.CONTAINER_RUNNING
        status.started_at = self._nanoseconds()
        self._tell("/tasks/start", container_id)

    async def stop_container(self, container_id: str, grace_seconds: int) -> None:
        status = self.containers.get(container_id)
        if status is None:
            return
        await self._called("stop_container", status.metadata.name)
        if status.state != api.CONTAINER_RUNNING:
            return
        if status.metadata.name in self.ignores_term and grace_seconds:
            await self.clock.sleep(grace_seconds)
        kill = grace_seconds == 0 or status.metadata.name in self.ignores_term
        self.exit(container_id, KILL_EXIT_CODE if kill else TERM_EXIT_CODE)

    async def remove_container(self, container_id: str) -> None:
        await self._called("remove_container", container_id)
        self._forget(container_id)

    async def container_status(self, container_id: str) -> api.ContainerStatus:
        await self._called("container_status", container_id)
        return api.ContainerStatus.FromString(self._known(container_id).SerializeToString())

    async def list_containers(self, *, pod_uid: str = "") -> Sequence[api.Container]:
        await self._called("list_containers", pod_uid)
        return [
            api.Container(
                id=one.id,
                pod_sandbox_id=self._parents[one.id],
                metadata=one.metadata,
                image=one.image,
                image_ref=one.image_ref,
                state=one.state,
                created_at=one.created_at,
                labels=dict(one.labels),
                annotations=dict(one.annotations),
            )
            for one in self.containers.values()
            if pod_uid in ("", one.labels[POD_UID_LABEL])
        ]

    async def update_container_resources(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        await self._called("update_container_resources", container_id)
        self._known(container_id).resources.linux.MergeFrom(resources)

    async def reopen_container_log(self, container_id: str) -> None:
        await self._called("reopen_container_log", container_id)
        self._known(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int = 0) -> ExecResult:
        status = self._known(container_id)
        await self._called("exec_sync", f"{status.metadata.name} {timeout_seconds}")
        if status.state != api.CONTAINER_RUNNING:
            raise RuntimeFailure("Unknown", f"container {container_id} is not running")
        return self.on_exec(status.metadata.name, command)

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        await self._called("exec", f"{container_id} {command} {stdin} {stdout} {stderr} {tty}")
        return f"http://127.0.0.1:1/exec/{container_id}"

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        await self._called("attach", f"{container_id} {stdin} {stdout} {stderr} {tty}")
        return f"http://127.0.0.1:1/attach/{container_id}"

    async def port_forward(self, sandbox_id: str, ports: Sequence[int]) -> str:
        await self._called("port_forward", f"{sandbox_id} {ports}")
        return f"http://127.0.0.1:1/portforward/{sandbox_id}"

    async def container_stats(self) -> Sequence[api.ContainerStats]:
        await self._called("container_stats")
        return [
            api.ContainerStats(attributes=api.ContainerAttributes(id=one.id, labels=dict(one.labels)))
            for one in self.containers.values()
            if one.state == api.CONTAINER_RUNNING
        ]

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue(MAX_PENDING_EVENTS)
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    # ImageService

    async def list_images(self) -> Sequence[api.Image]:
        await self._called("list_images")
        return list(self.images.values())

    async def image_status(self, image: str) -> api.Image | None:
        await self._called("image_status", image)
        return self.images.get(image)

    async def pull_image(
        self, image: str, auth: api.AuthConfig | None = None, sandbox_config: api.PodSandboxConfig | None = None
    ) -> str:
        del auth, sandbox_config
        await self._called("pull_image", image)
        if image not in self.registry:
            raise RuntimeNotFound("NotFound", f'failed to pull and unpack image "{image}": {image}: not found')
        self.add_image(image)
        return self.images[image].id

    async def remove_image(self, image: str) -> None:
        await self._called("remove_image", image)
        for tag in [tag for tag, one in self.images.items() if image in (tag, one.id)]:
            del self.images[tag]

    async def image_fs_info(self) -> api.ImageFsInfoResponse:
        await self._called("image_fs_info")
        return api.ImageFsInfoResponse()

    # inside

    async def _called(self, call: str, about: str = "") -> None:
        if self.away:
            raise RuntimeUnavailable("Unavailable", "connection refused")
        self.calls.append(f"{call} {about}".rstrip())
        waiting = self._failures.get(call)
        if waiting:
            raise waiting.pop(0)
        await self.clock.sleep(0)

    def _nanoseconds(self) -> int:
        return int(self.clock.now().timestamp() * 1e9) + next(self._numbers)

    def _known(self, container_id: str) -> api.ContainerStatus:
        found = self.containers.get(container_id)
        if found is None:
            raise RuntimeNotFound("NotFound", f'an error occurred when try to find container "{container_id}"')
        return found

    def _reserve(self, name: str, holder: str) -> None:
        if name in self._reserved:
            raise RuntimeFailure("Unknown", f'name "{name}" is reserved for "{self._reserved[name]}"')
        self._reserved[name] = holder

    def _release(self, holder: str) -> None:
        self._reserved = {name: one for name, one in self._reserved.items() if one != holder}

    def _forget(self, container_id: str) -> None:
        if container_id in self.containers:
            self.exit(container_id, KILL_EXIT_CODE)
            del self.containers[container_id], self._parents[container_id]
            self._release(container_id)

    def _tell(self, topic: str, subject: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(RuntimeEvent(topic, subject))
