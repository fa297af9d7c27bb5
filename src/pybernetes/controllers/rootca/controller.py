"""ConfigMap `kube-root-ca.crt` in every active namespace: what pods trust the API server by. Repaired when changed.

Follows: kubernetes 1.36 pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

import msgspec

from pybernetes.api import core_v1, meta_v1
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.controllers.serviceaccount.controller import is_active
from pybernetes.machinery.errors import AlreadyExists, Forbidden, NotFound

NAME = "kube-root-ca.crt"
KEY = "ca.crt"
DESCRIPTION = "kubernetes.io/description"
DESCRIPTION_TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCaController(Controller):
    NAME = "root-ca-certificate-publisher-controller"
    WORKERS = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.root_ca = context.options.root_ca
        self.namespaces = self.informer(core_v1.Namespace)
        self.maps = self.informer(core_v1.ConfigMap, fields=f"metadata.name={NAME}")
        self.namespaces.add_handler(self._namespace_seen, lambda _, new: self._namespace_seen(new))
        self.maps.add_handler(on_update=lambda _, new: self._map_touched(new), on_delete=self._map_touched)

    def _namespace_seen(self, namespace: core_v1.Namespace) -> None:
        self.queue.add(namespace.name)

    def _map_touched(self, value: core_v1.ConfigMap) -> None:
        self.queue.add(value.namespace)

    async def reconcile(self, key: str) -> None:
        if not is_active(self.namespaces.get(key)):
            return
        present = self.maps.get(f"{key}/{NAME}")
        data = {KEY: self.root_ca}
        if present is None:
            await self._create(key, data)
        elif present.data != data:
            annotations = {**present.metadata.annotations, DESCRIPTION: DESCRIPTION_TEXT}
            meta = msgspec.structs.replace(present.metadata, annotations=annotations)
            await self.client.update(msgspec.structs.replace(present, metadata=meta, data=data))

    async def _create(self, namespace: str, data: dict[str, str]) -> None:
        meta = meta_v1.ObjectMeta(name=NAME, namespace=namespace, annotations={DESCRIPTION: DESCRIPTION_TEXT})
        try:
            await self.client.create(core_v1.ConfigMap(metadata=meta, data=data))
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not is_namespace_terminating(error):
                raise
