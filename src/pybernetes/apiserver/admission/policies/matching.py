"""Which policies, bindings and params a request meets.

Follows: apiserver pkg/admission/plugin/policy/matching/matching.go; generic/policy_dispatcher.go, Dispatch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pybernetes.api.registry import Resource
from pybernetes.apiserver.admission import rules
from pybernetes.apiserver.admission.attributes import Attributes, Equivalents
from pybernetes.apiserver.admission.metrics import AdmissionMetrics
from pybernetes.apiserver.admission.policies.definitions import Binding, MatchResources, Policy, PolicySource
from pybernetes.apiserver.admission.policies.params import Misconfigured, params_of, resource_of
from pybernetes.apiserver.admission.webhooks.matching import (
    could_match,
    matched_resource,
    selects_namespace,
    selects_object,
)
from pybernetes.apiserver.interfaces import Authorizer
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.apiserver.scheme import Scheme
from pybernetes.effects import Clock
from pybernetes.machinery import errors
from pybernetes.machinery.errors import StatusError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies may look at."""

    reader: ObjectReader
    scheme: Scheme
    equivalents: Equivalents
    authorizer: Authorizer
    metrics: AdmissionMetrics
    clock: Clock


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    """A policy to be run on the request, by a binding, with a param."""

    policy: Policy
    binding: Binding
    resource: Resource
    param: Document | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        metadata = (self.param or {}).get("metadata") or {}
        return self.policy.name, self.binding.name, metadata.get("namespace", ""), metadata.get("name", "")


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A policy that cannot be run. `binding` None: none of its bindings can."""

    policy: Policy
    binding: Binding | None
    text: str


def handles(source: PolicySource, key: tuple[str, str, str, str], equivalents: Equivalents) -> bool:
    """Whether any bound policy could want writes of (group, plural, subresource, operation)."""
    group, plural, _, _ = key
    return not rules.is_exempt(group, plural) and any(
        could_match(policy.match.rules, key, equivalents, equivalent=policy.match.equivalent)
        for policy, _ in source.bound
    )


def _matches(match: MatchResources, attributes: Attributes, around: Surroundings) -> Resource | None:
    """The resource as which the request matches; None when it does not.

    Raises:
        StatusError: the namespace whose labels decide is gone.
    """
    if not selects_object(match.object_selector, attributes):
        return None
    excluded = matched_resource(match.excluded, attributes, around.equivalents, equivalent=match.equivalent)
    if excluded is not None:
        return None
    resource: Resource | None = attributes.request.resource
    if match.rules:
        resource = matched_resource(match.rules, attributes, around.equivalents, equivalent=match.equivalent)
    if resource is None or not selects_namespace(match.namespace_selector, attributes, around.reader):
        return None
    return resource


async def invocations(
    source: PolicySource, attributes: Attributes, around: Surroundings
) -> tuple[list[Invocation], list[Problem]]:
    """What is to be run, policies and bindings by name, and what cannot be."""
    found: list[Invocation] = []
    problems: list[Problem] = []
    for policy, bindings in source.bound:
        try:
            resource = _matches(policy.match, attributes, around)
            if resource is None:
                continue
            served = resource_of(policy, around.scheme)
        except (Misconfigured, StatusError) as error:
            problems.append(Problem(policy, None, f"failed to configure policy: {error}"))
            continue
        for binding in bindings:
            try:
                if binding.match is not None and _matches(binding.match, attributes, around) is None:
                    continue
                params = await params_of(served, binding, attributes.namespace, around.reader)
            except (Misconfigured, StatusError) as error:
                problems.append(Problem(policy, binding, f"failed to configure binding: {error}"))
                continue
            found += [Invocation(policy, binding, resource, param) for param in params]
    return found, problems


def namespace_of(attributes: Attributes, reader: ObjectReader) -> Document | None:
    """The namespace the request is in, as expressions see it; None for what is in none.

    Raises:
        NotFound.
    """
    name = attributes.namespace
    if not name or (attributes.kind.group == "" and attributes.kind.kind == "Namespace"):
        return None
    found = reader.get("", "namespaces", "", name)
    if found is None:
        raise errors.not_found("namespaces", "", name)
    return found


def grouped(found: list[Invocation]) -> Iterator[tuple[Policy, list[Invocation]]]:
    """The invocations of each policy, in order."""
    start = 0
    for end in range(1, len(found) + 1):
        if end == len(found) or found[end].policy is not found[start].policy:
            yield found[start].policy, found[start:end]
            start = end
