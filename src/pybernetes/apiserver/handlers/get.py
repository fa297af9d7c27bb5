"""GET of one object.

Follows: apiserver pkg/endpoints/handlers/get.go, ResourceGet.
"""

from collections.abc import Awaitable

from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.form_choice import check_shape
from pybernetes.apiserver.handlers.output import object_answer
from pybernetes.apiserver.handlers.versions import parse_resource_version, wait_until
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.store import check_path_segment
from pybernetes.machinery import errors


def get(context: Context) -> Answer | Awaitable[Answer]:
    """The object, at once when the cache shows every committed write.

    Raises:
        NotFound, BadRequest, Timeout (a resourceVersion that has not happened yet).
    """
    core = context.core
    output = context.output()
    check_shape(output, is_list=False)
    if context.request.query_text:
        version = parse_resource_version(context.query("resourceVersion"))
        if version > core.store.storage.revision:
            return _get_later(context, version)
    lens = context.resource.lens
    if not core.store.is_current or (lens is not None and lens.waits):
        return _get_later(context)
    return object_answer(context, _read(context), output=output)


async def _get_later(context: Context, asked: int = 0) -> Answer:
    if asked:
        await wait_until(context.core, asked)
    await context.core.store.catch_up()
    found = _read(context)
    lens = context.resource.lens
    if lens is not None:
        await lens.prepare((found,))
    return object_answer(context, found)


def _read(context: Context) -> CachedObject:
    info = context.info
    key = f"{info.namespace}/{info.name}" if context.resource.resource.namespaced else info.name
    found = context.core.cache.resource(context.resource.prefix).objects.get(key)
    if found is None:
        check_path_segment(info.name)
        raise errors.not_found(info.resource, info.group, info.name)
    return found
