"""Security contexts of pods and containers as CRI wants them. Pure.

Follows: kubernetes pkg/kubelet/kuberuntime/{security_context,util/util}.go; pkg/securitycontext/util.go.
"""

from pybernetes.api import core_v1
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.seam import ContainerLike, CreateContainerConfigError

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

PodContext = core_v1.PodSecurityContext
Context = core_v1.SecurityContext


def describe(pod: core_v1.Pod) -> str:
    """`name_namespace(uid)`, as messages name a pod."""
    return f"{pod.name}_{pod.namespace}({pod.metadata.uid})"


def namespace_options(pod: core_v1.Pod) -> api.NamespaceOption:
    pid = api.NODE if pod.spec.hostPID else api.POD if pod.spec.shareProcessNamespace else api.CONTAINER
    return api.NamespaceOption(
        network=api.NODE if pod.spec.hostNetwork else api.POD,
        pid=pid,
        ipc=api.NODE if pod.spec.hostIPC else api.POD,
    )


def of_sandbox(pod: core_v1.Pod) -> api.LinuxSandboxSecurityContext:
    context = pod.spec.securityContext or PodContext()
    result = api.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=any(_is_privileged(one) for one in (*pod.spec.initContainers, *pod.spec.containers)),
        seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
        supplemental_groups=_groups(context),
    )
    if context.runAsUser is not None:
        result.run_as_user.value = context.runAsUser
    if context.runAsGroup is not None and context.runAsUser is not None:
        result.run_as_group.value = context.runAsGroup
    if context.supplementalGroupsPolicy == "Strict":
        result.supplemental_groups_policy = api.Strict
    return result


def _is_privileged(container: ContainerLike) -> bool:
    return container.securityContext is not None and bool(container.securityContext.privileged)


def _groups(context: PodContext) -> list[int]:
    groups = list(context.supplementalGroups)
    if context.fsGroup is not None:
        groups.append(context.fsGroup)
    return groups


def of_container(
    pod: core_v1.Pod,
    container: ContainerLike,
    image: api.Image,
    *,
    target_id: str = "",
    seccomp_root: str = "",
    seccomp_default: bool = False,
) -> api.LinuxContainerSecurityContext:
    """The effective security context: the container's own settings over the pod's.

    Raises:
        CreateContainerConfigError: it must not run as root and would.
    """
    own = container.securityContext or Context()
    of_pod = pod.spec.securityContext or PodContext()
    user = own.runAsUser if own.runAsUser is not None else of_pod.runAsUser
    image_uid = image.uid.value if image.HasField("uid") else None
    verify_non_root(pod, container, user, image_uid, image.username)
    options = namespace_options(pod)
    if target_id:
        options.pid = api.TARGET
        options.target_id = target_id
    unmasked = own.procMount == "Unmasked"
    result = api.LinuxContainerSecurityContext(
        privileged=bool(own.privileged),
        namespace_options=options,
        readonly_rootfs=bool(own.readOnlyRootFilesystem),
        no_new_privs=own.allowPrivilegeEscalation is False,
        supplemental_groups=_groups(of_pod),
        masked_paths=() if unmasked else MASKED_PATHS,
        readonly_paths=() if unmasked else READ_ONLY_PATHS,
        seccomp=seccomp_profile(own.seccompProfile or of_pod.seccompProfile, seccomp_root, default=seccomp_default),
    )
    if user is not None:
        result.run_as_user.value = user
    elif image_uid is not None:
        result.run_as_user.value = image_uid
    else:
        result.run_as_username = image.username
    group = own.runAsGroup if own.runAsGroup is not None else of_pod.runAsGroup
    if group is not None:
        result.run_as_group.value = group
    if own.capabilities is not None:
        result.capabilities.add_capabilities.extend(own.capabilities.add)
        result.capabilities.drop_capabilities.extend(own.capabilities.drop)
    if of_pod.supplementalGroupsPolicy == "Strict":
        result.supplemental_groups_policy = api.Strict
    linux = own.seLinuxOptions or of_pod.seLinuxOptions
    if linux is not None:
        result.selinux_options.CopyFrom(
            api.SELinuxOption(user=linux.user, role=linux.role, type=linux.type, level=linux.level)
        )
    return result


def seccomp_profile(profile: core_v1.SeccompProfile | None, root: str, *, default: bool) -> api.SecurityProfile:
    """CRI's profile; without one, the runtime's default or none, as the kubelet is set."""
    kind = profile.type if profile is not None else "RuntimeDefault" if default else "Unconfined"
    if kind == "Localhost" and profile is not None:
        return api.SecurityProfile(
            profile_type=api.SecurityProfile.Localhost, localhost_ref=f"{root}/{profile.localhostProfile}"
        )
    if kind == "RuntimeDefault":
        return api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault)
    return api.SecurityProfile(profile_type=api.SecurityProfile.Unconfined)


def verify_non_root(
    pod: core_v1.Pod, container: ContainerLike, user: int | None, image_uid: int | None, image_user: str
) -> None:
    """Nothing, if `runAsNonRoot` is not asked for or certainly true.

    Raises:
        CreateContainerConfigError: with upstream's texts.
    """
    own = container.securityContext.runAsNonRoot if container.securityContext is not None else None
    of_pod = pod.spec.securityContext.runAsNonRoot if pod.spec.securityContext is not None else None
    if not (own if own is not None else of_pod):
        return
    where = f'(pod: "{describe(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise CreateContainerConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image_uid == 0 or (image_uid is None and not image_user):
        raise CreateContainerConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if image_uid is None:
        raise CreateContainerConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is "
            f"non-root {where}"
        )
