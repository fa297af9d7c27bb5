"""ValidatingAdmissionPolicy: what a binding does with each validation that does not hold.

    Deny     the request fails: the first denial is answered
    Warn     a Warning header
    Audit    an annotation for the audit log

Follows: apiserver pkg/admission/plugin/policy/validating/{dispatcher,validator}.go.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pybernetes.apiserver.admission.attributes import Attributes, Equivalents, Views, attributes_of
from pybernetes.apiserver.admission.evaluation import Bindings, bindings_of, evaluate
from pybernetes.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin, name_of
from pybernetes.apiserver.admission.policies.definitions import Binding, Policy, PolicySource, Validation
from pybernetes.apiserver.admission.policies.matching import (
    Invocation,
    Problem,
    Surroundings,
    grouped,
    handles,
    invocations,
    namespace_of,
)
from pybernetes.apiserver.admission.policies.running import bound
from pybernetes.apiserver.admission.webhooks.review import Denied
from pybernetes.apiserver.request import AdmissionRequest, Document
from pybernetes.machinery import cel

FAILURE_KEY: Final = "validation.policy.admission.k8s.io/validation_failure"
MAX_FAILURES: Final = 50
"""In the audit annotation; more are left out."""
MAX_ANNOTATION_BYTES: Final = 10 * 1024
MAX_MESSAGE_BYTES: Final = 5 * 1024
"""A longer result of a messageExpression is not used."""
_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}

NO_ERROR, COMPILE_ERROR, EVALUATION_ERROR = "no_error", "compile_error", "invalid_error"


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one validation that did not hold; `number` is its place."""

    number: int
    message: str
    reason: str = ""
    error: bool = False


@dataclass(slots=True)
class Findings:
    """What all policies found about one request."""

    denials: list[tuple[Policy, Binding | None, Decision]]
    failures: list[Document]


def message_of(validation: Validation, bindings: Bindings, budget: cel.Budget) -> str:
    """The text of a failed validation: computed, given, or the expression itself.

    Raises:
        CostExceeded.
    """
    if validation.message_expression is not None:
        found = evaluate(validation.message_expression, bindings, budget).value
        text = found.strip() if isinstance(found, str) else ""
        if text and "\n" not in text and len(text.encode()) <= MAX_MESSAGE_BYTES:
            return text
    return validation.message or f"failed expression: {validation.expression.text.strip()}"


def decisions(policy: Policy, bindings: Bindings, param: Any) -> Iterator[Decision]:
    """Every validation that does not hold, and every one that cannot be decided."""
    if policy.conditions is not None:
        match = policy.conditions.match({**bindings, "params": param})
        if match.error:
            yield Decision(0, match.error, error=True)
        if not match.matches:
            return
    budget = cel.Budget()
    seen = bound(policy, bindings, param, budget)
    for number, validation in enumerate(policy.validations):
        try:
            outcome = evaluate(validation.expression, seen, budget)
        except cel.CostExceeded as error:
            yield Decision(number, str(error), error=True)
            return
        if outcome.error:
            yield Decision(number, outcome.error, error=True)
        elif outcome.value is not True:
            for_message = bound(policy, bindings, param, budget, authorizer=False)
            try:
                message = message_of(validation, for_message, budget)
            except cel.CostExceeded as error:
                yield Decision(number, f"failed messageExpression: {error}", error=True)
                return
            yield Decision(number, message, validation.reason)


def annotations(policy: Policy, bindings: Bindings, param: Any) -> Iterator[tuple[str, str, str]]:
    """Key, value and error of each audit annotation that has either."""
    budget = cel.Budget()
    seen = bound(policy, bindings, param, budget)
    for key, expression in policy.audit_annotations:
        try:
            outcome = evaluate(expression, seen, budget)
        except cel.CostExceeded as error:
            yield key, "", str(error)
            return
        if outcome.error:
            yield key, "", outcome.error
        elif isinstance(outcome.value, str) and outcome.value.strip():
            yield key, outcome.value.strip(), ""


class ValidatingAdmissionPolicy(Plugin):
    NAME = "ValidatingAdmissionPolicy"
    OPERATIONS = frozenset({CREATE, UPDATE, DELETE, CONNECT})
    SUBRESOURCES = None

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._equivalents: Equivalents = around.equivalents
        self._source = PolicySource(around.reader, "validatingadmissionpolicies", "validatingadmissionpolicybindings")

    def follow(self, changed: Callable[[], None]) -> None:
        self._source.follow(changed)

    def handles(self, group: str, plural: str, subresource: str, operation: str) -> bool:
        """Whether any bound policy could want such writes: without one, nothing costs."""
        return handles(self._source, (group, plural, subresource, operation), self._equivalents)

    async def validate(self, request: AdmissionRequest) -> None:
        attributes = attributes_of(request)
        found, problems = await invocations(self._source, attributes, self._around)
        findings = Findings([], [])
        for problem in problems:
            self._misconfigured(problem, findings)
        if found:
            await self._run(found, attributes, findings)
        if findings.failures:
            request.annotate(FAILURE_KEY, orjson.dumps(findings.failures[:MAX_FAILURES]).decode())
        if findings.denials:
            raise denial(request, *findings.denials[0])

    @staticmethod
    def _misconfigured(problem: Problem, findings: Findings) -> None:
        if not problem.policy.ignores_failures:
            findings.denials.append((problem.policy, problem.binding, Decision(0, problem.text, error=True)))

    async def _run(self, found: list[Invocation], attributes: Attributes, findings: Findings) -> None:
        namespace = namespace_of(attributes, self._around.reader)
        views = Views(attributes, self._equivalents)
        for policy, group in grouped(found):
            noted: dict[str, list[str]] = {}
            for invocation in group:
                view = await views.of(invocation.resource)
                bindings = bindings_of(attributes, invocation.resource, view, namespace, self._around.authorizer)
                self._decide(invocation, bindings, attributes.request, findings)
                self._annotate(invocation, bindings, noted, findings)
            for key, values in noted.items():
                attributes.request.annotate(f"{policy.name}/{key}", ", ".join(values))

    def _decide(
        self, invocation: Invocation, bindings: Bindings, request: AdmissionRequest, findings: Findings
    ) -> None:
        policy, binding = invocation.policy, invocation.binding
        clock, began = self._around.clock, self._around.clock.monotonic()
        count = self._around.metrics.policy_checked
        for decision in decisions(policy, bindings, invocation.param):
            seconds = clock.monotonic() - began
            error_type = EVALUATION_ERROR if decision.error else NO_ERROR
            if decision.error and policy.ignores_failures:
                count(policy.name, binding.name, "allow", error_type, seconds)
                continue
            for action in binding.actions:
                count(policy.name, binding.name, action.lower(), error_type, seconds)
                if action == "Deny":
                    findings.denials.append((policy, binding, decision))
                elif action == "Audit":
                    findings.failures.append(_failure(policy, binding, decision))
                elif action == "Warn":
                    request.warnings.append(
                        f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding "
                        f"'{binding.name}': {decision.message}"
                    )

    @staticmethod
    def _annotate(invocation: Invocation, bindings: Bindings, noted: dict[str, list[str]], findings: Findings) -> None:
        policy = invocation.policy
        if not policy.audit_annotations:
            return
        if policy.conditions is not None:
            match = policy.conditions.match({**bindings, "params": invocation.param})
            if not match.matches:
                return
        for key, value, error in annotations(policy, bindings, invocation.param):
            if not error:
                shown = value.encode()[:MAX_ANNOTATION_BYTES].decode("utf-8", "ignore")
                values = noted.setdefault(key, [])
                if shown not in values:
                    values.append(shown)
            elif not policy.ignores_failures:
                findings.denials.append((policy, invocation.binding, Decision(0, error, error=True)))


def _failure(policy: Policy, binding: Binding, decision: Decision) -> Document:
    return {
        "message": decision.message,
        "policy": policy.name,
        "binding": binding.name,
        "expressionIndex": decision.number,
        "validationActions": list(binding.actions),
    }


def denial(request: AdmissionRequest, policy: Policy, binding: Binding | None, decision: Decision) -> Denied:
    """The refusal a client sees."""
    with_binding = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy.name}'{with_binding} denied request: {decision.message}"
    reason = decision.reason or "Invalid"
    return refusal(request, f"{subject(request)} is forbidden: {message}", reason, _CODES.get(reason, 422), [message])


def subject(request: AdmissionRequest) -> str:
    """What a refusal is about: `deployments.apps "web"`."""
    return f'{request.resource.qualified_name} "{name_of(request)}"'


def refusal(request: AdmissionRequest, message: str, reason: str, code: int, causes: list[str]) -> Denied:
    """The Status of a policy's refusal. Follows: apiserver pkg/admission/errors.go, NewForbidden."""
    resource = request.resource
    details: Document = {"name": name_of(request)}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    details["causes"] = [{"message": text} for text in causes]
    return Denied({"status": "Failure", "message": message, "reason": reason, "details": details, "code": code})
