"""Checks of the expressions in webhook configurations and admission policies: all must compile, and to the right type.

Expressions that were stored already are believed: an older server may have known more.

Follows: pkg/apis/admissionregistration/validation, validateMatchCondition, validateVariable, validateValidation,
validateAuditAnnotation, validateMutation.
"""

import re
from typing import Any, Final

from pybernetes.api import admission_expressions as expressions
from pybernetes.api.validation.common import Errors
from pybernetes.machinery import cel, names
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.cel import Environment, Type

Json = dict[str, Any]

MAX_AUDIT_ANNOTATIONS: Final = 20
MAX_VALUE_EXPRESSION_BYTES: Final = 5 * 1024
REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop"}
    | {"namespace", "null", "package", "return", "true", "var", "void", "while"}
)


def _compiles(errors: Errors, path: str, text: str, within: Environment, *expected: Type, shown: str = "") -> Type:
    found = expressions.compile_expression(text, within, *expected)
    if found.error:
        errors.append(fe.invalid_value(path, shown or text, found.error))
    return found.type


def match_conditions(errors: Errors, path: str, conditions: list[Json], *, params: bool = False) -> None:
    within = expressions.environment(params=params, authorizer=True)
    for index, condition in enumerate(conditions):
        text = (condition.get("expression") or "").strip()
        if text:
            _compiles(errors, f"{path}[{index}].expression", text, within, cel.BOOL)


def policy(errors: Errors, document: Json) -> None:
    """The expressions of a Validating- or MutatingAdmissionPolicy."""
    spec = document.get("spec") or {}
    params = spec.get("paramKind") is not None
    mutates = document.get("kind") == "MutatingAdmissionPolicy"
    match_conditions(errors, "spec.matchConditions", spec.get("matchConditions") or [], params=params)
    declared = _variables(errors, spec, expressions.environment(params=params, authorizer=True, mutates=mutates))

    def within(*, authorizer: bool = True) -> Environment:
        base = expressions.environment(params=params, authorizer=authorizer, mutates=mutates)
        return expressions.with_variables(base, declared) if declared else base

    for index, validation in enumerate(spec.get("validations") or ()):
        _validation(errors, f"spec.validations[{index}]", validation, within(), within(authorizer=False))
    _audit_annotations(errors, document, spec.get("auditAnnotations") or [], within())
    for index, mutation in enumerate(spec.get("mutations") or ()):
        _mutation(errors, f"spec.mutations[{index}]", mutation, within())


def _variables(errors: Errors, spec: Json, base: Environment) -> dict[str, Type]:
    declared: dict[str, Type] = {}
    for index, variable in enumerate(spec.get("variables") or ()):
        path, name = f"spec.variables[{index}]", variable.get("name") or ""
        if not name.strip():
            errors.append(fe.required(f"{path}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            errors.append(fe.invalid_value(f"{path}.name", name, "name is not a valid CEL identifier"))
        text = variable.get("expression") or ""
        if not text.strip():
            errors.append(fe.required(f"{path}.expression", "expression is not specified"))
            continue
        within = expressions.with_variables(base, declared)
        declared[name] = _compiles(errors, f"{path}.expression", text, within)
    return declared


def _validation(errors: Errors, path: str, rule: Json, within: Environment, for_messages: Environment) -> None:
    text = rule.get("expression") or ""
    if text.strip():
        _compiles(errors, f"{path}.expression", text, within, cel.BOOL)
    message_expression = rule.get("messageExpression") or ""
    if message_expression and not message_expression.strip():
        why = "must be non-empty if specified"
        errors.append(fe.invalid_value(f"{path}.messageExpression", message_expression, why))
    elif message_expression:
        _compiles(errors, f"{path}.messageExpression", message_expression, for_messages, cel.STRING)
    message = rule.get("message") or ""
    if message and not message.strip():
        errors.append(fe.invalid_value(f"{path}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip() or "\r" in message.strip():
        errors.append(fe.invalid_value(f"{path}.message", message, "message must not contain line breaks"))
    reason = rule.get("reason")
    if reason is not None and reason not in REASONS:
        errors.append(fe.not_supported(f"{path}.reason", reason, REASONS))


def _audit_annotations(errors: Errors, document: Json, annotations: list[Json], within: Environment) -> None:
    if len(annotations) > MAX_AUDIT_ANNOTATIONS:
        why = f"must not have more than {MAX_AUDIT_ANNOTATIONS} auditAnnotations"
        errors.append(fe.invalid_value("spec.auditAnnotations", annotations, why))
    policy_name = (document.get("metadata") or {}).get("name") or ""
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", annotation.get("key") or ""
        if not policy_name:
            errors.append(fe.invalid_value(f"{path}.key", key, "requires metadata.name be non-empty"))
        else:
            full = f"{policy_name}/{key}"
            errors.extend(fe.invalid_value(f"{path}.key", full, why) for why in names.qualified_name(full))
        text = (annotation.get("valueExpression") or "").strip()
        place = f"{path}.valueExpression"
        if not text:
            errors.append(fe.required(place, "valueExpression is not specified"))
        elif len(text.encode()) > MAX_VALUE_EXPRESSION_BYTES:
            errors.append(fe.required(place, f"must not exceed {MAX_VALUE_EXPRESSION_BYTES} bytes in length"))
        else:
            _compiles(errors, place, text, within, cel.STRING, cel.NULL, shown=annotation["valueExpression"])
        if key in seen:
            errors.append(fe.duplicate(f"{path}.key", key))
        seen.add(key)


def _mutation(errors: Errors, path: str, mutation: Json, within: Environment) -> None:
    kind = mutation.get("patchType")
    for wanted, field, expected in (
        ("ApplyConfiguration", "applyConfiguration", expressions.OBJECT),
        ("JSONPatch", "jsonPatch", cel.list_of(expressions.JSON_PATCH)),
    ):
        given = mutation.get(field)
        if kind != wanted:
            if given is not None:
                why = f"{field} may only be used when patchType is {wanted}"
                errors.append(fe.forbidden_value(f"{path}.{field}", why))
            continue
        text = (given or {}).get("expression") or ""
        if given is None or not text.strip():
            errors.append(fe.required(f"{path}.{field}{'.expression' if given else ''}", "expression is not specified"))
        else:
            _compiles(errors, f"{path}.{field}.expression", text, within, expected)
    if kind not in {"ApplyConfiguration", "JSONPatch"}:
        if not kind:
            errors.append(fe.required(f"{path}.patchType"))
        else:
            errors.append(fe.not_supported(f"{path}.patchType", kind, ("ApplyConfiguration", "JSONPatch")))


def changed(new: Json, old: Json) -> bool:
    """Whether anything an expression depends on differs: what is stored already stays valid."""
    return new.get("spec") != old.get("spec") or new.get("webhooks") != old.get("webhooks")
