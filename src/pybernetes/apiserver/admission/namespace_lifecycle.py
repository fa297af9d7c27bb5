"""Nothing is created in a namespace that is not there or is going; three namespaces stay for ever.

Follows: apiserver pkg/admission/plugin/namespace/lifecycle/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, deny
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader
from pybernetes.machinery import errors

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
_ACCESS_REVIEWS = frozenset({("authorization.k8s.io", "localsubjectaccessreviews")})


class NamespaceLifecycle(Plugin):
    NAME = "NamespaceLifecycle"
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE, DELETE})
    SUBRESOURCES = None

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        kind = (request.resource.group, request.resource.plural)
        if request.operation == DELETE:
            if kind == ("", "namespaces") and request.name in IMMORTAL:
                raise deny(request, "this namespace may not be deleted")
            return
        if not request.resource.namespaced or not request.namespace or kind in _ACCESS_REVIEWS:
            return
        namespace = self._reader.get("", "namespaces", "", request.namespace)
        if namespace is None:
            raise errors.not_found("namespaces", "", request.namespace)
        if request.operation != CREATE or (namespace.get("status") or {}).get("phase") != "Terminating":
            return
        name = request.namespace
        refused = deny(request, f"unable to create new content in namespace {name} because it is being terminated")
        refused.details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        raise refused
