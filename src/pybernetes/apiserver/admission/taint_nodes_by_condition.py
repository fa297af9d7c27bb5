"""A new Node takes no pods before it has said that it is ready.

Follows: kubernetes plugin/pkg/admission/nodetaint/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import Kinds, Plugin, spec_of
from pybernetes.apiserver.request import AdmissionRequest

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition(Plugin):
    NAME = "TaintNodesByCondition"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "nodes")})

    def mutate(self, request: AdmissionRequest) -> None:
        spec = spec_of(request)
        taints = spec.get("taints") or []
        if not any((row.get("key"), row.get("effect")) == (NOT_READY, "NoSchedule") for row in taints):
            spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]
