"""How the stored objects of a custom resource look in one of its versions.

    stored ── prune, drop nulls, default (by the version it was stored in) ── convert ── prune ──► seen

What is seen is made once per object and kept with it. Where a webhook converts, `prepare` has to be awaited before
`view`: everybody who shows objects does so first.

Follows: apiextensions-apiserver pkg/apiserver/customresource_handler.go, crdConversionRESTOptionsGetter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import orjson

from pybernetes.api.registry import Resource
from pybernetes.api.structural.kind import CustomKind, WrongMetadata
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.request import Document
from pybernetes.machinery import errors

OBJECTS_PER_CALL: Final = 1000
"""Objects sent to a conversion webhook at once; arbitrary."""


class Converter(Protocol):
    """A webhook that converts documents."""

    async def convert(self, documents: Sequence[Document], api_version: str) -> list[Document]:
        """The documents in another version, in their order.

        Raises:
            InternalError: the webhook failed or answered nonsense.
        """
        ...


class Lens:
    """See the module. `kinds` are all versions of the definition, served or not."""

    def __init__(
        self, resource: Resource, storage_version: str, kinds: Mapping[str, CustomKind], converter: Converter | None
    ) -> None:
        self.resource = resource
        self._storage_version = storage_version
        self._kinds = kinds
        self._converter = converter

    @property
    def waits(self) -> bool:
        """Objects may have to be converted elsewhere before they can be seen."""
        return self._converter is not None

    # ── reading ──

    def view(self, obj: CachedObject) -> CachedObject:
        """The object in the lens's version.

        Raises:
            InternalError: it was stored in a version that the definition has no more.
        """
        found = obj.seen(self, self._look)
        return obj if found is None else found

    def is_ready(self, obj: CachedObject) -> bool:
        """`view` needs no webhook."""
        return self._converter is None or obj.has_seen(self) or self._version_of(obj) == self.resource.api_version

    async def prepare(self, objects: Iterable[CachedObject]) -> None:
        """Make `view` possible for all of them.

        Raises:
            InternalError: the webhook failed.
        """
        if self._converter is None:
            return
        waiting = [obj for obj in objects if not self.is_ready(obj)]
        for start in range(0, len(waiting), OBJECTS_PER_CALL):
            part = waiting[start : start + OBJECTS_PER_CALL]
            stored = [self._cleaned(obj, self._version_of(obj)) for obj in part]
            converted = await self._converter.convert(stored, self.resource.api_version)
            for obj, document in zip(part, converted, strict=True):
                view = self._object(obj, self._clean(document, self.resource.version))
                obj.seen(self, lambda _, view=view: view)  # type: ignore[misc]

    def _version_of(self, obj: CachedObject) -> str:
        return obj.api_version or self._storage_version

    def _look(self, obj: CachedObject) -> CachedObject | None:
        """The object as it is seen; None when that is no other than itself."""
        stored, target = self._version_of(obj), self.resource.api_version
        assert stored == target or self._converter is None, "prepare() comes first"
        document = self._cleaned(obj, stored)
        if stored != target:
            document["apiVersion"] = target
            document = self._clean(document, self.resource.version)
        view = self._object(obj, document)
        return None if stored == target and view.body == obj.body else view

    def _object(self, obj: CachedObject, document: Document) -> CachedObject:
        body = orjson.dumps({key: value for key, value in document.items() if key not in {"apiVersion", "kind"}})[1:]
        return CachedObject(obj.key, body, obj.revision, obj.create_revision, self.resource.api_version)

    def _cleaned(self, obj: CachedObject, api_version: str) -> Document:
        """The stored document by the schema of its version, with defaults."""
        version = api_version.rpartition("/")[2]
        document = self._clean({"apiVersion": api_version, "kind": self.resource.kind, **obj.decode()}, version)
        self._kinds[version].default(document)
        return document

    def _clean(self, document: Document, version: str) -> Document:
        kind = self._kinds.get(version)
        if kind is None:
            why = f"request to convert CR from an invalid group/version: {self.resource.group}/{version}"
            raise errors.internal_error(why)
        try:
            return kind.decoded(document, [])
        except WrongMetadata:
            return document  # stored before there was a check: shown as it is

    # ── writing ──

    async def to_storage(self, document: Document) -> Document:
        """The document in the version that is stored.

        Raises:
            InternalError: the webhook failed.
        """
        if self._storage_version == self.resource.api_version:
            return document
        if self._converter is None:
            converted = {**document, "apiVersion": self._storage_version}
        else:
            (converted,) = await self._converter.convert([document], self._storage_version)
        return self._clean(converted, self._storage_version.rpartition("/")[2])

    async def from_version(self, document: Document) -> Document:
        """A document of any version of the definition, in the lens's.

        Raises:
            InternalError: the webhook failed.
        """
        target = self.resource.api_version
        if document["apiVersion"] == target:
            return document
        if self._converter is None:
            converted = {**document, "apiVersion": target}
        else:
            (converted,) = await self._converter.convert([document], target)
        return self._clean(converted, self.resource.version)
