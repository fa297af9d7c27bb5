"""One pod on this node, from the first look to the last trace: the only writer of its containers.

    syncing ──► terminating ──► terminated
       │            │               │
       │            │               └ volumes, cgroup, dead containers and logs are removed; the API object is deleted
       │            └ containers are being stopped; never goes back
       └ one step of `pod_actions` after the other until nothing is left to do, then asleep

The worker is level-triggered: `wake` says that something may have changed, and the next step looks at everything.
What takes long and can be given up (pulling an image, waiting for volumes, hooks) is given up when the pod is to end.

Follows: kubernetes pkg/kubelet/pod_workers.go; kubelet.go, SyncPod, SyncTerminatingPod, SyncTerminatedPod.
"""

import asyncio
import logging
import shutil
from enum import Enum, auto
from pathlib import Path

from pybernetes.api import core_v1
from pybernetes.client.interface import Unreachable
from pybernetes.effects import parse_time
from pybernetes.kubelet import dns_config, events, hosts, mounts
from pybernetes.kubelet.container_config import SandboxSurroundings, log_directory, sandbox_config
from pybernetes.kubelet.container_starter import ContainerStarter, SandboxInUse
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.node_parts import NodeParts
from pybernetes.kubelet.observation import observe
from pybernetes.kubelet.pod_actions import PodActions, pod_actions
from pybernetes.kubelet.pod_killer import PodKiller
from pybernetes.kubelet.restart_policy import is_sidecar
from pybernetes.kubelet.runtime_status import RuntimePod, State
from pybernetes.kubelet.seam import ContainerLike, VolumeError
from pybernetes.kubelet.status import reasons
from pybernetes.kubelet.status.pod_status import StartFailures, Surroundings, after_termination, pod_status
from pybernetes.kubelet.termination_message import with_messages
from pybernetes.kubelet.waiting import Interrupted, unless, wait_for_event
from pybernetes.machinery.errors import StatusError

logger = logging.getLogger("pybernetes.kubelet")

RETRY_SECONDS = 10.0
"""After a step failed, plus up to half of it (upstream: backOffPeriod)."""
VOLUME_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 122.0)
"""After volumes could not be set up; the last one repeats (upstream: exponentialbackoff of volume operations)."""
TEARDOWN_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
MAX_STEPS = 200
"""Steps in a row that each changed something; more would be a loop that fights itself."""


class SandboxRefused(Exception):
    """The pod asks for what this runtime cannot do; the text goes into the event."""


class Stage(Enum):
    SYNCING = auto()
    TERMINATING = auto()
    TERMINATED = auto()


class PodWorker:
    """See the module. `run` returns when the pod has left the node."""

    def __init__(
        self,
        pod: core_v1.Pod,
        parts: NodeParts,
        starter: ContainerStarter,
        killer: PodKiller,
        *,
        orphan: bool = False,
    ) -> None:
        """`orphan`: the API server does not know the pod; nothing is reported of it."""
        self.pod = pod
        self.stage = Stage.SYNCING
        self._parts = parts
        self._starter = starter
        self._killer = killer
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._failures = StartFailures()
        self._verdict: tuple[str, str] | None = None
        self._grace_override: int | None = None
        self._orphan = orphan
        self._runtime = RuntimePod(pod.metadata.uid)
        self._volumes_due = True
        self._volume_failures = 0
        self._teardown_failures = 0
        self._retry_seconds = 0.0
        self._step_failed = False
        self._attempt = 0
        self._sandbox_config: api.PodSandboxConfig | None = None
        self._gone = False
        if pod.metadata.deletionTimestamp is not None:
            self._ending.set()

    # what others tell it

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    @property
    def runtime(self) -> RuntimePod:
        """What was last seen of the pod in the runtime."""
        return self._runtime

    def update(self, pod: core_v1.Pod) -> None:
        """The API server has this version of the pod."""
        self.pod = pod
        self._volumes_due = True
        if pod.metadata.deletionTimestamp is not None:
            self._ending.set()
        self._wake.set()

    def wake(self) -> None:
        """Something about the pod may have changed: look."""
        self._wake.set()

    def gone(self) -> None:
        """The API server has no such pod any more: end it, whatever its spec says."""
        self._gone = True
        self._ending.set()
        self._wake.set()

    def fail(self, reason: str, message: str, grace_seconds: int | None = None) -> None:
        """Make the pod fail from outside: eviction, deadline."""
        self._verdict = (reason, message)
        self._grace_override = grace_seconds
        self._ending.set()
        self._wake.set()

    def publish(self) -> None:
        """Report the status anew from what was last seen; for probe results, which must not wait for a step."""
        if self.stage is not Stage.TERMINATED:
            self._report(self._runtime)

    # the loop

    async def run(self) -> None:
        """Keep the pod as its spec says until nothing of it is left."""
        parts = self._parts
        steps = 0
        while True:
            self._wake.clear()
            delay: float | None = 0.0
            try:
                delay = await self._step()
            except* Interrupted:
                delay = 0.0
            except* (RuntimeFailure, StatusError, Unreachable, OSError) as group:
                for error in group.exceptions:
                    logger.warning("pod step failed pod=%s uid=%s error=%s", self.pod.key, self.uid, error)
                delay = parts.chance.jitter(RETRY_SECONDS / 10 if self._ending.is_set() else RETRY_SECONDS, 0.5)
            if delay is None:
                return
            if delay == 0.0 and steps < MAX_STEPS:
                steps += 1
                continue
            steps = 0
            await wait_for_event(self._wake, parts.clock, delay or RETRY_SECONDS)

    async def _step(self) -> float | None:
        """Do one thing. Seconds until the next look (0: at once); None when the pod has left the node."""
        if self.stage is Stage.TERMINATED:
            return await self._terminated()
        runtime = await self._observe()
        if self.stage is Stage.SYNCING and self._is_to_end():
            self.stage = Stage.TERMINATING
        if self.stage is Stage.TERMINATING:
            return await self._terminate(runtime)
        return await self._sync(runtime)

    async def _observe(self) -> RuntimePod:
        observed = await observe(self._parts.runtime, self.uid)
        count = len(self.pod.spec.containers) + len(self.pod.spec.initContainers)
        if any(one.state is State.EXITED and one.message_path for one in observed.containers):
            observed = await asyncio.to_thread(with_messages, observed, count)
        self._runtime = observed
        for name in list(self._failures):
            newest = observed.find(name)
            if newest is not None and newest.state is State.RUNNING:
                del self._failures[name]
        self._parts.probes.sync(
            self.pod, observed, self._parts.statuses.get(self.pod), terminating=self._ending.is_set()
        )
        return observed

    def _is_to_end(self) -> bool:
        if self._ending.is_set() or self.pod.status.phase in (reasons.SUCCEEDED, reasons.FAILED):
            return True
        deadline = self.pod.spec.activeDeadlineSeconds
        if deadline is not None and self._deadline_left(deadline) <= 0:
            message = "Pod was active on the node longer than the specified deadline"
            self._parts.recorder.event(self.pod, events.NORMAL, events.DEADLINE_EXCEEDED, message)
            self._verdict = (reasons.DEADLINE_EXCEEDED, message)
            self._ending.set()
            return True
        return False

    def _deadline_left(self, deadline: int) -> float:
        started = self._parts.statuses.get(self.pod).startTime
        if started is None:
            return float(deadline)
        return deadline - (self._parts.clock.now() - parse_time(started)).total_seconds()

    def _report(self, runtime: RuntimePod, *, terminal: bool = False) -> core_v1.PodStatus:
        parts = self._parts
        status = pod_status(
            self.pod,
            runtime,
            parts.statuses.get(self.pod),
            Surroundings(
                now=parts.clock.now(),
                node_ips=parts.node_facts().host_ips,
                failures=dict(self._failures),
                probes=parts.probes.facts(self.uid),
                terminal=terminal,
                verdict=self._verdict,
            ),
        )
        if not self._orphan:
            parts.statuses.set(self.pod, status)
        return status

    # syncing

    async def _sync(self, runtime: RuntimePod) -> float:
        parts = self._parts
        status = self._report(runtime)
        if status.phase in (reasons.SUCCEEDED, reasons.FAILED):
            self._ending.set()
            return 0.0
        if not self.pod.spec.hostNetwork and parts.runtime_problem():
            parts.recorder.event(
                self.pod,
                events.WARNING,
                events.NETWORK_NOT_READY,
                f"network is not ready: {parts.runtime_problem()}",
            )
            return RETRY_SECONDS / 2
        actions = pod_actions(self.pod, runtime, parts.probes.verdicts(self.uid))
        parts.references.register(self.pod)
        if actions.anything or self._volumes_due:
            ready = await self._prepare()
            if not ready:
                return VOLUME_RETRY_SECONDS[min(self._volume_failures, len(VOLUME_RETRY_SECONDS)) - 1]
        if not actions.anything:
            await self._remove_dead(runtime)
            return self._until_next_look()
        self._retry_seconds, self._step_failed = 0.0, False
        changed = await self._apply(actions, runtime)
        if changed and not self._step_failed:
            return 0.0
        self._report(await self._observe())
        return self._retry_seconds or parts.chance.jitter(RETRY_SECONDS, 0.5)

    async def _prepare(self) -> bool:
        """Whether cgroup and volumes are there; if not, the event says why."""
        parts = self._parts
        self._volumes_due = False
        await asyncio.to_thread(parts.cgroups.ensure, self.pod)
        try:
            await unless(self._ending, parts.volumes.prepare(self.pod))
        except VolumeError as error:
            self._volumes_due = True
            self._volume_failures += 1
            for message in error.messages:
                parts.recorder.event(self.pod, events.WARNING, events.FAILED_MOUNT, message)
            return False
        self._volume_failures = 0
        return True

    def _until_next_look(self) -> float:
        config = self._parts.config
        seconds = self._parts.chance.jitter(config.sync_seconds, 0.5)
        if self.pod.spec.activeDeadlineSeconds is not None:
            seconds = min(seconds, max(0.1, self._deadline_left(self.pod.spec.activeDeadlineSeconds)))
        return seconds

    async def _apply(self, actions: PodActions, runtime: RuntimePod) -> bool:
        """Carry out one step; whether anything changed in the runtime."""
        parts = self._parts
        changed = False
        if actions.kill_pod:
            if actions.create_sandbox and actions.sandbox_id:
                parts.recorder.event(
                    self.pod,
                    events.NORMAL,
                    events.SANDBOX_CHANGED,
                    "Pod sandbox changed, it will be killed and re-created.",
                )
            if runtime.running or any(sandbox.ready for sandbox in runtime.sandboxes):
                await self._killer.kill_pod(self.pod, runtime)
                changed = True
            if actions.create_sandbox:
                await self._purge_init_containers(runtime)
        elif actions.containers_to_kill:
            async with asyncio.TaskGroup() as tasks:
                for container in runtime.containers:
                    kill = actions.containers_to_kill.get(container.id)
                    if kill is not None:
                        tasks.create_task(
                            self._killer.kill_container(
                                self.pod, container, runtime.ips, message=kill.message, reason=kill.reason
                            ),
                            name=f"kubelet/kill/{self.pod.key}/{container.name}",
                        )
            return True  # look at what is left before starting anything
        sandbox = await self._sandbox(actions, runtime)
        if sandbox is None:
            return changed
        return await self._start_containers(actions, runtime, sandbox) or changed or actions.create_sandbox

    async def _purge_init_containers(self, runtime: RuntimePod) -> None:
        """In a new sandbox initialization begins anew: what the old one's init containers did is forgotten."""
        names = {container.name for container in self.pod.spec.initContainers}
        for container in runtime.containers:
            if container.name in names:
                await self._parts.runtime.remove_container(container.id)

    async def _sandbox(self, actions: PodActions, runtime: RuntimePod) -> SandboxInUse | None:
        """The sandbox to start containers in, a new one if that is due; None when there is none."""
        parts = self._parts
        if not actions.create_sandbox:
            ready = runtime.ready_sandbox
            if ready is None:
                return None
            config = self._sandbox_config or await self._make_sandbox_config(ready.attempt)
            self._sandbox_config = config
            return SandboxInUse(ready.id, config, self._pod_ips(runtime.ips))
        self._attempt = max(self._attempt, actions.attempt)
        try:
            handler = await self._runtime_handler()
            config = await self._make_sandbox_config(self._attempt)
            sandbox_id = await parts.runtime.run_pod_sandbox(config, handler)
        except (RuntimeFailure, hosts.HostnameError, SandboxRefused, StatusError) as error:
            self._attempt += 1  # a sandbox that failed half way may keep its name reserved
            parts.recorder.event(
                self.pod,
                events.WARNING,
                events.FAILED_CREATE_POD_SANDBOX,
                f"Failed to create pod sandbox: {error}",
            )
            logger.warning("sandbox not made pod=%s error=%s", self.pod.key, error)
            return None
        self._attempt += 1
        self._sandbox_config = config
        made = await parts.runtime.pod_sandbox_status(sandbox_id)
        ips = tuple(ip for ip in (made.network.ip, *(more.ip for more in made.network.additional_ips)) if ip)
        return SandboxInUse(sandbox_id, config, self._pod_ips(ips))

    def _pod_ips(self, sandbox_ips: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._parts.node_facts().host_ips) if self.pod.spec.hostNetwork else sandbox_ips

    async def _runtime_handler(self) -> str:
        """The runtime's handler for the pod. Raises: SandboxRefused, StatusError."""
        handler = await self._parts.runtime_handler(self.pod)
        if self.pod.spec.hostUsers is False:
            raise SandboxRefused(f'RuntimeClass handler "{handler}" does not support user namespaces')
        return handler

    async def _make_sandbox_config(self, attempt: int) -> api.PodSandboxConfig:
        parts = self._parts
        config = parts.config
        dns, warnings = dns_config.of_pod(self.pod, config.cluster_dns, config.cluster_domain, parts.host_dns())
        for warning in warnings:
            parts.recorder.event(self.pod, events.WARNING, warning.reason, warning.message)
        logs = log_directory(str(config.pod_logs_dir), self.pod)
        await asyncio.to_thread(Path(logs).mkdir, 0o755, parents=True, exist_ok=True)
        return sandbox_config(
            self.pod,
            attempt,
            SandboxSurroundings(
                pod_logs=str(config.pod_logs_dir),
                cgroup_parent=await asyncio.to_thread(parts.cgroups.ensure, self.pod),
                hostname=hosts.sandbox_hostname(self.pod, config.cluster_domain),
                dns=dns,
            ),
        )

    async def _start_containers(self, actions: PodActions, runtime: RuntimePod, sandbox: SandboxInUse) -> bool:
        """Start what is due, in order; whether any was started."""
        spec = self.pod.spec
        any_started = False
        for index in actions.ephemeral_containers_to_start:
            any_started |= await self._start(spec.ephemeralContainers[index], runtime, sandbox)
        for index in actions.init_containers_to_start:
            container = spec.initContainers[index]
            started = await self._start(container, runtime, sandbox)
            any_started |= started
            if not started and not is_sidecar(container):
                return any_started
        for index in actions.containers_to_start:
            any_started |= await self._start(spec.containers[index], runtime, sandbox)
        return any_started

    async def _start(self, container: ContainerLike, runtime: RuntimePod, sandbox: SandboxInUse) -> bool:
        outcome = await unless(self._ending, self._starter.start(self.pod, container, runtime, sandbox))
        if outcome.failure is None:
            self._failures.pop(container.name, None)
            return True
        self._failures[container.name] = outcome.failure
        self._step_failed = True
        if outcome.retry_seconds:
            soonest = self._retry_seconds or outcome.retry_seconds
            self._retry_seconds = min(soonest, outcome.retry_seconds)
        return False

    async def _remove_dead(self, runtime: RuntimePod) -> None:
        """Keep one dead instance of each container for its logs, and no sandbox that nothing belongs to."""
        seen: dict[str, int] = {}
        for container in runtime.containers:
            if container.state is not State.EXITED:
                continue
            seen[container.name] = seen.get(container.name, 0) + 1
            if seen[container.name] > 1:
                await self._parts.runtime.remove_container(container.id)
                await asyncio.to_thread(_unlink, container.log_path)
        for sandbox in runtime.sandboxes[1:]:
            if not sandbox.ready:
                await self._remove_sandbox_if_empty(sandbox.id)

    async def _remove_sandbox_if_empty(self, sandbox_id: str) -> None:
        containers = await self._parts.runtime.list_containers(pod_uid=self.uid)
        if not any(container.pod_sandbox_id == sandbox_id for container in containers):
            await self._parts.runtime.remove_pod_sandbox(sandbox_id)

    # ending

    async def _terminate(self, runtime: RuntimePod) -> float:
        parts = self._parts
        self._report(runtime)
        if runtime.running or any(sandbox.ready for sandbox in runtime.sandboxes):
            await self._killer.kill_pod(self.pod, runtime, self._grace_override)
            runtime = await self._observe()
        status = self._report(runtime, terminal=True)
        if runtime.running:
            return 0.5
        parts.probes.remove(self.uid)
        if not self._orphan:
            parts.statuses.set(self.pod, after_termination(self.pod, status))
        self.stage = Stage.TERMINATED
        return 0.0

    async def _terminated(self) -> float | None:
        """Free what the pod held; remove every trace once it is deleted."""
        parts = self._parts
        try:
            await parts.volumes.teardown(self.uid)
            await asyncio.to_thread(parts.cgroups.remove, self.uid)
        except (VolumeError, OSError) as error:
            logger.warning("pod not torn down pod=%s uid=%s error=%s", self.pod.key, self.uid, error)
            self._teardown_failures += 1
            return TEARDOWN_RETRY_SECONDS[min(self._teardown_failures, len(TEARDOWN_RETRY_SECONDS)) - 1]
        parts.references.unregister(self.uid)
        if self.pod.metadata.deletionTimestamp is None and not self._gone:
            return parts.config.sync_seconds * 10  # finished, kept for its logs until it is deleted
        await self._remove_everything()
        if not self._gone and not self._orphan:
            parts.statuses.finish(self.pod)
        return None

    async def _remove_everything(self) -> None:
        parts = self._parts
        for container in await parts.runtime.list_containers(pod_uid=self.uid):
            await parts.runtime.remove_container(container.id)
        for sandbox in await parts.runtime.list_pod_sandboxes(pod_uid=self.uid):
            await parts.runtime.stop_pod_sandbox(sandbox.id)  # containerd removes only what was stopped through CRI
            await parts.runtime.remove_pod_sandbox(sandbox.id)
        parts.puller.forget(self.uid)
        logs = log_directory(str(parts.config.pod_logs_dir), self.pod)
        await asyncio.to_thread(shutil.rmtree, logs, ignore_errors=True)
        directory = parts.config.root_dir / "pods" / self.uid
        await asyncio.to_thread(_remove_unmounted, directory)


def _remove_unmounted(directory: Path) -> None:
    """The directory is gone, unless something is mounted in it: what that holds is not ours to remove."""
    if mounts.at_or_under(directory):
        raise OSError(f"{directory} still has mounts")
    shutil.rmtree(directory, ignore_errors=True)


def _unlink(path: str) -> None:
    if path:
        Path(path).unlink(missing_ok=True)
