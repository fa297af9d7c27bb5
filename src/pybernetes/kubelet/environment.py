"""The environment of a container, from everything a manifest can draw variables from.

`gather` does the fetching (ConfigMaps and Secrets from `References`, env files from volumes) and keeps failures as
values; `build` is pure and decides: order, precedence, `$(NAME)`, and which missing thing is an error. The pod
worker puts the error's text into the `CreateContainerConfigError` state of the container.

Order: `envFrom` first, then `env` (later wins, and sees what stands before it), then Services, which never override.

Follows: kubernetes pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pybernetes.api import core_v1
from pybernetes.client.interface import Unreachable
from pybernetes.kubelet import downward, expansion, service_environment
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.safe_open import UnsafePath, read_beneath
from pybernetes.kubelet.seam import ContainerLike, CreateContainerConfigError, References
from pybernetes.machinery.errors import NotFound, StatusError

MAX_ENV_FILE_BYTES = 64 * 1024
"""The largest env file read; upstream's limit for one file."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container may learn that stands neither in its pod nor in what the pod refers to."""

    services: Sequence[core_v1.Service] = ()
    """All Services of the cluster; `build` chooses."""
    pod_ips: Sequence[str] = ()
    """Addresses of the pod, the family the node prefers first; empty while there are none."""
    node: NodeFacts = field(default_factory=NodeFacts)


@dataclass(frozen=True, slots=True)
class Sources:
    """What `gather` found, by name; a failure to fetch is kept in the place of the object."""

    config_maps: Mapping[str, core_v1.ConfigMap | Exception] = field(default_factory=dict)
    secrets: Mapping[str, core_v1.Secret | Exception] = field(default_factory=dict)
    files: Mapping[tuple[str, str], str | Exception] = field(default_factory=dict)
    """Texts of env files by volume name and path in it."""


async def gather(
    references: References,
    pod: core_v1.Pod,
    container: ContainerLike,
    volume_path: Callable[[str], Path | None] = lambda _name: None,
) -> Sources:
    """What the variables of `container` draw from. Raises nothing: `build` knows whether a failure matters."""
    config_maps: dict[str, core_v1.ConfigMap | Exception] = {}
    secrets: dict[str, core_v1.Secret | Exception] = {}
    files: dict[tuple[str, str], str | Exception] = {}
    for name in sorted(_names(container, "configMapRef", "configMapKeyRef")):
        try:
            config_maps[name] = await references.config_map(pod.namespace, name)
        except (StatusError, Unreachable) as error:
            config_maps[name] = error
    for name in sorted(_names(container, "secretRef", "secretKeyRef")):
        try:
            secrets[name] = await references.secret(pod.namespace, name)
        except (StatusError, Unreachable) as error:
            secrets[name] = error
    for variable in container.env:
        reference = variable.valueFrom.fileKeyRef if variable.valueFrom is not None else None
        if reference is None:
            continue
        root = volume_path(reference.volumeName)
        if root is None:
            files[reference.volumeName, reference.path] = CreateContainerConfigError(
                f'cannot find the volume "{reference.volumeName}" referenced by FileKeyRef'
            )
            continue
        try:
            data = await asyncio.to_thread(read_beneath, root, reference.path, MAX_ENV_FILE_BYTES)
            files[reference.volumeName, reference.path] = data.decode()
        except (OSError, UnsafePath, UnicodeDecodeError) as error:
            files[reference.volumeName, reference.path] = error
    return Sources(config_maps, secrets, files)


def _names(container: ContainerLike, whole: str, single: str) -> set[str]:
    names = {getattr(source, whole).name for source in container.envFrom if getattr(source, whole) is not None}
    for variable in container.env:
        one = getattr(variable.valueFrom, single, None)
        if one is not None:
            names.add(one.name)
    return names


def build(
    pod: core_v1.Pod,
    container: ContainerLike,
    sources: Sources,
    surroundings: Surroundings,
) -> dict[str, str]:
    """The variables of one container by name.

    Raises:
        CreateContainerConfigError: something that is not optional is missing, or a reference means nothing.
    """
    links = pod.spec.enableServiceLinks
    of_services = service_environment.variables(surroundings.services, pod.namespace, links is None or links)
    result: dict[str, str] = {}
    for source in container.envFrom:
        result.update(_whole(source, sources))
    lookup = expansion.known_or_kept(result, of_services)  # sees every variable set before the one at hand
    for variable in container.env:
        value: str | None
        if variable.value:
            value = expansion.expand(variable.value, lookup)
        elif variable.valueFrom is not None:
            value = _drawn(variable.valueFrom, pod, container, sources, surroundings)
        else:
            value = ""
        if value is not None:
            result[variable.name] = value
    for name, value in of_services.items():
        result.setdefault(name, value)
    for name, value in result.items():
        if "\0" in value or "\0" in name:
            raise CreateContainerConfigError(f'environment variable "{name}" contains a NUL byte')
    return result


def _whole(source: core_v1.EnvFromSource, sources: Sources) -> dict[str, str]:
    """All keys of one `envFrom` entry, prefixed."""
    data: Mapping[str, str] = {}
    if source.configMapRef is not None:
        config_map = _found(sources.config_maps, source.configMapRef.name, bool(source.configMapRef.optional))
        data = config_map.data if config_map is not None else {}
    elif source.secretRef is not None:
        secret = _found(sources.secrets, source.secretRef.name, bool(source.secretRef.optional))
        data = {key: _decoded(secret, key) for key in secret.data} if secret is not None else {}
    return {source.prefix + key: value for key, value in sorted(data.items())}


def _drawn(
    source: core_v1.EnvVarSource,
    pod: core_v1.Pod,
    container: ContainerLike,
    sources: Sources,
    surroundings: Surroundings,
) -> str | None:
    """The value of one `valueFrom`; None when it is optional and missing, so that the variable is not set."""
    try:
        if source.fieldRef is not None:
            return downward.field_value(source.fieldRef, pod, surroundings.pod_ips, surroundings.node)
        if source.resourceFieldRef is not None:
            return downward.resource_value(source.resourceFieldRef, pod, container, surroundings.node.allocatable)
    except downward.DownwardError as error:
        raise CreateContainerConfigError(str(error)) from error
    if source.configMapKeyRef is not None:
        wanted = source.configMapKeyRef
        config_map = _found(sources.config_maps, wanted.name, bool(wanted.optional))
        if config_map is not None and wanted.key in config_map.data:
            return config_map.data[wanted.key]
        if not wanted.optional:
            raise _missing_key("ConfigMap", wanted.key, pod.namespace, wanted.name)
        return None
    if source.secretKeyRef is not None:
        key_ref = source.secretKeyRef
        secret = _found(sources.secrets, key_ref.name, bool(key_ref.optional))
        if secret is not None and key_ref.key in secret.data:
            return _decoded(secret, key_ref.key)
        if not key_ref.optional:
            raise _missing_key("Secret", key_ref.key, pod.namespace, key_ref.name)
        return None
    if source.fileKeyRef is not None:
        return _from_file(source.fileKeyRef, sources)
    return ""


Fetched = TypeVar("Fetched", core_v1.ConfigMap, core_v1.Secret)


def _found(by_name: Mapping[str, Fetched | Exception], name: str, optional: bool) -> Fetched | None:
    found = by_name.get(name)
    if isinstance(found, NotFound) and optional:
        return None
    if isinstance(found, Exception):
        raise CreateContainerConfigError(str(found)) from found
    return found


def _missing_key(kind: str, key: str, namespace: str, name: str) -> CreateContainerConfigError:
    return CreateContainerConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def _decoded(secret: core_v1.Secret, key: str) -> str:
    try:
        return base64.b64decode(secret.data[key]).decode(errors="surrogateescape")
    except binascii.Error as error:
        raise CreateContainerConfigError(f"key {key} in Secret {secret.key} is not base64") from error


_ENV_LINE = re.compile(r"^([^=#\s][^=#]*)=(?:'([^']*)'[ \t]*(?:#.*)?|([^\n#]*).*)$", re.MULTILINE)


def parse_env_file(text: str) -> dict[str, str]:
    """Variables of an env file: `NAME=value` or `NAME='value'`, `#` begins a comment; the first of a name counts.

    Follows: kubernetes pkg/kubelet/util/env/env_util.go, ParseEnv.
    """
    result: dict[str, str] = {}
    for match in _ENV_LINE.finditer(text):
        name, quoted, plain = match.groups()
        result.setdefault(name, quoted if quoted is not None else plain)
    return result


def _from_file(reference: core_v1.FileKeySelector, sources: Sources) -> str | None:
    text = sources.files.get((reference.volumeName, reference.path), FileNotFoundError(reference.path))
    if isinstance(text, CreateContainerConfigError):
        raise text
    if isinstance(text, Exception):
        if isinstance(text, FileNotFoundError) and reference.optional:
            return None
        raise CreateContainerConfigError("couldn't parse env file") from text
    value = parse_env_file(text).get(reference.key)
    if value:
        return value
    if reference.optional:
        return None
    raise CreateContainerConfigError(f'environment variable key "{reference.key}" not found in file "{reference.path}"')
