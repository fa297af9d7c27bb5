"""CRI's RuntimeService over gRPC.

Follows: cri-api pkg/apis/runtime/v1/api.proto; kubernetes cri-client pkg/remote_runtime.go.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from weakref import WeakValueDictionary

from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri import events
from pybernetes.kubelet.cri.channel import CALL_SECONDS, RuntimeChannel
from pybernetes.kubelet.cri.errors import RuntimeNotFound
from pybernetes.kubelet.cri.interface import ExecResult, RuntimeEvent

POD_UID_LABEL = "io.kubernetes.pod.uid"
MAX_SANDBOX_STARTS = 5
"""Sandboxes and containers being started at once: more only makes each slower."""
MAX_STOPS = 6
"""Containers and sandboxes being stopped or removed at once; a hundred at once make the machine unusable."""
STOP_SLOT_SECONDS = 1.0
"""A container that takes longer to end gives its place to the next one and goes on ending."""
MAX_EXECS_PER_CONTAINER = 3
"""More execs at once in one container make runc superlinearly slow."""
RUN_SANDBOX_SECONDS = 4 * 60.0
"""CNI may take its time (upstream: twice the request timeout)."""

_SERVICE = "/runtime.v1.RuntimeService/"


class CriRuntime:
    """`RuntimeService` of a runtime at a socket."""

    def __init__(self, channel: RuntimeChannel) -> None:
        self._channel = channel
        self._starts = asyncio.Semaphore(MAX_SANDBOX_STARTS)
        self._stops = asyncio.Semaphore(MAX_STOPS)
        self._execs: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def version(self) -> api.VersionResponse:
        return await self._channel.call(_SERVICE + "Version", api.VersionRequest(version="v1"), api.VersionResponse)

    async def status(self) -> api.StatusResponse:
        return await self._channel.call(_SERVICE + "Status", api.StatusRequest(), api.StatusResponse)

    async def update_pod_cidr(self, pod_cidr: str) -> None:
        config = api.RuntimeConfig(network_config=api.NetworkConfig(pod_cidr=pod_cidr))
        request = api.UpdateRuntimeConfigRequest(runtime_config=config)
        await self._channel.call(_SERVICE + "UpdateRuntimeConfig", request, api.UpdateRuntimeConfigResponse)

    async def run_pod_sandbox(self, config: api.PodSandboxConfig, runtime_handler: str = "") -> str:
        request = api.RunPodSandboxRequest(config=config, runtime_handler=runtime_handler)
        async with self._starts:
            answer = await self._channel.call(
                _SERVICE + "RunPodSandbox", request, api.RunPodSandboxResponse, RUN_SANDBOX_SECONDS
            )
        return answer.pod_sandbox_id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        request = api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        async with self._stops:
            with contextlib.suppress(RuntimeNotFound):
                await self._channel.call(_SERVICE + "StopPodSandbox", request, api.StopPodSandboxResponse)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        request = api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        async with self._stops:
            with contextlib.suppress(RuntimeNotFound):
                await self._channel.call(_SERVICE + "RemovePodSandbox", request, api.RemovePodSandboxResponse)

    async def pod_sandbox_status(self, sandbox_id: str) -> api.PodSandboxStatus:
        request = api.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        answer = await self._channel.call(_SERVICE + "PodSandboxStatus", request, api.PodSandboxStatusResponse)
        return answer.status

    async def list_pod_sandboxes(self, *, pod_uid: str = "") -> Sequence[api.PodSandbox]:
        found = api.PodSandboxFilter(label_selector=_of_pod(pod_uid))
        request = api.ListPodSandboxRequest(filter=found)
        answer = await self._channel.call(_SERVICE + "ListPodSandbox", request, api.ListPodSandboxResponse)
        return answer.items

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config)
        async with self._starts:
            answer = await self._channel.call(_SERVICE + "CreateContainer", request, api.CreateContainerResponse)
        return answer.container_id

    async def start_container(self, container_id: str) -> None:
        request = api.StartContainerRequest(container_id=container_id)
        async with self._starts:
            await self._channel.call(_SERVICE + "StartContainer", request, api.StartContainerResponse)

    async def stop_container(self, container_id: str, grace_seconds: int) -> None:
        request = api.StopContainerRequest(container_id=container_id, timeout=grace_seconds)
        async with self._stops:
            call = asyncio.ensure_future(
                self._channel.call(
                    _SERVICE + "StopContainer", request, api.StopContainerResponse, CALL_SECONDS + grace_seconds
                )
            )
            try:
                await asyncio.wait((call,), timeout=STOP_SLOT_SECONDS)
            except asyncio.CancelledError:
                call.cancel()
                raise
        try:
            with contextlib.suppress(RuntimeNotFound):
                await call
        finally:
            call.cancel()

    async def remove_container(self, container_id: str) -> None:
        request = api.RemoveContainerRequest(container_id=container_id)
        async with self._stops:
            with contextlib.suppress(RuntimeNotFound):
                await self._channel.call(_SERVICE + "RemoveContainer", request, api.RemoveContainerResponse)

    async def container_status(self, container_id: str) -> api.ContainerStatus:
        request = api.ContainerStatusRequest(container_id=container_id)
        answer = await self._channel.call(_SERVICE + "ContainerStatus", request, api.ContainerStatusResponse)
        return answer.status

    async def list_containers(self, *, pod_uid: str = "") -> Sequence[api.Container]:
        request = api.ListContainersRequest(filter=api.ContainerFilter(label_selector=_of_pod(pod_uid)))
        answer = await self._channel.call(_SERVICE + "ListContainers", request, api.ListContainersResponse)
        return answer.containers

    async def update_container_resources(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        request = api.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await self._channel.call(_SERVICE + "UpdateContainerResources", request, api.UpdateContainerResourcesResponse)

    async def reopen_container_log(self, container_id: str) -> None:
        request = api.ReopenContainerLogRequest(container_id=container_id)
        await self._channel.call(_SERVICE + "ReopenContainerLog", request, api.ReopenContainerLogResponse)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int = 0) -> ExecResult:
        request = api.ExecSyncRequest(container_id=container_id, cmd=list(command), timeout=timeout_seconds)
        slot = self._execs.get(container_id)
        if slot is None:
            slot = self._execs[container_id] = asyncio.Semaphore(MAX_EXECS_PER_CONTAINER)
        limit = CALL_SECONDS + timeout_seconds if timeout_seconds else None
        async with slot:
            answer = await self._channel.call(_SERVICE + "ExecSync", request, api.ExecSyncResponse, limit)
        return ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        request = api.ExecRequest(
            container_id=container_id, cmd=list(command), tty=tty, stdin=stdin, stdout=stdout, stderr=stderr
        )
        return (await self._channel.call(_SERVICE + "Exec", request, api.ExecResponse)).url

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        request = api.AttachRequest(container_id=container_id, stdin=stdin, tty=tty, stdout=stdout, stderr=stderr)
        return (await self._channel.call(_SERVICE + "Attach", request, api.AttachResponse)).url

    async def port_forward(self, sandbox_id: str, ports: Sequence[int]) -> str:
        request = api.PortForwardRequest(pod_sandbox_id=sandbox_id, port=list(ports))
        return (await self._channel.call(_SERVICE + "PortForward", request, api.PortForwardResponse)).url

    async def container_stats(self) -> Sequence[api.ContainerStats]:
        request = api.ListContainerStatsRequest()
        answer = await self._channel.call(_SERVICE + "ListContainerStats", request, api.ListContainerStatsResponse)
        return answer.stats

    def events(self) -> AsyncIterator[RuntimeEvent]:
        return events.subscribe(self._channel)


def _of_pod(pod_uid: str) -> dict[str, str]:
    return {POD_UID_LABEL: pod_uid} if pod_uid else {}
