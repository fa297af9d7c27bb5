r"""Stored objects as protocol buffers: what typed clients of client-go ask for.

    one        k8s\0 · envelope · message
    list       k8s\0 · envelope · metadata, message, message, …    the messages of the objects, kept (`MessageCache`)
    watch      length in four bytes · WatchEvent{type, k8s\0 · envelope · message}

Custom resources and tables have no binary form; `negotiation.py` does not offer it for them.

Follows: apimachinery pkg/runtime/serializer/protobuf/protobuf.go; pkg/apis/meta/v1/generated.proto.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Final

import orjson

from pybernetes.api import protobuf, schema
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.forms import ListMeta, ObjectForm, bookmark_metadata
from pybernetes.apiserver.http.negotiation import META_GROUP
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.scheme import Served

MAX_KEPT_BYTES: Final = 32 * 1024 * 1024
"""Of encoded messages, for all resources together: about 30,000 pods. Arbitrary."""
_METADATA: Final = "meta.v1.PartialObjectMetadata"


class MessageCache:
    """Messages of objects by (object, form), the longest kept go first when there are too many bytes."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[CachedObject, Hashable], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[CachedObject, Hashable]) -> bytes | None:
        return self._kept.get(key)

    def put(self, key: tuple[CachedObject, Hashable], message: bytes) -> None:
        self._kept[key] = message
        self._bytes += len(message)
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)

    def statistics(self) -> dict[str, int]:
        return {"messages": len(self._kept), "bytes": self._bytes, "max_bytes": self._max_bytes}


class BinaryForm:
    """Whole objects of a built-in kind."""

    def __init__(self, served: Served, messages: MessageCache) -> None:
        resource = served.resource
        self.served = served
        self._messages = messages
        self._objects = ObjectForm(served)
        self.api_version = resource.api_version
        self.kind, self.list_kind = resource.kind, resource.list_kind
        self._alias = schema.alias_of(resource.api_version, resource.kind)
        self.key: Hashable = ("protobuf", resource.api_version, resource.kind)

    def message(self, obj: CachedObject) -> bytes:
        """The bare message of an object, kept while there is room."""
        found = self._messages.get((obj, self.key))
        if found is None:
            found = self._encode(orjson.loads(b"{" + self._objects.body(obj)))
            self._messages.put((obj, self.key), found)
        return found

    def _encode(self, document: Document) -> bytes:
        return protobuf.encode_message(self._alias, document)

    def one(self, obj: CachedObject) -> bytes:
        """The object alone."""
        return protobuf.wrap(self.api_version, self.kind, self.message(obj))

    def many(self, objects: Sequence[CachedObject], meta: ListMeta) -> list[bytes]:
        """The parts of a list, in order."""
        return self.assembled(self.items(objects), meta)

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        """Objects as fields of a list."""
        return [protobuf.list_item(self.message(obj)) for obj in objects]

    def assembled(self, items: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        """The parts of a list of items."""
        joined = b"".join((protobuf.list_metadata(meta.document()), *items))
        return [protobuf.opening(self.api_version, self.list_kind, len(joined)), joined, protobuf.CLOSING]

    def event(self, event_type: str, obj: CachedObject) -> bytes:
        """One frame of a watch."""
        return protobuf.watch_frame(event_type, self.one(obj))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        document = {"metadata": bookmark_metadata(revision, initial_events_end=initial_events_end)}
        wrapped = protobuf.wrap(self.api_version, self.kind, self._encode(document))
        return protobuf.watch_frame("BOOKMARK", wrapped)

    def error(self, status: Document) -> bytes:
        """The last frame of a watch that failed."""
        return protobuf.watch_frame("ERROR", encode_status(status))


class BinaryMetadataForm(BinaryForm):
    """`PartialObjectMetadata` of any resource."""

    def __init__(self, served: Served, version: str, messages: MessageCache) -> None:
        super().__init__(served, messages)
        self.api_version = f"{META_GROUP}/{version}"
        self.kind, self.list_kind = "PartialObjectMetadata", "PartialObjectMetadataList"
        self.key = ("protobuf metadata", served.resource.api_version, served.lens)

    def message(self, obj: CachedObject) -> bytes:
        if self.served.lens is not None:
            obj = self.served.lens.view(obj)
        found = self._messages.get((obj, self.key))
        if found is None:
            found = self._encode(obj.document)
            self._messages.put((obj, self.key), found)
        return found

    def _encode(self, document: Document) -> bytes:
        return protobuf.encode_message(_METADATA, document)


def encode_status(status: Document) -> bytes:
    """A `Status` as a document."""
    fields: dict[str, Any] = {"apiVersion": "v1", "kind": "Status", **status}
    return protobuf.encode(fields)
