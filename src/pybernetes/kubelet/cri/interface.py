"""What the kubelet asks of a container runtime, as two protocols; `runtime`, `images` and `fake` implement them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pybernetes.kubelet.cri import api_pb2 as api


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to the first process of a sandbox or container."""

    topic: str
    """`/tasks/start`, `/tasks/oom`, `/tasks/exit`, `/tasks/delete`: containerd's names."""
    id: str
    """Of the sandbox or container."""


class RuntimeService(Protocol):
    """CRI's RuntimeService. Every call raises `RuntimeFailure`; times are seconds unless the name says otherwise."""

    async def version(self) -> api.VersionResponse: ...

    async def status(self) -> api.StatusResponse: ...

    async def update_pod_cidr(self, pod_cidr: str) -> None: ...

    async def run_pod_sandbox(self, config: api.PodSandboxConfig, runtime_handler: str = "") -> str:
        """The id of the new sandbox, its network ready."""
        ...

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        """Its containers are killed at once and its network is released; nothing to do for one that is gone."""
        ...

    async def remove_pod_sandbox(self, sandbox_id: str) -> None: ...

    async def pod_sandbox_status(self, sandbox_id: str) -> api.PodSandboxStatus:
        """Raises: RuntimeNotFound."""
        ...

    async def list_pod_sandboxes(self, *, pod_uid: str = "") -> Sequence[api.PodSandbox]:
        """All sandboxes, or those of one pod."""
        ...

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, grace_seconds: int) -> None:
        """Return once it ended: its stop signal, then KILL after `grace_seconds`. One that is gone is stopped."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def container_status(self, container_id: str) -> api.ContainerStatus:
        """Raises: RuntimeNotFound."""
        ...

    async def list_containers(self, *, pod_uid: str = "") -> Sequence[api.Container]: ...

    async def update_container_resources(self, container_id: str, resources: api.LinuxContainerResources) -> None: ...

    async def reopen_container_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int = 0) -> ExecResult:
        """Run a command to its end in the container; 0 seconds means no limit.

        Raises:
            RuntimeTimeout: it ran too long and was killed.
        """
        ...

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """The URL to stream the command's input and output at, good for one use."""
        ...

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str: ...

    async def port_forward(self, sandbox_id: str, ports: Sequence[int]) -> str: ...

    async def container_stats(self) -> Sequence[api.ContainerStats]:
        """Of all running containers."""
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on; ends by an exception.

        Raises:
            RuntimeUnsupported: this runtime has no such stream; list instead.
        """
        ...


class ImageService(Protocol):
    """CRI's ImageService. Every call raises `RuntimeFailure`."""

    async def list_images(self) -> Sequence[api.Image]: ...

    async def image_status(self, image: str) -> api.Image | None:
        """The image, or None when it is not on this machine."""
        ...

    async def pull_image(
        self, image: str, auth: api.AuthConfig | None = None, sandbox_config: api.PodSandboxConfig | None = None
    ) -> str:
        """The reference of the pulled image, its id."""
        ...

    async def remove_image(self, image: str) -> None: ...

    async def image_fs_info(self) -> api.ImageFsInfoResponse: ...
