"""A pod's priority is that of its class; only the class may say it.

Follows: kubernetes plugin/pkg/admission/priority/admission.go.
"""

from typing import ClassVar, Final

from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Kinds, Plugin, deny, spec_of
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader

GROUP = "scheduling.k8s.io"
PREEMPT_LOWER: Final = "PreemptLowerPriority"
DEFAULT_PRIORITY = 0


class Priority(Plugin):
    NAME = "Priority"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "pods"), (GROUP, "priorityclasses")})
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        if request.resource.plural != "pods":
            return
        spec = spec_of(request)
        if request.operation == UPDATE:
            old = (request.old or {}).get("spec") or {}
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and old.get(field) is not None:
                    spec[field] = old[field]
            return
        self._resolve(request, spec)

    def _resolve(self, request: AdmissionRequest, spec: Document) -> None:
        name = spec.get("priorityClassName", "")
        if name:
            found = self._reader.get(GROUP, "priorityclasses", "", name)
            if found is None:
                raise deny(request, f"no PriorityClass with name {name} was found")
        else:
            found = self._default()
            if found is not None:
                spec["priorityClassName"] = found["metadata"]["name"]
        value = found["value"] if found is not None and "value" in found else DEFAULT_PRIORITY
        policy = (found or {}).get("preemptionPolicy") or PREEMPT_LOWER
        given = spec.get("priority")
        if given is not None and given != value:
            raise deny(
                request,
                f"the integer value of priority ({given}) must not be provided in pod spec; priority admission "
                f"controller computed {value} from the given PriorityClass name",
            )
        given = spec.get("preemptionPolicy")
        if given is not None and given != policy:
            raise deny(
                request,
                f"the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission "
                f"controller computed {policy} from the given PriorityClass name",
            )
        spec["priority"] = value
        spec["preemptionPolicy"] = policy

    def _default(self) -> Document | None:
        """The class marked as global default; of several the lowest."""
        marked = [row for row in self._reader.list(GROUP, "priorityclasses") if row.get("globalDefault")]
        return min(marked, key=lambda row: (row.get("value", 0), row["metadata"]["name"]), default=None)

    def validate(self, request: AdmissionRequest) -> None:
        if request.resource.plural != "priorityclasses" or not (request.object or {}).get("globalDefault"):
            return
        for other in self._reader.list(GROUP, "priorityclasses"):
            if other.get("globalDefault") and other["metadata"]["name"] != request.name:
                name = other["metadata"]["name"]
                why = f"PriorityClass {name} is already marked as default. Only one default can exist"
                raise deny(request, why)
