"""What has to be done so that a pod's volumes exist: one step per volume, decided without touching the machine.

`gather` asks the API server (ConfigMaps, Secrets, tokens, claims); `steps` decides; `actions` carries out.
Configuration other than ConfigMaps lies in memory (tmpfs), as upstream: secrets never reach a disk.

Follows: kubernetes pkg/volume/*; pkg/kubelet/volumemanager.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pybernetes.api import core_v1, pod_resources
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.volumes import payload as payloads
from pybernetes.kubelet.volumes.payload import DEFAULT_MODE, Payload, PayloadError
from pybernetes.machinery import quantity
from pybernetes.machinery.errors import NotFound

MEDIUM_MEMORY = "Memory"
MEDIUM_HUGE_PAGES = "HugePages"

EMPTY_DIR, HOST_PATH, CONFIG_MAP, SECRET = "empty-dir", "host-path", "configmap", "secret"
DOWNWARD_API, PROJECTED, LOCAL = "downward-api", "projected", "local-volume"

NO_PLUGIN = "no volume plugin matched"


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory of the pod's own; in memory with at most `size_bytes` (None: as much as the node has)."""

    volume: str
    medium: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path of the node, used where it is."""

    volume: str
    path: str
    kind: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Files:
    """A directory of configuration that containers only read."""

    volume: str
    plugin: str
    payload: Payload
    in_memory: bool


@dataclass(frozen=True, slots=True)
class Local:
    """A directory of the node that is a PersistentVolume, bound to the pod's directory."""

    volume: str
    name: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A volume that cannot be set up now."""

    volume: str
    message: str


Step = EmptyDir | HostPath | Files | Local | Failed


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the pod with the volume it is bound to."""

    claim: core_v1.PersistentVolumeClaim
    volume: core_v1.PersistentVolume


@dataclass(frozen=True, slots=True)
class Found:
    """What `gather` got; failures stand in the place of what was wanted."""

    config_maps: Mapping[str, core_v1.ConfigMap | Exception] = field(default_factory=dict)
    secrets: Mapping[str, core_v1.Secret | Exception] = field(default_factory=dict)
    tokens: Mapping[tuple[str, int], str | Exception] = field(default_factory=dict)
    """By name of the volume and number of the projection's source."""
    claims: Mapping[str, Claim | Exception] = field(default_factory=dict)
    """By name of the volume."""


def steps(pod: core_v1.Pod, found: Found, node: NodeFacts) -> list[Step]:
    """One step for each volume of the pod, in its order."""
    return [_step(pod, volume, found, node) for volume in pod.spec.volumes]


def _step(pod: core_v1.Pod, volume: core_v1.Volume, found: Found, node: NodeFacts) -> Step:
    name = volume.name
    try:
        if volume.emptyDir is not None:
            return _empty_dir(pod, name, volume.emptyDir, node)
        if volume.hostPath is not None:
            return HostPath(name, volume.hostPath.path, volume.hostPath.type or "")
        if volume.configMap is not None:
            return Files(name, CONFIG_MAP, _config_map(volume.configMap, found), in_memory=False)
        if volume.secret is not None:
            return Files(name, SECRET, _secret(volume.secret, found), in_memory=True)
        if volume.downwardAPI is not None:
            mode = _mode(volume.downwardAPI.defaultMode)
            return Files(name, DOWNWARD_API, payloads.of_pod(pod, volume.downwardAPI.items, mode, node), in_memory=True)
        if volume.projected is not None:
            return Files(name, PROJECTED, _projected(pod, name, volume.projected, found, node), in_memory=True)
        if volume.persistentVolumeClaim is not None or volume.ephemeral is not None:
            read_only = volume.persistentVolumeClaim is not None and volume.persistentVolumeClaim.readOnly
            return _persistent(name, found.claims[name], read_only=read_only)
        if volume.image is not None:
            return Failed(name, "image volumes need a container runtime that supports them: containerd 2.1 or newer")
    except (PayloadError, quantity.QuantityError) as error:
        return Failed(name, f'MountVolume.SetUp failed for volume "{name}" : {error}')
    return Failed(name, f'failed to get Plugin from volumeSpec for volume "{name}" err={NO_PLUGIN}')


def _mode(default_mode: int | None) -> int:
    return DEFAULT_MODE if default_mode is None else default_mode


def _empty_dir(pod: core_v1.Pod, name: str, source: core_v1.EmptyDirVolumeSource, node: NodeFacts) -> EmptyDir:
    if source.medium != MEDIUM_MEMORY:
        return EmptyDir(name, source.medium)
    bounds = [
        quantity.parse(bound).value
        for bound in (source.sizeLimit, node.allocatable.get(pod_resources.MEMORY))
        if bound is not None
    ]
    limit = pod_resources.limits(pod).get(pod_resources.MEMORY)
    everyone_limited = all(container.resources.limits.get(pod_resources.MEMORY) for container in pod.spec.containers)
    if limit and everyone_limited:
        bounds.append(limit.value)
    sizes = [bound for bound in bounds if bound > 0]
    return EmptyDir(name, MEDIUM_MEMORY, min(sizes) if sizes else None)


def _object_of(by_name: Mapping[str, object], name: str, optional: bool) -> object:
    """The object, or None when it is optional and missing. Raises: PayloadError."""
    it = by_name.get(name)
    if isinstance(it, NotFound) and optional:
        return None
    if isinstance(it, Exception):
        raise PayloadError(str(it)) from it
    return it


def _config_map(
    source: core_v1.ConfigMapVolumeSource | core_v1.ConfigMapProjection, found: Found, mode: int | None = None
) -> Payload:
    it = _object_of(found.config_maps, source.name, bool(source.optional))
    assert it is None or isinstance(it, core_v1.ConfigMap)
    default = _mode(source.defaultMode if isinstance(source, core_v1.ConfigMapVolumeSource) else mode)
    return payloads.of_config_map(it, source.items, default, optional=bool(source.optional))


def _secret(
    source: core_v1.SecretVolumeSource | core_v1.SecretProjection, found: Found, mode: int | None = None
) -> Payload:
    name = source.secretName if isinstance(source, core_v1.SecretVolumeSource) else source.name
    it = _object_of(found.secrets, name, bool(source.optional))
    assert it is None or isinstance(it, core_v1.Secret)
    default = _mode(source.defaultMode if isinstance(source, core_v1.SecretVolumeSource) else mode)
    return payloads.of_secret(it, source.items, default, optional=bool(source.optional))


def _projected(
    pod: core_v1.Pod, volume: str, source: core_v1.ProjectedVolumeSource, found: Found, node: NodeFacts
) -> Payload:
    mode = _mode(source.defaultMode)
    result: Payload = {}
    errors: list[str] = []
    for number, part in enumerate(source.sources):
        try:
            if part.configMap is not None:
                result.update(_config_map(part.configMap, found, mode))
            elif part.secret is not None:
                result.update(_secret(part.secret, found, mode))
            elif part.downwardAPI is not None:
                result.update(payloads.of_pod(pod, part.downwardAPI.items, mode, node))
            elif part.serviceAccountToken is not None:
                token = found.tokens.get((volume, number), "")
                if isinstance(token, Exception):
                    raise PayloadError(f"failed to fetch token: {token}") from token  # noqa: TRY301
                result.update(payloads.of_token(part.serviceAccountToken, token, pod, mode))
            elif part.clusterTrustBundle is not None:
                errors.append("projections of cluster trust bundles are not supported by this kubelet")
            elif part.podCertificate is not None:
                errors.append("projections of pod certificates are not supported by this kubelet")
        except PayloadError as error:
            errors.append(str(error))
    if errors:
        raise PayloadError(payloads.aggregated(errors))
    return result


def _persistent(name: str, claim: Claim | Exception, *, read_only: bool) -> Step:
    if isinstance(claim, Exception):
        return Failed(
            name,
            f"Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[], "
            f"failed to process volumes=[{name}]: {claim}",
        )
    spec = claim.volume.spec
    if spec.volumeMode == "Block":
        return Failed(name, f'MapVolume failed for volume "{claim.volume.name}" : raw block volumes are not supported')
    if spec.hostPath is not None:
        return HostPath(name, spec.hostPath.path, spec.hostPath.type or "", read_only=read_only)
    if spec.local is not None:
        return Local(name, claim.volume.name, spec.local.path, read_only=read_only)
    return Failed(name, f'failed to get Plugin from volumeSpec for volume "{claim.volume.name}" err={NO_PLUGIN}')


def without_content(step: Step) -> Step:
    """The step as it is remembered once it is done: where it is, not what is in it."""
    return replace(step, payload={}) if isinstance(step, Files) else step
