"""Small real implementations of what the security room reads from its neighbours."""

from collections.abc import Callable, Iterator
from typing import Any

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.apiserver.request import AdmissionRequest, Document, User

Observer = Callable[[Document | None, Document | None], None]

ALICE = User("alice", "u-alice", ("developers", "system:authenticated"))


class Objects:
    """Present state in dictionaries; tells observers of every change. Implements `ObjectReader`."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[tuple[str, str], Document]] = {}
        self.observers: dict[tuple[str, str], list[Observer]] = {}

    def put(self, group: str, plural: str, document: Document) -> Document:
        metadata = document["metadata"]
        rows = self.rows.setdefault((group, plural), {})
        key = (metadata.get("namespace", ""), metadata["name"])
        old = rows.get(key)
        rows[key] = document
        for observer in self.observers.get((group, plural), []):
            observer(old, document)
        return document

    def remove(self, group: str, plural: str, namespace: str, name: str) -> None:
        old = self.rows[group, plural].pop((namespace, name))
        for observer in self.observers.get((group, plural), []):
            observer(old, None)

    def get(self, group: str, plural: str, namespace: str, name: str) -> Document | None:
        return self.rows.get((group, plural), {}).get((namespace, name))

    def list(self, group: str, plural: str, namespace: str = "") -> Iterator[Document]:
        for (space, _), document in list(self.rows.get((group, plural), {}).items()):
            if not namespace or space == namespace:
                yield document

    def subscribe(self, group: str, plural: str, observer: Observer) -> None:
        self.observers.setdefault((group, plural), []).append(observer)
        for document in self.list(group, plural):
            observer(None, document)


def resource(plural: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if (r.group, r.plural) == (group, plural) and r.enabled_by_default)


def meta(name: str, namespace: str = "", **more: Any) -> Document:
    found: Document = {"name": name, "uid": f"uid-{name}", **more}
    if namespace:
        found["namespace"] = namespace
    return found


def request(
    operation: str,
    plural: str,
    document: Document | None = None,
    *,
    group: str = "",
    old: Document | None = None,
    user: User = ALICE,
    subresource: str = "",
    namespace: str = "default",
    name: str = "",
    dry_run: bool = False,
) -> AdmissionRequest:
    kind = resource(plural, group)
    metadata = (document or old or {}).get("metadata", {})
    return AdmissionRequest(
        operation=operation,
        resource=kind,
        subresource=subresource,
        namespace=namespace if kind.namespaced else "",
        name=name or metadata.get("name", ""),
        object=document,
        old=old,
        user=user,
        dry_run=dry_run,
    )
