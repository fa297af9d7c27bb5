"""JSON merge patch: objects are merged, null deletes, everything else replaces.

Follows: RFC 7386; evanphx/json-patch merge.go.
"""

from typing import Any


def apply(document: Any, patch: Any) -> Any:
    """The patched document; neither argument is changed, unchanged parts are shared with `document`."""
    if type(patch) is not dict:
        return patch
    result = dict(document) if type(document) is dict else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif type(value) is dict:
            result[key] = apply(result.get(key), value)
        else:
            result[key] = value
    return result


def diff(old: Any, new: Any) -> Any:
    """The smallest patch that turns `old` into `new`; `{}` when they are equal objects.

    Lists differ as a whole. `new` must hold no nulls: a merge patch cannot write one.
    """
    if type(old) is not dict or type(new) is not dict:
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = diff(old[key], value)
    return patch
