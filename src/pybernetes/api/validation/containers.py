"""Checks of containers: image, ports, mounts, probes, resources, security.

Follows: pkg/apis/core/validation/validation.go, validateContainerCommon, validateInitContainers, validateProbe.
"""

from collections.abc import Mapping
from typing import Any, Final

from pybernetes.api.validation import common, environment, pod_wide, volumes
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity

Json = dict[str, Any]

_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES: Final = ("FallbackToLogsOnError", "File")
_PROPAGATIONS: Final = ("Bidirectional", "HostToContainer", "None")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_COUNTERS: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_RESTART: Final = ("Always", "Never", "OnFailure")
_SIDECAR_ONLY: Final = "may not be set for init containers without restartPolicy=Always"
_STANDARD: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
MAX_ID: Final = 2**31 - 1


class Scope:
    """What the containers of one pod see of it."""

    __slots__ = ("claims", "host_network", "host_ports", "names", "volumes", "windows")

    def __init__(
        self, volumes_by_name: Mapping[str, Json], claims: frozenset[str] = frozenset(), *, host_network: bool
    ) -> None:
        self.volumes = volumes_by_name
        self.claims = claims
        self.windows = False
        """A container has options of Windows, so that somebody must look at all of them together."""
        self.host_network = host_network
        self.names: set[str] = set()
        self.host_ports: set[tuple[Any, Any, Any]] = set()


def containers(errors: Errors, path: str, items: list[Json], scope: Scope) -> None:
    if not items:
        errors.append(fe.required(path))
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        _common(errors, place, item, scope)
        if "restartPolicy" in item:
            common.one_of(errors, f"{place}.restartPolicy", item["restartPolicy"], _RESTART)
        _lifecycle_and_probes(errors, place, item)


def init_containers(errors: Errors, path: str, items: list[Json], scope: Scope) -> None:
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        _common(errors, place, item, scope)
        policy = item.get("restartPolicy")
        if policy is not None and policy not in _RESTART:
            errors.append(fe.not_supported(f"{place}.restartPolicy", policy, _RESTART))
        if policy == "Always":
            _lifecycle_and_probes(errors, place, item)
            continue
        for field in ("lifecycle", *_PROBES):
            if field in item:
                errors.append(fe.forbidden_value(f"{place}.{field}", _SIDECAR_ONLY))


_NOT_EPHEMERAL: Final = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy")


def ephemeral_containers(errors: Errors, path: str, items: list[Json], scope: Scope, targets: set[str]) -> None:
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        _common(errors, place, item, scope)
        target = item.get("targetContainerName")
        if target and target not in targets:
            errors.append(fe.not_found_value(f"{place}.targetContainerName", target))
        for field in _NOT_EPHEMERAL:
            if item.get(field):
                text = "cannot be set for an Ephemeral Container"
                errors.append(fe.forbidden_value(f"{place}.{field}", text))
        if item.get("resources"):
            text = "cannot be set for an Ephemeral Container"
            errors.append(fe.forbidden_value(f"{place}.resources", text))
        for number, mount in enumerate(item.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    text = "cannot be set for an Ephemeral Container"
                    errors.append(fe.forbidden_value(f"{place}.volumeMounts[{number}].{field}", text))


def _common(errors: Errors, path: str, item: Json, scope: Scope) -> None:
    name = item.get("name", "")
    if not name:
        errors.append(fe.required(f"{path}.name"))
    elif complaints := names.dns_label(name):
        add_invalid(errors, f"{path}.name", name, complaints)
    elif name in scope.names:
        errors.append(fe.duplicate(f"{path}.name", name))
    scope.names.add(name)
    image = item.get("image", "")
    if not image:
        errors.append(fe.required(f"{path}.image"))
    elif image[0].isspace() or image[-1].isspace():
        errors.append(fe.invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace"))
    policy = item.get("imagePullPolicy")
    if policy not in _PULL_POLICIES:
        common.one_of(errors, f"{path}.imagePullPolicy", policy, _PULL_POLICIES)
    message_policy = item.get("terminationMessagePolicy")
    if message_policy not in _MESSAGE_POLICIES:
        common.one_of(errors, f"{path}.terminationMessagePolicy", message_policy, _MESSAGE_POLICIES)
    if "ports" in item:
        _ports(errors, f"{path}.ports", item["ports"], scope)
    if "env" in item:
        environment.env(errors, f"{path}.env", item["env"])
    if "envFrom" in item:
        environment.env_from(errors, f"{path}.envFrom", item["envFrom"])
    security = item.get("securityContext")
    if security:
        security_context(errors, f"{path}.securityContext", security)
        if "windowsOptions" in security:
            scope.windows = True
    if "volumeMounts" in item or "volumeDevices" in item:
        _mounts(errors, path, item, scope, privileged=bool((security or {}).get("privileged")))
    if item.get("resources"):
        resources(errors, f"{path}.resources", item["resources"])
        if "claims" in item["resources"]:
            pod_wide.container_claims(errors, f"{path}.resources.claims", item["resources"]["claims"], scope.claims)


def _ports(errors: Errors, path: str, ports: list[Json], scope: Scope) -> None:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        place = f"{path}[{index}]"
        name = port.get("name")
        if name:
            if complaints := names.port_name(name):
                add_invalid(errors, f"{place}.name", name, complaints)
            elif name in taken:
                errors.append(fe.duplicate(f"{place}.name", name))
            taken.add(name)
        number = port.get("containerPort", 0)
        if not number:
            errors.append(fe.required(f"{place}.containerPort"))
        elif complaints := names.port_number(number):
            add_invalid(errors, f"{place}.containerPort", number, complaints)
        if port.get("protocol") not in common.PROTOCOLS:
            common.one_of(errors, f"{place}.protocol", port.get("protocol"), common.PROTOCOLS)
        host_port = port.get("hostPort")
        if host_port:
            add_invalid(errors, f"{place}.hostPort", host_port, names.port_number(host_port))
            key = (port.get("protocol"), port.get("hostIP", ""), host_port)
            if key in scope.host_ports:
                shown = "/".join(str(part) for part in key)
                errors.append(fe.duplicate(f"{place}.hostPort", shown))
            scope.host_ports.add(key)
        if port.get("hostIP"):
            add_invalid(errors, f"{place}.hostIP", port["hostIP"], names.ip_address(port["hostIP"]))
        if scope.host_network and host_port != number:
            text = "must match `hostPort` when `hostNetwork` is true"
            errors.append(fe.invalid_value(f"{place}.containerPort", number, text))


def _mounts(errors: Errors, path: str, item: Json, scope: Scope, *, privileged: bool) -> None:
    taken: set[str] = set()
    for index, mount in enumerate(item.get("volumeMounts") or ()):
        place = f"{path}.volumeMounts[{index}]"
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(fe.required(f"{place}.name"))
        if not target:
            errors.append(fe.required(f"{place}.mountPath"))
        elif target in taken:
            errors.append(fe.invalid_value(f"{place}.mountPath", target, "must be unique"))
        taken.add(target)
        if name and name not in scope.volumes:
            errors.append(fe.not_found_value(f"{place}.name", name))
        sub_path = mount.get("subPath")
        if sub_path:
            volumes.descending_path(errors, f"{place}.subPath", sub_path)
        if mount.get("subPathExpr"):
            if sub_path:
                text = "subPathExpr and subPath are mutually exclusive"
                errors.append(fe.invalid_value(f"{place}.subPathExpr", mount["subPathExpr"], text))
            volumes.descending_path(errors, f"{place}.subPathExpr", mount["subPathExpr"])
        propagation = mount.get("mountPropagation")
        if propagation is not None:
            if propagation not in _PROPAGATIONS:
                errors.append(fe.not_supported(f"{place}.mountPropagation", propagation, _PROPAGATIONS))
            elif propagation == "Bidirectional" and not privileged:
                text = "Bidirectional mount propagation is available only to privileged containers"
                errors.append(fe.forbidden_value(f"{place}.mountPropagation", text))
    for index, device in enumerate(item.get("volumeDevices") or ()):
        place = f"{path}.volumeDevices[{index}]"
        name, target = device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(fe.required(f"{place}.name"))
        elif name not in scope.volumes:
            errors.append(fe.not_found_value(f"{place}.name", name))
        elif "persistentVolumeClaim" not in scope.volumes[name] and "ephemeral" not in scope.volumes[name]:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(fe.invalid_value(f"{place}.name", name, text))
        if not target:
            errors.append(fe.required(f"{place}.devicePath"))
        elif target in taken:
            text = "must not already exist in volumeMounts"
            errors.append(fe.invalid_value(f"{place}.devicePath", target, text))
        else:
            volumes.no_steps_back(errors, f"{place}.devicePath", target)


def _lifecycle_and_probes(errors: Errors, path: str, item: Json) -> None:
    if "lifecycle" in item:
        for hook in ("postStart", "preStop"):
            if hook in item["lifecycle"]:
                _handler(errors, f"{path}.lifecycle.{hook}", item["lifecycle"][hook], (*_HANDLERS[:3], "sleep"))
    if "livenessProbe" in item:
        _probe(errors, f"{path}.livenessProbe", item["livenessProbe"], once=True)
    if "readinessProbe" in item:
        _probe(errors, f"{path}.readinessProbe", item["readinessProbe"], once=False)
        if "terminationGracePeriodSeconds" in item["readinessProbe"]:
            text = "must not be set for readinessProbes"
            place = f"{path}.readinessProbe.terminationGracePeriodSeconds"
            errors.append(fe.invalid_value(place, item["readinessProbe"]["terminationGracePeriodSeconds"], text))
    if "startupProbe" in item:
        _probe(errors, f"{path}.startupProbe", item["startupProbe"], once=True)


def _probe(errors: Errors, path: str, probe: Json, *, once: bool) -> None:
    _handler(errors, path, probe, _HANDLERS)
    for field in _COUNTERS:
        value = probe.get(field)
        if value is not None and value < 0:
            errors.append(fe.invalid_value(f"{path}.{field}", value, common.NOT_NEGATIVE))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(fe.invalid_value(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if once and probe.get("successThreshold", 1) != 1:
        errors.append(fe.invalid_value(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))


def _handler(errors: Errors, path: str, handler: Json, kinds: tuple[str, ...]) -> None:
    present = [kind for kind in kinds if kind in handler]
    for kind in present[1:]:
        errors.append(fe.forbidden_value(f"{path}.{kind}", "may not specify more than 1 handler type"))
    if not present:
        errors.append(fe.required(path, "must specify a handler type"))
        return
    kind, action = present[0], handler[present[0]]
    place = f"{path}.{kind}"
    if kind == "exec":
        if not action.get("command"):
            errors.append(fe.required(f"{place}.command"))
    elif kind == "httpGet":
        if not action.get("path"):
            errors.append(fe.required(f"{place}.path"))
        common.port_or_name(errors, f"{place}.port", action.get("port", 0))
        if action.get("scheme") not in {"HTTP", "HTTPS"}:
            errors.append(fe.not_supported(f"{place}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS")))
        for index, header in enumerate(action.get("httpHeaders") or ()):
            name = header.get("name", "")
            add_invalid(errors, f"{place}.httpHeaders[{index}].name", name, names.http_header(name))
    elif kind == "sleep":
        if action.get("seconds", 0) < 0:
            text = "must be non-negative and less than terminationGracePeriodSeconds"
            errors.append(fe.invalid_value(place, action["seconds"], text))
    else:
        common.port_or_name(errors, f"{place}.port", action.get("port", 0))


def resources(errors: Errors, path: str, item: Json, *, pod_level: bool = False) -> None:
    """Follows: ValidateContainerResourceRequirements."""
    limits, requests = item.get("limits") or {}, item.get("requests") or {}
    for name, text in limits.items():
        place = f"{path}.limits[{name}]"
        _resource_name(errors, place, name, pod_level=pod_level)
        common.resource_amount(errors, place, name, text)
    for name, text in requests.items():
        place = f"{path}.requests[{name}]"
        _resource_name(errors, place, name, pod_level=pod_level)
        common.resource_amount(errors, place, name, text)
        limit = limits.get(name)
        exact = common.is_extended_resource(name) or common.is_huge_page(name)
        if limit is None:
            if exact:
                why = "Limit must be set for non overcommitable resources"
                errors.append(fe.required(f"{path}.limits", why))
        elif text != limit:
            if exact and quantity.compare(text, limit) != 0:
                why = f"must be equal to {name} limit of {limit}"
                errors.append(fe.invalid_value(f"{path}.requests", text, why))
            elif quantity.compare(text, limit) > 0:
                why = f"must be less than or equal to {name} limit of {limit}"
                errors.append(fe.invalid_value(f"{path}.requests", text, why))
    named = limits.keys() | requests.keys()
    if not named.isdisjoint(_NEEDED_BY_HUGE_PAGES):
        return
    if any(common.is_huge_page(name) for name in named):
        errors.append(fe.forbidden_value(path, "HugePages require cpu or memory"))


_NEEDED_BY_HUGE_PAGES: Final = frozenset({"cpu", "memory"})


def _resource_name(errors: Errors, path: str, name: str, *, pod_level: bool) -> None:
    if name in _STANDARD or common.is_huge_page(name):
        if pod_level and name == "ephemeral-storage":
            errors.append(fe.not_supported(path, name, ("cpu", "hugepages-*", "memory")))
        return
    add_invalid(errors, path, name, names.qualified_name(name))
    if "/" not in name:
        errors.append(fe.invalid_value(path, name, "must be a standard resource for containers"))
    elif not common.is_native_resource(name) and not common.is_extended_resource(name):
        errors.append(fe.invalid_value(path, name, "doesn't follow extended resource name standard"))


def security_context(errors: Errors, path: str, context: Json) -> None:
    """Of a container. Follows: ValidateSecurityContext."""
    ids(errors, path, context)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(fe.invalid_value(path, context, text))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(fe.invalid_value(path, context, text))
    if "procMount" in context:
        common.one_of(errors, f"{path}.procMount", context["procMount"], ("Default", "Unmasked"))
    profiles(errors, path, context)


def ids(errors: Errors, path: str, context: Json) -> None:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        value = context.get(field)
        if value is not None and not 0 <= value <= MAX_ID:
            errors.append(fe.invalid_value(f"{path}.{field}", value, common.range_text(0, MAX_ID)))


_PROFILE_TYPES: Final = ("Localhost", "RuntimeDefault", "Unconfined")


def profiles(errors: Errors, path: str, context: Json) -> None:
    """Seccomp and AppArmor profiles."""
    for field, word in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        profile = context.get(field)
        if not profile:
            continue
        place = f"{path}.{field}"
        kind, local = profile.get("type"), profile.get("localhostProfile")
        if not kind:
            errors.append(fe.required(f"{place}.type", "type is required when seccompProfile is set"))
        elif kind not in _PROFILE_TYPES:
            errors.append(fe.not_supported(f"{place}.type", kind, _PROFILE_TYPES))
        elif kind == "Localhost" and not local:
            text = f"must be set when {word} type is Localhost"
            errors.append(fe.required(f"{place}.localhostProfile", text))
        elif kind != "Localhost" and local is not None:
            text = f"can only be set when {word} type is Localhost"
            errors.append(fe.invalid_value(f"{place}.localhostProfile", local, text))
