"""Policies and bindings as the plugins need them: expressions compiled, selectors parsed. Rebuilt when they change.

Follows: apiserver pkg/admission/plugin/policy/generic/policy_source.go; policy/{validating,mutating}/plugin.go.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pybernetes.api import admission_expressions as expressions
from pybernetes.api.admission_expressions import Expression
from pybernetes.apiserver.admission.evaluation import Conditions, conditions_of
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.machinery import cel, labels
from pybernetes.machinery.labels import Selector, SelectorError

log = logging.getLogger("pybernetes.apiserver.admission")

GROUP: Final = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True, eq=False)
class MatchResources:
    """`matchConstraints` of a policy, `matchResources` of a binding."""

    rules: tuple[Document, ...]
    excluded: tuple[Document, ...]
    equivalent: bool
    namespace_selector: Selector
    object_selector: Selector


def match_resources(document: Document) -> MatchResources:
    """Read one.

    Raises:
        SelectorError.
    """
    return MatchResources(
        rules=tuple(document.get("resourceRules") or ()),
        excluded=tuple(document.get("excludeResourceRules") or ()),
        equivalent=document.get("matchPolicy", "Equivalent") == "Equivalent",
        namespace_selector=labels.from_label_selector(document.get("namespaceSelector") or {}),
        object_selector=labels.from_label_selector(document.get("objectSelector") or {}),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """One entry of `validations`."""

    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """One entry of `mutations`. `kind` is ApplyConfiguration or JSONPatch."""

    kind: str
    expression: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy."""

    name: str
    ignores_failures: bool
    match: MatchResources
    conditions: Conditions | None
    param_kind: Document | None
    variables: tuple[tuple[str, Expression], ...]
    validations: tuple[Validation, ...] = ()
    audit_annotations: tuple[tuple[str, Expression], ...] = ()
    mutations: tuple[Mutation, ...] = ()
    reinvoked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One binding of a policy."""

    name: str
    policy_name: str
    match: MatchResources | None
    param_ref: Document | None
    actions: tuple[str, ...]


def binding_of(document: Document) -> Binding:
    """The binding of a stored document.

    Raises:
        SelectorError.
    """
    spec = document.get("spec") or {}
    resources = spec.get("matchResources")
    return Binding(
        name=document["metadata"]["name"],
        policy_name=spec.get("policyName", ""),
        match=match_resources(resources) if resources is not None else None,
        param_ref=spec.get("paramRef"),
        actions=tuple(spec.get("validationActions") or ()),
    )


def policy_of(document: Document) -> Policy:
    """The policy of a stored document. An expression that does not compile fails when it is run.

    Raises:
        SelectorError.
    """
    spec: Document = document.get("spec") or {}
    params = spec.get("paramKind") is not None
    mutates = document.get("kind") == "MutatingAdmissionPolicy"
    ignores = spec.get("failurePolicy") == "Ignore"
    variables, declared = _variables(spec, params=params, mutates=mutates)

    def within(*, authorizer: bool = True) -> cel.Environment:
        base = expressions.environment(params=params, authorizer=authorizer, mutates=mutates)
        return expressions.with_variables(base, declared) if declared else base

    return Policy(
        name=document["metadata"]["name"],
        ignores_failures=ignores,
        match=match_resources(spec.get("matchConstraints") or {}),
        conditions=conditions_of(spec.get("matchConditions"), ignores_failures=ignores, params=params),
        param_kind=spec.get("paramKind"),
        variables=variables,
        validations=tuple(
            _validation(row, within(), within(authorizer=False)) for row in spec.get("validations") or ()
        ),
        audit_annotations=tuple(
            (
                row.get("key", ""),
                expressions.compile_expression(row.get("valueExpression", "").strip(), within(), cel.STRING, cel.NULL),
            )
            for row in spec.get("auditAnnotations") or ()
        ),
        mutations=tuple(_mutation(row, within()) for row in spec.get("mutations") or ()),
        reinvoked=spec.get("reinvocationPolicy") == "IfNeeded",
    )


def _variables(
    spec: Document, *, params: bool, mutates: bool
) -> tuple[tuple[tuple[str, Expression], ...], dict[str, cel.Type]]:
    """The variables in their order: each sees those before it."""
    base = expressions.environment(params=params, authorizer=True, mutates=mutates)
    declared: dict[str, cel.Type] = {}
    found = []
    for row in spec.get("variables") or ():
        compiled = expressions.compile_expression(row.get("expression", ""), expressions.with_variables(base, declared))
        declared[row["name"]] = compiled.type
        found.append((row["name"], compiled))
    return tuple(found), declared


def _validation(row: Document, within: cel.Environment, for_messages: cel.Environment) -> Validation:
    text = row.get("messageExpression") or ""
    return Validation(
        expression=expressions.compile_expression(row.get("expression", ""), within, cel.BOOL),
        message=(row.get("message") or "").strip(),
        message_expression=expressions.compile_expression(text, for_messages, cel.STRING) if text.strip() else None,
        reason=row.get("reason") or "Invalid",
    )


def _mutation(row: Document, within: cel.Environment) -> Mutation:
    kind = row.get("patchType", "")
    if kind == "JSONPatch":
        text, expected = (row.get("jsonPatch") or {}).get("expression", ""), cel.list_of(expressions.JSON_PATCH)
    else:
        text, expected = (row.get("applyConfiguration") or {}).get("expression", ""), expressions.OBJECT
    return Mutation(kind, expressions.compile_expression(text, within, expected))


class PolicySource:
    """The policies of one kind that have bindings, as they stand, by name."""

    def __init__(self, reader: ObjectReader, policies: str, bindings: str) -> None:
        self._reader = reader
        self._plurals = policies, bindings
        self._policies: dict[str, Policy] = {}
        self._bindings: dict[str, Binding] = {}
        self.bound: tuple[tuple[Policy, tuple[Binding, ...]], ...] = ()

    def follow(self, changed: Callable[[], None]) -> None:
        """Follow policies and bindings; `changed` is called after each change."""

        def observe(rows: dict[str, Any], build: Callable[[Document], Any]) -> Callable[..., None]:
            def observed(old: Document | None, new: Document | None) -> None:
                document: Document = new or old or {}
                name = document["metadata"]["name"]
                if new is not None and old is not None and new.get("spec") == old.get("spec"):
                    return  # only its status has changed: nothing to compile again
                rows.pop(name, None)
                if new is not None:
                    try:
                        rows[name] = build(new)
                    except SelectorError:
                        log.exception("policy unusable name=%s", name)
                self._arrange()
                changed()

            return observed

        self._reader.subscribe(GROUP, self._plurals[0], observe(self._policies, policy_of))
        self._reader.subscribe(GROUP, self._plurals[1], observe(self._bindings, binding_of))

    def _arrange(self) -> None:
        by_policy: dict[str, list[Binding]] = {}
        for name in sorted(self._bindings):
            binding = self._bindings[name]
            by_policy.setdefault(binding.policy_name, []).append(binding)
        self.bound = tuple(
            (self._policies[name], tuple(by_policy[name])) for name in sorted(self._policies) if name in by_policy
        )
