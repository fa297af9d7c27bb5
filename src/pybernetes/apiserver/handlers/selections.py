"""The label and field selectors of a request, over the namespace and name in its path.

Follows: apiserver pkg/endpoints/handlers/get.go, ListResource: parsing of ListOptions.
"""

from pybernetes.api import field_selectors
from pybernetes.api.field_selectors import FieldSelector, FieldSelectorError
from pybernetes.apiserver.cache.selection import Selection
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.scheme import Served
from pybernetes.machinery import labels
from pybernetes.machinery.errors import BadRequest

_EVERYTHING: dict[str, Selection] = {}


def selection_of(context: Context) -> Selection:
    """What the request selects.

    Raises:
        BadRequest: a selector cannot be read or names a field the kind does not offer.
    """
    return selection_for(
        context.resource,
        context.info.namespace if context.resource.resource.namespaced else "",
        context.query("labelSelector"),
        _field_text(context),
    )


def _field_text(context: Context) -> str:
    """The field selector; a name in the path of a watch is one more term."""
    text = context.query("fieldSelector")
    name = context.info.name
    if name and "metadata.name=" not in text:
        return f"{text},metadata.name={name}" if text else f"metadata.name={name}"
    return text


def selection_for(served: Served, namespace: str, label_text: str, field_text: str) -> Selection:
    """The selection two selector texts mean.

    Raises:
        BadRequest.
    """
    if not label_text and not field_text:
        return Selection(namespace, lens=served.lens)
    try:
        label_selector = labels.parse(label_text)
    except labels.SelectorError as error:
        raise BadRequest(f"unable to parse label selector: {error}") from None
    return Selection(namespace, label_selector, parse_fields(served, field_text), served.lens)


def parse_fields(served: Served, text: str) -> FieldSelector:
    """The field selector a text means for a resource.

    Raises:
        BadRequest.
    """
    try:
        return field_selectors.parse(text, served.resource, served.selectable)
    except FieldSelectorError as error:
        raise BadRequest(str(error)) from None
