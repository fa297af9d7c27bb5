"""Roles and bindings in the order questions are asked: subject → namespace → role → rules.

    ClusterRoleBinding admins: Group ops → cluster-admin      bindings[Group ops][""]
    RoleBinding team/dev: User alice → Role team/edit         bindings[User alice]["team"]
    RoleBinding team/bot: ServiceAccount team/ci → …          bindings[User system:serviceaccount:team:ci]["team"]

A decision looks at the bindings of the asker's own name and groups in the namespace asked for, however many other
bindings there are. Fed by `ObjectReader.subscribe`; every change moves `generation`, for caches of decisions.

An aggregated ClusterRole is the union of the roles its selectors choose, at the moment it is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pybernetes.apiserver.authn.service_accounts import user_name
from pybernetes.apiserver.authz.rules import Rule, rules_of
from pybernetes.apiserver.request import Document, ObjectReader, User
from pybernetes.machinery import labels
from pybernetes.machinery.labels import Selector

GROUP = "rbac.authorization.k8s.io"


class Subject(NamedTuple):
    kind: str
    name: str


class RoleKey(NamedTuple):
    """A Role by namespace and name; a ClusterRole has no namespace."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding as its subjects see it."""

    namespace: str
    """Where it holds; empty everywhere."""
    binding: str
    role: RoleKey

    def describe(self, subject: Subject) -> str:
        """Why something is allowed. Follows: plugin/pkg/auth/authorizer/rbac/rbac.go."""
        binding = f"{self.namespace}/{self.binding}" if self.namespace else self.binding
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        role = "Role" if self.role.namespace else "ClusterRole"
        who = f'{subject.kind} "{subject.name}"'
        if subject.kind == "User" and subject.name.startswith("system:serviceaccount:"):
            _, _, namespace, name = subject.name.split(":", 3)
            who = f'ServiceAccount "{name}/{namespace}"'
        return f'RBAC: allowed by {kind} "{binding}" of {role} "{self.role.name}" to {who}'


def subjects_of(binding: Document) -> list[Subject]:
    """The users and groups a binding speaks of; service accounts as their users."""
    found = []
    for row in binding.get("subjects") or ():
        kind = row.get("kind")
        if kind == "ServiceAccount":
            namespace = row.get("namespace") or binding["metadata"].get("namespace", "")
            found.append(Subject("User", user_name(namespace, row["name"])))
        elif kind in {"User", "Group"}:
            found.append(Subject(kind, row["name"]))
    return found


def role_of(binding: Document) -> RoleKey:
    reference = binding.get("roleRef") or {}
    namespace = binding["metadata"].get("namespace", "") if reference.get("kind") == "Role" else ""
    return RoleKey(namespace, reference.get("name", ""))


class RbacIndex:
    """See the module."""

    def __init__(self) -> None:
        self.generation = 0
        self._rules: dict[RoleKey, list[Rule]] = {}
        self._aggregated: dict[str, list[Selector]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._grants: dict[Subject, dict[str, dict[str, Grant]]] = {}

    def follow(self, reader: ObjectReader) -> None:
        """Read everything that is there, and every change from now on."""
        for plural in ("roles", "clusterroles"):
            reader.subscribe(GROUP, plural, self.role_changed)
        for plural in ("rolebindings", "clusterrolebindings"):
            reader.subscribe(GROUP, plural, self.binding_changed)

    def role_changed(self, old: Document | None, new: Document | None) -> None:
        document = new or old
        assert document is not None
        metadata = document["metadata"]
        key = RoleKey(metadata.get("namespace", ""), metadata["name"])
        self.generation += 1
        if new is None:
            self._rules.pop(key, None)
            self._aggregated.pop(key.name, None) if not key.namespace else None
            self._labels.pop(key.name, None) if not key.namespace else None
            return
        self._rules[key] = rules_of(new)
        if not key.namespace:
            self._labels[key.name] = metadata.get("labels") or {}
            selectors = (new.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
            if selectors:
                self._aggregated[key.name] = [labels.from_label_selector(selector) for selector in selectors]
            else:
                self._aggregated.pop(key.name, None)

    def binding_changed(self, old: Document | None, new: Document | None) -> None:
        self.generation += 1
        if old is not None:
            namespace, name = _place(old)
            for subject in subjects_of(old):
                by_namespace = self._grants.get(subject, {})
                by_namespace.get(namespace, {}).pop(name, None)
                if not by_namespace.get(namespace, True):
                    del by_namespace[namespace]
                if not by_namespace:
                    self._grants.pop(subject, None)
        if new is not None:
            namespace, name = _place(new)
            grant = Grant(namespace, name, role_of(new))
            for subject in subjects_of(new):
                self._grants.setdefault(subject, {}).setdefault(namespace, {})[name] = grant

    def rules(self, role: RoleKey, _seen: frozenset[str] = frozenset()) -> list[Rule] | None:
        """The rules of a role, None when there is no such role."""
        found = self._rules.get(role)
        selectors = self._aggregated.get(role.name) if not role.namespace else None
        if found is None or not selectors:
            return found
        union = list(found)
        seen = _seen | {role.name}
        for name, own_labels in self._labels.items():
            if name not in seen and any(selector.matches(own_labels) for selector in selectors):
                union += self.rules(RoleKey("", name), seen) or ()
        return union

    def grants(self, user: User, namespace: str) -> Iterator[tuple[Subject, Grant]]:
        """What a user holds everywhere and in one namespace, cluster-wide bindings first."""
        subjects = (Subject("User", user.name), *(Subject("Group", group) for group in user.groups))
        for place in ("", namespace) if namespace else ("",):
            for subject in subjects:
                for grant in (self._grants.get(subject) or {}).get(place, {}).values():
                    yield subject, grant

    def rules_for(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules a user holds in a namespace, and the names of roles that are bound and not there."""
        found: dict[Rule, None] = {}
        missing = []
        for _, grant in self.grants(user, namespace):
            rules = self.rules(grant.role)
            if rules is None:
                missing.append(missing_role(grant.role))
                continue
            found.update(dict.fromkeys(rules))
        return list(found), missing


def missing_role(role: RoleKey) -> str:
    plural = "role" if role.namespace else "clusterrole"
    return f'{plural}.{GROUP} "{role.name}" not found'


def _place(binding: Document) -> tuple[str, str]:
    metadata = binding["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
