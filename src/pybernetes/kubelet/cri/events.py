"""containerd's own event stream, on the same socket as CRI: what happened to which task, milliseconds after the fact.

CRI's `GetContainerEvents` does not exist in the containerd of Debian 12. The messages are few and flat, so they
are read from the wire by hand: a stream of `Envelope`s, each with an `Any` that holds the event.

Follows: containerd api/services/events/v1/events.proto, api/events/task.proto.
"""

from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio

from pybernetes.kubelet.cri.channel import RuntimeChannel
from pybernetes.kubelet.cri.errors import from_grpc
from pybernetes.kubelet.cri.interface import RuntimeEvent

_SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
_FILTER = b'namespace=="k8s.io",topic~="^/tasks/"'
_ENVELOPE_TOPIC, _ENVELOPE_EVENT = 3, 4
_ANY_VALUE = 2
_CONTAINER_ID = 1
_EXIT_PROCESS_ID = 2
"""`/tasks/exit` also names the process; it is another one than the container for an exec."""
_TEXT = 2
"""Wire type of strings, bytes and messages."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of the length-delimited fields of a message; others are passed over.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    at = 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            number, wire_type = key >> 3, key & 7
            if wire_type == _TEXT:
                length, at = _varint(data, at)
                yield number, data[at : at + length]
                at += length
            elif wire_type == 0:
                _, at = _varint(data, at)
            elif wire_type in (1, 5):
                at += 8 if wire_type == 1 else 4
            else:
                raise ValueError(f"wire type {wire_type} in an event")
    except IndexError:
        raise ValueError("an event ends in the middle of a field") from None


def decode(envelope: bytes) -> RuntimeEvent | None:
    """The event in an envelope; None when it is about an exec process and not about the container itself."""
    outer = dict(fields(envelope))
    event = dict(fields(dict(fields(outer.get(_ENVELOPE_EVENT, b""))).get(_ANY_VALUE, b"")))
    topic = outer.get(_ENVELOPE_TOPIC, b"").decode()
    container = event.get(_CONTAINER_ID, b"").decode()
    if topic == "/tasks/exit" and event.get(_EXIT_PROCESS_ID, b"").decode() not in ("", container):
        return None
    return RuntimeEvent(topic, container) if container else None


def _request() -> bytes:
    return bytes([1 << 3 | _TEXT, len(_FILTER)]) + _FILTER


async def subscribe(channel: RuntimeChannel) -> AsyncIterator[RuntimeEvent]:
    """Events of pods' tasks from now on.

    Raises:
        RuntimeFailure: the stream broke, or the runtime has none.
    """
    method = channel.channel.unary_stream(_SUBSCRIBE, request_serializer=None, response_deserializer=None)
    stream = method(_request())
    try:
        async for message in stream:
            event = decode(message)
            if event is not None:
                yield event
    except grpc.aio.AioRpcError as error:
        raise from_grpc(error.code().name, error.details() or "") from error
    finally:
        stream.cancel()
    raise from_grpc("UNAVAILABLE", "the runtime ended its event stream")
