"""What is counted about webhooks and policies, with upstream's names.

Follows: apiserver pkg/admission/metrics/metrics.go; pkg/admission/plugin/policy/validating/metrics.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

_WEBHOOK_BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
_POLICY_BUCKETS: Final = (0.0000005, 0.001, 0.01, 0.1, 1.0)
MAX_CODE: Final = 600
"""Larger codes count as this one: webhooks choose them."""

CALLING_ERROR, SERVER_ERROR, NO_ERROR = "calling_webhook_error", "apiserver_internal_error", "no_error"

Labels = tuple[tuple[str, str], ...]


class _Histogram:
    def __init__(self, buckets: tuple[float, ...]) -> None:
        self.buckets = buckets
        self.rows: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, labels: Labels, seconds: float) -> None:
        row = self.rows.setdefault(labels, [0] * (len(self.buckets) + 1))
        row[bisect_left(self.buckets, seconds)] += 1
        self.sums[labels] = self.sums.get(labels, 0.0) + seconds


class AdmissionMetrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._counters: dict[str, tuple[str, Counter[Labels]]] = {}
        self._histograms: dict[str, tuple[str, _Histogram]] = {}
        self._counter("apiserver_admission_webhook_request_total", "[ALPHA] Calls of webhooks by code.")
        self._counter("apiserver_admission_webhook_rejection_count", "[ALPHA] Requests refused because of a webhook.")
        self._counter("apiserver_admission_webhook_fail_open_count", "[ALPHA] Failed calls that were ignored.")
        self._counter(
            "apiserver_admission_match_condition_evaluation_errors_total", "[ALPHA] Match conditions that failed."
        )
        self._counter(
            "apiserver_admission_match_condition_exclusions_total", "[ALPHA] Requests excluded by match conditions."
        )
        self._counter("apiserver_validating_admission_policy_check_total", "[BETA] Policy checks by what came of them.")
        self._counter("apiserver_mutating_admission_policy_check_total", "[ALPHA] Mutations by what came of them.")
        self._histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "[STABLE] How long webhooks took.",
            _WEBHOOK_BUCKETS,
        )
        self._histogram(
            "apiserver_validating_admission_policy_check_duration_seconds",
            "[BETA] How long policy checks took.",
            _POLICY_BUCKETS,
        )

    def _counter(self, name: str, text: str) -> None:
        self._counters[name] = (text, Counter())

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> None:
        self._histograms[name] = (text, _Histogram(buckets))

    def _count(self, metric: str, **labels: str) -> None:
        self._counters[metric][1][tuple(labels.items())] += 1

    def webhook_called(
        self, name: str, step: str, operation: str, code: int, seconds: float, *, rejected: bool
    ) -> None:
        """Count one call. `step` is `admit` or `validating`."""
        shown = "true" if rejected else "false"
        code_text = str(min(code, MAX_CODE))
        self._count(
            "apiserver_admission_webhook_request_total",
            name=name,
            type=step,
            operation=operation,
            code=code_text,
            rejected=shown,
        )
        labels = (("name", name), ("type", step), ("operation", operation), ("rejected", shown))
        self._histograms["apiserver_admission_webhook_admission_duration_seconds"][1].observe(labels, seconds)

    def webhook_rejected(self, name: str, step: str, operation: str, error_type: str, code: int) -> None:
        self._count(
            "apiserver_admission_webhook_rejection_count",
            name=name,
            type=step,
            operation=operation,
            error_type=error_type,
            rejection_code=str(min(code, MAX_CODE)),
        )

    def webhook_failed_open(self, name: str, step: str) -> None:
        self._count("apiserver_admission_webhook_fail_open_count", name=name, type=step)

    def condition_failed(self, name: str, kind: str, step: str, operation: str) -> None:
        """A match condition could not be evaluated. `kind` is `webhook` or `policy`."""
        self._count(
            "apiserver_admission_match_condition_evaluation_errors_total",
            name=name,
            kind=kind,
            type=step,
            operation=operation,
        )

    def condition_excluded(self, name: str, kind: str, step: str, operation: str) -> None:
        self._count(
            "apiserver_admission_match_condition_exclusions_total",
            name=name,
            kind=kind,
            type=step,
            operation=operation,
        )

    def policy_checked(self, policy: str, binding: str, action: str, error_type: str, seconds: float) -> None:
        """One validation of one binding. `action` is allow, deny, warn or audit."""
        labels = (
            ("enforcement_action", action),
            ("error_type", error_type),
            ("policy", policy),
            ("policy_binding", binding),
        )
        self._counters["apiserver_validating_admission_policy_check_total"][1][labels] += 1
        self._histograms["apiserver_validating_admission_policy_check_duration_seconds"][1].observe(labels, seconds)

    def policy_mutated(self, policy: str, binding: str, error_type: str) -> None:
        self._count(
            "apiserver_mutating_admission_policy_check_total",
            error_type=error_type,
            policy=policy,
            policy_binding=binding,
        )

    def lines(self) -> Iterator[str]:
        """All metrics in the Prometheus text format; what never happened is left out."""
        for name, (text, counter) in sorted(self._counters.items()):
            if counter:
                yield f"# HELP {name} {text}"
                yield f"# TYPE {name} counter"
                for labels, count in sorted(counter.items()):
                    yield f"{name}{{{_shown(labels)}}} {count}"
        for name, (text, histogram) in sorted(self._histograms.items()):
            if not histogram.rows:
                continue
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} histogram"
            for labels, row in sorted(histogram.rows.items()):
                total, shown = 0, _shown(labels)
                for bound, count in zip((*histogram.buckets, "+Inf"), row, strict=True):
                    total += count
                    yield f'{name}_bucket{{{shown},le="{bound}"}} {total}'
                yield f"{name}_sum{{{shown}}} {histogram.sums[labels]}"
                yield f"{name}_count{{{shown}}} {total}"


def _shown(labels: Labels) -> str:
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
