"""Which handler serves a request: by verb, or by resource and subresource.

Follows: apiserver pkg/endpoints/installer.go, registerResourceHandlers.
"""

from pybernetes.apiserver.context import Context, Handler
from pybernetes.apiserver.handlers.create import create
from pybernetes.apiserver.handlers.delete import delete
from pybernetes.apiserver.handlers.deletecollection import deletecollection
from pybernetes.apiserver.handlers.get import get
from pybernetes.apiserver.handlers.list import list_
from pybernetes.apiserver.handlers.patch import patch
from pybernetes.apiserver.handlers.update import update
from pybernetes.apiserver.handlers.watch import watch
from pybernetes.apiserver.http.statuses import method_not_allowed, resource_not_served
from pybernetes.apiserver.resources.binding import bind
from pybernetes.apiserver.resources.component_statuses import component_statuses
from pybernetes.apiserver.resources.eviction import evict
from pybernetes.apiserver.resources.pod_streams import attach, exec_, log, port_forward
from pybernetes.apiserver.resources.proxy import proxy
from pybernetes.apiserver.resources.reviews import REVIEWS, review, token
from pybernetes.apiserver.resources.scale import scale

VERBS: dict[str, Handler] = {
    "get": get,
    "list": list_,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": deletecollection,
}

WHOLE_OBJECT = frozenset({"status", "ephemeralcontainers", "resize", "finalize", "approval"})
"""Subresources that are another door to the object itself: same verbs, other rules (`api.strategy`)."""

RESOURCES: dict[tuple[str, str], Handler] = {
    ("", "bindings"): bind,
    ("", "componentstatuses"): component_statuses,
    **dict.fromkeys(REVIEWS, review),
}
"""(group, plural) → handler of resources that are asked and never stored: reviews, bindings, components."""

SUBRESOURCES: dict[tuple[str, str], Handler] = {
    ("*", "scale"): scale,
    ("serviceaccounts", "token"): token,
    ("pods", "binding"): bind,
    ("pods", "eviction"): evict,
    ("pods", "log"): log,
    ("pods", "exec"): exec_,
    ("pods", "attach"): attach,
    ("pods", "portforward"): port_forward,
    ("*", "proxy"): proxy,
}
"""(plural or "*", subresource) → handler."""


def handler_of(context: Context) -> Handler:
    """The handler.

    Raises:
        NotFound, MethodNotSupported.
    """
    info = context.info
    if not info.subresource:
        own = RESOURCES.get((info.group, info.resource)) if RESOURCES else None
        if own is not None:
            return own
        found = VERBS.get(info.verb)
        if found is None:
            raise method_not_allowed()
        return found
    assert context.subresource is not None
    if info.verb not in context.subresource.verbs and info.verb != "delete":
        asked = info.subresource == "proxy" and context.request.method == "OPTIONS"  # the one method without a verb
        if not asked:
            raise method_not_allowed()
    own = SUBRESOURCES.get((info.resource, info.subresource)) or SUBRESOURCES.get(("*", info.subresource))
    if own is not None:
        return own
    if info.subresource in WHOLE_OBJECT:
        return VERBS[info.verb]
    raise resource_not_served()
