"""Namespaces say by labels how much their pods may do; pods that do more are refused or warned about.

    pod-security.kubernetes.io/enforce: restricted        refused: violates PodSecurity "restricted:latest": …
    pod-security.kubernetes.io/warn: baseline             a warning, also for what makes pods
    pod-security.kubernetes.io/enforce-version: v1.30     shown in messages

Differs: the checks are those of the newest version, whatever version a label names.

Follows: pod-security-admission admission/admission.go.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Kinds, Plugin, annotations_of, deny, metadata_of
from pybernetes.apiserver.admission.pod_security.checks import LEVELS, PRIVILEGED, describe, violations
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.machinery import field_errors
from pybernetes.machinery.field_errors import FieldError

PREFIX = "pod-security.kubernetes.io/"
MODES = ("enforce", "audit", "warn")
VERSION = re.compile(r"latest|v1\.\d+")
MAX_PODS_LISTED = 3000
"""Pods looked at when a namespace becomes stricter. Follows: defaultNamespaceMaxPodsToCheck."""

WORKLOADS: Kinds = frozenset(
    {
        ("", "replicationcontrollers"),
        ("", "podtemplates"),
        ("apps", "replicasets"),
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("apps", "statefulsets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
    }
)


class Policy(NamedTuple):
    level: str = PRIVILEGED
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


def policy_of(namespace: Document | None, mode: str) -> Policy:
    """What a namespace's labels say; nothing means everything is allowed. A level nobody knows counts as restricted."""
    labels = metadata_of(namespace).get("labels") or {}
    level = labels.get(f"{PREFIX}{mode}") or PRIVILEGED
    return Policy(level if level in LEVELS else LEVELS[-1], labels.get(f"{PREFIX}{mode}-version") or "latest")


def label_complaints(labels: dict[str, str]) -> list[FieldError]:
    """What is wrong with the labels of a namespace."""
    found = []
    for mode in MODES:
        key = f"{PREFIX}{mode}"
        if key in labels and labels[key] not in LEVELS:
            why = f"must be one of {', '.join(LEVELS)}"
            found.append(field_errors.invalid_value(f"metadata.labels[{key}]", labels[key], why))
        key = f"{PREFIX}{mode}-version"
        if key in labels and VERSION.fullmatch(labels[key]) is None:
            why = 'must be "latest" or "v1.x"'
            found.append(field_errors.invalid_value(f"metadata.labels[{key}]", labels[key], why))
    return found


class PodSecurity(Plugin):
    NAME = "PodSecurity"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "pods"), ("", "namespaces"), *WORKLOADS})
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"", "ephemeralcontainers"})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def validate(self, request: AdmissionRequest) -> None:
        plural = request.resource.plural
        if plural == "namespaces":
            self._namespace(request)
        elif plural == "pods":
            self._pod(request)
        else:
            self._workload(request)

    def _pod(self, request: AdmissionRequest) -> None:
        namespace = self._reader.get("", "namespaces", "", request.namespace)
        labels = metadata_of(namespace).get("labels") or ()
        if not any(label.startswith(PREFIX) for label in labels) or not _matters(request):
            return
        spec = (request.object or {}).get("spec") or {}
        annotations = annotations_of(request.object)
        enforced = policy_of(namespace, "enforce")
        found = violations(spec, annotations, enforced.level)
        if found:
            raise deny(request, f'violates PodSecurity "{enforced}": {describe(found)}')
        _warn(request, policy_of(namespace, "warn"), spec, annotations)

    def _workload(self, request: AdmissionRequest) -> None:
        namespace = self._reader.get("", "namespaces", "", request.namespace)
        template = template_of(request.object or {})
        if template is not None and metadata_of(namespace).get("labels"):
            _warn(request, policy_of(namespace, "warn"), template.get("spec") or {}, annotations_of(template))

    def _namespace(self, request: AdmissionRequest) -> None:
        labels = metadata_of(request.object).get("labels") or {}
        complaints = label_complaints(labels)
        if complaints and label_complaints(metadata_of(request.old).get("labels") or {}) != complaints:
            raise field_errors.invalid("Namespace", "", request.name, complaints)
        policy, before = policy_of(request.object, "enforce"), policy_of(request.old, "enforce")
        stricter = LEVELS.index(policy.level) > LEVELS.index(before.level)
        if request.operation == UPDATE and stricter and not request.subresource:
            request.warnings.extend(self._existing(request.name, policy))

    def _existing(self, namespace: str, policy: Policy) -> Iterator[str]:
        """Warnings about pods that are there already and do more than is allowed now."""
        grouped: dict[str, list[str]] = {}
        for number, pod in enumerate(self._reader.list("", "pods", namespace)):
            if number >= MAX_PODS_LISTED:
                break
            found = violations(pod.get("spec") or {}, annotations_of(pod), policy.level)
            if found:
                grouped.setdefault(", ".join(reason for reason, _ in found), []).append(pod["metadata"]["name"])
        if grouped:
            yield f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{policy}"'
            for reasons, names in sorted(grouped.items(), key=lambda row: min(row[1])):
                others = len(names) - 1
                more = f" (and {others} other pod{'s' if others > 1 else ''})" if others else ""
                yield f"{min(names)}{more}: {reasons}"


def _matters(request: AdmissionRequest) -> bool:
    """Creations, and updates that change more than what has nothing to do with security."""
    if request.operation == CREATE or request.subresource == "ephemeralcontainers":
        return True
    new, old = ((document or {}).get("spec") or {} for document in (request.object, request.old))
    harmless = {"activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds"}
    return any(new.get(field) != old.get(field) for field in {*new, *old} - harmless)


def _warn(request: AdmissionRequest, policy: Policy, spec: Document, annotations: dict[str, Any]) -> None:
    found = violations(spec, annotations, policy.level)
    if found:
        request.warnings.append(f'would violate PodSecurity "{policy}": {describe(found)}')


def template_of(document: Document) -> Document | None:
    """The pod template of a workload."""
    if "template" in document:  # PodTemplate
        found: Document | None = document["template"]
        return found
    spec = document.get("spec") or {}
    job = (spec.get("jobTemplate") or {}).get("spec")
    return (job or spec).get("template")
