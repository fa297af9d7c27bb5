"""From method and path to `RequestInfo`: what is asked, of which object.

    /api/v1/namespaces/NS/pods/NAME/log          core group
    /apis/GROUP/VERSION/namespaces/NS/…          all others
    /api/v1/watch/namespaces/NS/pods             the old way to ask for a watch
    anything else                                a non-resource path

Follows: apiserver pkg/endpoints/request/requestinfo.go, RequestInfoFactory.NewRequestInfo.
"""

import functools

from pybernetes.apiserver.http.message import REMEMBERED_CHARACTERS, Query, parse_query
from pybernetes.apiserver.request import RequestInfo

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
SPECIAL_VERBS = frozenset({"proxy", "watch"})
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SELECTING = frozenset({"list", "watch", "deletecollection"})
_CACHED_ROUTES = 16384
"""Distinct (method, path, query) remembered; clients repeat them. Arbitrary."""


def is_true(text: str) -> bool:
    """A boolean query parameter: present without a value also means true. Follows: Convert_Slice_string_To_bool."""
    return text.lower() not in {"false", "0"}


def route(method: str, path: str, query_text: str = "") -> RequestInfo:
    """What the request asks for. Never fails: what is no resource path is a non-resource request."""
    if len(path) + len(query_text) > REMEMBERED_CHARACTERS:
        return _route(method, path, query_text)
    return _remembered_route(method, path, query_text)


def _route(method: str, path: str, query_text: str) -> RequestInfo:
    parts = [part for part in path.split("/") if part]
    plain = RequestInfo(verb=method.lower(), path=path, path_parts=tuple(parts))
    if len(parts) < 3 or parts[0] not in {"api", "apis"}:
        return plain
    if parts[0] == "api":
        group, rest = "", parts[1:]
    else:
        if len(parts) < 4:
            return plain
        group, rest = parts[1], parts[2:]
    version, rest = rest[0], rest[1:]
    verb = _VERBS.get(method, "")
    if rest[0] in SPECIAL_VERBS:
        if len(rest) < 2:
            return plain
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    query = parse_query(query_text)
    if not subresource and verb in {"get", "watch"} and (not name or "watch" in query):
        verb, name = _collection_verb(verb, name, query)
    elif verb == "delete" and not name:
        verb = "deletecollection"
        name = _single_name(query.get("fieldSelector", ""))
    return RequestInfo(
        verb=verb,
        path=path,
        is_resource=True,
        group=group,
        version=version,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
        path_parts=tuple(rest[3:]),
        field_selector=query.get("fieldSelector", "") if verb in _SELECTING else "",
    )


_remembered_route = functools.lru_cache(maxsize=_CACHED_ROUTES)(_route)


def _collection_verb(verb: str, name: str, query: Query) -> tuple[str, str]:
    if "watch" in query and is_true(query["watch"]):
        verb = "watch"
    elif verb == "get" and not name:
        verb = "list"
    return verb, name or _single_name(query.get("fieldSelector", ""))


def _single_name(field_selector: str) -> str:
    """The one name a `metadata.name=NAME` selector allows; authorization by resource name needs it."""
    for term in field_selector.split(","):
        key, equals, value = term.partition("=")
        if key == "metadata.name" and equals:
            return value.removeprefix("=")
    return ""
