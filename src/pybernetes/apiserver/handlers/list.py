"""GET of a collection: a consistent snapshot, whole or in pages.

The first page and whole lists come from the watch cache. Later pages show the state of the first one: from the cache
when nothing has changed since, else from the store's history, which expires.

Follows: apiserver pkg/endpoints/handlers/get.go, ListResource; pkg/storage/etcd3/store.go, GetList;
pkg/storage/continue.go.
"""

import base64
import binascii
from bisect import bisect_left
from collections.abc import Awaitable, Sequence

import orjson

from pybernetes.apiserver.binary_forms import BinaryForm
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.cache.resource_cache import ResourceCache
from pybernetes.apiserver.cache.selection import Selection
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.form_choice import check_shape
from pybernetes.apiserver.forms import ListMeta, ObjectForm
from pybernetes.apiserver.handlers.output import GZIP_THRESHOLD_BYTES, GZIPPED, encoded, gzipped_json
from pybernetes.apiserver.handlers.selections import selection_of
from pybernetes.apiserver.handlers.versions import check_not_future, list_version, wait_until
from pybernetes.apiserver.http import gzip_parts
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.http.negotiation import Output
from pybernetes.apiserver.scheme import Served
from pybernetes.apiserver.store import from_entry
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import Expired
from pybernetes.machinery.numbers import NotANumber, parse_int
from pybernetes.storage.interface import Compacted, FutureRevision, Revision

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - the format of continue tokens
MESSAGES_PER_TURN = 200
"""Objects encoded as protobuf in one turn of the loop: about 15 ms of pods."""
HISTORY_PAGE = 500
"""Entries read from the store's history at a time when a selector drops some of them."""

CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)
LIST_EXPIRED = "The resourceVersion for the provided list is too old."


def list_(context: Context) -> Answer | Awaitable[Answer]:
    """The objects, at once when they are the newest state and the cache shows it.

    Raises:
        BadRequest, Invalid, NotAcceptable, Expired, Timeout.
    """
    core = context.core
    output = context.output()
    check_shape(output, is_list=True)
    if "sendInitialEvents" in context.request.query_text and "sendInitialEvents" in context.request.query:
        complaint = field_errors.forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list")
        raise field_errors.invalid("ListOptions", "meta.k8s.io", "", [complaint])
    limit = _limit(context)
    token = context.query("continue")
    read_at = list_version(context.query("resourceVersion"), context.query("resourceVersionMatch"), limit, token)
    asked = max(read_at.at_least, read_at.exact or 0)
    if asked > core.store.storage.revision:
        return _list_later(context, asked)
    selection = selection_of(context)
    lens = context.resource.lens
    if not core.store.is_current or (lens is not None and lens.waits and _unprepared(context)):
        return _list_later(context)
    if token:
        return _continue(context, selection, limit, token)
    if read_at.exact is not None and read_at.exact < core.cache.resource(context.resource.prefix).changed_at:
        return _list_history(context, selection, limit, read_at.exact, "", expired=Expired(LIST_EXPIRED))
    revision = read_at.exact if read_at.exact is not None else core.cache.revision
    return _list_cached(context, selection, limit, revision, "")


def _unprepared(context: Context) -> list[CachedObject]:
    """Custom resources in the namespace that a webhook must convert before they can be shown or selected."""
    lens, served = context.resource.lens, context.resource
    if lens is None:
        return []
    namespace = context.info.namespace if served.resource.namespaced else ""
    return [obj for obj in context.core.cache.resource(served.prefix).select(namespace) if not lens.is_ready(obj)]


async def _list_later(context: Context, asked: int = 0) -> Answer:
    if asked:
        await wait_until(context.core, asked)
    await context.core.store.catch_up()
    if context.resource.lens is not None:
        await context.resource.lens.prepare(_unprepared(context))
    answer = list_(context)
    return answer if not isinstance(answer, Awaitable) else await answer


def _limit(context: Context) -> int:
    text = context.query("limit")
    if not text:
        return 0
    try:
        return max(0, parse_int(text))
    except NotANumber as error:
        raise errors.BadRequest(str(error)) from None


def encode_token(revision: int, start: str) -> str:
    """The continue token for the page that begins at relative key `start`; revision -1 means the newest state."""
    token = {"v": _TOKEN_VERSION, "rv": revision, "start": start}
    return base64.urlsafe_b64encode(orjson.dumps(token)).rstrip(b"=").decode()


def decode_token(text: str) -> tuple[int, str]:
    """Revision and start key of a continue token.

    Raises:
        BadRequest.
    """
    try:
        token = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        revision, start = int(token["rv"]), str(token["start"])
        valid = token["v"] == _TOKEN_VERSION and bool(start) and not start.startswith("/")
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        valid, revision, start = False, 0, ""
    if not valid:
        raise errors.BadRequest("continue key is not valid: incorrect encoding or content")
    return revision, start


def _continue(context: Context, selection: Selection, limit: int, token: str) -> Answer | Awaitable[Answer]:
    revision, start = decode_token(token)
    core = context.core
    cache = core.cache.resource(context.resource.prefix)
    if selection.namespace and not start.startswith(f"{selection.namespace}/"):
        raise errors.BadRequest("continue key is not valid: it belongs to another list")
    if revision < 0:
        return _list_cached(context, selection, limit, core.cache.revision, start)
    if revision >= cache.changed_at:
        return _list_cached(context, selection, limit, revision, start)
    expired = Expired(CONTINUE_EXPIRED)
    expired.list_metadata = {"continue": encode_token(-1, start)}
    return _list_history(context, selection, limit, revision, start, expired=expired)


def _list_cached(
    context: Context, selection: Selection, limit: int, revision: int, start: str
) -> Answer | Awaitable[Answer]:
    """A page of the present state, which is that of `revision`, too."""
    cache = context.core.cache.resource(context.resource.prefix)
    first, last = cache.key_range(selection.namespace)
    if start:
        first = max(first, bisect_left(cache.keys, start))
    present = cache.objects
    if selection.everything:
        if not (limit or start):
            return _whole(context, selection, cache, revision)
        end = min(last, first + limit) if limit else last
        objects = [present[key] for key in cache.keys[first:end]]
        remaining = last - end
        return _answer(context, selection, objects, revision, _next(objects, revision) if remaining else "", remaining)
    objects = []
    for key in cache.keys[first:last]:
        obj = present[key]
        if selection.matches(obj):
            if limit and len(objects) == limit:
                return _answer(context, selection, objects, revision, _next(objects, revision))
            objects.append(obj)
    return _answer(context, selection, objects, revision, "")


def _whole(context: Context, selection: Selection, cache: ResourceCache, revision: int) -> Answer | Awaitable[Answer]:
    """Everything there is; from the bytes kept of the last such list when nothing has changed since."""
    served, output = context.resource, context.output()
    form = context.core.forms.of(served, output, context.query("includeObject"))
    if type(form) is not ObjectForm:
        return _answer(context, selection, cache.select(selection.namespace), revision, "")
    kept, key = context.core.forms.lists, (served, selection.namespace, "")
    items = kept.get(key, cache.changed_at)
    if items is None:
        items = form.items(cache.select(selection.namespace))
        kept.put(key, cache.changed_at, items)
    framed = form.framed(items, ListMeta(str(revision)))
    if not gzipped_json(context, output) or sum(map(len, items)) <= GZIP_THRESHOLD_BYTES:
        return encoded(context, framed, output)
    zipped_key = (served, selection.namespace, "gzip")
    zipped = kept.get(zipped_key, cache.changed_at)
    if zipped is None:
        zipped = [gzip_parts.part(items)]
        kept.put(zipped_key, cache.changed_at, zipped)
    return Response(gzip_parts.body(framed[0], items, zipped[0], framed[-1]), 200, output.media_type, GZIPPED)


def _next(objects: Sequence[CachedObject], revision: int) -> str:
    return encode_token(revision, objects[-1].key + "\0") if objects else ""


async def _list_history(
    context: Context, selection: Selection, limit: int, revision: int, start: str, *, expired: Expired
) -> Answer:
    """A page of the state at an older revision."""
    served = context.resource
    objects: list[CachedObject] = []
    remaining = 0
    more = True
    while more and not (limit and len(objects) == limit):
        wanted = limit - len(objects) if selection.everything else HISTORY_PAGE
        try:
            entries, more, remaining = await _history_page(context, served, selection, wanted, revision, start)
        except Compacted:
            raise expired from None
        except FutureRevision as error:
            check_not_future(error.asked, error.current)
            raise
        for position, obj in enumerate(entries):
            if selection.matches(obj):
                objects.append(obj)
                if limit and len(objects) == limit:
                    more = more or position + 1 < len(entries)
                    break
        if entries:
            start = entries[-1].key + "\0"
    token = _next(objects, revision) if more else ""
    answer = _answer(context, selection, objects, revision, token, remaining)
    return answer if not isinstance(answer, Awaitable) else await answer


async def _history_page(
    context: Context, served: Served, selection: Selection, limit: int, revision: int, start: str
) -> tuple[list[CachedObject], bool, int]:
    prefix = served.prefix + (f"{selection.namespace}/" if selection.namespace else "")
    page = await context.core.store.storage.range(
        prefix, start=served.prefix + start if start else "", limit=limit, revision=Revision(revision)
    )
    objects = [from_entry(served.prefix, entry) for entry in page.entries]
    if served.lens is not None:
        await served.lens.prepare(objects)
    return objects, page.more, page.remaining


def _answer(
    context: Context,
    selection: Selection,
    objects: Sequence[CachedObject],
    revision: int,
    token: str,
    remaining: int = 0,
) -> Answer | Awaitable[Answer]:
    output = context.output()
    form = context.core.forms.of(context.resource, output, context.query("includeObject"))
    counted = remaining if token and selection.everything else None
    meta = ListMeta(str(revision), token, counted)
    if isinstance(form, BinaryForm) and len(objects) > MESSAGES_PER_TURN:
        return _encoded_in_turns(context, form, objects, meta, output)
    return encoded(context, form.many(objects, meta), output)


async def _encoded_in_turns(
    context: Context, form: BinaryForm, objects: Sequence[CachedObject], meta: ListMeta, output: Output
) -> Answer:
    """A large list as protobuf: its objects are encoded some at a time, so that others get their turn."""
    items: list[bytes] = []
    for start in range(0, len(objects), MESSAGES_PER_TURN):
        items.extend(form.items(objects[start : start + MESSAGES_PER_TURN]))
        await context.core.clock.sleep(0.0)
    return encoded(context, form.assembled(items, meta), output)
