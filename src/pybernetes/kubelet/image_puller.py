"""Makes sure that a container's image is on the machine, as its pull policy asks.

Follows: kubernetes pkg/kubelet/images/image_manager.go; pkg/kubelet/kuberuntime/kuberuntime_image.go.
"""

import logging
from collections.abc import Sequence

from pybernetes.api import core_v1
from pybernetes.effects import Clock
from pybernetes.kubelet import events
from pybernetes.kubelet.backoff import Backoff, format_duration
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import ImageService
from pybernetes.kubelet.image_names import Credentials, InvalidImageName, matching, with_default_tag
from pybernetes.kubelet.seam import ContainerLike
from pybernetes.kubelet.status import reasons

logger = logging.getLogger("pybernetes.kubelet")

PULL_ALWAYS = "Always"
SHOW_FAILURE_SECONDS = 2.0
"""How long a pod shows ErrImagePull before it is looked at again and shows ImagePullBackOff."""
PULL_NEVER = "Never"
PULL_IF_NOT_PRESENT = "IfNotPresent"


class ImageUnavailable(Exception):
    """The container cannot start for want of its image. `reason` is the waiting reason, the text its message."""

    def __init__(self, reason: str, message: str, retry_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_seconds = retry_seconds
        """When to try again; 0 when only a change can help."""


def field_path(pod: core_v1.Pod, container: ContainerLike) -> str:
    """`spec.containers{web}`: the part of the pod an event is about."""
    for part in ("initContainers", "containers", "ephemeralContainers"):
        if any(one.name == container.name for one in getattr(pod.spec, part)):
            return f"spec.{part}{{{container.name}}}"
    return ""


class ImagePuller:
    """Pulls images for containers, with back-off per pod and image."""

    def __init__(self, images: ImageService, recorder: events.Recorder, clock: Clock) -> None:
        self._images = images
        self._recorder = recorder
        self._clock = clock
        self._backoff = Backoff()
        self._last_failure: dict[str, str] = {}

    async def ensure(
        self,
        pod: core_v1.Pod,
        container: ContainerLike,
        credentials: Sequence[tuple[str, Credentials]],
        sandbox: api.PodSandboxConfig,
    ) -> api.Image:
        """The image, on this machine.

        Raises:
            ImageUnavailable: it is not, for now.
        """
        path = field_path(pod, container)

        def tell(event_type: str, reason: str, message: str) -> None:
            self._recorder.event(pod, event_type, reason, message, field_path=path)

        try:
            reference = with_default_tag(container.image)
        except InvalidImageName as error:
            tell(events.WARNING, events.INSPECT_FAILED, str(error))
            raise ImageUnavailable(reasons.INVALID_IMAGE_NAME, str(error)) from error
        try:
            present = await self._images.image_status(reference)
        except RuntimeFailure as error:
            message = f'Failed to inspect image "{container.image}": {error}'
            tell(events.WARNING, events.INSPECT_FAILED, message)
            raise ImageUnavailable(reasons.IMAGE_INSPECT_ERROR, message) from error
        if present is not None and container.imagePullPolicy != PULL_ALWAYS:
            tell(
                events.NORMAL,
                events.PULLED,
                f'Container image "{container.image}" already present on machine and can be accessed by the pod',
            )
            return present
        if container.imagePullPolicy == PULL_NEVER:
            message = f'Container image "{container.image}" is not present with pull policy of Never'
            tell(events.WARNING, events.ERR_IMAGE_NEVER_PULL, message)
            raise ImageUnavailable(reasons.ERR_IMAGE_NEVER_PULL, message)
        key = f"{pod.metadata.uid}_{container.image}"
        left = self._backoff.remaining_since_update_seconds(key, self._clock.now())
        if left > 0:
            message = f'Back-off pulling image "{container.image}"'
            tell(events.NORMAL, events.BACK_OFF, message)
            if key in self._last_failure:
                message += f": {self._last_failure[key]}"
            raise ImageUnavailable(reasons.IMAGE_PULL_BACK_OFF, message, left)
        self._last_failure.pop(key, None)
        tell(events.NORMAL, events.PULLING, f'Pulling image "{container.image}"')
        began = self._clock.monotonic()
        try:
            pulled = await self._pull(reference, matching(reference, credentials), sandbox)
        except RuntimeFailure as error:
            tell(events.WARNING, events.FAILED, f'Failed to pull image "{container.image}": {error}')
            now = self._clock.now()
            self._backoff.lengthen(key, now, now)
            self._last_failure[key] = f"{reasons.ERR_IMAGE_PULL}: {error}"
            raise ImageUnavailable(reasons.ERR_IMAGE_PULL, str(error), SHOW_FAILURE_SECONDS) from error
        took = format_duration(int((self._clock.monotonic() - began) * 1000) / 1000)
        tell(
            events.NORMAL,
            events.PULLED,
            f'Successfully pulled image "{container.image}" in {took} ({took} including waiting). '
            f"Image size: {pulled.size} bytes.",
        )
        return pulled

    async def _pull(
        self, reference: str, credentials: Sequence[Credentials], sandbox: api.PodSandboxConfig
    ) -> api.Image:
        """The pulled image; each set of credentials is tried until one is good enough."""
        tries: list[api.AuthConfig | None] = [_auth(one) for one in credentials]
        tries = tries or [None]
        for number, auth in enumerate(tries, 1):
            try:
                image_ref = await self._images.pull_image(reference, auth, sandbox)
            except RuntimeFailure:
                if number == len(tries):
                    raise
                continue
            found = await self._images.image_status(image_ref) or await self._images.image_status(reference)
            if found is None:
                raise RuntimeFailure("NotFound", f'image "{reference}" is gone right after it was pulled')
            return found
        raise AssertionError("there is always one try")

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._last_failure if key.startswith(f"{uid}_")]:
            del self._last_failure[key]


def _auth(credentials: Credentials) -> api.AuthConfig:
    return api.AuthConfig(
        username=credentials.username,
        password=credentials.password,
        identity_token=credentials.identity_token,
        registry_token=credentials.registry_token,
    )
