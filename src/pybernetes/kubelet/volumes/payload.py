"""Which files a volume of configuration holds: from ConfigMaps, Secrets, the pod itself and its tokens. Pure.

Follows: kubernetes pkg/volume/{configmap,secret,downwardapi,projected}, MakePayload and CollectData.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pybernetes.api import core_v1
from pybernetes.kubelet import downward
from pybernetes.kubelet.downward import NodeFacts

DEFAULT_MODE = 0o644
TOKEN_MODE_WITH_OWNER = 0o600
"""A token's mode when its reader is known: the user is made its owner, a fsGroup gets group read added."""


class PayloadError(ValueError):
    """A volume's files cannot be made; the text is upstream's."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. `uid` is its owner; None leaves root."""

    data: bytes
    mode: int
    uid: int | None = None

    def __repr__(self) -> str:
        """Without the content, which may be secret."""
        return f"File({len(self.data)} bytes, {self.mode:o})"


Payload = dict[str, File]
"""Files by their path in the volume."""


def of_config_map(
    config_map: core_v1.ConfigMap | None, items: Sequence[core_v1.KeyToPath], default_mode: int, *, optional: bool
) -> Payload:
    """All keys, or those that `items` choose; None is an optional ConfigMap that does not exist.

    Raises:
        PayloadError: an item's key does not exist and nothing is optional, or binary data is no base64.
    """
    data: dict[str, bytes] = {}
    if config_map is not None:
        data = {key: text.encode() for key, text in config_map.data.items()}
        data.update(_decoded(config_map.binaryData))
    return _chosen(data, items, default_mode, optional, "configmap references non-existent config key: ")


def of_secret(
    secret: core_v1.Secret | None, items: Sequence[core_v1.KeyToPath], default_mode: int, *, optional: bool
) -> Payload:
    """As `of_config_map`. Raises: PayloadError."""
    data = _decoded(secret.data) if secret is not None else {}
    return _chosen(data, items, default_mode, optional, "references non-existent secret key: ")


def _decoded(values: Mapping[str, str]) -> dict[str, bytes]:
    result = {}
    for key, text in values.items():
        try:
            result[key] = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise PayloadError(f"key {key} is not base64") from error
    return result


def _chosen(
    data: Mapping[str, bytes], items: Sequence[core_v1.KeyToPath], default_mode: int, optional: bool, complaint: str
) -> Payload:
    if not items:
        return {key: File(content, default_mode) for key, content in data.items()}
    result = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise PayloadError(complaint + item.key)
        result[item.path] = File(data[item.key], default_mode if item.mode is None else item.mode)
    return result


def of_pod(
    pod: core_v1.Pod, items: Sequence[core_v1.DownwardAPIVolumeFile], default_mode: int, node: NodeFacts
) -> Payload:
    """What the pod tells of itself.

    Raises:
        PayloadError: with all that is wrong.
    """
    result: Payload = {}
    errors: list[str] = []
    for item in items:
        try:
            if item.fieldRef is not None:
                text = downward.field_value(item.fieldRef, pod, (), node)
            elif item.resourceFieldRef is not None:
                text = downward.resource_value(item.resourceFieldRef, pod, None, node.allocatable)
            else:
                continue
        except downward.DownwardError as error:
            errors.append(str(error))
            continue
        result[item.path] = File(text.encode(), default_mode if item.mode is None else item.mode)
    if errors:
        raise PayloadError(aggregated(errors))
    return result


def of_token(
    projection: core_v1.ServiceAccountTokenProjection, token: str, pod: core_v1.Pod, default_mode: int
) -> Payload:
    """The token, readable by those the pod runs as."""
    user = common_user(pod)
    narrow = user is not None or fs_group(pod) is not None
    mode = TOKEN_MODE_WITH_OWNER if narrow else default_mode
    return {projection.path: File(token.encode(), mode, user)}


def fs_group(pod: core_v1.Pod) -> int | None:
    return pod.spec.securityContext.fsGroup if pod.spec.securityContext is not None else None


def common_user(pod: core_v1.Pod) -> int | None:
    """The user every container of the pod runs as, when the manifest says so of all. Follows: FsUserFrom."""
    of_pod_ = pod.spec.securityContext.runAsUser if pod.spec.securityContext is not None else None
    found: int | None = None
    everyone: Sequence[core_v1.Container | core_v1.EphemeralContainer] = [
        *pod.spec.initContainers,
        *pod.spec.containers,
        *pod.spec.ephemeralContainers,
    ]
    for container in everyone:
        own = container.securityContext.runAsUser if container.securityContext is not None else None
        user = own if own is not None else of_pod_
        if user is None or (found is not None and user != found):
            return None
        found = user
    return found


def aggregated(errors: Sequence[str]) -> str:
    """Several complaints in one text. Follows: apimachinery pkg/util/errors, NewAggregate."""
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
