"""All probes of a node on one loop: a heap of due times, a bounded number of attempts under way.

The pod worker says which containers run (`sync`); the manager keeps a tally for each and calls `on_change` with the
pod's uid when a verdict changes. Due times advance by whole periods from the first one, so that probes do not drift;
an attempt that is still under way when its next one is due skips that one.

Follows: kubernetes pkg/kubelet/prober/{prober_manager,worker,prober}.go.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pybernetes.api import core_v1
from pybernetes.effects import Chance, Clock
from pybernetes.kubelet import events
from pybernetes.kubelet.image_puller import field_path
from pybernetes.kubelet.pod_actions import ProbeVerdicts
from pybernetes.kubelet.probes.arithmetic import INITIAL, Kind, Tally, count, probe_of
from pybernetes.kubelet.probes.probers import Outcome, ProbeError, Probers, Result, Target
from pybernetes.kubelet.restart_policy import is_sidecar
from pybernetes.kubelet.runtime_status import RuntimePod, State
from pybernetes.kubelet.status.pod_status import ProbeFacts
from pybernetes.kubelet.waiting import wait_for_event

logger = logging.getLogger("pybernetes.kubelet")

MAX_ATTEMPTS_UNDER_WAY = 200
MAX_ERROR_RETRIES = 3
"""A probe that could not be made is repeated at once this often."""
IDLE_SECONDS = 3600.0


@dataclass(eq=False, slots=True)
class _Probe:
    """One probe of one running container."""

    pod: core_v1.Pod
    container: core_v1.Container
    kind: Kind
    spec: core_v1.Probe
    target: Target
    not_before: float
    tally: Tally
    due: float = 0.0
    running: bool = False
    gone: bool = False


@dataclass(eq=False, slots=True)
class _Container:
    id: str
    probes: dict[Kind, _Probe] = field(default_factory=dict)

    def verdict(self, kind: Kind) -> bool | None:
        probe = self.probes.get(kind)
        return probe.tally.verdict if probe is not None else None


class ProbeManager:
    """See the module. `run` must be running for probes to be made."""

    def __init__(
        self,
        probers: Probers,
        recorder: events.Recorder,
        clock: Clock,
        chance: Chance,
        on_change: Callable[[str], None],
    ) -> None:
        self._probers = probers
        self._recorder = recorder
        self._clock = clock
        self._chance = chance
        self._on_change = on_change
        self._pods: dict[str, dict[str, _Container]] = {}
        self._heap: list[tuple[float, int, _Probe]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_ATTEMPTS_UNDER_WAY)
        self._started_at = clock.monotonic()

    def sync(
        self, pod: core_v1.Pod, runtime: RuntimePod, reported: core_v1.PodStatus, *, terminating: bool = False
    ) -> None:
        """Probe exactly the running containers of the pod; a pod that is ending only for readiness."""
        uid = pod.metadata.uid
        before = self._pods.get(uid, {})
        after: dict[str, _Container] = {}
        ips = runtime.ips
        if pod.spec.hostNetwork:
            ips = tuple(ip.ip for ip in reported.podIPs) or ("127.0.0.1",)
        for container in (*(one for one in pod.spec.initContainers if is_sidecar(one)), *pod.spec.containers):
            newest = runtime.find(container.name)
            if newest is None or newest.state is not State.RUNNING:
                continue
            known = before.get(newest.id) or _Container(newest.id)
            started = newest.started_at.timestamp() if newest.started_at is not None else 0.0
            age = max(0.0, self._clock.now().timestamp() - started)
            for kind in Kind:
                spec = probe_of(container, kind)
                if spec is None or (terminating and kind is not Kind.READINESS):
                    gone = known.probes.pop(kind, None)
                    if gone is not None:
                        gone.gone = True
                    continue
                target = Target(
                    newest.id, ips[0] if ips else "", {port.name: port.containerPort for port in container.ports}
                )
                if kind in known.probes:
                    known.probes[kind].target = target
                    known.probes[kind].pod = pod
                    continue
                probe = _Probe(
                    pod,
                    container,
                    kind,
                    spec,
                    target,
                    self._clock.monotonic() - age + spec.initialDelaySeconds,
                    Tally(_adopted(reported, container.name, newest.full_id, kind)),
                )
                known.probes[kind] = probe
                self._schedule(probe, self._first(spec))
            after[newest.id] = known
        for container_id, lost in before.items():
            if container_id not in after:
                for probe in lost.probes.values():
                    probe.gone = True
        if after:
            self._pods[uid] = after
        else:
            self._pods.pop(uid, None)

    def remove(self, uid: str) -> None:
        """The pod is gone."""
        for container in self._pods.pop(uid, {}).values():
            for probe in container.probes.values():
                probe.gone = True

    def verdicts(self, uid: str) -> ProbeVerdicts:
        """What liveness and startup probes say of the pod's containers, by container id."""
        containers = self._pods.get(uid, {}).values()
        return ProbeVerdicts(
            liveness={one.id: one.verdict(Kind.LIVENESS) for one in containers if Kind.LIVENESS in one.probes},
            startup={one.id: one.verdict(Kind.STARTUP) for one in containers if Kind.STARTUP in one.probes},
        )

    def facts(self, uid: str) -> ProbeFacts:
        """Which containers have started and are ready, of those that are probed for it."""
        containers = self._pods.get(uid, {}).values()
        return ProbeFacts(
            started={one.id: one.verdict(Kind.STARTUP) is True for one in containers if Kind.STARTUP in one.probes},
            ready={one.id: one.verdict(Kind.READINESS) is True for one in containers if Kind.READINESS in one.probes},
        )

    def _first(self, spec: core_v1.Probe) -> float:
        """When a new probe is first due: at once, but spread over its period when the kubelet has just started."""
        now = self._clock.monotonic()
        period = spec.periodSeconds or 10
        return now + self._chance.uniform(0, period) if period > now - self._started_at else now

    def _schedule(self, probe: _Probe, due: float) -> None:
        probe.due = due
        heapq.heappush(self._heap, (due, next(self._numbers), probe))
        self._changed.set()

    async def run(self) -> None:
        """Make probes when they are due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                now = self._clock.monotonic()
                while self._heap and self._heap[0][0] <= now:
                    _, _, probe = heapq.heappop(self._heap)
                    if probe.gone or probe.tally.held:
                        continue
                    period = probe.spec.periodSeconds or 10
                    missed = int((now - probe.due) // period)
                    self._schedule(probe, probe.due + period * (missed + 1))
                    if not probe.running and self._wanted(probe, now):
                        probe.running = True
                        tasks.create_task(
                            self._attempt(probe),
                            name=f"kubelet/probe-{probe.kind}/{probe.pod.key}/{probe.container.name}",
                        )
                self._changed.clear()
                wait = self._heap[0][0] - self._clock.monotonic() if self._heap else IDLE_SECONDS
                await wait_for_event(self._changed, self._clock, max(0.0, wait))

    def _wanted(self, probe: _Probe, now: float) -> bool:
        if now < probe.not_before:
            return False
        container = self._pods.get(probe.pod.metadata.uid, {}).get(probe.target.container_id)
        if container is None:
            return False
        startup_done = Kind.STARTUP not in container.probes or container.verdict(Kind.STARTUP) is True
        return not startup_done if probe.kind is Kind.STARTUP else startup_done

    async def _attempt(self, probe: _Probe) -> None:
        try:
            async with self._slots:
                outcome = await self._outcome(probe)
        finally:
            probe.running = False
        if probe.gone:
            return
        before = probe.tally.verdict
        good = outcome.result in (Result.SUCCESS, Result.WARNING)
        probe.tally = count(probe.tally, probe.kind, good, probe.spec)
        if probe.tally.verdict is before:
            return
        logger.debug("probe verdict pod=%s container=%s kind=%s", probe.pod.key, probe.container.name, probe.kind)
        if probe.kind is Kind.STARTUP and probe.tally.verdict:
            container = self._pods.get(probe.pod.metadata.uid, {}).get(probe.target.container_id)
            for other in container.probes.values() if container is not None else ():
                if other.kind is not Kind.STARTUP:  # what waited for the start is due now
                    self._schedule_now(other)
        self._on_change(probe.pod.metadata.uid)

    def _schedule_now(self, probe: _Probe) -> None:
        self._heap = [entry for entry in self._heap if entry[2] is not probe]
        heapq.heapify(self._heap)
        self._schedule(probe, self._clock.monotonic())

    async def _outcome(self, probe: _Probe) -> Outcome:
        path = field_path(probe.pod, probe.container)
        for attempt in range(1, MAX_ERROR_RETRIES + 1):
            try:
                outcome = await self._probers.run(probe.spec, probe.target)
            except ProbeError as error:
                if attempt < MAX_ERROR_RETRIES and not probe.gone:
                    continue
                outcome = Outcome(Result.FAILURE)
                message = f"{probe.kind} probe errored and resulted in unknown state: {error}"
            else:
                message = {
                    Result.FAILURE: f"{probe.kind} probe failed: {outcome.output}",
                    Result.WARNING: f"{probe.kind} probe warning: {outcome.output}",
                }.get(outcome.result, "")
            if message and not probe.gone:
                reason = events.PROBE_WARNING if outcome.result is Result.WARNING else events.UNHEALTHY
                self._recorder.event(probe.pod, events.WARNING, reason, message, field_path=path)
            return outcome
        raise AssertionError("the last attempt returns")


def _adopted(reported: core_v1.PodStatus, name: str, full_id: str, kind: Kind) -> bool | None:
    """The verdict to begin with: what was reported of the same container before this kubelet started, if anything."""
    statuses: Mapping[str, core_v1.ContainerStatus] = {
        status.name: status for status in (*reported.initContainerStatuses, *reported.containerStatuses)
    }
    status = statuses.get(name)
    if status is not None and status.containerID == full_id:
        if kind is Kind.READINESS:
            return status.ready
        if kind is Kind.STARTUP and status.started:
            return True
    return INITIAL[kind]
