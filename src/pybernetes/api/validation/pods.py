"""Checks of pods and pod templates at creation; `pod_updates` has what may change later.

Follows: pkg/apis/core/validation/validation.go, ValidatePodCreate, ValidatePodSpec, ValidatePodTemplateSpec.
"""

import re
from typing import Any, Final

from pybernetes.api.validation import common, containers, metadata, placement, pod_wide, volumes
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import content, names
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.content import Known

Json = dict[str, Any]

RESTART_POLICIES: Final = ("Always", "Never", "OnFailure")
_DNS_POLICIES: Final = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
MAX_NAMESERVERS: Final = 3
MAX_SEARCHES: Final = 32
MAX_SEARCH_CHARACTERS: Final = 2048
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_SYSCTL_TEXT: Final = f"must have at most 253 characters and match regex ^{_SYSCTL.pattern}$"


def pod(errors: Errors, document: Json) -> None:
    """A new pod."""
    spec = document.get("spec") or {}
    pod_spec(errors, "spec", spec)
    if spec.get("ephemeralContainers"):
        errors.append(fe.forbidden_value("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("schedulingGates") and spec.get("nodeName"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(fe.forbidden_value("spec.nodeName", text))


def template(errors: Errors, path: str, item: Json) -> None:
    """The template of a workload."""
    meta = item.get("metadata") or {}
    common.labels(errors, f"{path}.labels", meta.get("labels"))
    if "annotations" in meta:
        metadata.annotations(errors, f"{path}.annotations", meta["annotations"])
    spec = item.get("spec") or {}
    pod_spec(errors, f"{path}.spec", spec)
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        errors.append(fe.forbidden_value(f"{path}.spec.ephemeralContainers", text))


_IN_ORDER: Final = Known[bool]()
"""Specs without a complaint."""


def pod_spec(errors: Errors, path: str, spec: Json) -> None:
    """What pods and templates share."""
    key = content.key_of(spec)
    if _IN_ORDER.get(key):
        return
    before = len(errors)
    _pod_spec(errors, path, spec)
    if len(errors) == before:
        _IN_ORDER.learn(key, True)


def _pod_spec(errors: Errors, path: str, spec: Json) -> None:
    by_name = volumes.volumes(errors, f"{path}.volumes", spec["volumes"]) if "volumes" in spec else {}
    claims: frozenset[str] = frozenset()
    if "resourceClaims" in spec:
        claims = pod_wide.claims(errors, f"{path}.resourceClaims", spec["resourceClaims"])
    scope = containers.Scope(by_name, claims, host_network=bool(spec.get("hostNetwork")))
    containers.containers(errors, f"{path}.containers", spec.get("containers") or [], scope)
    if "initContainers" in spec:
        containers.init_containers(errors, f"{path}.initContainers", spec["initContainers"], scope)
    if "ephemeralContainers" in spec:
        targets = {item.get("name", "") for item in spec.get("containers") or ()}
        targets |= {item.get("name", "") for item in spec.get("initContainers") or ()}
        place = f"{path}.ephemeralContainers"
        containers.ephemeral_containers(errors, place, spec["ephemeralContainers"], scope, targets)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        common.one_of(errors, f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if spec.get("dnsPolicy") not in _DNS_POLICIES:
        common.one_of(errors, f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    common.labels(errors, f"{path}.nodeSelector", spec.get("nodeSelector"))
    if spec.get("securityContext"):
        _security(errors, f"{path}.securityContext", spec["securityContext"])
    if "affinity" in spec:
        placement.affinity(errors, f"{path}.affinity", spec["affinity"])
    if "tolerations" in spec:
        placement.tolerations(errors, f"{path}.tolerations", spec["tolerations"])
    if "topologySpreadConstraints" in spec:
        place = f"{path}.topologySpreadConstraints"
        placement.spread_constraints(errors, place, spec["topologySpreadConstraints"])
    if "schedulingGates" in spec:
        placement.scheduling_gates(errors, f"{path}.schedulingGates", spec["schedulingGates"])
    if "dnsConfig" in spec or spec.get("dnsPolicy") == "None":
        _dns(errors, f"{path}.dnsConfig", spec)
    _names(errors, path, spec)
    _numbers(errors, path, spec)
    if spec.get("resources"):
        containers.resources(errors, f"{path}.resources", spec["resources"], pod_level=True)
        pod_wide.resources(errors, f"{path}.resources", spec)
    if "os" in spec:
        pod_wide.operating_system(errors, path, spec)
    if scope.windows or "windowsOptions" in (spec.get("securityContext") or {}):
        pod_wide.windows(errors, path, spec)


def _names(errors: Errors, path: str, spec: Json) -> None:
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        value = spec.get(field)
        if value and (complaints := names.dns_subdomain(value)):
            add_invalid(errors, f"{path}.{field}", value, complaints)
    for field in ("hostname", "subdomain"):
        value = spec.get(field)
        if value and (complaints := names.dns_label(value)):
            add_invalid(errors, f"{path}.{field}", value, complaints)
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        add_invalid(errors, f"{path}.hostAliases.ip", alias.get("ip", ""), names.ip_address(alias.get("ip", "")))
        for host in alias.get("hostnames") or ():
            add_invalid(errors, f"{path}.hostAliases[{index}].hostnames", host, names.dns_subdomain(host))
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType", "")
        place = f"{path}.readinessGates[{index}].conditionType"
        add_invalid(errors, place, kind, names.qualified_name(kind))
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy not in {"Never", "PreemptLowerPriority"}:
        supported = ("Never", "PreemptLowerPriority")
        errors.append(fe.not_supported(f"{path}.preemptionPolicy", policy, supported))
    system = spec.get("os")
    if system is not None:
        common.one_of(errors, f"{path}.os.name", system.get("name"), ("linux", "windows"))


def _numbers(errors: Errors, path: str, spec: Json) -> None:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= common.MAX_INT32:
        text = common.range_text(1, common.MAX_INT32)
        errors.append(fe.invalid_value(f"{path}.activeDeadlineSeconds", deadline, text))
    if "terminationGracePeriodSeconds" not in spec:
        errors.append(fe.required(f"{path}.terminationGracePeriodSeconds"))
    if spec.get("hostPID") and spec.get("shareProcessNamespace"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(fe.invalid_value(f"{path}.shareProcessNamespace", True, text))
    for name, text in (spec.get("overhead") or {}).items():
        common.resource_amount(errors, f"{path}.overhead[{name}]", name, text)


def _security(errors: Errors, path: str, context: Json) -> None:
    containers.ids(errors, path, context)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= containers.MAX_ID:
            text = common.range_text(0, containers.MAX_ID)
            errors.append(fe.invalid_value(f"{path}.supplementalGroups[{index}]", group, text))
    taken: set[str] = set()
    for index, sysctl in enumerate(context.get("sysctls") or ()):
        name = sysctl.get("name", "")
        place = f"{path}.sysctls[{index}].name"
        if not name:
            errors.append(fe.required(place))
        elif len(name) > names.DNS_SUBDOMAIN_MAX or not _SYSCTL.fullmatch(name):
            errors.append(fe.invalid_value(place, name, _SYSCTL_TEXT))
        elif name in taken:
            errors.append(fe.duplicate(place, name))
        taken.add(name)
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in {"Always", "OnRootMismatch"}:
        supported = ("Always", "OnRootMismatch")
        errors.append(fe.not_supported(f"{path}.fsGroupChangePolicy", policy, supported))
    containers.profiles(errors, path, context)


def _dns(errors: Errors, path: str, spec: Json) -> None:
    config = spec.get("dnsConfig") or {}
    servers = config.get("nameservers") or ()
    if spec.get("dnsPolicy") == "None" and not servers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        errors.append(fe.required(f"{path}.nameservers", text))
    if len(servers) > MAX_NAMESERVERS:
        text = f"must not have more than {MAX_NAMESERVERS} nameservers"
        errors.append(fe.invalid_value(f"{path}.nameservers", list(servers), text))
    for index, server in enumerate(servers):
        add_invalid(errors, f"{path}.nameservers[{index}]", server, names.ip_address(server))
    searches = config.get("searches") or ()
    if len(searches) > MAX_SEARCHES:
        text = f"must not have more than {MAX_SEARCHES} search paths"
        errors.append(fe.invalid_value(f"{path}.searches", list(searches), text))
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        text = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        errors.append(fe.invalid_value(f"{path}.searches", list(searches), text))
    for index, search in enumerate(searches):
        plain = search.removesuffix(".").replace("_", "x")
        if search != ".":
            add_invalid(errors, f"{path}.searches[{index}]", search, names.dns_subdomain(plain))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(fe.required(f"{path}.options[{index}]", "must not be empty"))
