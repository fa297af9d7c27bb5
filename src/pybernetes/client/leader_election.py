"""One of several equal processes leads: whoever holds a Lease and keeps renewing it.

    nobody holds it, or its holder was silent for a lease's duration  ──► take it (a guarded write decides races)
    we hold it                                                        ──► renew each RETRY_SECONDS
    we could not renew for RENEW_DEADLINE_SECONDS                     ──► stop leading, at once

Clocks of machines are not compared: silence is measured on our own monotonic clock, from when we saw the last change.

Follows: client-go tools/leaderelection/leaderelection.go, resourcelock/leaselock.go.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from pybernetes.api import coordination_v1, meta_v1
from pybernetes.client.interface import Client, Unreachable
from pybernetes.effects import Chance, Clock, format_micro_time
from pybernetes.machinery.errors import AlreadyExists, Conflict, NotFound, StatusError

log = logging.getLogger("pybernetes.client")

LEASE_DURATION_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10.0
RETRY_SECONDS = 2.0
JITTER = 1.2


class LeadershipLost(Exception):
    """The lease could not be renewed in time; whatever only a leader may do has been cancelled."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The lease as last seen to change, and when by our clock."""

    spec: coordination_v1.LeaseSpec
    seen: float


def may_take(observed: Observation, identity: str, now: float) -> bool:
    """Whether the lease is ours, nobody's, or its holder has been silent too long."""
    holder = observed.spec.holderIdentity or ""
    if holder in ("", identity):
        return True
    return observed.seen + (observed.spec.leaseDurationSeconds or LEASE_DURATION_SECONDS) <= now


def taken(old: coordination_v1.LeaseSpec, identity: str, now: str) -> coordination_v1.LeaseSpec:
    """The lease as we write it: renewed, or taken over with one more transition."""
    mine = old.holderIdentity == identity
    transitions = old.leaseTransitions or 0
    return coordination_v1.LeaseSpec(
        holderIdentity=identity,
        leaseDurationSeconds=LEASE_DURATION_SECONDS,
        acquireTime=old.acquireTime if mine else now,
        renewTime=now,
        leaseTransitions=transitions if mine or not old.renewTime else transitions + 1,
    )


class LeaderElector:
    """Leads, or waits to, as `identity` under the Lease `namespace/name`."""

    def __init__(self, client: Client, namespace: str, name: str, identity: str, clock: Clock, chance: Chance) -> None:
        self._client, self._namespace, self._name, self.identity = client, namespace, name, identity
        self._clock, self._chance = clock, chance
        self._observed: Observation | None = None
        self._lease: coordination_v1.Lease | None = None
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then run `lead` for as long as it is ours; give it back at the end.

        Raises:
            LeadershipLost: renewing failed; `lead` has been cancelled.
        """
        while not await self._try_quietly():
            await self._clock.sleep(self._chance.jitter(RETRY_SECONDS, JITTER))
        self.leading = True
        log.info("leading lease=%s/%s identity=%s", self._namespace, self._name, self.identity)
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew(), name="leader-election/renew")
                await lead()
                renewing.cancel()
        except* LeadershipLost:
            log.warning("leadership lost lease=%s/%s identity=%s", self._namespace, self._name, self.identity)
            raise LeadershipLost(f"{self._namespace}/{self._name}") from None
        finally:
            self.leading = False
            await asyncio.shield(self._release())

    async def _renew(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            await self._clock.sleep(RETRY_SECONDS)
            if await self._try_quietly():
                renewed = self._clock.monotonic()
            elif self._clock.monotonic() - renewed >= RENEW_DEADLINE_SECONDS:
                raise LeadershipLost

    async def _try_quietly(self) -> bool:
        try:
            return await self._try()
        except (StatusError, Unreachable) as error:
            log.info("lease not written lease=%s/%s error=%s", self._namespace, self._name, error)
            return False

    async def _try(self) -> bool:
        """Take or renew the lease; whether it is ours now."""
        now = format_micro_time(self._clock.now())
        try:
            lease = await self._client.get(coordination_v1.Lease, self._name, self._namespace)
        except NotFound:
            fresh = coordination_v1.Lease(
                metadata=meta_v1.ObjectMeta(name=self._name, namespace=self._namespace),
                spec=taken(coordination_v1.LeaseSpec(), self.identity, now),
            )
            return await self._write(self._client.create(fresh))
        if self._observed is None or self._observed.spec != lease.spec:
            self._observed = Observation(lease.spec, self._clock.monotonic())
        if not may_take(self._observed, self.identity, self._clock.monotonic()):
            return False
        spec = taken(lease.spec, self.identity, now)
        return await self._write(self._client.update(msgspec.structs.replace(lease, spec=spec)))

    async def _write(self, writing: Awaitable[coordination_v1.Lease]) -> bool:
        try:
            self._lease = await writing
        except (AlreadyExists, Conflict):
            return False  # another candidate was faster
        self._observed = Observation(self._lease.spec, self._clock.monotonic())
        return True

    async def _release(self) -> None:
        """Let the next one lead at once; a failure costs it only the wait."""
        lease = self._lease
        if lease is None or lease.spec.holderIdentity != self.identity:
            return
        now = format_micro_time(self._clock.now())
        spec = coordination_v1.LeaseSpec(
            leaseDurationSeconds=1, renewTime=now, acquireTime=now, leaseTransitions=lease.spec.leaseTransitions
        )
        with contextlib.suppress(StatusError, Unreachable):
            await self._client.update(msgspec.structs.replace(lease, spec=spec))
