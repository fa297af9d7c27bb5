"""DELETE of a collection: each selected object on its own, with its own finalizers and grace.

Follows: apiserver pkg/endpoints/handlers/delete.go, DeleteCollection; store.go, DeleteCollection.
"""

from pybernetes.apiserver.context import Context
from pybernetes.apiserver.form_choice import check_shape
from pybernetes.apiserver.forms import ListMeta
from pybernetes.apiserver.handlers.delete import delete_object, delete_options
from pybernetes.apiserver.handlers.output import encoded
from pybernetes.apiserver.handlers.selections import selection_of
from pybernetes.apiserver.http.message import Answer
from pybernetes.machinery.errors import NotFound


async def deletecollection(context: Context) -> Answer:
    """The list of what was selected, after all of it was deleted or is on its way.

    Raises:
        BadRequest, Invalid, Conflict, Forbidden (admission).
    """
    options = delete_options(context)
    output = context.output()
    check_shape(output, is_list=True)
    core, served = context.core, context.resource
    selection = selection_of(context)
    await core.store.catch_up()
    revision = core.cache.revision
    present = core.cache.resource(served.prefix).select(selection.namespace)
    if served.lens is not None:
        await served.lens.prepare(present)
    chosen = [obj for obj in present if selection.matches(obj)]
    deleted = []
    for obj in chosen:
        try:
            result, _ = await delete_object(context, obj, options)
        except NotFound:
            continue  # somebody else was faster: gone is what was wanted
        deleted.append(result)
    form = core.forms.of(served, output, context.query("includeObject"))
    return encoded(context, form.many(deleted, ListMeta(str(revision))), output)
