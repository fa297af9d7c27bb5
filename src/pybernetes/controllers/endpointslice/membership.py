"""Which pods stand behind a Service, under which ports. Pure; shared by EndpointSlices and Endpoints.

Follows: kubernetes staging/src/k8s.io/endpointslice/utils.go; pkg/api/v1/pod/util.go, FindPort.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

from pybernetes.api import core_v1
from pybernetes.client.informer import Informer
from pybernetes.controllers import pods as pod_facts

IPV4, IPV6 = "IPv4", "IPv6"
HEADLESS_LABEL = "service.kubernetes.io/headless"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
EXTERNAL_NAME = "ExternalName"


class Enqueue(Protocol):
    def __call__(self, key: str) -> None: ...


def is_managed(service: core_v1.Service) -> bool:
    """Whether its endpoints are found by selector, and not by its user."""
    return bool(service.spec.selector) and service.spec.type != EXTERNAL_NAME


def selects(service: core_v1.Service, pod: core_v1.Pod) -> bool:
    return bool(service.spec.selector) and service.spec.selector.items() <= pod.metadata.labels.items()


def is_headless(service: core_v1.Service) -> bool:
    return service.spec.clusterIP in ("", "None")


def belongs(pod: core_v1.Pod, *, include_terminating: bool) -> bool:
    """Whether the pod has an address that may serve."""
    if pod_facts.is_finished(pod) or not addresses(pod):
        return False
    return include_terminating or not pod_facts.is_terminating(pod)


def addresses(pod: core_v1.Pod) -> Sequence[str]:
    if pod.status.podIPs:
        return [entry.ip for entry in pod.status.podIPs]
    return [pod.status.podIP] if pod.status.podIP else []


def family(address: str) -> str:
    return IPV6 if ipaddress.ip_address(address).version == 6 else IPV4


def families(service: core_v1.Service) -> Sequence[str]:
    """Address types of the Service's endpoints."""
    return service.spec.ipFamilies or [IPV4]


def target_port(pod: core_v1.Pod, port: core_v1.ServicePort) -> int | None:
    """The number of the pod's port; None when it has none of that name."""
    target = port.targetPort
    if target is None:
        return port.port
    if isinstance(target, int):
        return target
    sidecars = [c for c in pod.spec.initContainers if c.restartPolicy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for declared in container.ports:
            if declared.name == target and (declared.protocol or "TCP") == (port.protocol or "TCP"):
                return declared.containerPort
    return None


def hostname(service: core_v1.Service, pod: core_v1.Pod) -> str:
    """The name the pod is known by under the Service; empty when it has none."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.name else ""


def reference(pod: core_v1.Pod) -> core_v1.ObjectReference:
    return core_v1.ObjectReference(kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.metadata.uid)


def _facts(pod: core_v1.Pod) -> tuple[object, ...]:
    return (
        pod.metadata.labels,
        addresses(pod),
        pod_facts.is_ready(pod),
        pod_facts.is_terminating(pod),
        pod_facts.is_finished(pod),
        pod.spec.nodeName,
        pod.spec.hostname,
        pod.spec.subdomain,
    )


class PodWatcher:
    """Enqueues the Services a pod's change matters to."""

    def __init__(self, services: Informer[core_v1.Service], pods: Informer[core_v1.Pod], enqueue: Enqueue) -> None:
        self._services, self._enqueue = services, enqueue
        if not services.has_index("namespace"):
            services.index("namespace", lambda service: [service.namespace])
        if not pods.has_index("namespace"):
            pods.index("namespace", lambda pod: [pod.namespace])
        self._pods = pods
        pods.add_handler(self._seen, self._changed, self._seen)

    def selected(self, service: core_v1.Service) -> Iterable[core_v1.Pod]:
        return (pod for pod in self._pods.by_index("namespace", service.namespace) if selects(service, pod))

    def _seen(self, pod: core_v1.Pod) -> None:
        for service in self._services.by_index("namespace", pod.namespace):
            if selects(service, pod):
                self._enqueue(service.key)

    def _changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if _facts(old) == _facts(new):
            return
        for service in self._services.by_index("namespace", new.namespace):
            if selects(service, new) or selects(service, old):
                self._enqueue(service.key)
