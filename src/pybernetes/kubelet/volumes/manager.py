"""Volumes of all pods of the node: prepared before containers start, kept fresh while they run, removed after.

A pod's volumes of configuration are written again when an object they show changes (`References` says so), when the
pod itself changes (its worker calls `prepare` again), and when a token in them gets old. Each pod's volumes are
changed by one at a time.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

from pybernetes.api import core_v1
from pybernetes.client.interface import Client
from pybernetes.effects import Chance, Clock
from pybernetes.kubelet import expansion, hosts, mounts
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.pod_directory import PodDirectory, uids_on_disk
from pybernetes.kubelet.references import WatchedReferences
from pybernetes.kubelet.seam import (
    ContainerLike,
    CreateContainerConfigError,
    Mount,
    Propagation,
    VolumeError,
    VolumeStillMounted,
)
from pybernetes.kubelet.volumes import actions, plan, sub_path
from pybernetes.kubelet.volumes.gather import gather
from pybernetes.kubelet.volumes.payload import fs_group
from pybernetes.kubelet.volumes.tokens import Token, TokenSource

log = logging.getLogger("pybernetes.kubelet.volumes")

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

REFRESHES_AT_ONCE = 4
LONGEST_SLEEP_SECONDS = 60.0
RETRY_SECONDS = 10.0
"""When the volumes of a running pod could not be refreshed."""

_PROPAGATION = {
    None: Propagation.PRIVATE,
    "None": Propagation.PRIVATE,
    "HostToContainer": Propagation.HOST_TO_CONTAINER,
    "Bidirectional": Propagation.BIDIRECTIONAL,
}


@dataclass(eq=False)
class _PodVolumes:
    pod: core_v1.Pod
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    steps: dict[str, plan.Step] = field(default_factory=dict)
    """Steps carried out, by volume; of files without their content."""
    done: dict[str, bytes] = field(default_factory=dict)
    """What each volume was last made of, in short."""
    refresh_at: datetime | None = None


class VolumeManager:
    """Implements `seam.Volumes`. `start` before anything else; `run` keeps volumes fresh."""

    def __init__(
        self,
        client: Client,
        references: WatchedReferences,
        clock: Clock,
        chance: Chance,
        *,
        root: Path,
        node: Callable[[], NodeFacts],
        cluster_domain: str = "cluster.local",
        supports_recursive_read_only: bool = False,
        on_failure: Callable[[core_v1.Pod, VolumeError], None] | None = None,
    ) -> None:
        """`root` is the kubelet's directory; `on_failure` hears of refreshes of running pods that failed."""
        self._client = client
        self._references = references
        self._clock = clock
        self._root = root
        self._node = node
        self._cluster_domain = cluster_domain
        self._supports_recursive_read_only = supports_recursive_read_only
        self._on_failure = on_failure
        self._tokens = TokenSource(client, clock, chance)
        self._pods: dict[str, _PodVolumes] = {}
        self._due: set[str] = set()
        self._wake = asyncio.Event()
        references.on_change(self._refresh_soon)

    def start(self) -> None:
        """The kubelet's directory exists and mounts below it propagate, as Bidirectional mounts need.

        Raises:
            OSError: it cannot be made, or the process may not mount.
        """
        (self._root / "pods").mkdir(mode=0o750, parents=True, exist_ok=True)
        own = [mount for mount in mounts.mount_table() if mount.path == str(self._root)]
        if not own:
            mounts.bind(self._root, self._root)
        if not any(option.startswith("shared:") for mount in own for option in mount.propagation):
            mounts.make_shared(self._root)

    def destroy(self) -> None:
        """Nothing of any pod is mounted, nor the kubelet's directory itself; its files stay. Raises: VolumeError."""
        left = actions.unmount_all(self._root)
        if left:
            raise VolumeStillMounted(f"still mounted: {', '.join(left)}")

    def directory(self, uid: str) -> PodDirectory:
        return PodDirectory(self._root, uid)

    def volume_path(self, uid: str, volume: str) -> Path | None:
        """Where a prepared volume lies on the node; None when it is not prepared."""
        state = self._pods.get(uid)
        step = state.steps.get(volume) if state is not None else None
        return actions.location(self.directory(uid), step) if step is not None else None

    def orphans(self, known: Iterable[str]) -> list[str]:
        """Uids of pods whose files are here though nobody knows the pods; tear them down."""
        return sorted(set(uids_on_disk(self._root)) - set(known))

    async def prepare(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        state = self._pods.get(uid)
        if state is None:
            state = self._pods[uid] = _PodVolumes(pod)
        state.pod = pod
        async with state.lock:
            await self._prepare(state)

    async def _prepare(self, state: _PodVolumes) -> None:
        pod = state.pod
        found, tokens = await gather(pod, self._references, self._tokens, self._client)
        steps = plan.steps(pod, found, self._node())
        todo = [step for step in steps if state.done.get(step.volume) != _short(step)]
        failures: list[str] = []
        if todo:
            failures = await _to_the_end(self._carry_out, state, todo, self._clock.now())
        state.refresh_at = self._next_refresh(tokens)
        if failures:
            raise VolumeError(*failures)

    def _next_refresh(self, tokens: list[Token]) -> datetime | None:
        """When to come again for a younger token; a moment from now when the old one is all there was."""
        if not tokens:
            return None
        soonest = self._clock.now() + timedelta(seconds=RETRY_SECONDS)
        return max(soonest, min(token.refresh for token in tokens))

    def _carry_out(self, state: _PodVolumes, todo: list[plan.Step], now: datetime) -> list[str]:
        """Do the steps, note what was done, and return what went wrong. Runs in a thread."""
        pod, directory = state.pod, self.directory(state.pod.metadata.uid)
        security = pod.spec.securityContext
        policy = (security.fsGroupChangePolicy if security is not None else None) or "Always"
        failures = []
        for step in todo:
            if isinstance(step, plan.Failed):
                failures.append(step.message)
                continue
            try:
                actions.carry_out(directory, step, fs_group(pod), policy, now)
            except actions.StepFailed as error:
                failures.append(f'MountVolume.SetUp failed for volume "{step.volume}" : {error}')
                continue
            state.steps[step.volume] = plan.without_content(step)
            if not isinstance(step, plan.HostPath):  # the node's own path is looked at each time
                state.done[step.volume] = _short(step)
        return failures

    async def mounts(
        self, pod: core_v1.Pod, container: ContainerLike, environment: dict[str, str], pod_ips: tuple[str, ...] = ()
    ) -> list[Mount]:
        state = self._pods.get(pod.metadata.uid)
        if container.volumeDevices:
            device = container.volumeDevices[0].name
            raise CreateContainerConfigError(f'cannot find volume "{device}" to pass into container "{container.name}"')
        if state is None:
            if container.volumeMounts:
                raise CreateContainerConfigError(_not_found(container.volumeMounts[0].name, container.name))
            state = _PodVolumes(pod)
        async with state.lock:
            return await _to_the_end(self._mounts, state, container, environment, pod_ips)

    def _mounts(
        self, state: _PodVolumes, container: ContainerLike, environment: dict[str, str], pod_ips: tuple[str, ...]
    ) -> list[Mount]:
        pod, directory = state.pod, self.directory(state.pod.metadata.uid)
        result = []
        for number, mount in enumerate(container.volumeMounts):
            step = state.steps.get(mount.name)
            if step is None:
                raise CreateContainerConfigError(_not_found(mount.name, container.name))
            path = actions.location(directory, step)
            part = sub_path.checked(
                expansion.sub_path(mount.subPathExpr, environment) if mount.subPathExpr else mount.subPath
            )
            if part:
                target = directory.sub_path(mount.name, container.name, number)
                path = sub_path.prepare(path, part, target, mount.name, container.name)
            if mount.mountPropagation not in _PROPAGATION:
                raise CreateContainerConfigError(f'invalid MountPropagation mode: "{mount.mountPropagation}"')
            result.append(
                Mount(
                    name=mount.name,
                    container_path=mount.mountPath if mount.mountPath.startswith("/") else f"/{mount.mountPath}",
                    host_path=str(path),
                    read_only=mount.readOnly or actions.is_read_only(step),
                    propagation=_PROPAGATION[mount.mountPropagation],
                    recursive_read_only=self._recursive_read_only(mount),
                )
            )
        own_hosts = any(mount.container_path == hosts.ETC_HOSTS for mount in result)
        if not own_hosts and (pod_ips or pod.spec.hostNetwork):
            self._write_hosts(pod, directory, pod_ips)
            result.append(Mount("k8s-managed-etc-hosts", hosts.ETC_HOSTS, str(directory.etc_hosts)))
        return result

    def _recursive_read_only(self, mount: core_v1.VolumeMount) -> bool:
        match mount.recursiveReadOnly:
            case "Enabled":
                if not self._supports_recursive_read_only:
                    raise CreateContainerConfigError(
                        "failed to resolve recursive read-only mode: "
                        f'volume "{mount.name}" requested recursive read-only mode, '
                        "but it is not supported by the runtime"
                    )
                return True
            case "IfPossible":
                return self._supports_recursive_read_only
            case _:
                return False

    def _write_hosts(self, pod: core_v1.Pod, directory: PodDirectory, pod_ips: tuple[str, ...]) -> None:
        try:
            if pod.spec.hostNetwork:
                text = hosts.host_network_hosts(Path(hosts.ETC_HOSTS).read_text(), pod.spec.hostAliases)
            else:
                hostname, domain = hosts.hostname_and_domain(pod, self._cluster_domain)
                text = hosts.managed_hosts(pod_ips, hostname, domain, pod.spec.hostAliases)
            directory.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            directory.etc_hosts.write_text(text)
            directory.etc_hosts.chmod(0o644)
        except (OSError, hosts.HostnameError) as error:
            raise CreateContainerConfigError(str(error)) from error

    async def teardown(self, uid: str) -> None:
        state = self._pods.get(uid)
        if state is None:
            await self._tear_down(uid)
            return
        async with state.lock:
            await self._tear_down(uid)
            if self._pods.get(uid) is state:
                del self._pods[uid]
            self._due.discard(uid)
            self._tokens.forget_pod(uid)

    async def _tear_down(self, uid: str) -> None:
        try:
            left = await _to_the_end(actions.tear_down, self.directory(uid))
        except OSError as error:
            raise VolumeStillMounted(f"volumes of pod {uid} are not removed: {error}") from error
        if left:
            raise VolumeStillMounted(f"volumes of pod {uid} are still mounted: {', '.join(left)}")

    def _refresh_soon(self, uids: frozenset[str]) -> None:
        """Write the volumes of these pods again; of pods that were not prepared yet, `prepare` will."""
        self._due |= uids & self._pods.keys()
        self._wake.set()

    async def run(self) -> None:
        """Refresh what is due until cancelled."""
        while True:
            now = self._clock.now()
            aged = [
                uid for uid, state in self._pods.items() if state.refresh_at is not None and state.refresh_at <= now
            ]
            due = sorted(self._due.union(aged))
            self._due.clear()
            self._wake.clear()
            if due:
                limit = asyncio.Semaphore(REFRESHES_AT_ONCE)
                async with asyncio.TaskGroup() as group:
                    for uid in due:
                        group.create_task(self._refresh(uid, limit), name=f"kubelet/volumes-refresh/{uid}")
            await self._sleep()

    async def _refresh(self, uid: str, limit: asyncio.Semaphore) -> None:
        state = self._pods.get(uid)
        if state is None:
            return
        async with limit, state.lock:
            if self._pods.get(uid) is not state:  # torn down while we waited
                return
            try:
                await self._prepare(state)
            except VolumeError as error:
                log.warning("volumes not refreshed pod=%s error=%s", state.pod.key, error)
                state.refresh_at = self._clock.now() + timedelta(seconds=RETRY_SECONDS)
                if self._on_failure is not None:
                    self._on_failure(state.pod, error)
            else:
                log.debug("volumes refreshed pod=%s", state.pod.key)

    async def _sleep(self) -> None:
        """Until something is due or the next token is old."""
        deadlines = [state.refresh_at for state in self._pods.values() if state.refresh_at is not None]
        seconds = LONGEST_SLEEP_SECONDS
        if deadlines:
            seconds = min(seconds, max(0.0, (min(deadlines) - self._clock.now()).total_seconds()))
        woken = asyncio.ensure_future(self._wake.wait())
        slept = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()


async def _to_the_end(function: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments) -> Result:
    """The function's result, from a thread. A caller that is cancelled leaves when the thread has ended.

    A thread cannot be stopped; were the pod's lock free while one still mounts, a teardown would miss what it makes.
    """
    working = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _not_found(volume: str, container: str) -> str:
    return f'cannot find volume "{volume}" to mount into container "{container}"'


def _short(step: plan.Step) -> bytes:
    """What a step is about, in few bytes: a pod's files can be a megabyte each."""
    digest = hashlib.blake2b(repr(plan.without_content(step)).encode(), digest_size=16)
    if isinstance(step, plan.Files):
        for path, file in sorted(step.payload.items()):
            digest.update(f"{path}\0{file.mode}\0{file.uid}\0{len(file.data)}\0".encode())
            digest.update(file.data)
    return digest.digest()
