"""What a pod's RuntimeClass costs and where it runs becomes part of the pod.

Follows: kubernetes plugin/pkg/admission/runtimeclass/admission.go.
"""

from pybernetes.apiserver.admission.plugin import PODS, Plugin, deny, spec_of
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.machinery import quantity


class RuntimeClass(Plugin):
    NAME = "RuntimeClass"
    KINDS = PODS

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def _class_of(self, request: AdmissionRequest) -> Document | None:
        name = spec_of(request).get("runtimeClassName")
        if not name:
            return None
        found = self._reader.get("node.k8s.io", "runtimeclasses", "", name)
        if found is None:
            raise deny(request, f'pod rejected: RuntimeClass "{name}" not found')
        return found

    def mutate(self, request: AdmissionRequest) -> None:
        found = self._class_of(request)
        if found is None:
            return
        spec = spec_of(request)
        overhead = (found.get("overhead") or {}).get("podFixed")
        if overhead:
            if spec.get("overhead") and not _equal(spec["overhead"], overhead):
                raise deny(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec["overhead"] = dict(overhead)
        scheduling = found.get("scheduling") or {}
        selector = scheduling.get("nodeSelector") or {}
        own = spec.get("nodeSelector") or {}
        for key, value in selector.items():
            if own.get(key, value) != value:
                why = (
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {own[key]}"
                )
                raise deny(request, why)
        if selector:
            spec["nodeSelector"] = {**own, **selector}
        tolerations = spec.get("tolerations") or []
        added = [row for row in scheduling.get("tolerations") or () if row not in tolerations]
        if added:
            spec["tolerations"] = [*tolerations, *added]

    def validate(self, request: AdmissionRequest) -> None:
        found = self._class_of(request)
        given = spec_of(request).get("overhead")
        defined = ((found or {}).get("overhead") or {}).get("podFixed")
        if given and not defined:
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise deny(request, why)


def _equal(one: Document, other: Document) -> bool:
    return one.keys() == other.keys() and all(quantity.compare(one[key], other[key]) == 0 for key in one)
