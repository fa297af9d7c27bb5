"""Defaults of Jobs and CronJobs. Follows: pkg/apis/batch/v1/defaults.go."""

from typing import Any

from pybernetes.api.defaults import pods

Json = dict[str, Any]

UNLIMITED = 2**31 - 1


def job(document: Json) -> None:
    spec = document.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", UNLIMITED if "backoffLimitPerIndex" in spec else 6)
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).get("labels")
    metadata = document.setdefault("metadata", {})
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)
    _job_spec(spec)


def _job_spec(spec: Json) -> None:
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    policy = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    spec.setdefault("manualSelector", False)
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"
    _pod_spec(spec)


def _pod_spec(spec: Json) -> None:
    template = spec.setdefault("template", {})
    pod_spec = template.setdefault("spec", {})
    # A Job must choose OnFailure or Never; the default of pods would only be refused later.
    pods.pod_spec(pod_spec)


def cron_job(document: Json) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    _pod_spec(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))
