"""Secrets of type `kubernetes.io/service-account-token`: filled for their account, deleted with it.

Follows: kubernetes 1.36 pkg/controller/serviceaccount/tokens_controller.go.
"""

from pybernetes.api import core_v1
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.serviceaccounttoken import reconcile
from pybernetes.machinery.errors import NotFound
from pybernetes.machinery.signing import private_key


class ServiceAccountTokenController(Controller):
    NAME = "serviceaccount-token-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        options = context.options
        self.key = private_key(options.service_account_private_key)
        self.root_ca = options.root_ca.encode()
        self.accounts = self.informer(core_v1.ServiceAccount)
        self.secrets = self.informer(core_v1.Secret, fields=f"type={reconcile.TYPE}")
        self.secrets.index("account", lambda secret: [reconcile.account_key(secret)])
        self.secrets.add_handler(self._secret_seen, lambda _, new: self._secret_seen(new))
        self.accounts.add_handler(self._account_seen, on_delete=self._account_seen)

    def _secret_seen(self, secret: core_v1.Secret) -> None:
        if reconcile.account_key(secret):
            self.queue.add(secret.key)

    def _account_seen(self, account: core_v1.ServiceAccount) -> None:
        for secret in self.secrets.by_index("account", account.key):
            self.queue.add(secret.key)

    async def reconcile(self, key: str) -> None:
        secret = self.secrets.get(key)
        if secret is None or secret.metadata.deletionTimestamp is not None:
            return
        account = await self._account(secret)
        try:
            if account is None or not reconcile.belongs(secret, account):
                await self.client.delete(core_v1.Secret, secret.name, secret.namespace, uid=secret.metadata.uid)
                return
            wanted = reconcile.completed(secret, account, self.root_ca, self.key)
            if wanted is not secret:
                written = await self.client.update(wanted)
                await self.observed(self.secrets.wait_until_observed(written.metadata.resourceVersion))
        except NotFound:
            return

    async def _account(self, secret: core_v1.Secret) -> core_v1.ServiceAccount | None:
        """The account; asked of the API server before a Secret is deleted because of a cache that lags."""
        found = self.accounts.get(reconcile.account_key(secret))
        if found is not None and reconcile.belongs(secret, found):
            return found
        name = secret.metadata.annotations[reconcile.ACCOUNT_NAME]
        try:
            return await self.client.get(core_v1.ServiceAccount, name, secret.namespace)
        except NotFound:
            return None
