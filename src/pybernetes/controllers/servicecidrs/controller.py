"""Ready conditions and protection of ServiceCIDRs: a range stays while addresses of Services need it.

Follows: kubernetes 1.36 pkg/controller/servicecidrs/servicecidrs_controller.go.
"""

from datetime import timedelta
from typing import Any

from pybernetes.api import networking_v1
from pybernetes.client.interface import PatchType
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.servicecidrs import reconcile
from pybernetes.effects import format_time, parse_time
from pybernetes.machinery.errors import NotFound

GRACE = timedelta(seconds=10)
"""So long every API server has to see that a range is going, before it is gone."""


class ServiceCidrController(Controller):
    NAME = "service-cidr-controller"
    WORKERS = 1  # two ranges that cover each other must not go at the same time

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cidrs = self.informer(networking_v1.ServiceCIDR)
        self.addresses = self.informer(networking_v1.IPAddress)
        self.cidrs.add_handler(self._cidr_seen, lambda _, new: self._cidr_seen(new), self._cidr_seen)
        self.addresses.add_handler(self._address_seen, on_delete=self._address_seen)

    def _cidr_seen(self, value: networking_v1.ServiceCIDR) -> None:
        self.queue.add(value.name)
        for other in self.cidrs.list():
            if other.metadata.deletionTimestamp is not None:
                self.queue.add(other.name)

    def _address_seen(self, value: networking_v1.IPAddress) -> None:
        going = [one for one in self.cidrs.list() if one.metadata.deletionTimestamp is not None]
        for one in reconcile.containing(going, value.name) if going else ():
            self.queue.add(one.name)

    async def reconcile(self, key: str) -> None:
        cidr = self.cidrs.get(key)
        if cidr is None:
            return
        try:
            if cidr.metadata.deletionTimestamp is not None:
                await self._let_go(cidr, cidr.metadata.deletionTimestamp)
                return
            if reconcile.FINALIZER not in cidr.metadata.finalizers:
                await self._patch(key, {"metadata": {"finalizers": [reconcile.FINALIZER]}})
            if not reconcile.is_ready(cidr):
                await self._set_ready(key, "True", "", reconcile.IS_READY)
        except NotFound:
            return

    async def _let_go(self, cidr: networking_v1.ServiceCIDR, deleted: str) -> None:
        if not reconcile.may_go(cidr, self.cidrs.list(), self.addresses.list()):
            if not reconcile.is_blocked(cidr):
                await self._set_ready(cidr.name, "False", reconcile.TERMINATING, reconcile.STILL_USED)
            return
        remaining = parse_time(deleted) + GRACE - self.clock.now()
        if remaining > timedelta():
            self.queue.add_after(cidr.name, remaining.total_seconds())
        elif reconcile.FINALIZER in cidr.metadata.finalizers:
            await self._patch(cidr.name, {"metadata": {"$deleteFromPrimitiveList/finalizers": [reconcile.FINALIZER]}})

    async def _patch(self, name: str, patch: dict[str, Any]) -> None:
        await self.client.patch(networking_v1.ServiceCIDR, name, patch=patch, patch_type=PatchType.STRATEGIC)

    async def _set_ready(self, name: str, status: str, reason: str, message: str) -> None:
        condition = {
            "type": reconcile.READY,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": format_time(self.clock.now()),
        }
        await self.client.patch(
            networking_v1.ServiceCIDR, name, patch={"status": {"conditions": [condition]}}, subresource="status"
        )
