"""Which requests a rule of a webhook or policy is about: operations, groups, versions, resources, scope.

Pure. A rule is plain JSON, defaulted and valid:

    {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"], "scope": "*"}

Follows: apiserver pkg/admission/plugin/webhook/predicates/rules/rules.go;
pkg/admission/plugin/policy/matching/matching.go (resourceNames).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

Rule = Mapping[str, Any]
ALL: Final = "*"


class GroupVersionResource(NamedTuple):
    group: str
    version: str
    resource: str

    @property
    def document(self) -> dict[str, str]:
        return {"group": self.group, "version": self.version, "resource": self.resource}


class GroupVersionKind(NamedTuple):
    group: str
    version: str
    kind: str

    @property
    def document(self) -> dict[str, str]:
        return {"group": self.group, "version": self.version, "kind": self.kind}

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


NAMESPACES: Final = GroupVersionResource("", "v1", "namespaces")

EXEMPT_KINDS: Final = frozenset(
    {
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    }
)
"""What configures admission is never subject to it: else a mistake could not be taken back."""
EXEMPT_GROUP: Final = "admissionregistration.k8s.io"


def is_exempt(group: str, plural: str) -> bool:
    """Follows: rules.go, IsExemptAdmissionConfigurationResource."""
    return group == EXEMPT_GROUP and plural in EXEMPT_KINDS


def _any_of(items: Iterable[str], wanted: str) -> bool:
    return any(item in (ALL, wanted) for item in items)


def matches(rule: Rule, resource: GroupVersionResource, subresource: str, operation: str, namespace: str) -> bool:
    """Whether the rule is about such a request. `namespace` is the namespace's name for namespaces themselves."""
    return (
        _fits_scope(rule.get("scope") or ALL, resource, namespace)
        and _any_of(rule.get("operations") or (), operation)
        and _any_of(rule.get("apiGroups") or (), resource.group)
        and _any_of(rule.get("apiVersions") or (), resource.version)
        and _fits_resource(rule.get("resources") or (), resource.resource, subresource)
    )


def could_match(rule: Rule, group: str, plural: str, subresource: str, operation: str) -> bool:
    """Whether some version and namespace of it would match: what is known before a request comes."""
    return (
        _any_of(rule.get("operations") or (), operation)
        and _any_of(rule.get("apiGroups") or (), group)
        and _fits_resource(rule.get("resources") or (), plural, subresource)
    )


def names_match(rule: Rule, name: str) -> bool:
    """Whether the rule's resourceNames, if it has any, contain the name."""
    names = rule.get("resourceNames") or ()
    return not names or name in names


def _fits_scope(scope: str, resource: GroupVersionResource, namespace: str) -> bool:
    if scope == "Namespaced":
        return resource != NAMESPACES and bool(namespace)
    if scope == "Cluster":
        return resource == NAMESPACES or not namespace
    return scope == ALL


def _fits_resource(resources: Iterable[str], plural: str, subresource: str) -> bool:
    for text in resources:
        wanted, _, sub = text.partition("/")
        if wanted in (ALL, plural) and sub in (ALL, subresource):
            return True
    return False
