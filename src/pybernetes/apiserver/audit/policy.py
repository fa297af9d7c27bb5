"""At which level a request is told of, and at which of its stages. Pure, but for reading the file.

Follows: apiserver pkg/audit/policy/{reader,checker}.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pybernetes.apiserver.request import RequestInfo, User

NONE, METADATA, REQUEST, REQUEST_RESPONSE = "None", "Metadata", "Request", "RequestResponse"
LEVELS = (NONE, METADATA, REQUEST, REQUEST_RESPONSE)
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"
STAGES = frozenset({RECEIVED, STARTED, COMPLETE, PANIC})
API_VERSION = "audit.k8s.io/v1"


class UnusablePolicy(Exception):
    """The audit policy file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much is told of a request, and when not."""

    level: str
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


SILENT = Verdict(NONE)


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules` as in the file; the first that matches decides."""

    rules: Sequence[Mapping[str, Any]]
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False

    def verdict(self, user: User, info: RequestInfo) -> Verdict:
        """What the policy says of a request; no rule: nothing is told."""
        for rule in self.rules:
            if _matches(rule, user, info):
                managed = rule.get("omitManagedFields")
                return Verdict(
                    rule["level"],
                    self.omit_stages | frozenset(rule.get("omitStages") or ()),
                    self.omit_managed_fields if managed is None else bool(managed),
                )
        return SILENT


def load(path: str) -> Policy:
    """The policy in a YAML or JSON file.

    Raises:
        UnusablePolicy.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnusablePolicy(f"audit policy {path}: {error}") from error
    return parse(document, path)


def parse(document: Any, path: str = "") -> Policy:
    """The policy of a document.

    Raises:
        UnusablePolicy: says what is wrong with it.
    """
    if not isinstance(document, dict) or document.get("kind") != "Policy" or document.get("apiVersion") != API_VERSION:
        raise UnusablePolicy(f"audit policy {path}: not a Policy of {API_VERSION}")
    rules = document.get("rules") or []
    if not rules:
        raise UnusablePolicy(f"audit policy {path}: loaded illegal policy with 0 rules")
    stages = [document.get("omitStages") or ()]
    for number, rule in enumerate(rules):
        where = f"audit policy {path}: rules[{number}]"
        if not isinstance(rule, dict) or rule.get("level") not in LEVELS:
            raise UnusablePolicy(f"{where}.level: must be one of {', '.join(LEVELS)}")
        if rule.get("nonResourceURLs") and (rule.get("resources") or rule.get("namespaces")):
            raise UnusablePolicy(f"{where}: rules cannot apply to both regular resources and non-resource URLs")
        stages.append(rule.get("omitStages") or ())
    unknown = sorted({stage for row in stages for stage in row} - STAGES)
    if unknown:
        raise UnusablePolicy(f"audit policy {path}: omitStages: unknown stage {unknown[0]}")
    return Policy(rules, frozenset(stages[0]), bool(document.get("omitManagedFields")))


def _matches(rule: Mapping[str, Any], user: User, info: RequestInfo) -> bool:
    if rule.get("users") and user.name not in rule["users"]:
        return False
    if rule.get("userGroups") and not set(rule["userGroups"]) & set(user.groups):
        return False
    if rule.get("verbs") and info.verb not in rule["verbs"]:
        return False
    if rule.get("namespaces") or rule.get("resources"):
        return _matches_resource(rule, info)
    if rule.get("nonResourceURLs"):
        return not info.is_resource and any(_matches_path(spec, info.path) for spec in rule["nonResourceURLs"])
    return True


def _matches_resource(rule: Mapping[str, Any], info: RequestInfo) -> bool:
    if not info.is_resource:
        return False
    if rule.get("namespaces") and info.namespace not in rule["namespaces"]:
        return False
    if not rule.get("resources"):
        return True
    whole = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    wanted = {"*", whole}
    if info.subresource:
        wanted |= {f"{info.resource}/*", f"*/{info.subresource}"}
    for row in rule["resources"]:
        if (row.get("group") or "") != info.group:
            continue
        if not row.get("resources"):
            return True
        if row.get("resourceNames") and info.name not in row["resourceNames"]:
            continue
        if wanted & set(row["resources"]):
            return True
    return False


def _matches_path(spec: str, path: str) -> bool:
    return spec in {"*", path} or (spec.endswith("*") and path.startswith(spec.rstrip("*")))
