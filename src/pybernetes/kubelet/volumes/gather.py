"""Asking the API server for everything the volumes of a pod are made of. Failures are kept as values for `plan`."""

from pybernetes.api import core_v1
from pybernetes.client.interface import Client, Unreachable
from pybernetes.kubelet.seam import References
from pybernetes.kubelet.volumes.plan import Claim, Found
from pybernetes.kubelet.volumes.tokens import DEFAULT_EXPIRATION_SECONDS, Token, TokenKey, TokenSource
from pybernetes.machinery.errors import StatusError


class ClaimError(Exception):
    """A claim gives no volume; the text is upstream's."""


def token_keys(pod: core_v1.Pod) -> dict[tuple[str, int], TokenKey]:
    """The tokens a pod's volumes project, by volume and number of the source in it."""
    result = {}
    for volume in pod.spec.volumes:
        for number, part in enumerate(volume.projected.sources if volume.projected is not None else ()):
            if part.serviceAccountToken is not None:
                result[volume.name, number] = TokenKey(
                    namespace=pod.namespace,
                    service_account=pod.spec.serviceAccountName or "default",
                    audience=part.serviceAccountToken.audience,
                    expiration_seconds=part.serviceAccountToken.expirationSeconds or DEFAULT_EXPIRATION_SECONDS,
                    pod_name=pod.name,
                    pod_uid=pod.metadata.uid,
                )
    return result


async def gather(
    pod: core_v1.Pod, references: References, tokens: TokenSource, client: Client
) -> tuple[Found, list[Token]]:
    """What the pod's volumes need, and the tokens among it, whose age decides when to come again."""
    config_maps: dict[str, core_v1.ConfigMap | Exception] = {}
    secrets: dict[str, core_v1.Secret | Exception] = {}
    claims: dict[str, Claim | Exception] = {}
    for volume in pod.spec.volumes:
        parts = volume.projected.sources if volume.projected is not None else []
        for source in (volume.configMap, *(part.configMap for part in parts)):
            if source is not None and source.name not in config_maps:
                try:
                    config_maps[source.name] = await references.config_map(pod.namespace, source.name)
                except (StatusError, Unreachable) as error:
                    config_maps[source.name] = error
        names = [volume.secret.secretName] if volume.secret is not None else []
        for name in (*names, *(part.secret.name for part in parts if part.secret is not None)):
            if name not in secrets:
                try:
                    secrets[name] = await references.secret(pod.namespace, name)
                except (StatusError, Unreachable) as error:
                    secrets[name] = error
        if volume.persistentVolumeClaim is not None or volume.ephemeral is not None:
            try:
                claims[volume.name] = await _claim(pod, volume, client)
            except (StatusError, Unreachable, ClaimError) as error:
                claims[volume.name] = error
    texts: dict[tuple[str, int], str | Exception] = {}
    held: list[Token] = []
    for place, key in token_keys(pod).items():
        try:
            token = await tokens.token(key)
        except (StatusError, Unreachable) as error:
            texts[place] = error
        else:
            texts[place] = token.text
            held.append(token)
    return Found(config_maps, secrets, texts, claims), held


async def _claim(pod: core_v1.Pod, volume: core_v1.Volume, client: Client) -> Claim:
    """The claim of a volume and what it is bound to.

    Raises:
        ClaimError, StatusError, Unreachable.
    """
    if volume.persistentVolumeClaim is not None:
        name = volume.persistentVolumeClaim.claimName
    else:
        name = f"{pod.name}-{volume.name}"
    context = f"error processing PVC {pod.namespace}/{name}"
    try:
        claim = await client.get(core_v1.PersistentVolumeClaim, name, pod.namespace)
    except StatusError as error:
        raise ClaimError(f"{context}: failed to fetch PVC from API server: {error}") from error
    if volume.ephemeral is not None and not any(
        owner.uid == pod.metadata.uid and owner.controller for owner in claim.metadata.ownerReferences
    ):
        raise ClaimError(
            f"{context}: PVC {pod.namespace}/{name} was not created for pod {pod.namespace}/{pod.name} "
            "(pod is not owner)"
        )
    if claim.metadata.deletionTimestamp is not None:
        raise ClaimError(f"{context}: PVC is being deleted")
    if claim.status.phase != "Bound" or not claim.spec.volumeName:
        raise ClaimError(f"{context}: PVC is not bound")
    try:
        found = await client.get(core_v1.PersistentVolume, claim.spec.volumeName)
    except StatusError as error:
        raise ClaimError(f"{context}: failed to fetch PV {claim.spec.volumeName} from API server: {error}") from error
    if found.spec.claimRef is None or found.spec.claimRef.uid != claim.metadata.uid:
        raise ClaimError(f"{context}: PV {found.name} is not bound to PVC {name}")
    return Claim(claim, found)
