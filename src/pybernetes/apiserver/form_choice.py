"""Which form an answer takes, from what the client wants (`http/negotiation.py`).

JSON, YAML    objects, metadata, tables    forms.py
protobuf      objects, metadata            binary_forms.py
"""

from collections.abc import Callable
from datetime import datetime

from pybernetes.apiserver.binary_forms import BinaryForm, BinaryMetadataForm, MessageCache
from pybernetes.apiserver.forms import MetadataForm, ObjectForm, Printer, TableForm, object_form
from pybernetes.apiserver.http.negotiation import ACCEPTED, PROTOBUF, Output, Shape, not_acceptable
from pybernetes.apiserver.kept_lists import KeptLists
from pybernetes.apiserver.scheme import Served

Form = ObjectForm | MetadataForm | TableForm | BinaryForm


class Forms:
    """Makes forms; the plain ones once per resource."""

    def __init__(self, printer: Printer, now: Callable[[], datetime]) -> None:
        self._printer = printer
        self._now = now
        self._objects: dict[Served, ObjectForm] = {}
        self._messages = MessageCache()
        self.lists = KeptLists()

    def forget(self, served: Served) -> None:
        """`served` is served no more."""
        self._objects.pop(served, None)

    def of(self, served: Served, output: Output, include_object: str = "") -> Form:
        """The form an answer about objects of `served` takes.

        Raises:
            NotAcceptable: a list was asked for as something only single objects can be, or the reverse.
        """
        if output.media_type == PROTOBUF:
            if output.shape is Shape.OBJECT:
                return BinaryForm(served, self._messages)
            return BinaryMetadataForm(served, output.version, self._messages)
        match output.shape:
            case Shape.OBJECT:
                found = self._objects.get(served)
                if found is None:
                    found = self._objects[served] = object_form(served)
                return found
            case Shape.TABLE:
                return TableForm(served, output.version, include_object, self._printer, self._now)
            case Shape.METADATA | Shape.METADATA_LIST:
                return MetadataForm(served, output.version)


def check_shape(output: Output, *, is_list: bool) -> None:
    """Lists come as PartialObjectMetadataList, single objects as PartialObjectMetadata.

    Raises:
        NotAcceptable.
    """
    if (output.shape is Shape.METADATA and is_list) or (output.shape is Shape.METADATA_LIST and not is_list):
        raise not_acceptable(*ACCEPTED)
