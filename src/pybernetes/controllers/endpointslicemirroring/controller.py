"""Mirroring of Endpoints: what enqueues which, and the writes. The Service proxy reads slices only.

Follows: kubernetes 1.36 pkg/controller/endpointslicemirroring/endpointslicemirroring_controller.go.
"""

from collections.abc import Coroutine
from typing import Any

from pybernetes.api import core_v1, discovery_v1
from pybernetes.client.events import WARNING
from pybernetes.controllers.endpointslice.membership import MANAGED_BY_LABEL, SERVICE_NAME_LABEL
from pybernetes.controllers.endpointslicemirroring import reconcile
from pybernetes.controllers.framework import Context, Controller, side_by_side
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.machinery.errors import NotFound, StatusError

BY_ENDPOINTS = "mirrored-endpoints"
FAILED_TO_UPDATE = "FailedToUpdateEndpointSlices"


def endpoints_of(value: discovery_v1.EndpointSlice) -> str:
    """`namespace/name` of the Endpoints a slice mirrors; empty for others' slices."""
    labels = value.metadata.labels
    if labels.get(MANAGED_BY_LABEL) != reconcile.CONTROLLER:
        return ""
    return f"{value.namespace}/{labels.get(SERVICE_NAME_LABEL, '')}"


class EndpointSliceMirroringController(Controller):
    NAME = "endpointslice-mirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.informer(core_v1.Service)
        self.endpoints = self.informer(core_v1.Endpoints)
        self.slices = self.informer(discovery_v1.EndpointSlice)
        self.recorder = context.recorder("endpoint-slice-mirroring-controller")
        self.slices.index(BY_ENDPOINTS, lambda value: [endpoints_of(value)])
        self.endpoints.add_handler(self._endpoints_seen, lambda _, new: self._endpoints_seen(new), self._endpoints_gone)
        self.services.add_handler(self._service_seen, self._service_changed, self._service_seen)
        self.slices.add_handler(self._slice_touched, lambda _, new: self._slice_touched(new), self._slice_touched)

    def _endpoints_seen(self, value: core_v1.Endpoints) -> None:
        if reconcile.should_mirror(value, self.services.get(value.key)) or self.slices.by_index(
            BY_ENDPOINTS, value.key
        ):
            self.queue.add(value.key)

    def _endpoints_gone(self, value: core_v1.Endpoints) -> None:
        if self.slices.by_index(BY_ENDPOINTS, value.key):
            self.queue.add(value.key)

    def _service_seen(self, service: core_v1.Service) -> None:
        if not service.spec.selector:
            self.queue.add(service.key)

    def _service_changed(self, old: core_v1.Service, new: core_v1.Service) -> None:
        if bool(old.spec.selector) != bool(new.spec.selector):
            self.queue.add(new.key)

    def _slice_touched(self, value: discovery_v1.EndpointSlice) -> None:
        key = endpoints_of(value)
        if key:
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        endpoints = self.endpoints.get(key)
        existing = [s for s in self.slices.by_index(BY_ENDPOINTS, key) if s.metadata.deletionTimestamp is None]
        if endpoints is None or not reconcile.should_mirror(endpoints, self.services.get(key)):
            changes = reconcile.Changes(delete=existing)
        else:
            changes = reconcile.plan(endpoints, existing)
        writes: list[Coroutine[Any, Any, None]] = [self._create(value) for value in changes.create]
        writes += [self._update(value) for value in changes.update]
        writes += [self._delete(value) for value in changes.delete]
        failure = (await side_by_side(writes)).failure
        if failure is None or is_namespace_terminating(failure):
            return
        if isinstance(failure, StatusError) and endpoints is not None:
            text = f"Error updating mirrored Endpoint Slices for Endpoints {key}: {failure}"
            self.recorder.event(endpoints, WARNING, FAILED_TO_UPDATE, text)
        raise failure

    async def _create(self, value: discovery_v1.EndpointSlice) -> None:
        made = await self.client.create(value)
        await self.observed(self.slices.wait_until_observed(made.metadata.resourceVersion))

    async def _update(self, value: discovery_v1.EndpointSlice) -> None:
        written = await self.client.update(value)
        await self.observed(self.slices.wait_until_observed(written.metadata.resourceVersion))

    async def _delete(self, value: discovery_v1.EndpointSlice) -> None:
        uid = value.metadata.uid
        try:
            await self.client.delete(discovery_v1.EndpointSlice, value.name, value.namespace, uid=uid)
        except NotFound:
            return
        await self.observed(self.slices.wait_for(value.key, lambda now: now is None or now.metadata.uid != uid))
