"""Which nodes a pod may run on, as far as labels and taints say: shared by scheduler, DaemonSets and kubelet.

Follows: component-helpers scheduling/corev1/nodeaffinity; api core/v1 toleration.go.
"""

from collections.abc import Iterable, Mapping, Sequence

from pybernetes.api import core_v1
from pybernetes.machinery.numbers import NotANumber, parse_int

NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "PreferNoSchedule", "NoExecute"


def tolerates(toleration: core_v1.Toleration, taint: core_v1.Taint) -> bool:
    """Whether one toleration covers one taint; an empty key with Exists covers all, an empty effect every effect."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "Exists":
            return True
        case "" | "Equal":
            return bool(toleration.key) and toleration.value == taint.value
        case "Lt" | "Gt":
            return _compares(toleration, taint)
        case _:
            return False


def _compares(toleration: core_v1.Toleration, taint: core_v1.Taint) -> bool:
    try:
        asked, present = parse_int(toleration.value), parse_int(taint.value)
    except NotANumber:
        return False
    return present < asked if toleration.operator == "Lt" else present > asked


def untolerated(
    taints: Iterable[core_v1.Taint], tolerations: Sequence[core_v1.Toleration], effects: Iterable[str]
) -> core_v1.Taint | None:
    """The first taint with one of `effects` that nothing tolerates."""
    wanted = frozenset(effects)
    for taint in taints:
        if taint.effect in wanted and not any(tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None


def requirement_matches(requirement: core_v1.NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """One `matchExpressions` entry of a node selector; NotIn and DoesNotExist hold for absent labels."""
    present = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return present is not None and present in requirement.values
        case "NotIn":
            return present is None or present not in requirement.values
        case "Exists":
            return present is not None
        case "DoesNotExist":
            return present is None
        case "Gt" | "Lt":
            try:
                number, bound = parse_int(present or ""), parse_int(requirement.values[0])
            except (NotANumber, IndexError):
                return False
            return number > bound if requirement.operator == "Gt" else number < bound
        case _:
            return False


def term_matches(term: core_v1.NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    """All expressions and fields of one term; an empty term matches nothing."""
    if not term.matchExpressions and not term.matchFields:
        return False
    return all(requirement_matches(r, labels) for r in term.matchExpressions) and all(
        requirement_matches(r, {"metadata.name": name}) for r in term.matchFields
    )


def selector_matches(selector: core_v1.NodeSelector, name: str, labels: Mapping[str, str]) -> bool:
    """Any term of a required node affinity."""
    return any(term_matches(term, name, labels) for term in selector.nodeSelectorTerms)


def selects(pod: core_v1.Pod, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod's `nodeSelector` and required node affinity allow the node."""
    if any(labels.get(key) != value for key, value in pod.spec.nodeSelector.items()):
        return False
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    return required is None or selector_matches(required, name, labels)
