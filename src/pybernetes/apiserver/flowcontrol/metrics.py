"""Priority and fairness in the Prometheus text format, with upstream's names.

Follows: apiserver pkg/util/flowcontrol/metrics/metrics.go.
"""

from collections.abc import Callable, Iterator

from pybernetes.apiserver.flowcontrol.fairness import SECONDS_BUCKETS, Counts, Fairness, Histogram
from pybernetes.apiserver.flowcontrol.level import PriorityLevel

PREFIX = "apiserver_flowcontrol_"

_PER_LEVEL: dict[str, Callable[[PriorityLevel], float]] = {
    "nominal_limit_seats": lambda level: level.limits.nominal,
    "lower_limit_seats": lambda level: level.limits.minimum,
    "upper_limit_seats": lambda level: level.limits.maximum,
    "current_limit_seats": lambda level: level.limit,
    "current_r": lambda level: level.current_r,
    "demand_seats_high_watermark": lambda level: level.demand.peak,
    "demand_seats_average": lambda level: level.demand.mean,
    "demand_seats_stdev": lambda level: level.demand.deviation,
    "demand_seats_smoothed": lambda level: level.demand.smoothed,
}
_PER_FLOW: dict[str, Callable[[Counts], float]] = {
    "current_executing_requests": lambda counts: counts.executing,
    "current_executing_seats": lambda counts: counts.seats,
}


def lines(fairness: Fairness) -> Iterator[str]:
    """All metrics of `fairness`."""
    fairness.digest()
    levels = sorted(fairness.levels.items())
    flows = sorted(fairness.counts.items())
    for metric, read in _PER_LEVEL.items():
        yield f"# TYPE {PREFIX}{metric} gauge"
        for name, level in levels:
            yield f'{PREFIX}{metric}{{priority_level="{name}"}} {read(level)}'
    for metric, count in _PER_FLOW.items():
        yield f"# TYPE {PREFIX}{metric} gauge"
        for key, counts in flows:
            yield f"{PREFIX}{metric}{{{_labels(key)}}} {count(counts)}"
    waiting: dict[tuple[str, str], list[int]] = {}
    for name, level in levels:
        for place, ticket in level.tickets():
            if place >= 0:
                waiting.setdefault((name, ticket.schema), []).append(ticket.seats)
    for metric, sums in (("current_inqueue_requests", len), ("current_inqueue_seats", sum)):
        yield f"# TYPE {PREFIX}{metric} gauge"
        for key, _ in flows:
            yield f"{PREFIX}{metric}{{{_labels(key)}}} {sums(waiting.get(key, []))}"
    yield f"# TYPE {PREFIX}dispatched_requests_total counter"
    for key, counts in flows:
        yield f"{PREFIX}dispatched_requests_total{{{_labels(key)}}} {counts.dispatched}"
    yield f"# TYPE {PREFIX}rejected_requests_total counter"
    for key, counts in flows:
        for reason, number in sorted(counts.rejected.items()):
            yield f'{PREFIX}rejected_requests_total{{{_labels(key)},reason="{reason}"}} {number}'
    yield f"# TYPE {PREFIX}request_dispatch_no_accommodation_total counter"
    for name, level in levels:
        yield f'{PREFIX}request_dispatch_no_accommodation_total{{priority_level="{name}"}} {level.not_accommodated}'
    yield f"# TYPE {PREFIX}request_wait_duration_seconds histogram"
    for (level_name, schema), counts in flows:
        for executed, histogram in sorted(counts.waited.items()):
            labels = f'execute="{str(executed).lower()}",flow_schema="{schema}",priority_level="{level_name}"'
            yield from _histogram("request_wait_duration_seconds", labels, histogram)
    yield f"# TYPE {PREFIX}request_execution_seconds histogram"
    for key, counts in flows:
        if any(counts.executed.counts):
            yield from _histogram("request_execution_seconds", f'{_labels(key)},type="regular"', counts.executed)


def _labels(key: tuple[str, str]) -> str:
    return f'flow_schema="{key[1]}",priority_level="{key[0]}"'


def _histogram(metric: str, labels: str, histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip((*SECONDS_BUCKETS, "+Inf"), histogram.counts, strict=True):
        total += count
        yield f'{PREFIX}{metric}_bucket{{{labels},le="{bound}"}} {total}'
    yield f"{PREFIX}{metric}_sum{{{labels}}} {histogram.total}"
    yield f"{PREFIX}{metric}_count{{{labels}}} {total}"
