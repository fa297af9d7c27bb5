"""The Pod Security Standards: what a pod may not do at each level, and how that is said.

    baseline      nothing that reaches out of the pod: host namespaces, paths and ports, privileges, kernel settings
    restricted    besides: no root, no gain of privileges, a seccomp profile, few kinds of volumes

    violations(pod, RESTRICTED) → [("privileged", 'container "c" must not set securityContext.privileged=true'), …]

Each check is a function of pod spec and annotations; it gives the detail of its complaint, or nothing.

Follows: pod-security-admission policy/check_*.go.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.apiserver.request import Document

BASELINE, RESTRICTED, PRIVILEGED = "baseline", "restricted", "privileged"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)

BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
SELINUX_TYPES = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"},
)
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
SECCOMP_TYPES = frozenset({"RuntimeDefault", "Localhost"})
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Subject:
    """The pod under test."""

    spec: Document
    annotations: dict[str, str]

    def containers(self) -> Iterator[Document]:
        for field in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.spec.get(field) or ()

    @property
    def context(self) -> Document:
        return self.spec.get("securityContext") or {}

    @property
    def windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"


Check = Callable[[Subject], str]


def _own(container: Document) -> Document:
    return container.get("securityContext") or {}


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _containers(names: Sequence[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"container{'s' if len(names) > 1 else ''} {_quoted(names)}"


def _names(subject: Subject, bad: Callable[[Document], Any]) -> list[str]:
    return [container.get("name", "") for container in subject.containers() if bad(container)]


def _pod_or(names: Sequence[str], *, pod: bool) -> str:
    """Who sets something: `pod`, `container "a"`, `pod and container "a"`."""
    parts = ["pod"] if pod else []
    if names:
        parts.append(_containers(names))
    return " and ".join(parts)


# ── baseline ──


def host_process(subject: Subject) -> str:
    def is_host_process(context: Document) -> bool:
        return bool((context.get("windowsOptions") or {}).get("hostProcess"))

    names = _names(subject, lambda container: is_host_process(_own(container)))
    who = _pod_or(names, pod=is_host_process(subject.context))
    return f"{who} must not set securityContext.windowsOptions.hostProcess=true" if who else ""


def host_namespaces(subject: Subject) -> str:
    return ", ".join(f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if subject.spec.get(field))


def host_path_volumes(subject: Subject) -> str:
    names = [volume.get("name", "") for volume in subject.spec.get("volumes") or () if "hostPath" in volume]
    return f"volume{'s' if len(names) > 1 else ''} {_quoted(names)}" if names else ""


def host_ports(subject: Subject) -> str:
    names: list[str] = []
    ports: set[int] = set()
    for container in subject.containers():
        own = {port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")}
        if own:
            names.append(container.get("name", ""))
            ports |= own
    if not names:
        return ""
    verb = "use" if len(names) > 1 else "uses"
    word = "hostPorts" if len(ports) > 1 else "hostPort"
    return f"{_containers(names)} {verb} {word} {', '.join(map(str, sorted(ports)))}"


def host_probes(subject: Subject) -> str:
    hosts: set[str] = set()

    def bad(container: Document) -> bool:
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
        handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
        found = {
            action["host"]
            for handler in handlers
            for action in ((handler or {}).get("httpGet"), (handler or {}).get("tcpSocket"))
            if action and action.get("host")
        }
        hosts.update(found)
        return bool(found)

    names = _names(subject, bad)
    if not names:
        return ""
    verb = "use" if len(names) > 1 else "uses"
    word = "hosts" if len(hosts) > 1 else "host"
    return f"{_containers(names)} {verb} probe or lifecycle {word} {_quoted(sorted(hosts))}"


def privileged(subject: Subject) -> str:
    names = _names(subject, lambda container: _own(container).get("privileged"))
    return f"{_containers(names)} must not set securityContext.privileged=true" if names else ""


def capabilities_baseline(subject: Subject) -> str:
    added: set[str] = set()

    def bad(container: Document) -> bool:
        own = set((_own(container).get("capabilities") or {}).get("add") or ()) - BASELINE_CAPABILITIES
        added.update(own)
        return bool(own)

    names = _names(subject, bad)
    if not names:
        return ""
    return f"{_containers(names)} must not include {_quoted(sorted(added))} in securityContext.capabilities.add"


def apparmor(subject: Subject) -> str:
    found = []
    for key, value in sorted(subject.annotations.items()):
        allowed = value in {"", "runtime/default"} or value.startswith("localhost/")
        if key.startswith(APPARMOR_ANNOTATION) and not allowed:
            found.append(f'annotation {key}="{value}"')

    def unconfined(context: Document) -> bool:
        return (context.get("appArmorProfile") or {}).get("type") not in {None, *SECCOMP_TYPES}

    names = _names(subject, lambda container: unconfined(_own(container)))
    who = _pod_or(names, pod=unconfined(subject.context))
    if who:
        found.insert(0, f'{who} must not set AppArmor profile type to "Unconfined"')
    return ", ".join(found)


def selinux(subject: Subject) -> str:
    types: set[str] = set()
    forbidden: set[str] = set()

    def bad(context: Document) -> bool:
        options = context.get("seLinuxOptions") or {}
        wrong = options.get("type", "") not in SELINUX_TYPES
        if wrong:
            types.add(options["type"])
        set_fields = {field for field in ("user", "role") if options.get(field)}
        forbidden.update(set_fields)
        return wrong or bool(set_fields)

    pod = bad(subject.context)
    names = _names(subject, lambda container: bad(_own(container)))
    who = _pod_or(names, pod=pod)
    if not who:
        return ""
    details = []
    if types:
        details.append(f"type{'s' if len(types) > 1 else ''} {_quoted(sorted(types))}")
    details += [f"{field} may not be set" for field in ("user", "role") if field in forbidden]
    return f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(details)}"


def proc_mount(subject: Subject) -> str:
    kinds: set[str] = set()

    def bad(container: Document) -> bool:
        kind = _own(container).get("procMount", "Default")
        if kind != "Default":
            kinds.add(kind)
        return bool(kind != "Default")

    names = _names(subject, bad)
    return f"{_containers(names)} must not set securityContext.procMount to {_quoted(sorted(kinds))}" if names else ""


def _profile(context: Document) -> str | None:
    profile: str | None = (context.get("seccompProfile") or {}).get("type")
    return profile


def seccomp_baseline(subject: Subject) -> str:
    def bad(context: Document) -> bool:
        return _profile(context) not in {None, *SECCOMP_TYPES}

    names = _names(subject, lambda container: bad(_own(container)))
    who = _pod_or(names, pod=bad(subject.context))
    return f'{who} must not set securityContext.seccompProfile.type to "Unconfined"' if who else ""


def sysctls(subject: Subject) -> str:
    rows = subject.context.get("sysctls") or ()
    return ", ".join(sorted({row["name"] for row in rows if row.get("name") not in SAFE_SYSCTLS}))


# ── restricted ──


def allow_privilege_escalation(subject: Subject) -> str:
    if subject.windows:
        return ""
    names = _names(subject, lambda container: _own(container).get("allowPrivilegeEscalation") is not False)
    return f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false" if names else ""


def capabilities_restricted(subject: Subject) -> str:
    if subject.windows:
        return ""
    added: set[str] = set()

    def adds(container: Document) -> bool:
        own = set((_own(container).get("capabilities") or {}).get("add") or ()) - {"NET_BIND_SERVICE"}
        added.update(own)
        return bool(own)

    def keeps(container: Document) -> bool:
        return "ALL" not in ((_own(container).get("capabilities") or {}).get("drop") or ())

    details = []
    names = _names(subject, keeps)
    if names:
        details.append(f'{_containers(names)} must set securityContext.capabilities.drop=["ALL"]')
    names = _names(subject, adds)
    if names:
        text = f"{_containers(names)} must not include {_quoted(sorted(added))} in securityContext.capabilities.add"
        details.append(text)
    return "; ".join(details)


def restricted_volumes(subject: Subject) -> str:
    bad: dict[str, list[str]] = {}
    for volume in subject.spec.get("volumes") or ():
        kinds = [kind for kind in volume if kind != "name"]
        if any(kind not in RESTRICTED_VOLUMES for kind in kinds):
            bad.setdefault(kinds[0], []).append(volume.get("name", ""))
    if not bad:
        return ""
    names = [name for row in bad.values() for name in row]
    verb = "use" if len(names) > 1 else "uses"
    kinds_word = "types" if len(bad) > 1 else "type"
    volumes = f"volume{'s' if len(names) > 1 else ''} {_quoted(names)}"
    return f"{volumes} {verb} restricted volume {kinds_word} {_quoted(sorted(bad))}"


def run_as_non_root(subject: Subject) -> str:
    pod = subject.context.get("runAsNonRoot")
    explicit = _names(subject, lambda container: _own(container).get("runAsNonRoot") is False)
    details = []
    who = _pod_or(explicit, pod=pod is False)
    if who:
        details.append(f"{who} must not set securityContext.runAsNonRoot=false")
    if not details and not pod:
        missing = _names(subject, lambda container: _own(container).get("runAsNonRoot") is None)
        if missing:
            details.append(f"pod or {_containers(missing)} must set securityContext.runAsNonRoot=true")
    return "; ".join(details)


def run_as_user(subject: Subject) -> str:
    names = _names(subject, lambda container: _own(container).get("runAsUser") == 0)
    who = _pod_or(names, pod=subject.context.get("runAsUser") == 0)
    return f"{who} must not set runAsUser=0" if who else ""


def seccomp_restricted(subject: Subject) -> str:
    if subject.windows:
        return ""
    wrong = seccomp_baseline(subject)
    details = [wrong] if wrong else []
    if _profile(subject.context) not in SECCOMP_TYPES:
        missing = _names(subject, lambda container: _profile(_own(container)) is None)
        if missing:
            wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
            details.append(f"pod or {_containers(missing)} {wanted}")
    return "; ".join(details)


BASELINE_CHECKS: tuple[tuple[str, Check], ...] = (
    ("forbidden AppArmor profile", apparmor),
    ("non-default capabilities", capabilities_baseline),
    ("host namespaces", host_namespaces),
    ("hostPath volumes", host_path_volumes),
    ("hostPort", host_ports),
    ("probe or lifecycle host", host_probes),
    ("privileged", privileged),
    ("procMount", proc_mount),
    ("seLinuxOptions", selinux),
    ("seccompProfile", seccomp_baseline),
    ("forbidden sysctls", sysctls),
    ("hostProcess", host_process),
)
_STRICTER = {capabilities_baseline, host_path_volumes, seccomp_baseline}
"""Checks that have a stricter form among the restricted ones."""
RESTRICTED_CHECKS: tuple[tuple[str, Check], ...] = (
    *((reason, check) for reason, check in BASELINE_CHECKS if check not in _STRICTER),
    ("allowPrivilegeEscalation != false", allow_privilege_escalation),
    ("unrestricted capabilities", capabilities_restricted),
    ("restricted volume types", restricted_volumes),
    ("runAsNonRoot != true", run_as_non_root),
    ("runAsUser=0", run_as_user),
    ("seccompProfile", seccomp_restricted),
)
_CHECKS = {PRIVILEGED: (), BASELINE: BASELINE_CHECKS, RESTRICTED: RESTRICTED_CHECKS}


def violations(spec: Document, annotations: dict[str, str], level: str) -> list[tuple[str, str]]:
    """Reason and detail of everything the pod does that the level forbids."""
    subject = Subject(spec, annotations)
    found = [(reason, check(subject)) for reason, check in _CHECKS[level]]
    return [(reason, detail) for reason, detail in found if detail]


def describe(found: Sequence[tuple[str, str]]) -> str:
    """`privileged (container "c" must not …), hostPort (…)`."""
    return ", ".join(f"{reason} ({detail})" for reason, detail in found)
