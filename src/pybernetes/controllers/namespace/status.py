"""What the conditions of a namespace on its way out say. Pure.

Follows: kubernetes 1.36 pkg/controller/namespace/deletion/status_condition_utils.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pybernetes.api import core_v1
from pybernetes.effects import format_time

TERMINATING = "Terminating"
DISCOVERY = "NamespaceDeletionDiscoveryFailure"
PARSING = "NamespaceDeletionGroupVersionParsingFailure"
CONTENT = "NamespaceDeletionContentFailure"
REMAINING = "NamespaceContentRemaining"
FINALIZERS = "NamespaceFinalizersRemaining"

_FINE = {
    DISCOVERY: ("ResourcesDiscovered", "All resources successfully discovered"),
    PARSING: ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    CONTENT: ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    REMAINING: ("ContentRemoved", "All content successfully removed"),
    FINALIZERS: ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


@dataclass(slots=True)
class Findings:
    """What one pass over a namespace's content found."""

    discovery_failures: Mapping[str, str] = field(default_factory=dict)
    content_failures: list[str] = field(default_factory=list)
    remaining: dict[str, int] = field(default_factory=dict)
    """Qualified resource (`pods.`, `deployments.apps`) → objects still there."""
    finalizers: dict[str, int] = field(default_factory=dict)
    """Finalizer → objects that have it."""
    estimate_seconds: int = 0
    """How long what remains may take; 0 when nothing does."""


def problems(findings: Findings) -> Mapping[str, tuple[str, str]]:
    """Condition type → reason and message, for what is not fine."""
    found: dict[str, tuple[str, str]] = {}
    if findings.discovery_failures:
        texts = [f"{version}: {why}" for version, why in sorted(findings.discovery_failures.items())]
        found[DISCOVERY] = (
            "DiscoveryFailed",
            f"Discovery failed for some groups, {len(texts)} failing: unable to retrieve the complete list of server "
            f"APIs: {', '.join(texts)}",
        )
    if findings.content_failures:
        texts = sorted(findings.content_failures)
        found[CONTENT] = (
            "ContentDeletionFailed",
            f"Failed to delete all resource types, {len(texts)} remaining: {', '.join(texts)}",
        )
    if findings.remaining:
        texts = [f"{name} has {count} resource instances" for name, count in sorted(findings.remaining.items())]
        found[REMAINING] = ("SomeResourcesRemain", f"Some resources are remaining: {', '.join(texts)}")
    if findings.finalizers:
        texts = [f"{name} in {count} resource instances" for name, count in sorted(findings.finalizers.items())]
        found[FINALIZERS] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {', '.join(texts)}",
        )
    return found


def conditions(
    present: Sequence[core_v1.NamespaceCondition], findings: Findings, now: datetime
) -> list[core_v1.NamespaceCondition]:
    """All five conditions; one whose status stays keeps its time."""
    wrong = problems(findings)
    result = [*present]
    for kind, fine in _FINE.items():
        reason, message = wrong.get(kind, fine)
        status = "True" if kind in wrong else "False"
        new = core_v1.NamespaceCondition(
            type=kind, status=status, reason=reason, message=message, lastTransitionTime=format_time(now)
        )
        index = next((n for n, c in enumerate(result) if c.type == kind), None)
        if index is None:
            result.append(new)
        elif result[index].status == status:
            time = result[index].lastTransitionTime
            result[index] = msgspec.structs.replace(new, lastTransitionTime=time)
        else:
            result[index] = new
    return result
