"""What one RBAC rule allows, and whether some rules cover others.

    {apiGroups: [""], resources: ["pods/log"], verbs: ["get"], resourceNames: ["web-0"]}
    {nonResourceURLs: ["/healthz/*"], verbs: ["get"]}

Follows: kubernetes pkg/apis/rbac/v1/evaluation_helpers.go; pkg/registry/rbac/validation/{rule,policy_compact}.go;
component-helpers auth/rbac/validation/policy_comparator.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pybernetes.apiserver.request import Document, RequestInfo

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be asked."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Document) -> "Rule":
        return cls(
            frozenset(document.get("verbs") or ()),
            frozenset(document.get("apiGroups") or ()),
            frozenset(document.get("resources") or ()),
            frozenset(document.get("resourceNames") or ()),
            tuple(document.get("nonResourceURLs") or ()),
        )

    def allows(self, info: RequestInfo) -> bool:
        if info.verb not in self.verbs and ALL not in self.verbs:
            return False
        if not info.is_resource:
            return any(_url_matches(pattern, info.path) for pattern in self.urls)
        if info.group not in self.groups and ALL not in self.groups:
            return False
        if not self._resource_matches(info.resource, info.subresource):
            return False
        return not self.names or info.name in self.names

    def _resource_matches(self, resource: str, subresource: str) -> bool:
        resources = self.resources
        if ALL in resources:
            return True
        if not subresource:
            return resource in resources
        return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources

    def document(self) -> Document:
        """The rule as reviews show it."""
        found: Document = {"verbs": sorted(self.verbs)}
        if self.urls:
            found["nonResourceURLs"] = list(self.urls)
            return found
        found["apiGroups"] = sorted(self.groups)
        found["resources"] = sorted(self.resources)
        if self.names:
            found["resourceNames"] = sorted(self.names)
        return found


def _url_matches(pattern: str, path: str) -> bool:
    if pattern in {ALL, path}:
        return True
    return pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL))


def rules_of(role: Document) -> list[Rule]:
    return [Rule.of(rule) for rule in role.get("rules") or ()]


# ── may these rules be granted by whoever holds those ──


def _split(rule: Document) -> Iterable[Rule]:
    """A rule as single permissions: one verb, group, resource and name each."""
    verbs = rule.get("verbs") or ()
    for verb in verbs:
        one = frozenset({verb})
        for url in rule.get("nonResourceURLs") or ():
            yield Rule(one, urls=(url,))
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or (None,):
                    names = frozenset({name}) if name is not None else frozenset[str]()
                    yield Rule(one, frozenset({group}), frozenset({resource}), names)


def _covers(owner: Rule, wanted: Rule) -> bool:
    if not (ALL in owner.verbs or wanted.verbs <= owner.verbs):
        return False
    if wanted.urls:
        return all(any(_url_covers(pattern, url) for pattern in owner.urls) for url in wanted.urls)
    if not (ALL in owner.groups or wanted.groups <= owner.groups):
        return False
    if not all(_resource_covers(owner.resources, resource) for resource in wanted.resources):
        return False
    return not owner.names or (bool(wanted.names) and wanted.names <= owner.names)


def _url_covers(pattern: str, url: str) -> bool:
    return pattern in {ALL, url} or (pattern.endswith(ALL) and url.startswith(pattern.rstrip(ALL)))


def _resource_covers(owned: frozenset[str], wanted: str) -> bool:
    if ALL in owned or wanted in owned:
        return True
    _, slash, subresource = wanted.partition("/")
    return bool(slash) and f"*/{subresource}" in owned


def uncovered(owner: Sequence[Rule], wanted: Iterable[Document]) -> list[Rule]:
    """The single permissions of `wanted` that `owner` does not hold."""
    missing = []
    for document in wanted:
        missing += [single for single in _split(document) if not any(_covers(rule, single) for rule in owner)]
    return missing


def describe(rules: Iterable[Rule]) -> str:
    """Rules as the escalation message lists them: verbs of one resource joined, one rule a line, sorted."""
    verbs: dict[tuple[Any, ...], list[str]] = {}
    for rule in rules:
        key = (tuple(rule.groups), tuple(rule.resources), rule.urls, tuple(rule.names))
        verbs.setdefault(key, []).extend(rule.verbs)
    lines = []
    for (groups, resources, urls, names), own in verbs.items():
        rows = [
            ("APIGroups", groups),
            ("Resources", resources),
            ("NonResourceURLs", urls),
            ("ResourceNames", names),
            ("Verbs", list(dict.fromkeys(own))),
        ]
        lines.append("{" + ", ".join(f"{name}:{_quoted(values)}" for name, values in rows if values) + "}")
    return "\n".join(sorted(lines))


def _quoted(values: Sequence[str]) -> str:
    return "[" + " ".join(orjson.dumps(value).decode() for value in values) + "]"
