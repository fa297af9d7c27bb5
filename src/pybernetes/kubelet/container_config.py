"""What CRI is told to make: the configurations of a pod's sandbox and of its containers. Pure.

Follows: kubernetes pkg/kubelet/kuberuntime/{kuberuntime_sandbox,kuberuntime_container,labels}.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.api import core_v1
from pybernetes.kubelet import expansion, security
from pybernetes.kubelet.cgroups.amounts import ContainerResources
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.dns_config import DnsConfig
from pybernetes.kubelet.restart_policy import spec_hash
from pybernetes.kubelet.runtime_status import (
    CONTAINER_NAME_LABEL,
    GRACE_PERIOD_ANNOTATION,
    HASH_ANNOTATION,
    POD_NAME_LABEL,
    POD_NAMESPACE_LABEL,
    POD_UID_LABEL,
    RESTART_COUNT_ANNOTATION,
    TERMINATION_MESSAGE_PATH_ANNOTATION,
    TERMINATION_MESSAGE_POLICY_ANNOTATION,
)
from pybernetes.kubelet.seam import ContainerLike, Mount

_PROTOCOLS = {"TCP": api.TCP, "UDP": api.UDP, "SCTP": api.SCTP}
_SIGNALS = tuple(
    "RUNTIME_DEFAULT ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP "  # noqa: SIM905
    "SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN".split()
)
"""CRI numbers signals by their place in the alphabet."""


def log_directory(pod_logs: str, pod: core_v1.Pod) -> str:
    """Where the logs of the pod's containers lie; `CONTAINER/RESTARTS.log` in it."""
    return f"{pod_logs}/{pod.namespace}_{pod.name}_{pod.metadata.uid}"


def log_path(container: str, restart_count: int) -> str:
    return f"{container}/{restart_count}.log"


@dataclass(frozen=True, slots=True)
class SandboxSurroundings:
    """What a sandbox's configuration draws from besides the pod."""

    pod_logs: str
    cgroup_parent: str = ""
    hostname: str = ""
    dns: DnsConfig = field(default_factory=DnsConfig)
    seccomp_root: str = ""


def sandbox_config(pod: core_v1.Pod, attempt: int, around: SandboxSurroundings) -> api.PodSandboxConfig:
    meta = pod.metadata
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name=meta.name, uid=meta.uid, namespace=meta.namespace, attempt=attempt),
        hostname=around.hostname,
        log_directory=log_directory(around.pod_logs, pod),
        dns_config=api.DNSConfig(servers=around.dns.servers, searches=around.dns.searches, options=around.dns.options),
        port_mappings=[] if pod.spec.hostNetwork else list(_port_mappings(pod)),
        labels={**meta.labels, **_pod_labels(pod)},
        annotations=meta.annotations,
        linux=api.LinuxPodSandboxConfig(cgroup_parent=around.cgroup_parent, security_context=security.of_sandbox(pod)),
    )
    if pod.spec.securityContext is not None:
        for sysctl in pod.spec.securityContext.sysctls:
            config.linux.sysctls[sysctl.name.replace("/", ".")] = sysctl.value
    return config


def _pod_labels(pod: core_v1.Pod) -> dict[str, str]:
    return {
        POD_NAME_LABEL: pod.name,
        POD_NAMESPACE_LABEL: pod.namespace,
        POD_UID_LABEL: pod.metadata.uid,
    }


def _port_mappings(pod: core_v1.Pod) -> Sequence[api.PortMapping]:
    return [
        api.PortMapping(
            protocol=_PROTOCOLS.get(port.protocol or "TCP", api.TCP),
            container_port=port.containerPort,
            host_port=port.hostPort,
            host_ip=port.hostIP,
        )
        for container in (*pod.spec.initContainers, *pod.spec.containers)
        for port in container.ports
        if port.hostPort
    ]


@dataclass(frozen=True, slots=True)
class ContainerSurroundings:
    """What a container's configuration draws from besides pod and container."""

    image: api.Image
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    message_file: str = ""
    """File on the host mounted at the termination message path."""
    resources: ContainerResources = field(default_factory=ContainerResources)
    restart_count: int = 0
    attempt: int = 0
    target_id: str = ""
    """Container whose process namespace an ephemeral container joins."""
    seccomp_root: str = ""
    seccomp_default: bool = False


def container_config(pod: core_v1.Pod, container: ContainerLike, around: ContainerSurroundings) -> api.ContainerConfig:
    """The configuration of one container.

    Raises:
        CreateContainerConfigError: its security context cannot be satisfied.
    """
    lookup = expansion.known_or_kept(around.environment)
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name=container.name, attempt=around.attempt),
        image=api.ImageSpec(image=around.image.id, user_specified_image=container.image),
        command=[expansion.expand(word, lookup) for word in container.command],
        args=[expansion.expand(word, lookup) for word in container.args],
        working_dir=container.workingDir,
        envs=[
            api.KeyValue(key=name, value=value.encode(errors="surrogateescape"))
            for name, value in around.environment.items()
        ],
        mounts=[_mount(mount) for mount in around.mounts],
        labels={**_pod_labels(pod), CONTAINER_NAME_LABEL: container.name},
        annotations=_annotations(pod, container, around.restart_count),
        log_path=log_path(container.name, around.restart_count),
        stdin=container.stdin,
        stdin_once=container.stdinOnce,
        tty=container.tty,
        linux=api.LinuxContainerConfig(
            resources=cri_resources(around.resources),
            security_context=security.of_container(
                pod,
                container,
                around.image,
                target_id=around.target_id,
                seccomp_root=around.seccomp_root,
                seccomp_default=around.seccomp_default,
            ),
        ),
        stop_signal=_stop_signal(container),
    )
    if around.message_file and container.terminationMessagePath:
        config.mounts.append(api.Mount(container_path=container.terminationMessagePath, host_path=around.message_file))
    return config


def _annotations(pod: core_v1.Pod, container: ContainerLike, restart_count: int) -> dict[str, str]:
    result = {
        HASH_ANNOTATION: spec_hash(container),
        RESTART_COUNT_ANNOTATION: str(restart_count),
        TERMINATION_MESSAGE_PATH_ANNOTATION: container.terminationMessagePath,
        TERMINATION_MESSAGE_POLICY_ANNOTATION: container.terminationMessagePolicy,
    }
    if pod.spec.terminationGracePeriodSeconds is not None:
        result[GRACE_PERIOD_ANNOTATION] = str(pod.spec.terminationGracePeriodSeconds)
    return result


def _mount(mount: Mount) -> api.Mount:
    return api.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.read_only,
        propagation=api.MountPropagation.Name(int(mount.propagation)),
        recursive_read_only=mount.recursive_read_only,
    )


def cri_resources(resources: ContainerResources) -> api.LinuxContainerResources:
    return api.LinuxContainerResources(
        cpu_period=resources.cpu_period,
        cpu_quota=resources.cpu_quota,
        cpu_shares=resources.cpu_shares,
        memory_limit_in_bytes=resources.memory_limit_in_bytes,
        oom_score_adj=resources.oom_score_adj,
        cpuset_cpus=resources.cpuset_cpus,
        cpuset_mems=resources.cpuset_mems,
        hugepage_limits=[
            api.HugepageLimit(page_size=size, limit=limit) for size, limit in resources.hugepage_limits.items()
        ],
        unified=resources.unified,
    )


def _stop_signal(container: ContainerLike) -> int:
    """CRI's number of the container's own stop signal; 0 leaves it to the image."""
    name = container.lifecycle.stopSignal if container.lifecycle is not None else None
    short = (name or "").removeprefix("SIG")
    if short in _SIGNALS:
        return _SIGNALS.index(short)
    if short.startswith("RTMIN+"):
        return _SIGNALS.index("RTMIN") + int(short.removeprefix("RTMIN+"))
    if short.startswith("RTMAX"):
        return 65 - int(short.removeprefix("RTMAX").removeprefix("-") or 0)
    return 0
