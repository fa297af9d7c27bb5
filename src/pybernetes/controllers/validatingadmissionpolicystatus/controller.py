"""Every new generation of a ValidatingAdmissionPolicy is type-checked once, and its status says what was found.

Follows: kubernetes 1.36 pkg/controller/validatingadmissionpolicystatus/controller.go.
"""

from collections.abc import Sequence

import msgspec

from pybernetes.api import registry, schema
from pybernetes.api.admissionregistration_v1 import (
    TypeChecking,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicySpec,
    ValidatingAdmissionPolicyStatus,
)
from pybernetes.api.apiextensions_v1 import CustomResourceDefinition
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.validatingadmissionpolicystatus.typechecking import (
    Json,
    Kind,
    built_in_schema,
    cel_type,
    kinds_of,
    warnings_of,
)
from pybernetes.machinery import cel
from pybernetes.machinery.errors import NotFound


class Kinds:
    """The kinds there are: built-in ones and those of the definitions."""

    def __init__(self, definitions: Sequence[CustomResourceDefinition]) -> None:
        self._definitions = definitions

    def resolve(self, group: str, version: str, plural: str) -> Kind | None:
        for row in registry.built_in():
            if (row.group, row.version, row.plural) == (group, version, plural):
                return Kind(group, version, row.kind)
        for definition in self._definitions:
            names = definition.spec.names
            served = {row.name for row in definition.spec.versions}
            if (definition.spec.group, names.plural) == (group, plural) and version in served:
                return Kind(group, version, names.kind)
        return None

    def schema(self, kind: Kind) -> Json | None:
        """The schema of a kind; None for one that nobody describes."""
        alias = schema.alias_of(kind.api_version, kind.kind)
        if alias:
            return built_in_schema(alias)
        for definition in self._definitions:
            if (definition.spec.group, definition.spec.names.kind) != (kind.group, kind.kind):
                continue
            for version in definition.spec.versions:
                if version.name == kind.version and version.schema is not None:
                    found: Json = msgspec.to_builtins(version.schema.openAPIV3Schema)
                    return found
        return None


def _is_custom(spec: ValidatingAdmissionPolicySpec) -> bool:
    """Whether the policy names a group that is not built in."""
    rules = spec.matchConstraints.resourceRules if spec.matchConstraints is not None else ()
    groups = {group for rule in rules for group in rule.apiGroups}
    if spec.paramKind is not None:
        groups.add(spec.paramKind.apiVersion.rpartition("/")[0])
    return bool(groups - set(registry.group_versions()) - {"*"})


class ValidatingAdmissionPolicyStatusController(Controller):
    NAME = "validatingadmissionpolicy-status-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.policies = self.informer(ValidatingAdmissionPolicy)
        self.policies.add_handler(self._seen, lambda _, new: self._seen(new), lambda _: None)

    def _seen(self, policy: ValidatingAdmissionPolicy) -> None:
        self.queue.add(policy.key)

    async def reconcile(self, key: str) -> None:
        policy = self.policies.get(key)
        if policy is None or policy.metadata.generation <= policy.status.observedGeneration:
            return
        definitions: Sequence[CustomResourceDefinition] = ()
        if _is_custom(policy.spec):
            definitions = (await self.client.list(CustomResourceDefinition)).items
        kinds = Kinds(definitions)
        warnings = warnings_of(policy.spec, _typed(policy.spec, kinds), _params(policy.spec, kinds))
        status = ValidatingAdmissionPolicyStatus(
            conditions=policy.status.conditions,
            observedGeneration=policy.metadata.generation,
            typeChecking=TypeChecking(expressionWarnings=warnings),
        )
        try:
            written = await self.client.update(msgspec.structs.replace(policy, status=status), subresource="status")
        except NotFound:
            return
        await self.observed(self.policies.wait_until_observed(written.metadata.resourceVersion))


def _typed(spec: ValidatingAdmissionPolicySpec, kinds: Kinds) -> list[tuple[Kind, cel.Type]]:
    """The kinds to check against that have a schema, with their types."""
    found = []
    for kind in kinds_of(spec.matchConstraints, kinds.resolve):
        described = kinds.schema(kind)
        if described is not None:
            found.append((kind, cel_type(kind.kind, described)))
    return found


def _params(spec: ValidatingAdmissionPolicySpec, kinds: Kinds) -> cel.Type | None:
    if spec.paramKind is None:
        return None
    group, _, version = spec.paramKind.apiVersion.rpartition("/")
    kind = Kind(group, version, spec.paramKind.kind)
    return cel_type(kind.kind, kinds.schema(kind))
