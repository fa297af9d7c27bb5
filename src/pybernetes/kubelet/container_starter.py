"""Brings one container from its spec to running: image, environment, mounts, create, start, postStart.

Every way to fail has its waiting reason, its event and its time to try again; they come back as a `StartOutcome`.

Follows: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go, startContainer; kuberuntime_manager.go, doBackOff.
"""

import asyncio
import functools
import logging
from dataclasses import dataclass
from pathlib import Path

from pybernetes.api import core_v1
from pybernetes.kubelet import environment, events
from pybernetes.kubelet.backoff import Backoff, format_duration
from pybernetes.kubelet.container_config import (
    ContainerSurroundings,
    container_config,
    log_directory,
    log_path,
)
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.environment import Surroundings
from pybernetes.kubelet.hooks import HookFailed, run_hook
from pybernetes.kubelet.image_names import Credentials, credentials_from
from pybernetes.kubelet.image_puller import ImageUnavailable, field_path
from pybernetes.kubelet.node_parts import NodeParts
from pybernetes.kubelet.pod_killer import PodKiller
from pybernetes.kubelet.restart_policy import spec_hash
from pybernetes.kubelet.runtime_status import RuntimePod, State, container_from_cri
from pybernetes.kubelet.seam import ContainerLike, CreateContainerConfigError
from pybernetes.kubelet.security import describe
from pybernetes.kubelet.status import reasons
from pybernetes.kubelet.status.container_states import StartFailure
from pybernetes.machinery.errors import StatusError

logger = logging.getLogger("pybernetes.kubelet")

MESSAGE_FILE_MODE = 0o666
"""The container may run as any user."""


@dataclass(frozen=True, slots=True)
class StartOutcome:
    """What came of it: `failure` is None when the container runs. `retry_seconds`: 0 leaves it to the worker."""

    failure: StartFailure | None = None
    retry_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SandboxInUse:
    """Where the container is to run."""

    id: str
    config: api.PodSandboxConfig
    pod_ips: tuple[str, ...]


class ContainerStarter:
    """Starts containers of the pods of one node; remembers back-off between calls."""

    def __init__(self, parts: NodeParts, killer: PodKiller) -> None:
        self._parts = parts
        self._killer = killer
        self._backoff = Backoff()

    async def start(
        self, pod: core_v1.Pod, container: ContainerLike, runtime: RuntimePod, sandbox: SandboxInUse
    ) -> StartOutcome:
        """The container runs, or the outcome says why not. `runtime` is what was seen before."""
        waiting = self._back_off(pod, container, runtime)
        if waiting is not None:
            return waiting
        try:
            image = await self._parts.puller.ensure(pod, container, await self._pull_credentials(pod), sandbox.config)
        except ImageUnavailable as error:
            self._failed(pod, container, f"Error: {error.reason}")
            return StartOutcome(StartFailure(error.reason, error.message), error.retry_seconds)
        try:
            config = await self._config(pod, container, runtime, sandbox, image)
        except CreateContainerConfigError as error:
            self._failed(pod, container, f"Error: {error}")
            return StartOutcome(StartFailure(reasons.CREATE_CONTAINER_CONFIG_ERROR, str(error)))
        try:
            container_id = await self._parts.runtime.create_container(sandbox.id, config, sandbox.config)
        except RuntimeFailure as error:
            self._failed(pod, container, f"Error: {error.detail}")
            return StartOutcome(StartFailure(reasons.CREATE_CONTAINER_ERROR, error.detail))
        self._event(pod, container, events.NORMAL, events.CREATED, "Container created")
        try:
            await self._parts.runtime.start_container(container_id)
        except RuntimeFailure as error:
            self._failed(pod, container, f"Error: {error.detail}")
            return StartOutcome(StartFailure(reasons.RUN_CONTAINER_ERROR, error.detail))
        self._event(pod, container, events.NORMAL, events.STARTED, "Container started")
        return await self._post_start(pod, container, container_id, sandbox)

    def forget_expired(self) -> None:
        self._backoff.forget_expired(self._parts.clock.now())

    def _back_off(self, pod: core_v1.Pod, container: ContainerLike, runtime: RuntimePod) -> StartOutcome | None:
        """The outcome while the pause after the last end lasts; else the next pause is made longer."""
        ended = runtime.find(container.name)
        if ended is None or ended.state is not State.EXITED or ended.finished_at is None:
            return None
        key = f"{pod.metadata.uid}_{container.name}_{spec_hash(container)}"
        now = self._parts.clock.now()
        left = self._backoff.remaining_seconds(key, ended.finished_at, now)
        if left <= 0:
            self._backoff.lengthen(key, ended.finished_at, now)
            return None
        who = describe(pod)
        self._event(
            pod,
            container,
            events.WARNING,
            events.BACK_OFF,
            f"Back-off restarting failed container {container.name} in pod {who}",
        )
        pause = format_duration(self._backoff.delay_seconds(key))
        message = f"back-off {pause} restarting failed container={container.name} pod={who}"
        return StartOutcome(StartFailure(reasons.CRASH_LOOP_BACK_OFF, message), left)

    async def _pull_credentials(self, pod: core_v1.Pod) -> list[tuple[str, Credentials]]:
        secrets, missing = [], []
        for reference in pod.spec.imagePullSecrets:
            try:
                secrets.append(await self._parts.references.secret(pod.namespace, reference.name))
            except StatusError:
                missing.append(reference.name)
        if missing:
            self._parts.recorder.event(
                pod,
                events.WARNING,
                "FailedToRetrieveImagePullSecret",
                f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
                "attempting to pull the image may not succeed.",
            )
        return credentials_from(secrets)

    async def _config(
        self,
        pod: core_v1.Pod,
        container: ContainerLike,
        runtime: RuntimePod,
        sandbox: SandboxInUse,
        image: api.Image,
    ) -> api.ContainerConfig:
        parts = self._parts
        sources = await environment.gather(
            parts.references, pod, container, functools.partial(parts.volume_path, pod.metadata.uid)
        )
        surroundings = Surroundings(parts.services(), sandbox.pod_ips, parts.node_facts())
        variables = environment.build(pod, container, sources, surroundings)
        mounts = await parts.volumes.mounts(pod, container, variables, sandbox.pod_ips)
        restarts = self._restart_count(pod, container, runtime)
        newest = runtime.find(container.name)
        target = getattr(container, "targetContainerName", "")
        joined = runtime.find(target) if target else None
        if target and joined is None:
            raise CreateContainerConfigError(f'target container "{target}" is not running')
        message_file = await asyncio.to_thread(self._prepare_files, pod, container, restarts)
        return container_config(
            pod,
            container,
            ContainerSurroundings(
                image=image,
                environment=variables,
                mounts=mounts,
                message_file=message_file,
                resources=parts.cgroups.container_resources(pod, container),
                restart_count=restarts,
                attempt=max(restarts, newest.attempt + 1 if newest is not None else 0),
                target_id=joined.id if joined is not None else "",
                seccomp_root=str(parts.config.root_dir / "seccomp"),
                seccomp_default=parts.config.seccomp_default,
            ),
        )

    def _restart_count(self, pod: core_v1.Pod, container: ContainerLike, runtime: RuntimePod) -> int:
        """One more than the last instance had; without one, what was reported before it was removed."""
        newest = runtime.find(container.name)
        if newest is not None:
            return newest.restart_count + 1
        reported = self._parts.statuses.get(pod)
        for status in (*reported.initContainerStatuses, *reported.containerStatuses):
            if status.name == container.name:
                return status.restartCount + (status.state.terminated is not None)
        return 0

    def _prepare_files(self, pod: core_v1.Pod, container: ContainerLike, restarts: int) -> str:
        """Log directory and termination message file exist; the path of the latter."""
        logs = Path(log_directory(str(self._parts.config.pod_logs_dir), pod)) / log_path(container.name, restarts)
        logs.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not container.terminationMessagePath:
            return ""
        directory = self._parts.config.root_dir / "pods" / pod.metadata.uid / "containers" / container.name
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = directory / self._parts.chance.bytes(4).hex()
        path.touch()
        path.chmod(MESSAGE_FILE_MODE)
        return str(path)

    async def _post_start(
        self, pod: core_v1.Pod, container: ContainerLike, container_id: str, sandbox: SandboxInUse
    ) -> StartOutcome:
        handler = container.lifecycle.postStart if container.lifecycle is not None else None
        if handler is None:
            return StartOutcome()
        ip = sandbox.pod_ips[0] if sandbox.pod_ips else ""
        try:
            await run_hook(self._parts.runtime, self._parts.clock, handler, container, container_id, ip)
        except HookFailed as error:
            logger.info("postStart failed pod=%s container=%s error=%s", pod.key, container.name, error)
            self._event(pod, container, events.WARNING, events.FAILED_POST_START_HOOK, "PostStartHook failed")
            status = container_from_cri(await self._parts.runtime.container_status(container_id))
            await self._killer.kill_container(pod, status, sandbox.pod_ips, message="FailedPostStartHook")
            return StartOutcome(StartFailure(reasons.POST_START_HOOK_ERROR, str(error)))
        return StartOutcome()

    def _failed(self, pod: core_v1.Pod, container: ContainerLike, message: str) -> None:
        self._event(pod, container, events.WARNING, events.FAILED, message)

    def _event(self, pod: core_v1.Pod, container: ContainerLike, kind: str, reason: str, message: str) -> None:
        self._parts.recorder.event(pod, kind, reason, message, field_path=field_path(pod, container))
