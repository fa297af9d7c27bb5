"""A pod that is bound to a node learns of the node's zone and region as labels.

Follows: kubernetes plugin/pkg/admission/podtopologylabels/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import Kinds, Plugin
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader

LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


class PodTopologyLabels(Plugin):
    NAME = "PodTopologyLabels"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "pods"), ("", "bindings")})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"", "binding"})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        """Labels of a Binding become labels of the pod when it is carried out."""
        document = request.object
        assert document is not None
        if request.resource.plural == "bindings" or request.subresource == "binding":
            node_name = (document.get("target") or {}).get("name", "")
        else:
            node_name = (document.get("spec") or {}).get("nodeName", "")
        node = self._reader.get("", "nodes", "", node_name) if node_name else None
        labels = ((node or {}).get("metadata") or {}).get("labels") or {}
        found = {key: labels[key] for key in LABELS if key in labels}
        if found:
            metadata = document.setdefault("metadata", {})
            metadata["labels"] = {**(metadata.get("labels") or {}), **found}
