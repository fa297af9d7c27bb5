"""One policy run on one request with one param: variables computed when first read, one budget for all it costs.

Follows: apiserver pkg/admission/plugin/cel/composition.go; policy/validating/validator.go.
"""

from collections.abc import Callable
from typing import Any

from pybernetes.api.admission_expressions import Expression
from pybernetes.apiserver.admission.evaluation import Bindings
from pybernetes.apiserver.admission.policies.definitions import Policy
from pybernetes.machinery import cel


def bound(policy: Policy, bindings: Bindings, param: Any, budget: cel.Budget, *, authorizer: bool = True) -> Bindings:
    """The values of all names the policy's expressions may use, for one pass over them."""
    found = {**bindings, "params": param}
    if not authorizer:
        del found["authorizer"], found["authorizer.requestResource"]
    if policy.variables:
        found["variables"] = cel.LazyObject(
            {name: _computed(name, expression, found, budget) for name, expression in policy.variables}
        )
    return found


def _computed(name: str, expression: Expression, bindings: Bindings, budget: cel.Budget) -> Callable[[], Any]:
    def compute() -> Any:
        if expression.program is None:
            raise cel.EvaluationError(f'composited variable "{name}" fails to compile: {expression.error}')
        try:
            return expression.program.evaluate(bindings, budget)
        except cel.CostExceeded as error:
            if budget.remaining < 0:
                raise
            raise cel.EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None
        except cel.EvaluationError as error:
            raise cel.EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None

    return compute
