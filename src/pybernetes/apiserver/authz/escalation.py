"""Nobody grants more than they hold: the check of roles and bindings before they are stored.

    a role       its rules must be covered by the writer's, or the writer has the verb `escalate` on it
    a binding    the role's rules must be covered, or the writer has the verb `bind` on the role

Follows: kubernetes pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased/storage.go.
"""

from typing import Any

import orjson

from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.authz.index import GROUP, RoleKey, missing_role, role_of
from pybernetes.apiserver.authz.rules import describe, uncovered
from pybernetes.apiserver.request import MASTERS_GROUP, AdmissionRequest, Document, RequestInfo, User
from pybernetes.machinery import errors
from pybernetes.machinery.errors import NotFound

ROLES = frozenset({"roles", "clusterroles"})
BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})


def check_write(request: AdmissionRequest, authorizer: Authorizer) -> None:
    """Refuse a role or binding that grants what the writer does not hold.

    Raises:
        Forbidden; NotFound: the role of a binding is not there, and the writer may not bind whatever it is.
    """
    plural = request.resource.plural
    if request.resource.group != GROUP or request.subresource or request.operation not in {"CREATE", "UPDATE"}:
        return
    if request.object is None or MASTERS_GROUP in request.user.groups:
        return
    if plural in ROLES and _grants_differ(request, ("rules", "aggregationRule")):
        _check_role(request, authorizer)
    elif plural in BINDINGS and _grants_differ(request, ("roleRef", "subjects")):
        _check_binding(request, authorizer)


def _grants_differ(request: AdmissionRequest, fields: tuple[str, ...]) -> bool:
    new, old = request.object, request.old
    return new is None or old is None or any(new.get(field) != old.get(field) for field in fields)


def _check_role(request: AdmissionRequest, authorizer: Authorizer) -> None:
    document = request.object or {}
    namespace = request.namespace
    may = RequestInfo("escalate", "", True, GROUP, "v1", request.resource.plural, "", namespace, request.name)
    if authorizer.authorize(request.user, may).allowed:
        return
    if document.get("aggregationRule"):
        everything: list[Document] = [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ]
        held, missing = authorizer.rules_for(request.user, namespace)
        if uncovered(held, everything):
            why = "must have cluster-admin privileges to use an aggregationRule"
            raise errors.forbidden(request.resource.plural, GROUP, request.name, _with(why, missing))
    _check_rules(request, authorizer, document.get("rules") or [])


def _check_binding(request: AdmissionRequest, authorizer: Authorizer) -> None:
    document = request.object or {}
    role = role_of(document)
    plural = "roles" if role.namespace or (document.get("roleRef") or {}).get("kind") == "Role" else "clusterroles"
    may = RequestInfo("bind", "", True, GROUP, "v1", plural, "", request.namespace, role.name)
    if authorizer.authorize(request.user, may).allowed:
        return
    rules = authorizer.index.rules(RoleKey(role.namespace, role.name))
    if rules is None:
        raise NotFound(missing_role(role), {"name": role.name, "group": GROUP, "kind": plural})
    _check_rules(request, authorizer, [_document(rule) for rule in rules])


def _document(rule: Any) -> Document:
    found: Document = rule.document()
    return found


def _check_rules(request: AdmissionRequest, authorizer: Authorizer, rules: list[Document]) -> None:
    held, missing = authorizer.rules_for(request.user, request.namespace)
    lacking = uncovered(held, rules)
    if lacking:
        why = f"{_who(request.user)} is attempting to grant RBAC permissions not currently held:\n{describe(lacking)}"
        raise errors.forbidden(request.resource.plural, GROUP, request.name, _with(why, missing))


def _with(why: str, missing: list[str]) -> str:
    return f"{why}; resolution errors: [{', '.join(missing)}]" if missing else why


def _who(user: User) -> str:
    groups = " ".join(orjson.dumps(group).decode() for group in user.groups)
    return f'user "{user.name}" (groups=[{groups}])'
