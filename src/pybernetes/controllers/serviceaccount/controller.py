"""Every active namespace has a ServiceAccount `default`, made anew when somebody deletes it.

Follows: kubernetes 1.36 pkg/controller/serviceaccount/serviceaccounts_controller.go.
"""

from pybernetes.api import core_v1, meta_v1
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.machinery.errors import AlreadyExists, Forbidden, NotFound

DEFAULT = "default"
ACTIVE = "Active"


def is_active(namespace: core_v1.Namespace | None) -> bool:
    return (
        namespace is not None
        and namespace.metadata.deletionTimestamp is None
        and namespace.status.phase in (ACTIVE, "")
    )


class ServiceAccountController(Controller):
    NAME = "serviceaccount-controller"
    WORKERS = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.informer(core_v1.Namespace)
        self.accounts = self.informer(core_v1.ServiceAccount, fields=f"metadata.name={DEFAULT}")
        self.namespaces.add_handler(self._namespace_seen, lambda _, new: self._namespace_seen(new))
        self.accounts.add_handler(on_delete=self._account_gone)

    def _namespace_seen(self, namespace: core_v1.Namespace) -> None:
        self.queue.add(namespace.name)

    def _account_gone(self, account: core_v1.ServiceAccount) -> None:
        self.queue.add(account.namespace)

    async def reconcile(self, key: str) -> None:
        if not is_active(self.namespaces.get(key)) or self.accounts.get(f"{key}/{DEFAULT}") is not None:
            return
        meta = meta_v1.ObjectMeta(name=DEFAULT, namespace=key)
        try:
            await self.client.create(core_v1.ServiceAccount(metadata=meta))
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not is_namespace_terminating(error):
                raise
