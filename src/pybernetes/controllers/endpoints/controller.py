"""Endpoints objects of Services that have a selector, under the Service's own name.

Follows: kubernetes 1.36 pkg/controller/endpoint/endpoints_controller.go.
"""

from pybernetes.api import core_v1
from pybernetes.client.events import WARNING
from pybernetes.controllers.endpoints import reconcile
from pybernetes.controllers.endpointslice import membership
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.machinery.errors import AlreadyExists, Forbidden, NotFound, StatusError


class EndpointsController(Controller):
    NAME = "endpoints-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.informer(core_v1.Service)
        self.pods = self.informer(core_v1.Pod)
        self.endpoints = self.informer(core_v1.Endpoints)
        self.recorder = context.recorder("endpoint-controller")
        self.services.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)
        self.watcher = membership.PodWatcher(self.services, self.pods, self.queue.add)
        self.endpoints.add_handler(self._left_over, self._changed, self._gone)

    def workers(self) -> int:
        return self.context.options.concurrent_service_endpoint_syncs

    def _seen(self, service: core_v1.Service) -> None:
        self.queue.add(service.key)

    def _left_over(self, endpoints: core_v1.Endpoints) -> None:
        """Of a Service that went while nobody watched."""
        if reconcile.MANAGED_BY_LABEL in endpoints.metadata.labels and self.services.get(endpoints.key) is None:
            self.queue.add(endpoints.key)

    def _changed(self, _: core_v1.Endpoints, new: core_v1.Endpoints) -> None:
        self.queue.add(new.key)

    def _gone(self, endpoints: core_v1.Endpoints) -> None:
        self.queue.add(endpoints.key)

    async def reconcile(self, key: str) -> None:
        service = self.services.get(key)
        present = self.endpoints.get(key)
        if service is None:
            if present is not None and present.metadata.labels.get(reconcile.MANAGED_BY_LABEL) == reconcile.CONTROLLER:
                await self._delete(present)
            return
        if not membership.is_managed(service) or service.metadata.deletionTimestamp is not None:
            return
        changed = reconcile.wanted(service, self.watcher.selected(service), present)
        if changed == present:
            return
        try:
            if present is None:
                written = await self.client.create(changed)
            else:
                written = await self.client.update(changed)
        except AlreadyExists:
            self.queue.add_rate_limited(key)
            return
        except Forbidden as error:
            if is_namespace_terminating(error):
                return
            self._report(service, key, present, error)
            raise
        except StatusError as error:
            self._report(service, key, present, error)
            raise
        await self.observed(self.endpoints.wait_until_observed(written.metadata.resourceVersion))

    def _report(
        self, service: core_v1.Service, key: str, present: core_v1.Endpoints | None, error: StatusError
    ) -> None:
        verb, reason = ("create", "FailedToCreateEndpoint") if present is None else ("update", "FailedToUpdateEndpoint")
        self.recorder.event(service, WARNING, reason, f"Failed to {verb} endpoint {key}: {error}")

    async def _delete(self, present: core_v1.Endpoints) -> None:
        try:
            await self.client.delete(core_v1.Endpoints, present.name, present.namespace, uid=present.metadata.uid)
        except NotFound:
            return
