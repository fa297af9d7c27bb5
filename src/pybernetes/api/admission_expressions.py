"""Expressions of admission: what they may name, and how they are compiled.

    object, oldObject     the documents, of any kind; null where there is none
    request               the AdmissionRequest without its objects
    namespaceObject       the namespace of the request; null for what is in none
    params                what the binding names; only with a paramKind
    variables             of the policy, each computed when first read
    authorizer            may this user do that (who answers comes in with the value)
    Object, JSONPatch     what mutations build

Shared by validation, which refuses what does not compile, and by admission, which runs it.

Follows: apiserver pkg/admission/plugin/cel/{compile,composition}.go; pkg/cel/mutation.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pybernetes.machinery import cel
from pybernetes.machinery.cel import CelError, Environment, Field, Program, Type

VARIABLES_TYPE: Final = "kubernetes.variables"


def _texts(*field_names: str) -> dict[str, Type | Field]:
    return dict.fromkeys(field_names, cel.STRING)


def _request_type() -> Type:
    kind = cel.struct("kubernetes.GroupVersionKind", _texts("group", "version", "kind"))
    resource = cel.struct("kubernetes.GroupVersionResource", _texts("group", "version", "resource"))
    texts = cel.list_of(cel.STRING)
    user = cel.struct(
        "kubernetes.UserInfo",
        {**_texts("username", "uid"), "groups": texts, "extra": cel.map_of(cel.STRING, texts)},
    )
    return cel.struct(
        "kubernetes.AdmissionRequest",
        {
            **_texts("subResource", "requestSubResource", "name", "namespace", "operation"),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "userInfo": user,
            "dryRun": cel.BOOL,
            "options": cel.DYN,
        },
    )


def _namespace_type() -> Type:
    text = {"type": "string"}
    moment = {"type": "string", "format": "date-time"}
    texts = {"type": "array", "items": text}
    by_key = {"type": "object", "additionalProperties": text}
    condition = dict.fromkeys(("status", "type", "message", "reason"), text)
    metadata = {
        **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), text),
        "labels": by_key,
        "annotations": by_key,
        "creationTimestamp": moment,
        "deletionTimestamp": moment,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "generation": {"type": "integer"},
        "finalizers": texts,
    }
    conditions = {"type": "object", "properties": {**condition, "lastTransitionTime": moment}}
    status = {"phase": text, "conditions": {"type": "array", "items": conditions}}
    found = cel.schema_type(
        {
            "type": "object",
            "properties": {
                "metadata": {"type": "object", "properties": metadata},
                "spec": {"type": "object", "properties": {"finalizers": texts}},
                "status": {"type": "object", "properties": status},
            },
        },
        name="kubernetes.Namespace",
    )
    assert found is not None
    return found


OBJECT: Final = cel.object_type()
JSON_PATCH: Final = cel.JSON_PATCH


@functools.cache
def environment(*, params: bool, authorizer: bool, mutates: bool = False) -> Environment:
    """What expressions may name, without variables."""
    variables = {
        "object": cel.DYN,
        "oldObject": cel.DYN,
        "namespaceObject": _namespace_type(),
        "request": _request_type(),
    }
    if params:
        variables["params"] = cel.DYN
    if authorizer:
        variables |= {"authorizer": cel.AUTHORIZER, "authorizer.requestResource": cel.RESOURCE_CHECK}
    return Environment(variables, mutation=mutates)


def typed_environment(object_type: Type, params: Type | None) -> Environment:
    """What expressions may name when the objects' type is known: for checking, not for running."""
    variables = {
        "object": object_type,
        "oldObject": object_type,
        "namespaceObject": _namespace_type(),
        "request": _request_type(),
        "authorizer": cel.AUTHORIZER,
        "authorizer.requestResource": cel.RESOURCE_CHECK,
    }
    if params is not None:
        variables["params"] = params
    return Environment(variables)


def with_variables(base: Environment, declared: Mapping[str, Type]) -> Environment:
    """The environment with the policy's variables so far."""
    return base.extend({"variables": cel.struct(VARIABLES_TYPE, declared)})


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled text, or why it does not compile."""

    text: str
    program: Program | None
    error: str = ""

    @property
    def type(self) -> Type:
        return cel.DYN if self.program is None else self.program.type


def compile_expression(text: str, within: Environment, *expected: Type) -> Expression:
    """The text compiled; its type must be exactly one of `expected`, of which none allows all."""
    try:
        program = within.compile(text)
    except CelError as error:
        return Expression(text, None, f"compilation failed: {error}")
    if expected and program.type not in expected:
        found = _go_name(program.type)
        if len(expected) == 1:
            return Expression(text, None, f"must evaluate to {_go_name(expected[0])} but got {found}")
        wanted = " ".join(_go_name(one) for one in expected)
        return Expression(text, None, f"must evaluate to one of [{wanted}] but got {found}")
    return Expression(text, program)


def _go_name(shown: Type) -> str:
    """The type as cel-go's Type.String shows it."""
    if not shown.parameters:
        return shown.name
    return f"{shown.name}({', '.join(_go_name(one) for one in shown.parameters)})"
