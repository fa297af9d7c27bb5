"""Which placed pods a term of pod (anti)affinity or a spread constraint speaks about; parsed once per term."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pybernetes.api import core_v1, meta_v1
from pybernetes.machinery import labels
from pybernetes.machinery.labels import Selector
from pybernetes.scheduler.pod_info import PodInfo

NamespaceLabels = Callable[[str], Mapping[str, str]]
"""The labels of a namespace by name; empty when it is unknown."""


@dataclass(frozen=True, slots=True)
class PodSelection:
    """Pods by namespace and labels."""

    namespaces: frozenset[str]
    namespace_selector: Selector | None
    selector: Selector

    def matches(self, pod: core_v1.Pod, namespace_labels: NamespaceLabels) -> bool:
        namespace = pod.metadata.namespace
        inside = namespace in self.namespaces or (
            self.namespace_selector is not None and self.namespace_selector.matches(namespace_labels(namespace))
        )
        return inside and self.selector.matches(pod.metadata.labels)


def of_term(term: core_v1.PodAffinityTerm, owner: PodInfo) -> PodSelection:
    """A term of `owner`. Without namespaces it speaks of the owner's; a null selector matches no pod."""
    key = ("term", repr(term))
    found = owner.parsed.get(key)
    if not isinstance(found, PodSelection):
        namespaces = frozenset(term.namespaces)
        if not namespaces and term.namespaceSelector is None:
            namespaces = frozenset((owner.pod.metadata.namespace,))
        everywhere = term.namespaceSelector
        found = PodSelection(
            namespaces,
            labels.from_label_selector(everywhere) if everywhere is not None else None,
            _selector(term.labelSelector),
        )
        owner.parsed[key] = found
    return found


def of_constraint(constraint: core_v1.TopologySpreadConstraint, owner: PodInfo) -> PodSelection:
    """Pods of the owner's namespace; `matchLabelKeys` are merged into the selector by the API server."""
    return PodSelection(frozenset((owner.pod.metadata.namespace,)), None, _selector(constraint.labelSelector))


def _selector(selector: meta_v1.LabelSelector | None) -> Selector:
    return labels.from_label_selector(selector)


@functools.cache
def no_labels(_: str) -> Mapping[str, str]:
    """For schedulers that do not watch namespaces."""
    return {}
