"""Advice on pods and what makes them. Follows: pkg/registry/{core,apps,batch}/*/strategy.go."""

from collections.abc import Callable
from typing import Any, Final

from pybernetes.api.warnings import pods
from pybernetes.api.warnings.common import Texts
from pybernetes.machinery import names

Json = dict[str, Any]

_POD_NAME: Final = "this is used in the Pod's hostname"
_NAME: Final = "this is used in Pod names and hostnames"
_SURPRISE: Final = "which can result in surprising behavior; a DNS label is recommended"
_LIMIT: Final = "a negative value retains all historical revisions; a value >= 0 is recommended"
_TRACKED_COMPLETIONS: Final = 100_000
_TRACKED_PARALLELISM: Final = 10_000
_TOO_MANY_INDEXES: Final = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
    "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
)


def _name(texts: Texts, document: Json, use: str) -> None:
    complaints = names.dns_label((document.get("metadata") or {}).get("name", ""))
    if complaints:
        texts.append(f"metadata.name: {use}, {_SURPRISE}: [{' '.join(complaints)}]")


def pod(texts: Texts, document: Json) -> None:
    _name(texts, document, _POD_NAME)
    pods.pod(texts, "", document)


def pod_template(texts: Texts, document: Json) -> None:
    pods.pod(texts, "template", document.get("template") or {})


def workload(texts: Texts, document: Json) -> None:
    template = (document.get("spec") or {}).get("template")
    if template:
        pods.pod(texts, "spec.template", template)


def named_workload(texts: Texts, document: Json) -> None:
    """A workload whose name becomes part of the names of pods."""
    _name(texts, document, _NAME)
    workload(texts, document)


def stateful_set_parts(texts: Texts, document: Json) -> None:
    workload(texts, document)
    spec = document.get("spec") or {}
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        pods.claim_spec(texts, f"spec.volumeClaimTemplates[{index}]", claim.get("spec") or {})
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        texts.append(f"spec.revisionHistoryLimit: {_LIMIT}")


def stateful_set(texts: Texts, document: Json) -> None:
    stateful_set_parts(texts, document)


def job_parts(texts: Texts, document: Json) -> None:
    workload(texts, document)
    _indexes(texts, "spec", document.get("spec") or {})


def _indexes(texts: Texts, path: str, spec: Json) -> None:
    indexed = spec.get("completionMode") == "Indexed"
    many = (spec.get("completions") or 0) > _TRACKED_COMPLETIONS
    if indexed and many and (spec.get("parallelism") or 0) > _TRACKED_PARALLELISM:
        texts.append(f"{path}: {_TOO_MANY_INDEXES}")


def job(texts: Texts, document: Json) -> None:
    _name(texts, document, _NAME)
    job_parts(texts, document)


def cron_job_parts(texts: Texts, document: Json) -> None:
    spec = document.get("spec") or {}
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
    if template:
        pods.pod(texts, "spec.jobTemplate.spec.template", template)
    if "TZ" in spec.get("schedule", ""):
        manual = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"
        text = f"CRON_TZ or TZ used in spec.schedule is not officially supported, see {manual} for more details"
        texts.append(text)


def cron_job(texts: Texts, document: Json) -> None:
    _name(texts, document, _NAME)
    cron_job_parts(texts, document)


def changed(rule: Callable[[Texts, Json], None]) -> Callable[[Texts, Json, Json], None]:
    """The rule for updates that change the content, told by the generation; the name is old news by then."""

    def update(texts: Texts, new: Json, old: Json) -> None:
        if (new.get("metadata") or {}).get("generation") != (old.get("metadata") or {}).get("generation"):
            rule(texts, new)

    return update
