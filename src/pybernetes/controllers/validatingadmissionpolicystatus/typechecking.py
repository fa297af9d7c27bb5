"""The expressions of a policy, checked against the types of everything its rules name. Pure.

    kinds_of      rules → the kinds to check against, without wildcards, at most ten
    warnings_of   policy, kinds with their schemas → what an author should know

Admission itself takes objects as they come; only here do their schemas count.

Follows: apiserver pkg/admission/plugin/policy/validating/typechecking.go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pybernetes.api import admission_expressions as expressions
from pybernetes.api import schema
from pybernetes.api.admissionregistration_v1 import ExpressionWarning, MatchResources, ValidatingAdmissionPolicySpec
from pybernetes.machinery import cel
from pybernetes.machinery.type_table import Shape, Type

MAX_KINDS: Final = 10
"""Follows: maxTypesToCheck."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind as warnings name it."""

    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        api_version = f"{self.group}/{self.version}" if self.group else f"/{self.version}"
        return f"{api_version.lstrip('/')}, Kind={self.kind}"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def kinds_of(constraints: MatchResources | None, resolve: Callable[[str, str, str], Kind | None]) -> list[Kind]:
    """The kinds the rules name outright; `resolve` knows group, version and resource."""
    found: set[Kind] = set()
    for rule in constraints.resourceRules if constraints is not None else ():
        if any("*" in text for text in (*rule.apiGroups, *rule.apiVersions)):
            continue
        resources = sorted(text for text in rule.resources if "*" not in text and "/" not in text)
        for group in sorted(rule.apiGroups):
            for version in sorted(rule.apiVersions):
                for resource in resources:
                    kind = resolve(group, version, resource)
                    if kind is not None and len(found) < MAX_KINDS:
                        found.add(kind)
    return sorted(found)


_STRING: Final[Json] = {"type": "string"}
_SCALARS: Final[Mapping[Shape, Json]] = {
    Shape.STRING: _STRING,
    Shape.BYTES: {"type": "string", "format": "byte"},
    Shape.BOOLEAN: {"type": "boolean"},
    Shape.INT32: {"type": "integer"},
    Shape.INT64: {"type": "integer"},
    Shape.DOUBLE: {"type": "number"},
    Shape.QUANTITY: _STRING,
    Shape.INT_OR_STRING: {"x-kubernetes-int-or-string": True},
    Shape.TIME: {"type": "string", "format": "date-time"},
    Shape.MICRO_TIME: {"type": "string", "format": "date-time"},
    Shape.ANY: {"x-kubernetes-int-or-string": True},  # anything: expressions may do with it what they like
}


def built_in_schema(alias: str) -> Json:
    """The schema of a built-in kind by its row of the type table."""
    return _schema(schema.type_of(alias), ())


def _schema(type_: Type, above: tuple[str, ...]) -> Json:
    if type_.shape is Shape.LIST:
        assert type_.element is not None
        return {"type": "array", "items": _schema(type_.element, above)}
    if type_.shape is Shape.MAP:
        assert type_.element is not None
        return {"type": "object", "additionalProperties": _schema(type_.element, above)}
    if type_.shape is not Shape.STRUCT:
        return _SCALARS[type_.shape]
    if type_.name in above:
        return _SCALARS[Shape.ANY]  # types that contain themselves end here
    inner = (*above, type_.name)
    return {"type": "object", "properties": {name: _schema(f.type, inner) for name, f in type_.fields.items()}}


def cel_type(kind: str, found: Json | None) -> cel.Type:
    """The type of objects with this schema; dyn without one."""
    if found is None:
        return cel.DYN
    return cel.schema_type(found, name=kind, resource_root=True) or cel.DYN


def warnings_of(
    spec: ValidatingAdmissionPolicySpec, kinds: Sequence[tuple[Kind, cel.Type]], params: cel.Type | None
) -> list[ExpressionWarning]:
    """The warnings, in the order of the expressions; `params` None for a policy without paramKind."""
    found = []
    for index, validation in enumerate(spec.validations):
        for field, text in (("expression", validation.expression), ("messageExpression", validation.messageExpression)):
            warning = _warning(text, spec, kinds, params) if text else ""
            if warning:
                found.append(ExpressionWarning(fieldRef=f"spec.validations[{index}].{field}", warning=warning))
    return found


def _warning(
    text: str,
    spec: ValidatingAdmissionPolicySpec,
    kinds: Iterable[tuple[Kind, cel.Type]],
    params: cel.Type | None,
) -> str:
    complaints = []
    for kind, object_type in kinds:
        within = expressions.typed_environment(object_type, params)
        declared: dict[str, cel.Type] = {}
        for variable in spec.variables:
            inner = expressions.with_variables(within, declared)
            declared[variable.name] = expressions.compile_expression(variable.expression, inner).type
        if declared:
            within = expressions.with_variables(within, declared)
        error = expressions.compile_expression(text, within).error
        if error:
            complaints.append(f"{kind}: {error.removeprefix('compilation failed: ')}\n")
    return "\n".join(complaints)
