"""What the API server counts, with upstream's names, in the Prometheus text format.

Follows: apiserver pkg/endpoints/metrics/metrics.go.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

from pybernetes.apiserver.request import RequestInfo

BUCKETS_SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip

_RequestKey = tuple[str, str, str, str, str, str]
_READING = frozenset({"get", "list", "watch"})
_VERBS = {"create": "POST", "update": "PUT"}
"""Verbs that metrics name by their method. Follows: metrics.go, CanonicalVerb."""


def _labels(pairs: Iterable[tuple[str, object]]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in pairs)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[_RequestKey, str, int]] = Counter()
        self._durations: dict[tuple[_RequestKey, str], list[int]] = {}
        self._seconds: dict[tuple[_RequestKey, str], float] = {}
        self.in_flight = {"mutating": 0, "readOnly": 0}
        """Requests that wait for something; most reads are answered at once and never seen here."""
        self.long_running: Counter[_RequestKey] = Counter()
        self.gauges: dict[str, Callable[[], Iterable[tuple[str, float]]]] = {}
        """Metric name → its present (labels, value) pairs."""
        self.more: list[Callable[[], Iterable[str]]] = []
        """Lines of rooms that count for themselves."""

    def finished(self, info: RequestInfo, verb: str, code: int, seconds: float, dry_run: str = "") -> None:
        """Count a request that was answered; `dry_run` is `All` or empty."""
        request = request_key(info, verb)
        self._requests[request, dry_run, code] += 1
        key = request, dry_run
        buckets = self._durations.get(key)
        if buckets is None:
            buckets = self._durations[key] = [0] * (len(BUCKETS_SECONDS) + 1)
        buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._seconds[key] = self._seconds.get(key, 0.0) + seconds

    def text(self) -> str:
        """All metrics in the Prometheus text format."""
        lines = [
            "# HELP apiserver_request_total [STABLE] Requests by verb, group, version, resource, scope and code.",
            "# TYPE apiserver_request_total counter",
        ]
        for (request, dry_run, code), count in sorted(self._requests.items()):
            lines.append(f"apiserver_request_total{{{_request_labels(request, code, dry_run)}}} {count}")
        lines += [
            "# HELP apiserver_request_duration_seconds [STABLE] Response time by verb, group, version and resource.",
            "# TYPE apiserver_request_duration_seconds histogram",
        ]
        for key, buckets in sorted(self._durations.items()):
            labels, total = _request_labels(key[0], None, key[1]), 0
            for bound, count in zip((*BUCKETS_SECONDS, "+Inf"), buckets, strict=True):
                total += count
                lines.append(f'apiserver_request_duration_seconds_bucket{{{labels},le="{bound}"}} {total}')
            lines.append(f"apiserver_request_duration_seconds_sum{{{labels}}} {self._seconds[key]}")
            lines.append(f"apiserver_request_duration_seconds_count{{{labels}}} {total}")
        lines += [
            "# HELP apiserver_longrunning_requests [STABLE] Watches and other long requests under way.",
            "# TYPE apiserver_longrunning_requests gauge",
        ]
        for request, count in sorted(self.long_running.items()):
            lines.append(f"apiserver_longrunning_requests{{{_request_labels(request, None)}}} {count}")
        lines += [
            "# HELP apiserver_current_inflight_requests [STABLE] Requests under way by kind, long ones left out.",
            "# TYPE apiserver_current_inflight_requests gauge",
        ]
        for kind, count in self.in_flight.items():
            lines.append(f'apiserver_current_inflight_requests{{request_kind="{kind}"}} {count}')
        for name, read in sorted(self.gauges.items()):
            lines.append(f"# TYPE {name} gauge")
            lines.extend(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in read())
        for more in self.more:
            lines.extend(more())
        return "\n".join(lines) + "\n"


def request_kind(verb: str) -> str:
    """How requests under way are counted. Follows: apiserver pkg/server/filters/maxinflight.go."""
    return "readOnly" if verb in _READING else "mutating"


def request_key(info: RequestInfo, verb: str) -> _RequestKey:
    if not info.is_resource:
        return (verb, "", "", "", "", "")
    named = info.name or verb == "create"
    scope = "resource" if named else "namespace" if info.namespace else "cluster"
    return (verb, info.group, info.version, info.resource, info.subresource, scope)


def _request_labels(key: _RequestKey, code: int | None, dry_run: str | None = None) -> str:
    """The labels in the order Prometheus writes them; None leaves one out."""
    verb, group, version, resource, subresource, scope = key
    pairs: list[tuple[str, object]] = [("component", "apiserver")]
    if code is not None:
        pairs = [("code", code), *pairs]
    if dry_run is not None:
        pairs.append(("dry_run", dry_run))
    pairs += [("group", group), ("resource", resource), ("scope", scope), ("subresource", subresource)]
    return _labels([*pairs, ("verb", _VERBS.get(verb) or verb.upper()), ("version", version)])
