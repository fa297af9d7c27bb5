"""Which flow schema a request belongs to, and which flow within the schema. Pure.

Follows: apiserver pkg/util/flowcontrol/rule.go; apf_controller.go, computeFlowDistinguisher, hashFlowID.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from pybernetes.apiserver.request import Document, RequestInfo, User

BY_USER = "ByUser"
BY_NAMESPACE = "ByNamespace"
CATCH_ALL = "catch-all"
EXEMPT = "exempt"
_ACCOUNT = "system:serviceaccount:"

LONG_RUNNING_VERBS = frozenset({"proxy"})
LONG_RUNNING_SUBRESOURCES = frozenset({"attach", "exec", "proxy", "log", "portforward"})
"""Requests of these last as long as their clients like, and are not limited; watches are until they have begun.

Follows: kubernetes pkg/controlplane/apiserver/options; filters/longrunning.go, BasicLongRunningRequestCheck."""


def is_unlimited(info: RequestInfo) -> bool:
    """The request lasts as long as its client likes."""
    return info.is_resource and (
        info.verb in LONG_RUNNING_VERBS or (info.subresource in LONG_RUNNING_SUBRESOURCES and info.verb != "watch")
    )


def in_order(schemas: Sequence[Document]) -> list[Document]:
    """Schemas as they are asked: smallest matchingPrecedence first, then by name."""
    return sorted(schemas, key=lambda row: (row["spec"].get("matchingPrecedence", 1000), row["metadata"]["name"]))


def matches(schema: Document, user: User, info: RequestInfo) -> bool:
    """Some rule of the schema names both who asks and what for."""
    for rule in schema["spec"].get("rules") or ():
        if not any(_is_subject(subject, user) for subject in rule.get("subjects") or ()):
            continue
        if info.is_resource:
            if any(_is_resource(row, info) for row in rule.get("resourceRules") or ()):
                return True
        elif any(_is_path(row, info) for row in rule.get("nonResourceRules") or ()):
            return True
    return False


def _is_subject(subject: dict[str, Any], user: User) -> bool:
    match subject.get("kind"):
        case "User":
            named = (subject.get("user") or {}).get("name")
            return bool(named == "*" or named == user.name)  # noqa: PLR1714
        case "Group":
            name = (subject.get("group") or {}).get("name")
            return name == "*" or name in user.groups
        case "ServiceAccount":
            account = subject.get("serviceAccount") or {}
            start = f"{_ACCOUNT}{account.get('namespace', '')}:"
            if account.get("name") == "*":
                return user.name.startswith(start)
            return user.name == f"{start}{account.get('name', '')}"
        case _:
            return False


def _listed(value: str, listed: Sequence[str]) -> bool:
    return list(listed) == ["*"] or value in listed


def _is_resource(row: dict[str, Any], info: RequestInfo) -> bool:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not (
        _listed(info.verb, row.get("verbs") or ())
        and _listed(resource, row.get("resources") or ())
        and _listed(info.group, row.get("apiGroups") or ())
    ):
        return False
    if not info.namespace:
        return bool(row.get("clusterScope"))
    return _listed(info.namespace, row.get("namespaces") or ())


def _is_path(row: dict[str, Any], info: RequestInfo) -> bool:
    if not _listed(info.verb, row.get("verbs") or ()):
        return False
    for path in row.get("nonResourceURLs") or ():
        if path in {"*", info.path} or info.path.startswith(f"{path.removesuffix('*').removesuffix('/')}/"):
            return True
    return False


def distinguisher(schema: Document, user: User, info: RequestInfo) -> str:
    """What tells the flows of a schema apart: the user, the namespace, or nothing."""
    match (schema["spec"].get("distinguisherMethod") or {}).get("type"):
        case "ByUser":
            return user.name
        case "ByNamespace":
            return info.namespace
        case _:
            return ""


def flow_hash(schema: str, flow: str) -> int:
    """64 bits from the name of the schema and the distinguisher."""
    text = f"{schema}\0{flow}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def hand_of(value: int, queues: int, hand_size: int) -> list[int]:
    """`hand_size` different numbers below `queues`, dealt from the entropy of `value`.

    Two flows rarely share all queues of their hands, so one greedy flow cannot fill every queue of another.
    Follows: apiserver pkg/util/shufflesharding.
    """
    remainders = []
    for number in range(hand_size):
        value, remainder = divmod(value, queues - number)
        remainders.append(remainder)
    hand = []
    for number, remainder in enumerate(remainders):
        card = remainder
        for earlier in reversed(remainders[:number]):
            if card >= earlier:
                card += 1
        hand.append(card)
    return hand
