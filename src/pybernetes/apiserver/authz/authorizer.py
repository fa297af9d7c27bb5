"""Whether a user may: superusers, then nodes, then RBAC; the first that allows wins, nothing refuses for good.

    system:masters in the groups      always
    system:node:NAME                  node.py
    everybody                         index.py: bindings of the name and the groups

Decisions are remembered until a role or binding changes: clients repeat their questions.

Follows: kubernetes pkg/kubeapiserver/authorizer/config.go; plugin/pkg/auth/authorizer/rbac/rbac.go.
"""

from pybernetes.apiserver.authz.index import RbacIndex, missing_role
from pybernetes.apiserver.authz.node import NodeAuthorizer, node_of
from pybernetes.apiserver.authz.rules import Rule
from pybernetes.apiserver.interfaces import Decision
from pybernetes.apiserver.request import MASTERS_GROUP, ObjectReader, RequestInfo, User

MAX_REMEMBERED = 16384
"""Decisions remembered; the memory is emptied when it is full. Arbitrary."""
SUPERUSER = Decision(allowed=True)

_Question = tuple[str, tuple[str, ...], str, str, str, str, str, str]


class Authorizer:
    """See the module. Implements `interfaces.Authorizer`."""

    def __init__(self, reader: ObjectReader) -> None:
        self.index = RbacIndex()
        self._node = NodeAuthorizer(reader)
        self._reader = reader
        self._remembered: dict[_Question, Decision] = {}
        self._remembered_for = -1

    def follow(self) -> None:
        """Learn of roles, bindings and pods from now on. Call once the reader holds the present state."""
        self.index.follow(self._reader)
        self._node.follow()

    def authorize(self, user: User, info: RequestInfo) -> Decision:
        """Whether `user` may do what `info` says."""
        if MASTERS_GROUP in user.groups:
            return SUPERUSER
        node_reason = ""
        node = node_of(user)
        if node:
            decision = self._node.decide(node, info)
            if decision.allowed:
                return decision
            node_reason = decision.reason
        decision = self._remembered_rbac(user, info)
        if decision.allowed or not node_reason:
            return decision
        return Decision(allowed=False, reason=node_reason)

    def _remembered_rbac(self, user: User, info: RequestInfo) -> Decision:
        if self._remembered_for != self.index.generation or len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
            self._remembered_for = self.index.generation
        path = "" if info.is_resource else info.path
        question = (
            *(user.name, user.groups, info.verb, info.group, info.resource),
            *(info.subresource, info.namespace, info.name or path),
        )
        decision = self._remembered.get(question)
        if decision is None:
            decision = self._remembered[question] = self._rbac(user, info)
        return decision

    def _rbac(self, user: User, info: RequestInfo) -> Decision:
        missing = []
        for subject, grant in self.index.grants(user, info.namespace):
            rules = self.index.rules(grant.role)
            if rules is None:
                missing.append(missing_role(grant.role))
            elif any(rule.allows(info) for rule in rules):
                return Decision(allowed=True, reason=grant.describe(subject))
        if not missing:
            return Decision(allowed=False)
        what = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
        return Decision(allowed=False, reason=f"RBAC: {what}")

    def rules_for(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """Everything a user may do in a namespace, for SelfSubjectRulesReview and the escalation check."""
        return self.index.rules_for(user, namespace)

    def statistics(self) -> dict[str, int]:
        return {"remembered_decisions": len(self._remembered), "max_remembered_decisions": MAX_REMEMBERED}
