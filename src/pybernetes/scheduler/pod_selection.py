"""Which placed pods a term of pod (anti)affinity or a spread constraint speaks about; parsed once per content.

Equal terms of pods of one namespace share one `PodSelection`, so that what is counted for it is counted once, however
many replicas ask.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from pybernetes.api import core_v1, meta_v1
from pybernetes.machinery import labels
from pybernetes.machinery.labels import Selector
from pybernetes.scheduler.pod_info import PodInfo

NamespaceLabels = Callable[[str], Mapping[str, str]]
"""The labels of a namespace by name; empty when it is unknown."""

SELECTIONS = 4096
"""Distinct selections remembered. Arbitrary; a forgotten one is only parsed and counted again."""


class Selection(Protocol):
    """Some of all pods. Hashed by identity."""

    @property
    def by_namespace_labels(self) -> bool: ...

    def matches(self, pod: core_v1.Pod, namespace_labels: NamespaceLabels) -> bool: ...


_encoder = msgspec.json.Encoder(order="deterministic")
_term_decoder = msgspec.json.Decoder(core_v1.PodAffinityTerm)
_selector_decoder = msgspec.json.Decoder(meta_v1.LabelSelector | None)


@dataclass(frozen=True, slots=True, eq=False)
class PodSelection:
    """Pods by namespace and labels. Compared by identity: `of_term` and `of_constraint` hand out the same one."""

    namespaces: frozenset[str]
    namespace_selector: Selector | None
    selector: Selector

    @property
    def by_namespace_labels(self) -> bool:
        """The labels of namespaces matter."""
        return self.namespace_selector is not None

    def matches(self, pod: core_v1.Pod, namespace_labels: NamespaceLabels) -> bool:
        namespace = pod.metadata.namespace
        inside = namespace in self.namespaces or (
            self.namespace_selector is not None and self.namespace_selector.matches(namespace_labels(namespace))
        )
        return inside and self.selector.matches(pod.metadata.labels)


def of_term(term: core_v1.PodAffinityTerm, owner: PodInfo) -> PodSelection:
    """A term of `owner`. Without namespaces it speaks of the owner's; a null selector matches no pod."""
    # By identity: the owner keeps its terms alive as long as it keeps what was derived from them.
    found = owner.parsed.get(id(term))
    if not isinstance(found, PodSelection):
        found = owner.parsed[id(term)] = _of_term(_encoder.encode(term), owner.pod.metadata.namespace)
    return found


@functools.lru_cache(SELECTIONS)
def _of_term(encoded: bytes, namespace: str) -> PodSelection:
    term = _term_decoder.decode(encoded)
    namespaces = frozenset(term.namespaces)
    everywhere = term.namespaceSelector
    if not namespaces and everywhere is None:
        namespaces = frozenset((namespace,))
    return PodSelection(
        namespaces,
        labels.from_label_selector(everywhere) if everywhere is not None else None,
        labels.from_label_selector(term.labelSelector),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PodsInAll:
    """Pods that are in every one of several selections."""

    parts: tuple[PodSelection, ...]

    @property
    def by_namespace_labels(self) -> bool:
        return any(part.by_namespace_labels for part in self.parts)

    def matches(self, pod: core_v1.Pod, namespace_labels: NamespaceLabels) -> bool:
        return all(part.matches(pod, namespace_labels) for part in self.parts)


@functools.lru_cache(SELECTIONS)
def _in_all(parts: tuple[PodSelection, ...]) -> PodsInAll:
    return PodsInAll(parts)


def of_required_affinity(owner: PodInfo) -> Selection:
    """The pods that `owner` must be near: those all its required terms speak about."""
    parts = tuple(of_term(term, owner) for term in owner.required_affinity)
    return parts[0] if len(parts) == 1 else _in_all(parts)


def of_constraint(constraint: core_v1.TopologySpreadConstraint, owner: PodInfo) -> PodSelection:
    """Pods of the owner's namespace; `matchLabelKeys` are merged into the selector by the API server."""
    found = owner.parsed.get(id(constraint))
    if not isinstance(found, PodSelection):
        encoded = _encoder.encode(constraint.labelSelector)
        found = owner.parsed[id(constraint)] = _of_selector(encoded, owner.pod.metadata.namespace)
    return found


@functools.lru_cache(SELECTIONS)
def _of_selector(encoded: bytes, namespace: str) -> PodSelection:
    selector = _selector_decoder.decode(encoded)
    return PodSelection(frozenset((namespace,)), None, labels.from_label_selector(selector))


@functools.cache
def no_labels(_: str) -> Mapping[str, str]:
    """For schedulers that do not watch namespaces."""
    return {}
