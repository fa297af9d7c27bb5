"""Which webhooks a request goes to, and as which resource each one sees it.

    namespace selector → object selector → rules → rules for equivalents → match conditions

Shared with admission policies, whose matchConstraints are made of the same parts.

Follows: apiserver pkg/admission/plugin/webhook/generic/webhook.go, ShouldCallHook; predicates/{namespace,object}.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.api.registry import Resource
from pybernetes.apiserver.admission import rules
from pybernetes.apiserver.admission.attributes import Attributes, Equivalents
from pybernetes.apiserver.admission.plugin import CREATE, UPDATE
from pybernetes.apiserver.admission.rules import GroupVersionResource
from pybernetes.apiserver.admission.webhooks.hooks import Hook
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.machinery import errors
from pybernetes.machinery.labels import Selector


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    """A webhook that is to be called, and the resource as which it sees the request."""

    hook: Hook
    resource: Resource


def invocation_of(
    hook: Hook, attributes: Attributes, equivalents: Equivalents, reader: ObjectReader
) -> Invocation | None:
    """How the webhook is to be called; None when the request is not its business.

    Raises:
        NotFound: the namespace whose labels decide is gone.
    """
    if not selects_object(hook.object_selector, attributes):
        return None
    resource = matched_resource(hook.rules, attributes, equivalents, equivalent=hook.equivalent)
    if resource is None or not selects_namespace(hook.namespace_selector, attributes, reader):
        return None
    return Invocation(hook, resource)


def matched_resource(
    found_rules: Iterable[rules.Rule], attributes: Attributes, equivalents: Equivalents, *, equivalent: bool
) -> Resource | None:
    """The resource a rule names: the one asked for, or else an equivalent of it; earlier rules first."""
    found_rules = tuple(found_rules)
    operation, subresource, namespace = attributes.operation, attributes.subresource, attributes.namespace
    for rule in found_rules:
        if rules.matches(rule, attributes.resource, subresource, operation, namespace) and rules.names_match(
            rule, attributes.name
        ):
            return attributes.request.resource
    if not equivalent:
        return None
    own = attributes.resource
    others = [served.resource for served in equivalents.of(own.group, own.resource, subresource)]
    for rule in found_rules:
        for other in others:
            gvr = GroupVersionResource(other.group, other.version, other.plural)
            if (
                gvr != own
                and rules.matches(rule, gvr, subresource, operation, namespace)
                and rules.names_match(rule, attributes.name)
            ):
                return other
    return None


def selects_namespace(selector: Selector, attributes: Attributes, reader: ObjectReader) -> bool:
    """Whether the labels of the request's namespace match; what is in no namespace always does.

    Raises:
        NotFound.
    """
    is_namespace = attributes.resource.resource == "namespaces"
    if selector.everything or (not attributes.namespace and not is_namespace):
        return True
    return selector.matches(namespace_labels(attributes, reader))


def namespace_labels(attributes: Attributes, reader: ObjectReader) -> dict[str, str]:
    """The labels that namespace selectors look at: of a namespace that is written, the new ones.

    Raises:
        NotFound.
    """
    request = attributes.request
    if (
        attributes.resource.resource == "namespaces"
        and not request.subresource
        and request.operation in {CREATE, UPDATE}
    ):
        return labels_of(request.object)
    namespace = reader.get("", "namespaces", "", attributes.namespace)
    if namespace is None:
        raise errors.not_found("namespaces", "", attributes.namespace)
    return labels_of(namespace)


def labels_of(document: Document | None) -> dict[str, str]:
    metadata = (document or {}).get("metadata") or {}
    found: dict[str, str] = metadata.get("labels") or {}
    return found


def selects_object(selector: Selector, attributes: Attributes) -> bool:
    """Whether the labels of the new or the old object match."""
    if selector.everything:
        return True
    request = attributes.request
    return any(
        document is not None and selector.matches(labels_of(document)) for document in (request.object, request.old)
    )


def could_match(
    found_rules: Iterable[rules.Rule],
    key: tuple[str, str, str, str],
    equivalents: Equivalents,
    *,
    equivalent: bool,
) -> bool:
    """Whether some request for (group, plural, subresource, operation) would match: decided once for each such kind."""
    group, plural, subresource, operation = key
    targets = {(group, plural)}
    if equivalent:
        targets |= {(s.resource.group, s.resource.plural) for s in equivalents.of(group, plural, subresource)}
    return any(
        rules.could_match(rule, other_group, other_plural, subresource, operation)
        for rule in found_rules
        for other_group, other_plural in targets
    )
