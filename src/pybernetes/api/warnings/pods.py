"""Advice on pods and pod templates. Follows: pkg/api/pod/warnings.go, warningsForPodSpecAndMeta."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pybernetes.api.warnings import common
from pybernetes.api.warnings.common import Texts
from pybernetes.machinery import content
from pybernetes.machinery.content import Known
from pybernetes.machinery.field_errors import quote

Json = dict[str, Any]

_ANNOTATIONS: Final[Mapping[str, str]] = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_USE_SECCOMP: Final = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_USE_APP_ARMOR: Final = 'deprecated since v1.30; use the "appArmorProfile" field instead'

SOURCES: Final[Mapping[str, str]] = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
"""Volume sources that do nothing any more, by field name."""

_SHOWN: Final = {"storageos": "storageOS"}
_NULL_SELECTOR: Final = "a null labelSelector results in matching no pod"
_NEGATIVE: Final = "must be >= 0; negative values are invalid and will be treated as 1"
_SIZES: Final = ("memory", "ephemeral-storage")
_CONTAINER_KINDS: Final = ("initContainers", "containers", "ephemeralContainers")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


_PROFILES: Final = (_SECCOMP_CONTAINER, _APP_ARMOR)
_WITHOUT_ADVICE: Final = Known[bool]()
"""Specs that give nothing to say, by themselves."""


def pod(texts: Texts, path: str, item: Json) -> None:
    """Advice on a pod (`path` is empty) or a template (`spec.template`)."""
    annotations = (item.get("metadata") or {}).get("annotations") or ()
    if any(key in _ANNOTATIONS or key == _SECCOMP_POD or key.startswith(_PROFILES) for key in annotations):
        _pod(texts, path, item)
        return
    key = content.key_of(item.get("spec"))
    if _WITHOUT_ADVICE.get(key):
        return
    before = len(texts)
    _pod(texts, path, item)
    if len(texts) == before:
        _WITHOUT_ADVICE.learn(key, True)


def _pod(texts: Texts, path: str, item: Json) -> None:
    prefix = f"{path}." if path else ""
    spec = item.get("spec") or {}
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    place = f"{prefix}spec"
    if "nodeSelector" in spec:
        common.node_labels(texts, f"{place}.nodeSelector", spec["nodeSelector"])
    affinity = spec.get("affinity") or {}
    if "nodeAffinity" in affinity:
        _node_affinity(texts, f"{place}.affinity.nodeAffinity", affinity["nodeAffinity"])
    if "topologySpreadConstraints" in spec:
        _spread(texts, f"{place}.topologySpreadConstraints", spec["topologySpreadConstraints"])
    if annotations:
        known = (key for key in _ANNOTATIONS if key in annotations)
        texts.extend(f"{prefix}metadata.annotations[{key}]: {_ANNOTATIONS[key]}" for key in known)
    if "volumes" in spec:
        _volumes(texts, f"{place}.volumes", spec["volumes"])
    if "hostAliases" in spec:
        _repeated(texts, f"{place}.hostAliases", spec["hostAliases"], "ip")
    if "imagePullSecrets" in spec:
        secrets = spec["imagePullSecrets"]
        _repeated(texts, f"{place}.imagePullSecrets", secrets, "name")
        for index, secret in enumerate(secrets):
            if not secret.get("name"):
                texts.append(f'{place}.imagePullSecrets[{index}].name: invalid empty name ""')
    if "overhead" in spec:
        common.whole_bytes(texts, f"{place}.overhead", spec["overhead"], *_SIZES)
    if annotations and _SECCOMP_POD in annotations and "seccompProfile" not in (spec.get("securityContext") or {}):
        texts.append(f"{prefix}metadata.annotations[{_SECCOMP_POD}]: {_USE_SECCOMP}")
    ports = 0
    for kind in _CONTAINER_KINDS:
        for index, container in enumerate(spec.get(kind) or ()):
            ports += len(container.get("ports") or ())
            if annotations:
                _profiles(texts, prefix, container, annotations, spec)
            if "resources" in container or "env" in container:
                _container(texts, f"{place}.{kind}[{index}]", container)
    if ports:
        _ports(texts, place, spec)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        texts.append(f"{place}.terminationGracePeriodSeconds: {_NEGATIVE}")
    for kind in ("podAffinity", "podAntiAffinity") if affinity else ():
        _pod_affinity(texts, f"{place}.affinity.{kind}", affinity.get(kind) or {})


def _containers(path: str, spec: Json) -> Iterator[tuple[str, Json]]:
    for kind in _CONTAINER_KINDS:
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"{path}.{kind}[{index}]", container


def _node_affinity(texts: Texts, path: str, item: Json) -> None:
    for index, term in enumerate((item.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        common.node_term(texts, f"{path}.{_REQUIRED}.nodeSelectorTerms[{index}]", term)
    for index, preferred in enumerate(item.get(_PREFERRED) or ()):
        common.node_term(texts, f"{path}.{_PREFERRED}[{index}].preference", preferred.get("preference") or {})


def _spread(texts: Texts, path: str, constraints: list[Json]) -> None:
    for index, constraint in enumerate(constraints):
        key = constraint.get("topologyKey", "")
        if key in common.NODE_LABELS:
            texts.append(f"{path}[{index}].topologyKey: {key} is {common.NODE_LABELS[key]}")
        if constraint.get("labelSelector") is None:
            texts.append(f"{path}[{index}].labelSelector: {_NULL_SELECTOR}")


def _pod_affinity(texts: Texts, path: str, item: Json) -> None:
    for index, term in enumerate(item.get(_REQUIRED) or ()):
        if term.get("labelSelector") is None:
            texts.append(f"{path}.{_REQUIRED}[{index}].labelSelector: {_NULL_SELECTOR}")
    for index, weighted in enumerate(item.get(_PREFERRED) or ()):
        if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
            texts.append(f"{path}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector: {_NULL_SELECTOR}")


def _repeated(texts: Texts, path: str, items: list[Json], field: str) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        value = item.get(field, "")
        if value in seen:
            texts.append(f"{path}[{index}].{field}: duplicate {field} {quote(value)}")
        seen.add(value)


def _volumes(texts: Texts, path: str, volumes: list[Json]) -> None:
    tokens: set[str] = set()
    for index, volume in enumerate(volumes):
        for kind in volume:
            if kind in SOURCES:
                texts.append(f"{path}[{index}].{_SHOWN.get(kind, kind)}: {SOURCES[kind]}")
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is not None:
            claim_spec(texts, f"{path}[{index}].ephemeral.volumeClaimTemplate.spec", template.get("spec") or {})
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                tokens.add(source["serviceAccountToken"].get("path", ""))
    for index, volume in enumerate(volumes) if tokens else ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            _same_path(texts, f"{path}[{index}].projected.sources", source, tokens)


_ITEM_SOURCES: Final = (("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI", "downwardAPI"))


def _same_path(texts: Texts, path: str, source: Json, tokens: set[str]) -> None:
    """Files that would lie where a token lies."""
    text = "has duplicated path with ServiceAccountToken"
    for field, shown in _ITEM_SOURCES:
        for number, item in enumerate((source.get(field) or {}).get("items") or ()):
            if item.get("path", "") in tokens:
                texts.append(f"{path}.{shown}[{number}]: {text} {quote(item['path'])}")
    bundle = source.get("clusterTrustBundle")
    if bundle is not None and bundle.get("path", "") in tokens:
        texts.append(f"{path}.ClusterTrustBundle: {text} {quote(bundle['path'])}")


def claim_spec(texts: Texts, path: str, spec: Json) -> None:
    """Advice on the spec of a claim. Follows: GetWarningsForPersistentVolumeClaimSpec."""
    resources = spec.get("resources") or {}
    for kind in ("requests", "limits"):
        common.whole_bytes(texts, f"{path}.resources.{kind}", resources.get(kind), "storage")


def _profiles(texts: Texts, prefix: str, container: Json, annotations: Mapping[str, str], spec: Json) -> None:
    name = container.get("name", "")
    security = container.get("securityContext") or {}
    key = _SECCOMP_CONTAINER + name
    if key in annotations and "seccompProfile" not in security:
        texts.append(f"{prefix}metadata.annotations[{key}]: {_USE_SECCOMP}")
    key = _APP_ARMOR + name
    told = "appArmorProfile" in security or "appArmorProfile" in (spec.get("securityContext") or {})
    if prefix and key in annotations and not told:
        texts.append(f"{prefix}metadata.annotations[{key}]: {_USE_APP_ARMOR}")


def _container(texts: Texts, path: str, container: Json) -> None:
    resources = container.get("resources")
    if resources and _has_parts(resources):
        for name in _SIZES:
            for kind in ("limits", "requests"):
                common.whole_bytes(texts, f"{path}.resources.{kind}", resources.get(kind), name)
    env = container.get("env") or []
    if len(env) > 1:
        _env(texts, f"{path}.env", env)


def _has_parts(resources: Json) -> bool:
    """Whether a size may end amid a byte; nearly none does, so their paths are not even written."""
    for kind in ("limits", "requests"):
        amounts = resources.get(kind)
        if not amounts:
            continue
        if amounts.get("memory", "").endswith(common.PARTS):
            return True
        if amounts.get("ephemeral-storage", "").endswith(common.PARTS):
            return True
    return False


def _env(texts: Texts, path: str, env: list[Json]) -> None:
    """A second definition is in order only where it builds upon the first: `PATH=$(PATH):/x`."""
    seen: set[str] = set()
    for index, variable in enumerate(env):
        name = variable.get("name", "")
        if name not in seen:
            seen.add(name)
            continue
        reference, value = f"$({name})", variable.get("value", "")
        if "valueFrom" in variable or value == reference or reference not in value:
            text = "which may be dropped when using apply"
            texts.append(f"{path}[{index}]: hides previous definition of {quote(name)}, {text}")


def _ports(texts: Texts, path: str, spec: Json) -> None:
    """Ports of all containers that are the same, or nearly."""
    taken: dict[tuple[Any, Any], list[tuple[str, Json]]] = {}
    for container_path, container in _containers(path, spec):
        for index, port in enumerate(container.get("ports") or ()):
            place = f"{container_path}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                texts.append(f"{place}: hostIP set without hostPort: {_go_port(port)}")
            others = taken.setdefault((port.get("containerPort", 0), port.get("protocol")), [])
            for other_place, other in others:
                relation = _relation(port, other)
                if relation:
                    texts.append(f"{place}: {relation} port definition with {other_place}")
            others.append((place, port))


def _relation(port: Json, other: Json) -> str:
    ip, other_ip = port.get("hostIP", ""), other.get("hostIP", "")
    host, other_host = port.get("hostPort", 0), other.get("hostPort", 0)
    if ip == other_ip and host == other_host:
        return "duplicate"
    if not host or not other_host:
        return "overlapping"
    return "dangerously ambiguous" if host == other_host and (not ip) != (not other_ip) else ""


def _go_port(port: Json) -> str:
    fields = (
        ("Name", port.get("name", "")),
        ("HostPort", port.get("hostPort", 0)),
        ("ContainerPort", port.get("containerPort", 0)),
        ("Protocol", port.get("protocol", "")),
        ("HostIP", port.get("hostIP", "")),
    )
    return "{" + " ".join(f"{name}:{value}" for name, value in fields) + "}"
