"""Ends containers: preStop, the stop signal, KILL; main containers first, then sidecars from the last to the first.

    grace 30 s ──► preStop takes 12 s ──► stop signal, 18 s to end ──► KILL
    grace 10 s ──► preStop takes 11 s: cut off at 10 ──► stop signal, 2 s all the same ──► KILL

Follows: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go, killContainer; kuberuntime_termination_order.go.
"""

import asyncio
import logging
import math

from pybernetes.api import core_v1
from pybernetes.effects import Clock
from pybernetes.kubelet import events
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.hooks import HookFailed, run_hook
from pybernetes.kubelet.image_puller import field_path
from pybernetes.kubelet.pod_actions import KillReason
from pybernetes.kubelet.restart_policy import find_container, is_sidecar
from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod
from pybernetes.kubelet.waiting import within

logger = logging.getLogger("pybernetes.kubelet")

MINIMUM_GRACE_SECONDS = 2
DEFAULT_GRACE_SECONDS = 30


def grace_seconds(pod: core_v1.Pod, container: RuntimeContainer, reason: KillReason | None = None) -> int:
    """How long the container may take to end."""
    if pod.metadata.deletionGracePeriodSeconds is not None:
        return max(1, pod.metadata.deletionGracePeriodSeconds)
    spec = find_container(pod, container.name)
    probe = None
    if isinstance(spec, core_v1.Container):
        if reason is KillReason.LIVENESS_PROBE:
            probe = spec.livenessProbe
        elif reason is KillReason.STARTUP_PROBE:
            probe = spec.startupProbe
    if probe is not None and probe.terminationGracePeriodSeconds is not None:
        return probe.terminationGracePeriodSeconds
    if pod.spec.terminationGracePeriodSeconds is not None:
        return pod.spec.terminationGracePeriodSeconds
    if container.grace_period_seconds is not None:
        return container.grace_period_seconds
    return MINIMUM_GRACE_SECONDS


class TerminationOrder:
    """Who waits for whom: sidecars for all main containers and for the sidecars after them."""

    def __init__(self, pod: core_v1.Pod, running: list[str]) -> None:
        sidecars = [container.name for container in pod.spec.initContainers if is_sidecar(container)]
        self._ended = {name: asyncio.Event() for name in running}
        self._before: dict[str, list[str]] = {}
        main = [name for name in running if name not in sidecars]
        for index, name in enumerate(sidecars):
            self._before[name] = [one for one in (*main, *sidecars[index + 1 :]) if one in self._ended]

    async def wait_for_turn(self, name: str) -> None:
        for other in self._before.get(name, ()):
            await self._ended[other].wait()

    def ended(self, name: str) -> None:
        self._ended[name].set()


class PodKiller:
    """Stops containers and whole pods."""

    def __init__(self, runtime: RuntimeService, recorder: events.Recorder, clock: Clock) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock

    async def kill_pod(self, pod: core_v1.Pod, runtime: RuntimePod, grace_override: int | None = None) -> None:
        """Every running container has ended and the sandboxes are stopped.

        Raises:
            RuntimeFailure: something would not stop; call again.
        """
        running = runtime.running
        order = TerminationOrder(pod, [container.name for container in running])
        async with asyncio.TaskGroup() as tasks:
            for container in running:
                tasks.create_task(
                    self.kill_container(pod, container, runtime.ips, grace_override=grace_override, order=order),
                    name=f"kubelet/kill/{pod.key}/{container.name}",
                )
        for sandbox in runtime.sandboxes:
            if sandbox.ready:
                await self._runtime.stop_pod_sandbox(sandbox.id)

    async def kill_container(
        self,
        pod: core_v1.Pod,
        container: RuntimeContainer,
        pod_ips: tuple[str, ...],
        *,
        message: str = "",
        reason: KillReason | None = None,
        grace_override: int | None = None,
        order: TerminationOrder | None = None,
    ) -> None:
        """The container has ended."""
        spec = find_container(pod, container.name)
        path = field_path(pod, spec) if spec is not None else ""
        self._recorder.event(
            pod, events.NORMAL, events.KILLING, message or f"Stopping container {container.name}", field_path=path
        )
        grace = grace_seconds(pod, container, reason) if grace_override is None else grace_override
        began = self._clock.monotonic()
        handler = spec.lifecycle.preStop if spec is not None and spec.lifecycle is not None else None
        try:
            if handler is not None and spec is not None and grace > 0:
                await self._pre_stop(pod, spec, container, handler, grace, pod_ips)
            if order is not None:
                left = grace - (self._clock.monotonic() - began)
                if left > 0:
                    await self._wait_for_turn(order, container.name, left)
            left = math.floor(grace - (self._clock.monotonic() - began))
            await self._runtime.stop_container(container.id, max(MINIMUM_GRACE_SECONDS, left))
        finally:
            if order is not None:
                order.ended(container.name)

    async def _wait_for_turn(self, order: TerminationOrder, name: str, seconds: float) -> None:
        try:
            await within(self._clock, seconds, order.wait_for_turn(name))
        except TimeoutError:
            logger.info("container ends out of turn container=%s", name)

    async def _pre_stop(
        self,
        pod: core_v1.Pod,
        spec: object,
        container: RuntimeContainer,
        handler: core_v1.LifecycleHandler,
        grace: int,
        pod_ips: tuple[str, ...],
    ) -> None:
        assert isinstance(spec, core_v1.Container | core_v1.EphemeralContainer)
        ip = pod_ips[0] if pod_ips else ""
        try:
            await within(self._clock, grace, run_hook(self._runtime, self._clock, handler, spec, container.id, ip))
        except TimeoutError:
            logger.info("preStop cut off pod=%s container=%s seconds=%s", pod.key, container.name, grace)
        except HookFailed as error:
            logger.info("preStop failed pod=%s container=%s error=%s", pod.key, container.name, error)
            self._recorder.event(
                pod,
                events.WARNING,
                events.FAILED_PRE_STOP_HOOK,
                "PreStopHook failed",
                field_path=field_path(pod, spec),
            )
