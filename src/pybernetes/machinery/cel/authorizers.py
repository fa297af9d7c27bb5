"""Questions to the authorizer: `authorizer.group('apps').resource('deployments').check('create').allowed()`.

This library collects what is asked; the caller's `Authorizer` answers. One check costs 350,000: two per evaluation.

Follows: apiserver pkg/cel/library/authz.go.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type, opaque
from pybernetes.machinery.names import dns_label, dns_subdomain

_PREFIX = "kubernetes.authorization"
AUTHORIZER = opaque(f"{_PREFIX}.Authorizer")
PATH_CHECK = opaque(f"{_PREFIX}.PathCheck")
GROUP_CHECK = opaque(f"{_PREFIX}.GroupCheck")
RESOURCE_CHECK = opaque(f"{_PREFIX}.ResourceCheck")
DECISION = opaque(f"{_PREFIX}.Decision")


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done? `path` is set for non-resource requests; `service_account` replaces the user who asks."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None
    """Namespace and name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an authorizer says; `error` is empty unless it could not decide."""

    allowed: bool
    reason: str = ""
    error: str = ""


class Authorizer(Protocol):
    """Answers questions for the user of the request."""

    def answer(self, question: Question) -> Answer: ...


@dataclass(frozen=True, slots=True)
class AuthorizerValue:
    """The value of the variable `authorizer`."""

    cel_type: ClassVar[Type] = AUTHORIZER
    authorizer: Authorizer
    service_account: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PathCheck:
    """A path to be checked."""

    cel_type: ClassVar[Type] = PATH_CHECK
    asked: AuthorizerValue
    path: str


@dataclass(frozen=True, slots=True)
class GroupCheck:
    """An API group whose resources can be checked."""

    cel_type: ClassVar[Type] = GROUP_CHECK
    asked: AuthorizerValue
    group: str


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    """A resource to be checked: the value of `authorizer.requestResource`, too."""

    cel_type: ClassVar[Type] = RESOURCE_CHECK
    authorizer: Authorizer
    question: Question = field(default_factory=lambda: Question(""))


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer as expressions hold it."""

    cel_type: ClassVar[Type] = DECISION
    answer: Answer


AUTHORIZERS = Library("kubernetes.authz")
AUTHORIZERS.declare(AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION)
_define = AUTHORIZERS.define
_A, _P, _G, _R, _D = (kind.name for kind in (AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION))


@_define("authorizer_path", f"{_A}|path(string) -> {_P}")
def _path(asked: AuthorizerValue, path: str) -> PathCheck:
    if not path:
        raise EvaluationError("path must not be empty")
    return PathCheck(asked, path)


@_define("authorizer_group", f"{_A}|group(string) -> {_G}")
def _group(asked: AuthorizerValue, group: str) -> GroupCheck:
    return GroupCheck(asked, group)


@_define("authorizer_serviceaccount", f"{_A}|serviceAccount(string, string) -> {_A}")
def _service_account(asked: AuthorizerValue, namespace: str, name: str) -> AuthorizerValue:
    if dns_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if dns_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(asked, service_account=(namespace, name))


@_define("groupcheck_resource", f"{_G}|resource(string) -> {_R}")
def _resource(checked: GroupCheck, resource: str) -> ResourceCheck:
    if not resource:
        raise EvaluationError("resource must not be empty")
    asked = checked.asked
    question = Question("", group=checked.group, resource=resource, service_account=asked.service_account)
    return ResourceCheck(asked.authorizer, question)


def _narrowing(identity: str, function: str, attribute: str) -> None:
    def narrow(checked: ResourceCheck, text: str) -> ResourceCheck:
        question = checked.question
        changes: dict[str, Any] = {attribute: text}
        return replace(checked, question=replace(question, **changes))

    AUTHORIZERS.add(identity, f"{_R}|{function}(string) -> {_R}", narrow)


_narrowing("resourcecheck_subresource", "subresource", "subresource")
_narrowing("resourcecheck_namespace", "namespace", "namespace")
_narrowing("resourcecheck_name", "name", "name")
_narrowing("authorizer_fieldselector", "fieldSelector", "field_selector")
_narrowing("authorizer_labelselector", "labelSelector", "label_selector")


@_define("pathcheck_check", f"{_P}|check(string) -> {_D}")
def _check_path(checked: PathCheck, verb: str) -> Decision:
    asked = checked.asked
    question = Question(verb, path=checked.path, service_account=asked.service_account)
    return Decision(asked.authorizer.answer(question))


@_define("resourcecheck_check", f"{_R}|check(string) -> {_D}")
def _check_resource(checked: ResourceCheck, verb: str) -> Decision:
    return Decision(checked.authorizer.answer(replace(checked.question, verb=verb)))


@_define("decision_errored", f"{_D}|errored() -> bool")
def _errored(decision: Decision) -> bool:
    return bool(decision.answer.error)


@_define("decision_error", f"{_D}|error() -> string")
def _error(decision: Decision) -> str:
    return decision.answer.error


@_define("decision_allowed", f"{_D}|allowed() -> bool")
def _allowed(decision: Decision) -> bool:
    return decision.answer.allowed


@_define("decision_reason", f"{_D}|reason() -> string")
def _reason(decision: Decision) -> str:
    return decision.answer.reason
