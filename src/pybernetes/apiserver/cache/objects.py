"""One version of one stored object, kept as the bytes that go out.

A stored value is `{"apiVersion":…,"kind":…,"metadata":{…` without a resourceVersion. In memory an object is its
*body*: what follows the head, with the version spliced in:

    stored    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-0",…},"spec":…}
    body                                      "metadata":{"resourceVersion":"17","name":"web-0",…},"spec":…}
    GET       {"apiVersion":"v1","kind":"Pod", + body
    LIST      … "items":[{ + body + ,{ + body + ]}         items carry no kind, as upstream
    WATCH     {"type":"ADDED","object":{"apiVersion":"v1","kind":"Pod", + body + }

The document is decoded only when a selector, a table or admission needs it.
"""

import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import orjson

from pybernetes.apiserver.request import Document

_METADATA = b'"metadata":{'
_VERSIONED = b'"metadata":{"resourceVersion":"'
_MAX_HEAD_BYTES = 1024
"""Where `"metadata":{` must begin in a stored value; kinds and API versions are short."""

Labels = Mapping[str, str]
NO_LABELS: Labels = {}


class UnreadableValue(ValueError):
    """The stored bytes are no JSON object of the API: written by something else, or damaged."""


def body_of(value: bytes, revision: int) -> bytes:
    """The body of a stored value at `revision`.

    Raises:
        UnreadableValue.
    """
    start = value.find(_METADATA, 0, _MAX_HEAD_BYTES)
    if start < 0 or value[:1] != b"{":
        return _reordered(value, revision)
    rest = start + len(_METADATA)
    if value[rest : rest + 1] == b"}":
        return b'%b%d"%b' % (_VERSIONED, revision, value[rest:])
    return b'%b%d",%b' % (_VERSIONED, revision, value[rest:])


def _reordered(value: bytes, revision: int) -> bytes:
    """The body of a value whose fields stand in another order, or which has no metadata."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UnreadableValue(f"stored value is not JSON ({error}); was it written with another encoding?") from None
    if not isinstance(document, dict):
        raise UnreadableValue("stored value is not a JSON object")
    document.pop("apiVersion", None)
    document.pop("kind", None)
    metadata = {"resourceVersion": str(revision), **document.pop("metadata", {})}
    return orjson.dumps({"metadata": metadata, **document})[1:]


def at_revision(body: bytes, revision: int) -> bytes:
    """The same body under another resourceVersion."""
    end = body.index(b'"', len(_VERSIONED))
    return b"%b%d%b" % (_VERSIONED, revision, body[end:])


def api_version_of(value: bytes) -> str:
    """The `apiVersion` a stored value begins with; empty when it stands elsewhere."""
    head = b'{"apiVersion":"'
    if not value.startswith(head):
        return ""
    return value[len(head) : value.index(b'"', len(head))].decode()


class CachedObject:
    """One version of one object. Immutable; what is derived from the bytes is made once, on demand."""

    __slots__ = (
        "_derived",
        "_document",
        "_fields",
        "_labels",
        "api_version",
        "body",
        "create_revision",
        "key",
        "revision",
    )

    def __init__(
        self,
        key: str,
        body: bytes,
        revision: int,
        create_revision: int,
        api_version: str = "",
    ) -> None:
        self.key = key
        """`namespace/name`, or the name alone: the store's key without the prefix."""
        self.body = body
        self.revision = revision
        self.create_revision = create_revision
        self.api_version = api_version
        """Under which the object was stored; empty means the resource's own."""
        self._document: Document | None = None
        self._labels: Labels | None = None
        self._fields: dict[str, str] | None = None
        self._derived: dict[Any, Any] | None = None

    @property
    def namespace(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    def at(self, revision: int) -> "CachedObject":
        """The same content under another resourceVersion."""
        return CachedObject(
            self.key, at_revision(self.body, revision), revision, self.create_revision, self.api_version
        )

    def decode(self) -> Document:
        """A document of the caller's own, without apiVersion and kind."""
        document: Document = orjson.loads(b"{" + self.body)
        return document

    @property
    def document(self) -> Document:
        """The document, without apiVersion and kind, shared where it is kept (`keep`); nobody changes it."""
        return self._document if self._document is not None else self.decode()

    def keep(self, document: Document | None = None) -> None:
        """Hold the decoded document for as long as the object lives: for what is read far more often than written.

        `document` is what was stored, so without the resourceVersion that it has by now.
        """
        if document is None:
            self._document = self.document
        else:
            metadata = {"resourceVersion": str(self.revision), **document["metadata"]}
            self._document = {**document, "metadata": metadata}

    def learn(self, document: Document) -> None:
        """Take the labels from a document somebody has decoded anyway."""
        labels = document["metadata"].get("labels")
        self._labels = {sys.intern(k): sys.intern(v) for k, v in labels.items()} if labels else NO_LABELS

    @property
    def labels(self) -> Labels:
        if self._labels is None:
            self.learn(self.document)
        return self._labels or NO_LABELS

    def field(self, label: str, getter: Callable[[Document], str]) -> str:
        """The value a field selector compares; remembered."""
        if label == "metadata.name":
            return self.name
        if label == "metadata.namespace":
            return self.namespace
        if self._fields is None:
            self._fields = {}
        found = self._fields.get(label)
        if found is None:
            found = self._fields[label] = sys.intern(getter(self.document))
        return found

    def derived(self, form: Hashable, make: "Callable[[CachedObject], bytes]") -> bytes:
        """Bytes in another form (metadata only, another version), made by `make(self)` once."""
        if self._derived is None:
            self._derived = {}
        found: bytes | None = self._derived.get(form)
        if found is None:
            found = self._derived[form] = make(self)
        return found

    def seen(self, lens: Hashable, make: "Callable[[CachedObject], CachedObject | None]") -> "CachedObject | None":
        """The object as a lens shows it, made once; None means as it is (no circle that only a collector could cut)."""
        if self._derived is None:
            self._derived = {}
        if lens not in self._derived:
            self._derived[lens] = make(self)
        found: CachedObject | None = self._derived[lens]
        return found

    def has_seen(self, lens: Hashable) -> bool:
        return self._derived is not None and lens in self._derived

    def forget(self) -> None:
        """Drop what was derived: the definitions it rests on have changed."""
        self._derived = None
        self._fields = None


class Event:
    """One change of one object. `previous` is None for a creation, `object` of a deletion is its last content."""

    __slots__ = ("_encoded", "deleted", "object", "previous", "revision")

    def __init__(self, obj: CachedObject, previous: CachedObject | None, *, deleted: bool) -> None:
        self.object = obj
        self.previous = previous
        self.deleted = deleted
        self.revision = obj.revision
        self._encoded: dict[Hashable, bytes] | None = None

    @property
    def type(self) -> str:
        """What a watcher of everything sees."""
        if self.deleted:
            return "DELETED"
        return "MODIFIED" if self.previous is not None else "ADDED"

    def encoded(self, form: Hashable, make: Callable[[], bytes]) -> bytes:
        """The event as a line of a watch in one form, made once for all watchers of that form."""
        if self._encoded is None:
            self._encoded = {}
        found = self._encoded.get(form)
        if found is None:
            found = self._encoded[form] = make()
        return found
