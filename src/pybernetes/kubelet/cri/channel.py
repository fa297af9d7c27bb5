"""One gRPC channel to the runtime's unix socket, and unary calls on it."""

import logging
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from pybernetes.kubelet.cri.errors import from_grpc

logger = logging.getLogger("pybernetes.kubelet")

MAX_MESSAGE_BYTES = 16 << 20
"""As upstream's client: a list of all containers of a full node fits."""
RECONNECT_MILLISECONDS = (50, 1000)
"""First and longest pause between attempts to reach a runtime that went away; gRPC's own would be 1 to 120 s."""
CALL_SECONDS = 120.0
"""How long a call may take that should be quick (upstream: runtimeRequestTimeout, 2 min)."""

Answer = TypeVar("Answer", bound=Message)


class RuntimeChannel:
    """The connection both services share. Close it when done."""

    def __init__(self, socket_path: str) -> None:
        first, longest = RECONNECT_MILLISECONDS
        self.channel: Any = grpc.aio.insecure_channel(
            f"unix:{socket_path.removeprefix('unix://')}",
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.initial_reconnect_backoff_ms", first),
                ("grpc.min_reconnect_backoff_ms", first),
                ("grpc.max_reconnect_backoff_ms", longest),
            ],
        )
        self._methods: dict[str, Any] = {}

    async def close(self) -> None:
        await self.channel.close()

    async def call(
        self, path: str, request: Message, answer: type[Answer], timeout_seconds: float | None = CALL_SECONDS
    ) -> Answer:
        """One request, one answer.

        Raises:
            RuntimeFailure: the runtime refused, failed, or is not there.
        """
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self.channel.unary_unary(
                path, request_serializer=_serialize, response_deserializer=answer.FromString
            )
        try:
            result: Answer = await method(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise from_grpc(error.code().name, error.details() or "") from error
        return result


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
