"""Stored objects in the form the client asked for: as they are, in another version, metadata only, or a table.

    ObjectForm     {"apiVersion":…,"kind":…, + body                      bytes as they lie in the cache
    MetadataForm   PartialObjectMetadata                                 made once per object and kept with it
    TableForm      Table with the columns of `api.printing`              made on demand: ages move

Follows: apiserver pkg/endpoints/handlers/response.go, transformObject, asTable, asPartialObjectMetadata.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from pybernetes.api import normalize
from pybernetes.api.registry import Resource
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.http.negotiation import META_GROUP
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources import conversion
from pybernetes.apiserver.scheme import Served

if TYPE_CHECKING:
    from pybernetes.apiserver.extensions.lens import Lens


@dataclass(frozen=True, slots=True)
class ListMeta:
    """Metadata of a list or a table."""

    resource_version: str
    continue_token: str = ""
    remaining: int | None = None

    def document(self) -> Document:
        found: Document = {"resourceVersion": self.resource_version}
        if self.continue_token:
            found["continue"] = self.continue_token
        if self.remaining is not None:
            found["remainingItemCount"] = self.remaining
        return found


class Printer(Protocol):
    """Columns and cells of a resource's table."""

    def columns(self, resource: Resource) -> Sequence[Document]: ...

    def cells(self, resource: Resource, document: Document, now: datetime) -> Sequence[Any]: ...


class ObjectForm:
    """Whole objects in the requested version. Lists of built-in kinds carry no kind per item, as upstream."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.head = served.head
        self.key: Hashable = (served.resource.group, served.resource.version, served.resource.kind)
        self._converts = served.needs_conversion

    def body(self, obj: CachedObject) -> bytes:
        if not self._converts or obj.api_version == self.served.resource.api_version:
            return obj.body
        return obj.derived(self.key, self._convert)

    def _convert(self, obj: CachedObject) -> bytes:
        document = conversion.convert(
            {**obj.decode()}, obj.api_version or self.served.storage_version, self.served.resource
        )
        document = normalize.normalize(document, self.served.resource.type_alias)  # zeros are written or not by version
        document.pop("apiVersion", None)
        document.pop("kind", None)
        return orjson.dumps(document)[1:]

    def one(self, obj: CachedObject) -> bytes:
        """The object alone."""
        return self.head + self.body(obj)

    def many(self, objects: Sequence[CachedObject], meta: ListMeta) -> list[bytes]:
        """The parts of a list, in order."""
        return self.framed(self.items(objects), meta)

    def framed(self, items: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        """A list around what `items` made."""
        resource = self.served.resource
        opening = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
            resource.list_kind.encode(),
            resource.api_version.encode(),
            orjson.dumps(meta.document()),
        )
        return [opening, *items, b"]}"]

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        """The objects as they stand in a list, with what separates them, in a few large parts."""
        item = self.head if self.served.custom else b"{"
        separator = b"," + item
        body = self.body
        parts = []
        for start in range(0, len(objects), ITEMS_PER_PART):
            opening = separator if start else item
            parts.append(opening + separator.join([body(obj) for obj in objects[start : start + ITEMS_PER_PART]]))
        return parts

    def event(self, event_type: str, obj: CachedObject) -> bytes:
        return b'{"type":"%b","object":%b%b}\n' % (event_type.encode(), self.head, self.body(obj))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        metadata = bookmark_metadata(revision, initial_events_end=initial_events_end)
        return b'{"type":"BOOKMARK","object":%b"metadata":%b}}\n' % (self.head, orjson.dumps(metadata))

    def error(self, status: Document) -> bytes:
        """The last line of a watch that failed."""
        return error_line(status)


class CustomForm(ObjectForm):
    """Whole objects of a custom resource, as its lens shows them."""

    def __init__(self, served: Served, lens: "Lens") -> None:
        super().__init__(served)
        self._lens = lens
        self.key = lens

    def body(self, obj: CachedObject) -> bytes:
        return self._lens.view(obj).body


ITEMS_PER_PART = 64
"""Objects joined into one part of a list: bounds how long the loop is held."""

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def error_line(status: Document) -> bytes:
    return b'{"type":"ERROR","object":%b}\n' % orjson.dumps(status)


def bookmark_metadata(revision: int, *, initial_events_end: bool) -> Document:
    metadata: Document = {"resourceVersion": str(revision)}
    if initial_events_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return metadata


class MetadataForm:
    """`PartialObjectMetadata`: what the garbage collector and metadata informers ask for."""

    def __init__(self, served: Served, version: str) -> None:
        self.served = served
        self.version = f"{META_GROUP}/{version}"
        self.head = f'{{"kind":"PartialObjectMetadata","apiVersion":"{self.version}",'.encode()
        self.key: Hashable = ("metadata", version, served.lens)

    def body(self, obj: CachedObject) -> bytes:
        if self.served.lens is not None:
            obj = self.served.lens.view(obj)
        return obj.derived("metadata", _metadata_body)

    def one(self, obj: CachedObject) -> bytes:
        return self.head + self.body(obj)

    def many(self, objects: Sequence[CachedObject], meta: ListMeta) -> list[bytes]:
        opening = b'{"kind":"PartialObjectMetadataList","apiVersion":"%b","metadata":%b,"items":[' % (
            self.version.encode(),
            orjson.dumps(meta.document()),
        )
        if not objects:
            return [opening + b"]}"]
        return [opening, b",".join([self.one(obj) for obj in objects]), b"]}"]

    def event(self, event_type: str, obj: CachedObject) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (event_type.encode(), self.one(obj))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        metadata = bookmark_metadata(revision, initial_events_end=initial_events_end)
        return b'{"type":"BOOKMARK","object":%b"metadata":%b}}\n' % (self.head, orjson.dumps(metadata))

    def error(self, status: Document) -> bytes:
        """The last line of a watch that failed."""
        return error_line(status)


def _metadata_body(obj: CachedObject) -> bytes:
    return b'"metadata":%b}' % orjson.dumps(obj.document["metadata"])


INCLUDE_NONE, INCLUDE_METADATA, INCLUDE_OBJECT = "None", "Metadata", "Object"


class TableForm:
    """`Table`: what kubectl prints. One form serves one request: only the first event of a watch has the columns."""

    def __init__(
        self, served: Served, version: str, include: str, printer: Printer, now: Callable[[], datetime]
    ) -> None:
        self.served = served
        self.version = f"{META_GROUP}/{version}"
        self.include = include or INCLUDE_METADATA
        self._printer = printer
        self._now = now
        self._objects = object_form(served)
        self._metadata = MetadataForm(served, version)
        self._columns_sent = False
        self.key: Hashable = self

    def _row(self, obj: CachedObject) -> bytes:
        resource = self.served.resource
        document = orjson.loads(self._objects.one(obj))
        row: Document = {"cells": self._printer.cells(resource, document, self._now())}
        if conditions := row_conditions(resource, document):
            row["conditions"] = conditions
        encoded = orjson.dumps(row, default=str)
        if self.include == INCLUDE_NONE:
            return encoded
        inner = self._objects.one(obj) if self.include == INCLUDE_OBJECT else self._metadata.one(obj)
        return b'%b,"object":%b}' % (encoded[:-1], inner)

    def _table(self, rows: bytes, meta: Document, *, columns: bool) -> bytes:
        definitions = self._printer.columns(self.served.resource) if columns else None
        return b'{"kind":"Table","apiVersion":"%b","metadata":%b,"columnDefinitions":%b,"rows":[%b]}' % (
            self.version.encode(),
            orjson.dumps(meta),
            orjson.dumps(definitions if definitions is not None else []),
            rows,
        )

    def one(self, obj: CachedObject) -> bytes:
        return self._table(self._row(obj), {"resourceVersion": str(obj.revision)}, columns=True)

    def many(self, objects: Sequence[CachedObject], meta: ListMeta) -> list[bytes]:
        return [self._table(b",".join([self._row(obj) for obj in objects]), meta.document(), columns=True)]

    def event(self, event_type: str, obj: CachedObject) -> bytes:
        columns, self._columns_sent = not self._columns_sent, True
        table = self._table(self._row(obj), {"resourceVersion": str(obj.revision)}, columns=columns)
        return b'{"type":"%b","object":%b}\n' % (event_type.encode(), table)

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        metadata = bookmark_metadata(revision, initial_events_end=initial_events_end)
        return b'{"type":"BOOKMARK","object":%b}\n' % self._table(b"", metadata, columns=False)

    def error(self, status: Document) -> bytes:
        """The last line of a watch that failed."""
        return error_line(status)


def row_conditions(resource: Resource, document: Document) -> list[Document]:
    """`Completed` for finished pods: clients may grey them out. Follows: printers.printPod."""
    if resource.kind != "Pod" or resource.group:
        return []
    phase = (document.get("status") or {}).get("phase")
    if phase not in {"Succeeded", "Failed"}:
        return []
    message = "The pod has completed successfully." if phase == "Succeeded" else "The pod failed."
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}]


def object_form(served: Served) -> ObjectForm:
    """Objects as they are, or as a lens shows them."""
    return ObjectForm(served) if served.lens is None else CustomForm(served, served.lens)
