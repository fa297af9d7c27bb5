"""POST: a new object, or the answer to a review that is never stored.

Follows: apiserver pkg/endpoints/handlers/create.go; pkg/registry/generic/registry/store.go, Create.
"""

from pybernetes.api import strategy, warnings
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.handlers.output import document_answer, object_answer
from pybernetes.apiserver.handlers.writes import WriteOptions
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.request import AdmissionRequest, Document
from pybernetes.apiserver.resources import signing_requests
from pybernetes.machinery import errors
from pybernetes.machinery.errors import AlreadyExists

TERMINATING = "create not allowed while custom resource definition is terminating"
EVENTS = frozenset({("", "Event"), ("events.k8s.io", "Event")})


async def create(context: Context) -> Answer:
    """Store the object in the body; 201 with what was stored.

    Raises:
        BadRequest, Invalid, AlreadyExists, Forbidden (admission).
    """
    options = writes.write_options(context, "CreateOptions")
    context.output()  # refuse before writing what could not be shown
    document = writes.decode(context, context.resource.resource, options)
    created = await create_document(context, document, options)
    if isinstance(created, CachedObject):
        return object_answer(context, created, 201)
    return document_answer(context, created, 201)


async def create_document(
    context: Context, document: Document, options: WriteOptions, *, owned: bool = False
) -> CachedObject | Document:
    """Carry a decoded document through all checks into the store; the mere document on a dry run.

    `owned`: its managedFields are right already.

    Raises:
        StatusError.
    """
    resource = context.resource.resource
    metadata = document["metadata"]
    writes.fit_namespace(context, document, resource)
    if resource.custom is not None and resource.custom.terminating:
        raise errors.forbidden(resource.plural, resource.group, metadata.get("name", ""), TERMINATING)
    if metadata.get("resourceVersion"):
        raise errors.BadRequest("resourceVersion should not be set on objects to be created")
    writes.apply_defaults(resource, document)
    if not owned:
        writes.own(context, document, None, options)
    request = writes.admission_request(
        context, "CREATE", document, None, name=metadata.get("name", ""), dry_run=options.dry_run
    )
    await context.core.admission.mutate(request)
    document = writes.admitted(resource, request, document)
    writes.apply_defaults(resource, document)
    core = context.core
    document = strategy.prepare_create(resource, document, core.clock.now(), core.ids.uid())
    if signing_requests.is_signing_request(resource):
        signing_requests.record_requester(document, context.user)
    async with writes.allocated(context, document, None, dry_run=options.dry_run):
        return await _name_and_store(context, document, request, options)


async def _name_and_store(
    context: Context, document: Document, request: AdmissionRequest, options: WriteOptions
) -> CachedObject | Document:
    """Store the document, under generated names until one is free."""
    core, resource = context.core, context.resource.resource
    generated = not document["metadata"].get("name") and document["metadata"].get("generateName", "")
    attempts = strategy.NAME_ATTEMPTS if generated else 1
    for attempt in range(attempts):
        if generated:
            document["metadata"]["name"] = strategy.generated_name(generated, core.chance.name_suffix())
        if attempt == 0:
            writes.check_created(resource, document)
            warnings.on_create(context.warnings, resource, document)
            request.object = document
            await core.admission.validate(request)
        try:
            return await _store(context, document, options)
        except AlreadyExists as error:
            if not generated:
                raise
            if attempt == attempts - 1:
                raise _no_name_left(error, generated) from None
    raise AssertionError("the last attempt returns or raises")


async def _store(context: Context, document: Document, options: WriteOptions) -> CachedObject | Document:
    core, served = context.core, context.resource
    namespace = context.info.namespace if served.resource.namespaced else ""
    name = document["metadata"]["name"]
    if options.dry_run:
        if core.store.find(served, namespace, name) is not None:
            raise errors.already_exists(served.resource.plural, served.resource.group, name)
        return document
    return await core.store.create(served, namespace, document, ttl_seconds=ttl_of(context))


def ttl_of(context: Context) -> int:
    """Seconds the object may live without being written again; 0 for ever."""
    resource = context.resource.resource
    return context.core.config.event_ttl_seconds if (resource.group, resource.kind) in EVENTS else 0


def _no_name_left(error: AlreadyExists, base: str) -> AlreadyExists:
    return AlreadyExists(
        f"{error.message}, the server was not able to generate a unique name for the object",
        {**error.details, "name": base},
    )
