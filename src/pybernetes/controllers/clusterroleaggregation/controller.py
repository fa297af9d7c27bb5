"""The rules of a ClusterRole with an `aggregationRule` are those of all ClusterRoles its selectors match.

Follows: kubernetes 1.36 pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
"""

from collections.abc import Iterable

import msgspec

from pybernetes.api import rbac_v1
from pybernetes.controllers.framework import Context, Controller
from pybernetes.machinery.errors import NotFound
from pybernetes.machinery.labels import from_label_selector


def rules_of(role: rbac_v1.ClusterRole, every: Iterable[rbac_v1.ClusterRole]) -> list[rbac_v1.PolicyRule]:
    """The rules of the matching roles, each once, by selector and then by name. Pure."""
    roles = sorted(every, key=lambda other: other.name)
    found: list[rbac_v1.PolicyRule] = []
    for selector in role.aggregationRule.clusterRoleSelectors if role.aggregationRule is not None else ():
        chosen = from_label_selector(selector)
        for other in roles:
            if other.name != role.name and chosen.matches(other.metadata.labels):
                found += [rule for rule in other.rules if rule not in found]
    return found


class ClusterRoleAggregationController(Controller):
    NAME = "clusterrole-aggregation-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.roles = self.informer(rbac_v1.ClusterRole)
        self.roles.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)

    def _seen(self, _: rbac_v1.ClusterRole) -> None:
        for role in self.roles.list():
            if role.aggregationRule is not None:
                self.queue.add(role.key)

    async def reconcile(self, key: str) -> None:
        role = self.roles.get(key)
        if role is None or role.aggregationRule is None:
            return
        rules = rules_of(role, self.roles.list())
        if rules == role.rules:
            return
        try:
            written = await self.client.update(msgspec.structs.replace(role, rules=rules))
        except NotFound:
            return
        await self.observed(self.roles.wait_until_observed(written.metadata.resourceVersion))
