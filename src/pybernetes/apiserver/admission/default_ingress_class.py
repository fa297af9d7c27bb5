"""An Ingress that names no class gets the cluster's default one.

Follows: kubernetes plugin/pkg/admission/network/defaultingressclass/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import Kinds, Plugin, annotations_of, newest_default, spec_of
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader

GROUP = "networking.k8s.io"
IS_DEFAULT = ("ingressclass.kubernetes.io/is-default-class",)
LEGACY_CLASS = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    NAME = "DefaultIngressClass"
    KINDS: ClassVar[Kinds | None] = frozenset({(GROUP, "ingresses")})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        spec = spec_of(request)
        if spec.get("ingressClassName") is not None or LEGACY_CLASS in annotations_of(request.object):
            return
        found = newest_default(self._reader, GROUP, "ingressclasses", IS_DEFAULT)
        if found is not None:
            spec["ingressClassName"] = found["metadata"]["name"]
