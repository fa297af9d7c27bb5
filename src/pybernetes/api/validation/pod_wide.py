"""Checks that need the whole pod: its resources against its containers', device claims, the operating system.

Follows: pkg/apis/core/validation/validation.go, validatePodResourceConsistency, validatePodResourceClaims,
validateWindows, validateLinux, validateWindowsSecurityContextOptions, validateHostProcess….
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity
from pybernetes.machinery.quantity import Quantity

Json = dict[str, Any]
Amounts = dict[str, Quantity]


def claims(errors: Errors, path: str, items: Sequence[Json]) -> frozenset[str]:
    """Which devices the pod brings; the names containers may use."""
    taken: set[str] = set()
    for index, item in enumerate(items):
        place, name = f"{path}[{index}]", item.get("name", "")
        if not name:
            errors.append(fe.required(f"{place}.name"))
        elif name in taken:
            errors.append(fe.duplicate(f"{place}.name", name))
        else:
            add_invalid(errors, f"{place}.name", name, names.dns_label(name))
        taken.add(name)
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if item.get(field) is not None]
        if len(given) > 1:
            text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(fe.invalid_value(place, item, text))
        elif not given:
            text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(fe.invalid_value(place, item, text))
        for field in given:
            add_invalid(errors, f"{place}.{field}", item[field], names.dns_subdomain(item[field]))
    return frozenset(taken)


def container_claims(errors: Errors, path: str, items: Sequence[Json], known: frozenset[str]) -> None:
    """Which of the pod's devices a container uses."""
    taken: set[str] = set()
    for index, item in enumerate(items):
        place, name, request = f"{path}[{index}]", item.get("name", ""), item.get("request", "")
        if not name:
            errors.append(fe.required(place))
            continue
        if request:
            add_invalid(errors, f"{place}.request", request, names.dns_label(request))
        key = f"{name}/{request}" if request else name
        if key in taken:
            errors.append(fe.duplicate(place, key))
        taken.add(key)
        if name not in known:
            rest = f": {', '.join(sorted(known))}" if known else " which is empty"
            text = f"must be one of the names in pod.spec.resourceClaims{rest}"
            errors.append(fe.FieldError(fe.NOT_FOUND, place, name, text))


def resources(errors: Errors, path: str, spec: Json) -> None:
    """The pod as a whole asks for at least what its containers ask for, and no container may use more than the pod.

    `path` is that of the pod's resources.
    """
    whole = spec["resources"]
    requests, limits = whole.get("requests") or {}, whole.get("limits") or {}
    for name, total in sorted(_aggregate(spec, "requests").items()):
        if name in requests and quantity.parse(requests[name]) < total:
            text = f"must be greater than or equal to aggregate container requests of {total}"
            errors.append(fe.invalid_value(f"{path}.requests[{name}]", requests[name], text))
    for name, total in sorted(_aggregate(spec, "limits").items()):
        if common.is_huge_page(name) and name in limits and quantity.parse(limits[name]) < total:
            text = f"must be greater than or equal to aggregate container limits of {total}"
            errors.append(fe.invalid_value(f"{path}.limits[{name}]", limits[name], text))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.compare(limit, limits[name]) > 0:
                text = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(fe.invalid_value(f"{path}.containers[{index}][{name}].limits", limit, text))


def _aggregate(spec: Json, part: str) -> Amounts:
    """Containers add up; of ordinary init containers the largest counts, beside the sidecars started before it."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = _sum(total, _amounts(container, part))
    beside: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _sum(beside, _amounts(container, part))
        if container.get("restartPolicy") == "Always":
            total, beside = _sum(total, _amounts(container, part)), own
        peak = _most(peak, own)
    return _most(total, peak)


def _amounts(container: Json, part: str) -> Amounts:
    given = (container.get("resources") or {}).get(part) or {}
    return {name: quantity.parse(text) for name, text in given.items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {**one, **{name: one[name] + amount if name in one else amount for name, amount in other.items()}}


def _most(one: Amounts, other: Amounts) -> Amounts:
    larger = {name: amount for name, amount in other.items() if name not in one or one[name] < amount}
    return {**one, **larger}


_NOT_WINDOWS: Final = "cannot be set for a windows pod"
_NOT_LINUX: Final = "windows options cannot be set for a linux pod"
_LINUX_POD: Final = ("hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
_LINUX_POD_SECURITY: Final = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"),
    *("runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy"),
)
_LINUX_SECURITY: Final = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem"),
    *("privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"),
)


def operating_system(errors: Errors, path: str, spec: Json) -> None:
    """What one system knows and the other does not, for pods that name theirs."""
    system = (spec.get("os") or {}).get("name")
    whole = spec.get("securityContext") or {}
    if system == "windows":
        for field in _LINUX_POD:
            # A false host namespace is as good as none; hostUsers and shareProcessNamespace tell apart.
            if spec.get(field) or (field in {"hostUsers", "shareProcessNamespace"} and field in spec):
                errors.append(fe.forbidden_value(f"{path}.{field}", _NOT_WINDOWS))
        _forbidden(errors, f"{path}.securityContext", whole, _LINUX_POD_SECURITY)
        for place, container in _containers(path, spec):
            _forbidden(errors, f"{place}.securityContext", container.get("securityContext") or {}, _LINUX_SECURITY)
    elif system == "linux":
        if "windowsOptions" in whole:
            errors.append(fe.forbidden_value(f"{path}.securityContext.windowsOptions", _NOT_LINUX))
        for place, container in _containers(path, spec):
            if "windowsOptions" in (container.get("securityContext") or {}):
                errors.append(fe.forbidden_value(f"{place}.securityContext.windowsOptions", _NOT_LINUX))


def _forbidden(errors: Errors, path: str, context: Json, fields: tuple[str, ...]) -> None:
    errors.extend(fe.forbidden_value(f"{path}.{field}", _NOT_WINDOWS) for field in fields if field in context)


def _containers(path: str, spec: Json) -> Iterator[tuple[str, Json]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"{path}.{kind}[{index}]", container


MAX_CREDENTIAL_BYTES: Final = 64 * 1024
MAX_DOMAIN_CHARACTERS: Final = 256
MAX_USER_CHARACTERS: Final = 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_NET_BIOS = re.compile(r"[^\\/:\*\?\"<>|\.]([^\\/:\*\?\"<>|]{0,14})?").fullmatch
_DNS_DOMAIN = re.compile(
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
).fullmatch
_BAD_USER = re.compile(r"[\"/\\:;|=,\+\*\?<>@\[\]]").search
_SPACES_AND_DOTS = re.compile(r"[\. ]+").fullmatch


def windows_options(errors: Errors, path: str, options: Json) -> None:
    """Credentials and user names. Follows: validateWindowsSecurityContextOptions."""
    name = options.get("gmsaCredentialSpecName")
    if name is not None:
        add_invalid(errors, f"{path}.gmsaCredentialSpecName", name, names.dns_subdomain(name))
    text = options.get("gmsaCredentialSpec")
    if text is not None:
        place = f"{path}.gmsaCredentialSpec"
        if not text:
            errors.append(fe.invalid_value(place, text, "gmsaCredentialSpec cannot be an empty string"))
        elif len(text) > MAX_CREDENTIAL_BYTES:
            why = f"gmsaCredentialSpec size must be under {MAX_CREDENTIAL_BYTES // 1024} KiB"
            errors.append(fe.invalid_value(place, text, why))
    user = options.get("runAsUserName")
    if user is not None:
        place = f"{path}.runAsUserName"
        errors.extend(fe.invalid_value(place, user, f"runAsUserName{why}") for why in _user_complaints(user))


def _user_complaints(name: str) -> Iterator[str]:
    if not name:
        yield " cannot be an empty string"
        return
    if _CONTROL(name):
        yield " cannot contain control characters"
        return
    domain, slash, user = name.rpartition("\\")
    if "\\" in domain:
        yield " cannot contain more than one backslash"
        return
    if slash:
        if len(domain) >= MAX_DOMAIN_CHARACTERS:
            yield f"'s Domain length must be under {MAX_DOMAIN_CHARACTERS} characters"
        elif not _NET_BIOS(domain) and not _DNS_DOMAIN(domain):
            yield "'s Domain doesn't match the NetBios nor the DNS format"
    if not user:
        yield "'s User cannot be empty"
    elif len(user) > MAX_USER_CHARACTERS:
        yield f"'s User length must not be longer than {MAX_USER_CHARACTERS} characters"
    if user and _SPACES_AND_DOTS(user):
        yield "'s User cannot contain only periods or spaces"
    if _BAD_USER(user):
        yield "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"


_ALL_ALIKE: Final = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
_NEEDS_HOST_NETWORK: Final = "hostNetwork must be true if pod contains any hostProcess containers"


def windows(errors: Errors, path: str, spec: Json) -> None:
    """Options of the pod and of each container, and that processes of the host keep to themselves."""
    whole = (spec.get("securityContext") or {}).get("windowsOptions") or {}
    if whole:
        windows_options(errors, f"{path}.securityContext.windowsOptions", whole)
    decided = whole.get("hostProcess")
    kinds: set[bool] = set()
    for place, container in _containers(path, spec):
        own = (container.get("securityContext") or {}).get("windowsOptions") or {}
        if own:
            windows_options(errors, f"{place}.securityContext.windowsOptions", own)
        host_process = own.get("hostProcess")
        if decided is not None and host_process is not None and host_process != decided:
            shown = str(decided).lower()
            why = f"pod hostProcess value must be identical if both are specified, was {shown}"
            target = f"{place}.securityContext.windowsOptions.hostProcess"
            errors.append(fe.invalid_value(target, host_process, why))
        kinds.add(bool(decided if host_process is None else host_process))
    if True in kinds:
        if False in kinds:
            errors.append(fe.invalid_value(path, "", _ALL_ALIKE))
        if not spec.get("hostNetwork"):
            errors.append(fe.invalid_value(f"{path}.hostNetwork", False, _NEEDS_HOST_NETWORK))
