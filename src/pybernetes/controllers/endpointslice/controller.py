"""EndpointSlices of Services that have a selector: what enqueues which Service, and the writes.

Follows: kubernetes 1.36 pkg/controller/endpointslice/endpointslice_controller.go.
"""

from collections.abc import Coroutine
from typing import Any

from pybernetes.api import core_v1, discovery_v1
from pybernetes.client.events import WARNING
from pybernetes.controllers.endpointslice import membership, reconcile
from pybernetes.controllers.framework import Context, Controller, side_by_side
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.machinery.errors import NotFound, StatusError

BY_SERVICE = "service"
FAILED_TO_UPDATE = "FailedToUpdateEndpointSlices"


def service_of(value: discovery_v1.EndpointSlice) -> str:
    """`namespace/name` of the Service a slice of ours belongs to; empty for others' slices."""
    labels = value.metadata.labels
    if labels.get(membership.MANAGED_BY_LABEL) != reconcile.CONTROLLER:
        return ""
    return f"{value.namespace}/{labels.get(membership.SERVICE_NAME_LABEL, '')}"


class EndpointSliceController(Controller):
    NAME = "endpointslice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.informer(core_v1.Service)
        self.pods = self.informer(core_v1.Pod)
        self.nodes = self.informer(core_v1.Node)
        self.slices = self.informer(discovery_v1.EndpointSlice)
        self.recorder = context.recorder("endpoint-slice-controller")
        self.slices.index(BY_SERVICE, lambda value: [service_of(value)])
        self.services.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)
        self.watcher = membership.PodWatcher(self.services, self.pods, self.queue.add)
        self.slices.add_handler(on_update=lambda _, new: self._slice_touched(new), on_delete=self._slice_touched)
        self.nodes.add_handler(self._node_seen, self._node_changed)

    def workers(self) -> int:
        return self.context.options.concurrent_service_endpoint_syncs

    def _seen(self, service: core_v1.Service) -> None:
        self.queue.add(service.key)

    def _slice_touched(self, value: discovery_v1.EndpointSlice) -> None:
        """Somebody may have changed what is ours; our own writes come back here too and change nothing."""
        key = service_of(value)
        if key:
            self.queue.add(key)

    def _node_seen(self, _: core_v1.Node) -> None:
        for service in self.services.list():
            self.queue.add(service.key)

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        label = reconcile.ZONE_LABEL
        if old.metadata.labels.get(label) != new.metadata.labels.get(label):
            self._node_seen(new)

    async def reconcile(self, key: str) -> None:
        service = self.services.get(key)
        if service is None or service.metadata.deletionTimestamp is not None or not membership.is_managed(service):
            return  # slices of a deleted Service go with their owner
        pods = sorted(self.watcher.selected(service), key=lambda pod: pod.name)
        nodes = {pod.spec.nodeName: self.nodes.get(pod.spec.nodeName) for pod in pods}
        groups = {
            address_type: reconcile.desired(service, pods, nodes, address_type)
            for address_type in membership.families(service)
        }
        existing = [s for s in self.slices.by_index(BY_SERVICE, key) if s.metadata.deletionTimestamp is None]
        limit = self.context.options.max_endpoints_per_slice
        changes = reconcile.plan(service, groups, existing, limit)
        writes: list[Coroutine[Any, Any, None]] = [self._create(value) for value in changes.create]
        writes += [self._update(value) for value in changes.update]
        writes += [self._delete(value) for value in changes.delete]
        failure = (await side_by_side(writes)).failure
        if failure is None or is_namespace_terminating(failure):
            return
        if isinstance(failure, StatusError):
            text = f"Error updating Endpoint Slices for Service {key}: {failure}"
            self.recorder.event(service, WARNING, FAILED_TO_UPDATE, text)
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
