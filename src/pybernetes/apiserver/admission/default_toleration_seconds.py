"""Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise.

Follows: kubernetes plugin/pkg/admission/defaulttolerationseconds/admission.go.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import CREATE, PODS, UPDATE, Plugin, spec_of
from pybernetes.apiserver.request import AdmissionRequest, Document

KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds(Plugin):
    NAME = "DefaultTolerationSeconds"
    KINDS = PODS
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})

    def mutate(self, request: AdmissionRequest) -> None:
        spec = spec_of(request)
        tolerations: list[Document] = spec.get("tolerations") or []
        missing = [key for key in KEYS if not any(_tolerates(row, key) for row in tolerations)]
        if missing:
            added = [
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
                for key in missing
            ]
            spec["tolerations"] = [*tolerations, *added]


def _tolerates(toleration: Document, key: str) -> bool:
    return toleration.get("key") in {None, "", key} and toleration.get("effect") in {None, "", "NoExecute"}
