"""Metrics in Prometheus' text format: `/metrics`, `/metrics/resource`, `/metrics/cadvisor`.

Follows: kubernetes pkg/kubelet/metrics/collectors/resource_metrics.go; pkg/kubelet/metrics/metrics.go.
"""

import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pybernetes.api import core_v1
from pybernetes.effects import parse_time
from pybernetes.kubelet.cgroups.driver import Usage
from pybernetes.kubelet.server.lookup import status_of
from pybernetes.kubelet.server.stats import NodeUsage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples: labels and value."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[dict[str, str], float]]


def text(families: Iterable[Family], at: datetime | None = None) -> bytes:
    """The families as Prometheus reads them; with `at`, each sample says when it was taken."""
    stamp = f" {int(at.timestamp() * 1000)}" if at is not None else ""
    lines: list[str] = []
    for family in families:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        for labels, value in family.samples:
            inner = ",".join(f'{name}="{_escaped(content)}"' for name, content in sorted(labels.items()))
            lines.append(
                f"{family.name}{{{inner}}} {value:.17g}{stamp}" if inner else f"{family.name} {value:.17g}{stamp}"
            )
    return ("\n".join(lines) + "\n").encode()


def _escaped(content: str) -> str:
    return content.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def resource_families(usage: NodeUsage) -> list[Family]:
    """What autoscalers and schedulers of other makes live on: cpu and memory of node, pods, containers."""
    containers = [
        (_labels(one.pod, container=container.name), container.usage, container.started)
        for one in usage.pods
        for container in one.containers
    ]
    pods = [(_labels(one.pod), one.usage) for one in usage.pods]
    return [
        Family(
            "container_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
            list(_cpu((labels, used) for labels, used, _ in containers)),
        ),
        Family(
            "container_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the container in bytes",
            list(_working_set((labels, used) for labels, used, _ in containers)),
        ),
        Family(
            "container_start_time_seconds",
            "gauge",
            "[STABLE] Start time of the container since unix epoch in seconds",
            [(labels, parse_time(started).timestamp()) for labels, _, started in containers if started],
        ),
        Family(
            "node_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
            list(_cpu([({}, usage.node)])),
        ),
        Family(
            "node_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the node in bytes",
            list(_working_set([({}, usage.node)])),
        ),
        Family(
            "pod_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
            list(_cpu(pods)),
        ),
        Family(
            "pod_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the pod in bytes",
            list(_working_set(pods)),
        ),
        Family(
            "resource_scrape_error",
            "gauge",
            "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
            [({}, 0)],
        ),
    ]


def cadvisor_families(usage: NodeUsage) -> list[Family]:
    """The part of cAdvisor's metrics that dashboards of pods use."""
    containers: list[tuple[dict[str, str], Usage]] = []
    network: list[tuple[dict[str, str], int, int]] = []
    for one in usage.pods:
        containers += [
            (_labels(one.pod, container=container.name, image=_image(one.pod, container.name)), container.usage)
            for container in one.containers
        ]
        network += [(_labels(one.pod, interface=name), received, sent) for name, received, sent in one.network]
    return [
        Family(
            "container_cpu_usage_seconds_total",
            "counter",
            "Cumulative cpu time consumed in seconds.",
            list(_cpu(containers)),
        ),
        Family(
            "container_memory_usage_bytes",
            "gauge",
            "Current memory usage in bytes, including all memory regardless of when it was accessed",
            [(labels, used.memory_bytes) for labels, used in containers if used.memory_bytes is not None],
        ),
        Family(
            "container_memory_working_set_bytes",
            "gauge",
            "Current working set in bytes.",
            list(_working_set(containers)),
        ),
        Family(
            "container_memory_rss",
            "gauge",
            "Size of RSS in bytes.",
            [(labels, used.rss_bytes) for labels, used in containers if used.rss_bytes is not None],
        ),
        Family(
            "container_spec_memory_limit_bytes",
            "gauge",
            "Memory limit for the container.",
            [(labels, used.memory_limit_bytes or 0) for labels, used in containers],
        ),
        Family(
            "container_network_receive_bytes_total",
            "counter",
            "Cumulative count of bytes received",
            [(labels, received) for labels, received, _ in network],
        ),
        Family(
            "container_network_transmit_bytes_total",
            "counter",
            "Cumulative count of bytes transmitted",
            [(labels, sent) for labels, _, sent in network],
        ),
    ]


def kubelet_families(pods: Sequence[core_v1.Pod], node_name: str) -> list[Family]:
    """How the kubelet itself is doing."""
    states = {"running": 0, "exited": 0, "created": 0}
    for pod in pods:
        for status in [*pod.status.containerStatuses, *pod.status.initContainerStatuses]:
            if status.state.running is not None:
                states["running"] += 1
            elif status.state.terminated is not None:
                states["exited"] += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    return [
        Family(
            "kubelet_node_name", "gauge", "[ALPHA] The node's name. The count is always 1.", [({"node": node_name}, 1)]
        ),
        Family(
            "kubelet_running_pods",
            "gauge",
            "[ALPHA] Number of pods that have a running pod sandbox",
            [({}, sum(pod.status.phase == "Running" for pod in pods))],
        ),
        Family(
            "kubelet_running_containers",
            "gauge",
            "[ALPHA] Number of containers currently running",
            [({"container_state": state}, count) for state, count in states.items()],
        ),
        Family(
            "process_cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds.",
            [({}, used.ru_utime + used.ru_stime)],
        ),
        Family(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory size in bytes, at its highest.",
            [({}, used.ru_maxrss * 1024)],
        ),
    ]


def _labels(pod: core_v1.Pod, **more: str) -> dict[str, str]:
    return {"namespace": pod.namespace, "pod": pod.name, **more}


def _image(pod: core_v1.Pod, container: str) -> str:
    status = status_of(pod, container)
    return status.image if status is not None else ""


def _cpu(items: Iterable[tuple[dict[str, str], Usage]]) -> Iterator[tuple[dict[str, str], float]]:
    for labels, usage in items:
        if usage.cpu_nanoseconds is not None:
            yield labels, usage.cpu_nanoseconds / NANO


def _working_set(items: Iterable[tuple[dict[str, str], Usage]]) -> Iterator[tuple[dict[str, str], float]]:
    for labels, usage in items:
        if usage.working_set_bytes is not None:
            yield labels, usage.working_set_bytes
