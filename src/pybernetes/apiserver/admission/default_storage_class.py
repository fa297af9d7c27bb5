"""A claim that names no storage class gets the cluster's default one.

Follows: kubernetes plugin/pkg/admission/storage/storageclass/setdefault/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import Kinds, Plugin, annotations_of, newest_default, spec_of
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader

IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(Plugin):
    NAME = "DefaultStorageClass"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "persistentvolumeclaims")})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        spec = spec_of(request)
        if spec.get("storageClassName") is not None or BETA_CLASS in annotations_of(request.object):
            return
        found = newest_default(self._reader, "storage.k8s.io", "storageclasses", IS_DEFAULT)
        if found is not None:
            spec["storageClassName"] = found["metadata"]["name"]
