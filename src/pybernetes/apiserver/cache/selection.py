"""Which objects a list or a watch is about: a namespace, a label selector, a field selector."""

from dataclasses import dataclass
from typing import Protocol

from pybernetes.api import field_selectors
from pybernetes.api.field_selectors import FieldSelector
from pybernetes.apiserver.cache.objects import CachedObject, Event
from pybernetes.machinery import labels
from pybernetes.machinery.labels import Selector

TRIGGER_FIELDS = ("metadata.name", "spec.nodeName")
"""Fields whose exact value narrows a watch so much that an index over the watchers pays: one watch per node."""


class View(Protocol):
    """Custom resources are selected by what they look like in the version asked for."""

    def view(self, obj: CachedObject) -> CachedObject: ...


@dataclass(frozen=True, slots=True)
class Selection:
    namespace: str = ""
    label_selector: Selector = labels.EVERYTHING
    field_selector: FieldSelector = field_selectors.EVERYTHING
    lens: View | None = None

    @property
    def everything(self) -> bool:
        """Selects the whole namespace."""
        return self.label_selector.everything and self.field_selector.everything

    @property
    def trigger(self) -> tuple[str, str] | None:
        """A field and the value it must have, if that is one of the indexed ones."""
        for field in TRIGGER_FIELDS:
            value = self.field_selector.requires(field)
            if value is not None:
                return field, value
        return None

    def matches(self, obj: CachedObject) -> bool:
        """The object is selected; its namespace, too."""
        if self.namespace and not obj.key.startswith(self.namespace + "/"):
            return False
        if self.lens is not None and not self.everything:
            obj = self.lens.view(obj)
        if not self.label_selector.everything and not self.label_selector.matches(obj.labels):
            return False
        return self.field_selector.everything or self.field_selector.matches_values(obj.field)

    def event_type(self, event: Event) -> str:
        """What the change is to a watcher of this selection; empty when it is none.

        An object that stops matching is DELETED, one that starts to match is ADDED.
        """
        before = event.previous is not None and self.matches(event.previous)
        after = not event.deleted and self.matches(event.object)
        if after:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else ""
