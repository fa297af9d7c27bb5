"""Expressions of webhooks and policies, run on one request: what they see, what they cost, how their failures read.

    bindings_of     a request in one version as the values of object, oldObject, request, …
    evaluate        one expression: its value, or what went wrong
    Conditions      matchConditions: all true, or why not

Follows: apiserver pkg/admission/plugin/cel/{activation,condition}.go; pkg/admission/plugin/webhook/matchconditions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pybernetes.api import admission_expressions as expressions
from pybernetes.api.admission_expressions import Expression
from pybernetes.api.registry import Resource
from pybernetes.apiserver.admission.attributes import Attributes, View
from pybernetes.apiserver.admission.webhooks.review import admission_request
from pybernetes.apiserver.interfaces import Authorizer
from pybernetes.apiserver.interfaces import Decision as Verdict
from pybernetes.apiserver.request import AUTHENTICATED_GROUP, Document, RequestInfo, User
from pybernetes.machinery import cel
from pybernetes.machinery.cel.limits import RUNTIME_COST_BUDGET_MATCH_CONDITIONS

Bindings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression came to: a value, or an error's text."""

    value: Any = None
    error: str = ""


def evaluate(expression: Expression, bindings: Mapping[str, Any], budget: cel.Budget) -> Outcome:
    """Run one expression; what it costs is taken from the budget.

    Raises:
        CostExceeded: the budget of all expressions together is spent.
    """
    if expression.program is None:
        return Outcome(error=f"compilation error: {expression.error}")
    try:
        return Outcome(expression.program.evaluate(bindings, budget))
    except cel.CostExceeded as error:
        if budget.remaining < 0:
            raise cel.CostExceeded(cel.OUT_OF_BUDGET) from None
        return Outcome(error=f"expression '{expression.text}' resulted in error: {error}")
    except cel.EvaluationError as error:
        return Outcome(error=f"expression '{expression.text}' resulted in error: {error}")


def aggregated(errors: Iterable[str]) -> str:
    """Several errors as one. Follows: apimachinery pkg/util/errors, Aggregate."""
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


# ── what expressions see ──


def bindings_of(
    attributes: Attributes, resource: Resource, view: View, namespace: Document | None, authorizer: Authorizer
) -> Bindings:
    """The values of all names but `params` and `variables`."""
    request = admission_request(attributes, resource, view)
    del request["object"], request["oldObject"]
    answers = Answers(attributes.request.user, authorizer)
    return {
        "object": view.object,
        "oldObject": view.old,
        "request": request,
        "namespaceObject": namespace,
        "authorizer": cel.AuthorizerValue(answers),
        "authorizer.requestResource": cel.ResourceCheck(
            answers,
            cel.Question(
                verb="",
                group=attributes.resource.group,
                resource=attributes.resource.resource,
                subresource=attributes.subresource,
                namespace=attributes.namespace,
                name=attributes.name,
            ),
        ),
    }


def service_account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED_GROUP)
    return User(f"system:serviceaccount:{namespace}:{name}", groups=groups)


class Answers:
    """Answers the questions of one request's expressions; the same one is asked once. Implements `cel.Authorizer`."""

    def __init__(self, user: User, authorizer: Authorizer) -> None:
        self._user = user
        self._authorizer = authorizer
        self._known: dict[cel.Question, cel.Answer] = {}

    def answer(self, question: cel.Question) -> cel.Answer:
        found = self._known.get(question)
        if found is None:
            found = self._known[question] = self._ask(question)
        return found

    def _ask(self, question: cel.Question) -> cel.Answer:
        user = self._user if question.service_account is None else service_account(*question.service_account)
        info = RequestInfo(
            verb=question.verb,
            path=question.path,
            is_resource=not question.path,
            group=question.group,
            version="*",
            resource=question.resource,
            subresource=question.subresource,
            namespace=question.namespace,
            name=question.name,
            field_selector=question.field_selector,
        )
        verdict = self._authorizer.authorize(user, info)
        if not isinstance(verdict, Verdict):
            return cel.Answer(allowed=False, error="this authorizer answers only requests, not expressions")
        return cel.Answer(verdict.allowed, verdict.reason)


# ── match conditions ──


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a request meets the conditions; `error` refuses it altogether."""

    matches: bool
    error: str = ""
    failures: int = 0
    """Conditions that could not be evaluated."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The compiled matchConditions of one webhook or policy."""

    expressions: tuple[Expression, ...]
    ignores_failures: bool

    def match(self, bindings: Mapping[str, Any]) -> Match:
        """One false condition is enough; only then do failures count."""
        budget = cel.Budget(RUNTIME_COST_BUDGET_MATCH_CONDITIONS)
        errors = []
        try:
            for expression in self.expressions:
                outcome = evaluate(expression, bindings, budget)
                if outcome.error:
                    errors.append(outcome.error)
                elif outcome.value is False:
                    return Match(matches=False, failures=len(errors))
        except cel.CostExceeded as error:
            return Match(matches=False, error="" if self.ignores_failures else str(error))
        if not errors:
            return Match(matches=True)
        return Match(False, "" if self.ignores_failures else aggregated(errors), len(errors))


def conditions_of(
    found: Iterable[Document] | None, *, ignores_failures: bool, params: bool = False
) -> Conditions | None:
    """The conditions compiled; None when there are none."""
    rows = list(found or ())
    if not rows:
        return None
    within = expressions.environment(params=params, authorizer=True)
    compiled = [expressions.compile_expression((row.get("expression") or "").strip(), within, cel.BOOL) for row in rows]
    return Conditions(tuple(compiled), ignores_failures)
