"""What a failed pod means under `spec.podFailurePolicy`. Pure.

Follows: kubernetes 1.36 pkg/controller/job/pod_failure_policy.go.
"""

from dataclasses import dataclass

from pybernetes.api import batch_v1, core_v1

FAIL_JOB, FAIL_INDEX, IGNORE, COUNT = "FailJob", "FailIndex", "Ignore", "Count"


@dataclass(frozen=True, slots=True)
class Match:
    """The action of the first rule that fits, and the words for it."""

    action: str
    message: str = ""


DEFAULT = Match(COUNT)


def match(policy: batch_v1.PodFailurePolicy | None, pod: core_v1.Pod) -> Match:
    """The rule this failed pod falls under; without one it counts."""
    for index, rule in enumerate(policy.rules if policy is not None else ()):
        message = ""
        if rule.onExitCodes is not None:
            message = _by_exit_code(rule.onExitCodes, pod, rule.action, index)
        elif rule.onPodConditions:
            message = _by_condition(rule, pod, index)
        if message:
            return Match(rule.action, message)
    return DEFAULT


def _by_exit_code(
    wanted: batch_v1.PodFailurePolicyOnExitCodesRequirement, pod: core_v1.Pod, action: str, index: int
) -> str:
    for status in (*pod.status.containerStatuses, *pod.status.initContainerStatuses):
        ended = status.state.terminated
        if ended is None or not ended.exitCode or wanted.containerName not in (None, status.name):
            continue
        if (ended.exitCode in wanted.values) == (wanted.operator == "In"):
            return (
                f"Container {status.name} for pod {pod.key} failed with exit code {ended.exitCode} matching {action} "
                f"rule at index {index}"
            )
    return ""


def _by_condition(rule: batch_v1.PodFailurePolicyRule, pod: core_v1.Pod, index: int) -> str:
    for pattern in rule.onPodConditions:
        for found in pod.status.conditions:
            if found.type == pattern.type and found.status == (pattern.status or "True"):
                return f"Pod {pod.key} has condition {found.type} matching {rule.action} rule at index {index}"
    return ""
