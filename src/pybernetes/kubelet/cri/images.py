"""CRI's ImageService over gRPC.

Follows: cri-api pkg/apis/runtime/v1/api.proto; kubernetes cri-client pkg/remote_image.go.
"""

import asyncio
from collections.abc import Sequence

from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.channel import RuntimeChannel

MAX_PULLS = 3
"""Pulls at once."""

_SERVICE = "/runtime.v1.ImageService/"


class CriImages:
    """`ImageService` of a runtime at a socket."""

    def __init__(self, channel: RuntimeChannel) -> None:
        self._channel = channel
        self._pulls = asyncio.Semaphore(MAX_PULLS)

    async def list_images(self) -> Sequence[api.Image]:
        answer = await self._channel.call(_SERVICE + "ListImages", api.ListImagesRequest(), api.ListImagesResponse)
        return answer.images

    async def image_status(self, image: str) -> api.Image | None:
        request = api.ImageStatusRequest(image=api.ImageSpec(image=image))
        answer = await self._channel.call(_SERVICE + "ImageStatus", request, api.ImageStatusResponse)
        return answer.image if answer.HasField("image") and answer.image.id else None

    async def pull_image(
        self, image: str, auth: api.AuthConfig | None = None, sandbox_config: api.PodSandboxConfig | None = None
    ) -> str:
        request = api.PullImageRequest(image=api.ImageSpec(image=image), auth=auth, sandbox_config=sandbox_config)
        async with self._pulls:
            answer = await self._channel.call(_SERVICE + "PullImage", request, api.PullImageResponse, None)
        return answer.image_ref

    async def remove_image(self, image: str) -> None:
        request = api.RemoveImageRequest(image=api.ImageSpec(image=image))
        await self._channel.call(_SERVICE + "RemoveImage", request, api.RemoveImageResponse)

    async def image_fs_info(self) -> api.ImageFsInfoResponse:
        return await self._channel.call(_SERVICE + "ImageFsInfo", api.ImageFsInfoRequest(), api.ImageFsInfoResponse)
