"""The authorizer in admission's expressions: may this user do that?

    authorizer.group('apps').resource('deployments').namespace('default').check('create').allowed()
    authorizer.requestResource.check('custom').allowed()
    authorizer.path('/healthz').check('get').reason()
    authorizer.serviceAccount('default', 'builder').group('').resource('pods').check('list').allowed()

Who answers comes in with the value: here are only the types, the functions and what they refuse to ask.

Follows: apiserver pkg/cel/library/authz.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from pybernetes.machinery import cel, names
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type

AUTHORIZER: Type = cel.opaque("kubernetes.authorization.Authorizer")
PATH_CHECK: Type = cel.opaque("kubernetes.authorization.PathCheck")
GROUP_CHECK: Type = cel.opaque("kubernetes.authorization.GroupCheck")
RESOURCE_CHECK: Type = cel.opaque("kubernetes.authorization.ResourceCheck")
DECISION: Type = cel.opaque("kubernetes.authorization.Decision")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `service_account` is namespace and name of whoever is meant instead of the requesting user."""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer."""

    cel_type: ClassVar[Type] = DECISION
    allowed: bool
    reason: str = ""
    error: str = ""


Ask = Callable[[Question], Decision]


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The value of `authorizer`."""

    cel_type: ClassVar[Type] = AUTHORIZER
    ask: Ask
    question: Question = field(default_factory=Question)


@dataclass(frozen=True, slots=True)
class PathCheck:
    cel_type: ClassVar[Type] = PATH_CHECK
    ask: Ask
    question: Question


@dataclass(frozen=True, slots=True)
class GroupCheck:
    cel_type: ClassVar[Type] = GROUP_CHECK
    ask: Ask
    question: Question


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    """The value of `authorizer.requestResource`, and what `resource(…)` makes."""

    cel_type: ClassVar[Type] = RESOURCE_CHECK
    ask: Ask
    question: Question


LIBRARY = Library("kubernetes.authz")
LIBRARY.declare(AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION)
_A, _P, _G, _R, _D = (t.name for t in (AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION))


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer.ask, replace(authorizer.question, path=path))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer.ask, replace(authorizer.question, group=group))


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.dns_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if names.dns_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(authorizer, question=replace(authorizer.question, service_account=(namespace, name)))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    return ResourceCheck(check.ask, replace(check.question, resource=resource))


def _subresource(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, question=replace(check.question, subresource=text))


def _namespace(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, question=replace(check.question, namespace=text))


def _name(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, question=replace(check.question, name=text))


def _field_selector(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, question=replace(check.question, field_selector=text))


def _label_selector(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, question=replace(check.question, label_selector=text))


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    return check.ask(replace(check.question, verb=verb))


def _declare() -> None:
    for identity, signature, implementation in (
        ("authorizer_path", f"{_A}|path(string) -> {_P}", _path),
        ("authorizer_group", f"{_A}|group(string) -> {_G}", _group),
        ("authorizer_serviceaccount", f"{_A}|serviceAccount(string, string) -> {_A}", _service_account),
        ("groupcheck_resource", f"{_G}|resource(string) -> {_R}", _resource),
        ("resourcecheck_subresource", f"{_R}|subresource(string) -> {_R}", _subresource),
        ("resourcecheck_namespace", f"{_R}|namespace(string) -> {_R}", _namespace),
        ("resourcecheck_name", f"{_R}|name(string) -> {_R}", _name),
        ("authorizer_fieldselector", f"{_R}|fieldSelector(string) -> {_R}", _field_selector),
        ("authorizer_labelselector", f"{_R}|labelSelector(string) -> {_R}", _label_selector),
        ("pathcheck_check", f"{_P}|check(string) -> {_D}", _check),
        ("resourcecheck_check", f"{_R}|check(string) -> {_D}", _check),
        ("decision_errored", f"{_D}|errored() -> bool", lambda decision: bool(decision.error)),
        ("decision_error", f"{_D}|error() -> string", lambda decision: decision.error),
        ("decision_allowed", f"{_D}|allowed() -> bool", lambda decision: decision.allowed),
        ("decision_reason", f"{_D}|reason() -> string", lambda decision: decision.reason),
    ):
        LIBRARY.add(identity, signature, implementation)


_declare()
