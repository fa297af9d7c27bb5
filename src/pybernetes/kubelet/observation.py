"""Reads from the runtime what there is of one pod.

Follows: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go, GetPodStatus.
"""

import contextlib

from pybernetes.kubelet.cri.errors import RuntimeNotFound
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.runtime_status import (
    POD_NAME_LABEL,
    POD_NAMESPACE_LABEL,
    RuntimeContainer,
    RuntimePod,
    RuntimeSandbox,
    container_from_cri,
    sandbox_from_cri,
)


async def observe(runtime: RuntimeService, uid: str) -> RuntimePod:
    """Sandboxes and containers of the pod, newest first. What vanishes while being read is left out.

    Raises:
        RuntimeFailure: the runtime cannot answer.
    """
    listed_sandboxes = await runtime.list_pod_sandboxes(pod_uid=uid)
    if not listed_sandboxes:
        return RuntimePod(uid)
    listed_containers = await runtime.list_containers(pod_uid=uid)
    sandboxes: list[RuntimeSandbox] = []
    containers: list[RuntimeContainer] = []
    for sandbox in listed_sandboxes:
        with contextlib.suppress(RuntimeNotFound):
            sandboxes.append(sandbox_from_cri(await runtime.pod_sandbox_status(sandbox.id)))
    for container in listed_containers:
        with contextlib.suppress(RuntimeNotFound):
            status = await runtime.container_status(container.id)
            containers.append(container_from_cri(status, container.pod_sandbox_id))
    labels = listed_sandboxes[0].labels
    return RuntimePod(
        uid=uid,
        name=labels.get(POD_NAME_LABEL, ""),
        namespace=labels.get(POD_NAMESPACE_LABEL, ""),
        sandboxes=tuple(sorted(sandboxes, key=lambda one: (one.created_at, one.attempt), reverse=True)),
        containers=tuple(sorted(containers, key=lambda one: (one.created_at, one.attempt), reverse=True)),
    )
