"""The objects a binding names as parameters of its policy.

Follows: apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go, CollectParams.
"""

from typing import Any

from pybernetes.apiserver.admission.policies.definitions import Binding, Policy
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.apiserver.scheme import Scheme, Served
from pybernetes.machinery import labels
from pybernetes.machinery.labels import SelectorError


class Misconfigured(Exception):
    """A policy or binding cannot be used; the text says why, in upstream's words."""


def resource_of(policy: Policy, scheme: Scheme) -> Served | None:
    """The resource of the policy's paramKind; None without one.

    Raises:
        Misconfigured: nobody serves it.
    """
    kind = policy.param_kind
    if kind is None:
        return None
    api_version, name = kind.get("apiVersion", ""), kind.get("kind", "")
    served = scheme.by_kind(api_version, name)
    if served is None:
        raise Misconfigured(f"failed to find resource referenced by paramKind: '{api_version}, Kind={name}'")
    return served


async def params_of(
    served: Served | None, binding: Binding, namespace: str, reader: ObjectReader
) -> list[Document | None]:
    """The params to evaluate the policy with, once each; `[None]` when there are to be none.

    Raises:
        Misconfigured: the reference cannot be followed, or finds nothing and that must not be.
    """
    reference = binding.param_ref
    if served is None or reference is None:
        return [None]
    resource = served.resource
    wanted_namespace = _namespace(served, reference, namespace)
    found: list[Document | None]
    if reference.get("name"):
        one = reader.get(resource.group, resource.plural, wanted_namespace, reference["name"])
        found = [one] if one is not None else []
    elif reference.get("selector") is not None:
        try:
            selector = labels.from_label_selector(reference["selector"])
        except SelectorError as error:
            raise Misconfigured(str(error)) from None
        found = [
            document
            for document in reader.list(resource.group, resource.plural, wanted_namespace)
            if selector.matches(document["metadata"].get("labels") or {})
        ]
        found.sort(key=_name)
    else:
        raise Misconfigured("one of name or selector must be provided")
    if not found and reference.get("parameterNotFoundAction") == "Deny":
        raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [await _shown(document, served) for document in found if document is not None]


def _name(document: Any) -> tuple[str, str]:
    metadata = document["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _namespace(served: Served, reference: Document, namespace: str) -> str:
    given: str = reference.get("namespace") or ""
    if not served.resource.namespaced:
        if given:
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    if not given and not namespace:
        raise Misconfigured("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    return given or namespace


async def _shown(document: Document, served: Served) -> Document:
    resource = served.resource
    document = {**document, "apiVersion": document.get("apiVersion") or served.storage_version, "kind": resource.kind}
    if served.lens is not None:
        return await served.lens.from_version(document)
    return {**document, "apiVersion": resource.api_version}
