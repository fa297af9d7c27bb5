"""A claim may only ask for more space where its storage class can give it.

Follows: kubernetes plugin/pkg/admission/storage/persistentvolume/resize/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.default_storage_class import BETA_CLASS
from pybernetes.apiserver.admission.plugin import UPDATE, Kinds, Plugin, annotations_of, deny
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.machinery import quantity


class PersistentVolumeClaimResize(Plugin):
    NAME = "PersistentVolumeClaimResize"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "persistentvolumeclaims")})
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({UPDATE})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def validate(self, request: AdmissionRequest) -> None:
        if quantity.compare(_storage(request.object), _storage(request.old)) <= 0:
            return
        spec = (request.object or {}).get("spec") or {}
        name = annotations_of(request.object).get(BETA_CLASS) or spec.get("storageClassName") or ""
        found = self._reader.get("storage.k8s.io", "storageclasses", "", name)
        if found is None or not found.get("allowVolumeExpansion"):
            why = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                "must support resize"
            )
            raise deny(request, why)


def _storage(claim: Document | None) -> str | int | float:
    requests = (((claim or {}).get("spec") or {}).get("resources") or {}).get("requests") or {}
    found: str | int | float = requests.get("storage", 0)
    return found
