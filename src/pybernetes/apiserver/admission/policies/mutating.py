"""MutatingAdmissionPolicy: expressions that change what is about to be stored, policies by name, each mutation in turn.

A policy with reinvocationPolicy IfNeeded runs again when anything after it changed the object.

Follows: apiserver pkg/admission/plugin/policy/mutating/{dispatcher,reinvocationcontext}.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from pybernetes.api import field_ownership
from pybernetes.apiserver.admission.attributes import Attributes, Views, attributes_of, kind_of
from pybernetes.apiserver.admission.evaluation import bindings_of, evaluate
from pybernetes.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from pybernetes.apiserver.admission.policies.definitions import Binding, Mutation, Policy, PolicySource
from pybernetes.apiserver.admission.policies.matching import (
    Invocation,
    Surroundings,
    handles,
    invocations,
    namespace_of,
)
from pybernetes.apiserver.admission.policies.patches import Unusable, apply_configuration, json_patched
from pybernetes.apiserver.admission.policies.running import bound
from pybernetes.apiserver.admission.policies.validating import EVALUATION_ERROR, NO_ERROR, refusal
from pybernetes.apiserver.admission.webhooks.mutating import reinvocation_of
from pybernetes.apiserver.request import AdmissionRequest, Document, Reinvocation
from pybernetes.machinery import cel
from pybernetes.machinery.managed_fields import plans

_Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Memory:
    """What the plugin remembers between the two rounds of one request."""

    last_output: bytes = b""
    previous: set[_Key] = field(default_factory=set)
    again: set[_Key] = field(default_factory=set)

    def require_previous(self) -> None:
        self.again |= self.previous
        self.previous = set()


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A policy that could not be carried out. `reason` of the Status, when it is not Forbidden."""

    policy: Policy
    binding: Binding | None
    text: str
    reason: str = ""

    def __str__(self) -> str:
        if self.binding is None:
            return f'policy "{self.policy.name}" denied request: {self.text}'
        return f"policy '{self.policy.name}' with binding '{self.binding.name}' denied request: {self.text}"


class MutatingAdmissionPolicy(Plugin):
    NAME = "MutatingAdmissionPolicy"
    OPERATIONS = frozenset({CREATE, UPDATE, DELETE, CONNECT})
    SUBRESOURCES = None

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._source = PolicySource(around.reader, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings")

    def follow(self, changed: Callable[[], None]) -> None:
        self._source.follow(changed)

    def handles(self, group: str, plural: str, subresource: str, operation: str) -> bool:
        """Whether any bound policy could want such writes: without one, nothing costs."""
        return handles(self._source, (group, plural, subresource, operation), self._around.equivalents)

    async def mutate(self, request: AdmissionRequest) -> None:
        attributes = attributes_of(request)
        found, problems = await invocations(self._source, attributes, self._around)
        failures = [Failure(problem.policy, problem.binding, problem.text) for problem in problems]
        if found:
            state = reinvocation_of(request)
            memory: Memory = state.memory.setdefault(self.NAME, Memory())
            if state.again and memory.last_output != orjson.dumps(request.object):
                memory.require_previous()
            failures += await self._run(found, attributes, state, memory)
            memory.last_output = orjson.dumps(request.object)
        failures = [failure for failure in failures if not failure.policy.ignores_failures]
        if failures:
            reason = failures[0].reason or "Forbidden"
            raise refusal(request, str(failures[0]), reason, 403, [str(failure) for failure in failures])

    async def _run(
        self, found: list[Invocation], attributes: Attributes, state: Reinvocation, memory: Memory
    ) -> list[Failure]:
        failures = []
        namespace = namespace_of(attributes, self._around.reader)
        views = Views(attributes, self._around.equivalents)
        for invocation in found:
            policy = invocation.policy
            if policy.conditions is not None:
                view = await views.of(invocation.resource)
                seen = bindings_of(attributes, invocation.resource, view, namespace, self._around.authorizer)
                match = policy.conditions.match({**seen, "params": invocation.param})
                if match.error:
                    failures.append(Failure(policy, invocation.binding, match.error, "Invalid"))
                if not match.matches:
                    continue
            if state.again and invocation.key not in memory.again:
                continue
            changed = False
            for mutation in policy.mutations:
                try:
                    changed |= await self._mutate(mutation, invocation, attributes, views, namespace)
                except Unusable as error:
                    failures.append(Failure(policy, invocation.binding, str(error), "Invalid"))
                    self._around.metrics.policy_mutated(policy.name, invocation.binding.name, EVALUATION_ERROR)
                else:
                    self._around.metrics.policy_mutated(policy.name, invocation.binding.name, NO_ERROR)
            if changed:
                memory.require_previous()
                state.wanted = True
            if policy.reinvoked:
                memory.previous.add(invocation.key)
        return failures

    async def _mutate(
        self,
        mutation: Mutation,
        invocation: Invocation,
        attributes: Attributes,
        views: Views,
        namespace: Document | None,
    ) -> bool:
        """Carry out one mutation; whether the object differs now.

        Raises:
            Unusable: the expression fails, or its result cannot be applied.
        """
        resource = invocation.resource
        view = await views.of(resource)
        if view.object is None:
            return False
        if mutation.expression.error:
            raise Unusable(mutation.expression.error)
        bindings = bindings_of(attributes, resource, view, namespace, self._around.authorizer)
        budget = cel.Budget()
        seen = bound(invocation.policy, bindings, invocation.param, budget)
        try:
            outcome = evaluate(mutation.expression, seen, budget)
        except cel.CostExceeded as error:
            raise Unusable(str(error)) from None
        if outcome.error:
            raise Unusable(outcome.error)
        if mutation.kind == "JSONPatch":
            patched = json_patched(view.object, outcome.value)
        else:
            whole = kind_of(resource, attributes.subresource).kind == resource.kind
            plan = field_ownership.plan_of(resource) if whole else plans.DEDUCED
            patched = apply_configuration(view.object, outcome.value, plan)
        return await views.replace(patched, resource)
