"""Deleting a namespace: pods first, and when they are gone everything else that discovery knows, then the namespace.

While something remains, the namespace is looked at again when a pod of it goes, and else when half of the time has
passed that the rest is expected to need.

Follows: kubernetes 1.36 pkg/controller/namespace/namespace_controller.go,
deletion/namespaced_resources_deleter.go.
"""

import logging
from collections.abc import Sequence

import msgspec
import orjson

from pybernetes.api import core_v1
from pybernetes.client.interface import Unreachable
from pybernetes.client.rest import collection_path
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.discovery import Kind, discover
from pybernetes.controllers.framework import Context, Controller, side_by_side
from pybernetes.controllers.namespace import status
from pybernetes.controllers.namespace.status import Findings
from pybernetes.machinery.errors import MethodNotSupported, NotFound, StatusError

log = logging.getLogger("pybernetes.controllers")

FINALIZER = "kubernetes"
FINALIZER_SECONDS = 15
"""Expected of objects with finalizers, about which nobody knows anything."""
SETTLE_SECONDS = 0.5
"""From the deletion to the end of a namespace at least, so that every API server refuses new content by then."""
KINDS_AT_ONCE = 8
DELETE_OPTIONS = orjson.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})


class NamespaceController(Controller):
    NAME = "namespace-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.informer(core_v1.Namespace)
        self.pods = self.informer(core_v1.Pod)
        self.namespaces.add_handler(self._seen, lambda _, new: self._seen(new), self._gone)
        self.pods.add_handler(on_delete=self._pod_gone)
        self._began: dict[str, float] = {}

    def workers(self) -> int:
        return self.context.options.concurrent_namespace_syncs

    def _seen(self, namespace: core_v1.Namespace) -> None:
        if namespace.metadata.deletionTimestamp is not None:
            self._began.setdefault(namespace.metadata.uid, self.clock.monotonic())
            self.queue.add(namespace.name)

    def _gone(self, namespace: core_v1.Namespace) -> None:
        self._began.pop(namespace.metadata.uid, None)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        namespace = self.namespaces.get(pod.namespace)
        if namespace is not None and namespace.metadata.deletionTimestamp is not None:
            self.queue.add(pod.namespace)

    async def reconcile(self, key: str) -> None:
        try:
            namespace = await self.client.get(core_v1.Namespace, key)
        except NotFound:
            return
        if namespace.metadata.deletionTimestamp is None:
            return
        if namespace.status.phase != status.TERMINATING:
            changed = msgspec.structs.replace(namespace.status, phase=status.TERMINATING)
            namespace = await self._write(namespace, changed)
        if not namespace.spec.finalizers:
            return
        findings = await self._empty(key)
        wanted = status.conditions(namespace.status.conditions, findings, self.clock.now())
        if wanted != namespace.status.conditions:
            changed = msgspec.structs.replace(namespace.status, conditions=wanted)
            namespace = await self._write(namespace, changed)
        if findings.remaining:
            self.queue.add_after(key, findings.estimate_seconds // 2 + 1)
        elif findings.discovery_failures or findings.content_failures:
            log.info("namespace content remains namespace=%s failures=%s", key, findings.content_failures)
            self.queue.add_rate_limited(key)
        else:
            await self._finalize(namespace)

    async def _write(self, namespace: core_v1.Namespace, new: core_v1.NamespaceStatus) -> core_v1.Namespace:
        return await self.client.update(msgspec.structs.replace(namespace, status=new), subresource="status")

    async def _finalize(self, namespace: core_v1.Namespace) -> None:
        began = self._began.get(namespace.metadata.uid, self.clock.monotonic())
        left = began + SETTLE_SECONDS - self.clock.monotonic()
        if left > 0:
            self.queue.add_after(namespace.name, left)
            return
        finalizers = [name for name in namespace.spec.finalizers if name != FINALIZER]
        spec = msgspec.structs.replace(namespace.spec, finalizers=finalizers)
        try:
            await self.client.update(msgspec.structs.replace(namespace, spec=spec), subresource="finalize")
        except NotFound:
            return

    async def _empty(self, namespace: str) -> Findings:
        """Delete the content as far as it may be deleted now."""
        discovered = await discover(self.client)
        findings = Findings(discovery_failures=discovered.failures)
        kinds = [kind for kind in discovered.with_verbs("delete", "list") if kind.NAMESPACED]
        pods = [kind for kind in kinds if kind.GROUP == "" and kind.PLURAL == "pods"]
        for kind in pods:
            await self._empty_kind(kind, namespace, findings)
        if findings.remaining:
            findings.estimate_seconds = max(findings.estimate_seconds, self._pods_seconds(namespace))
            return findings
        others = [kind for kind in kinds if kind not in pods]
        for start in range(0, len(others), KINDS_AT_ONCE):
            chosen = others[start : start + KINDS_AT_ONCE]
            batch = await side_by_side(self._empty_kind(kind, namespace, findings) for kind in chosen)
            if batch.failure is not None:
                raise batch.failure
        return findings

    def _pods_seconds(self, namespace: str) -> int:
        """The longest grace period of pods that still run."""
        return max(
            (
                pod.spec.terminationGracePeriodSeconds or 0
                for pod in self.pods.list(namespace)
                if not pod_facts.is_finished(pod)
            ),
            default=0,
        )

    async def _empty_kind(self, kind: Kind, namespace: str, findings: Findings) -> None:
        name = f"{kind.PLURAL}.{kind.GROUP}"
        try:
            present = (await self.client.list(kind, namespace)).items
            if present:
                await self._delete_all(kind, namespace, present)
                present = (await self.client.list(kind, namespace)).items
        except NotFound:
            return  # the kind is served no more
        except (StatusError, Unreachable) as error:
            findings.content_failures.append(f"unable to delete {name}: {error}")
            return
        if not present:
            return
        findings.remaining[name] = len(present)
        for value in present:
            for finalizer in value.metadata.finalizers:
                findings.finalizers[finalizer] = findings.finalizers.get(finalizer, 0) + 1
                findings.estimate_seconds = max(findings.estimate_seconds, FINALIZER_SECONDS)

    async def _delete_all(self, kind: Kind, namespace: str, present: Sequence[object]) -> None:
        if "deletecollection" in kind.VERBS:
            try:
                await self.client.request("DELETE", collection_path(kind, namespace), body=DELETE_OPTIONS)
            except MethodNotSupported:
                pass
            else:
                return
        for value in present:
            assert isinstance(value, kind)
            try:
                await self.client.delete(kind, value.name, namespace)
            except NotFound:
                continue
