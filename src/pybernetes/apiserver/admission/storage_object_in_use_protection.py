"""Volumes and claims are not removed while they are in use: a finalizer that a controller takes off.

Follows: kubernetes plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import Kinds, Plugin
from pybernetes.apiserver.request import AdmissionRequest

FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(Plugin):
    NAME = "StorageObjectInUseProtection"
    KINDS: ClassVar[Kinds | None] = frozenset(
        {("", "persistentvolumes"), ("", "persistentvolumeclaims"), ("storage.k8s.io", "volumeattributesclasses")}
    )

    def mutate(self, request: AdmissionRequest) -> None:
        assert request.object is not None
        metadata = request.object.setdefault("metadata", {})
        finalizers = metadata.get("finalizers") or []
        own = FINALIZERS[request.resource.plural]
        if own not in finalizers:
            metadata["finalizers"] = [*finalizers, own]
