"""PUT, and the part of every change that comes after the new document is known.

    read → new document (body, patch) → default → mutate → prepare → validate → validate (admission) → store
      ▲                                                                                                  │
      └──────────────── somebody else was faster, and the client did not insist on a version ◄───────────┘

Follows: apiserver pkg/endpoints/handlers/update.go; pkg/registry/generic/registry/store.go, Update;
pkg/registry/rest/update.go, BeforeUpdate.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pybernetes.api import strategy, warnings
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import create, writes
from pybernetes.apiserver.handlers.output import document_answer, object_answer
from pybernetes.apiserver.handlers.writes import WriteOptions
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources import signing_requests
from pybernetes.apiserver.store import ChangedMeanwhile, modified
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.numbers import NotANumber, parse_uint

Transform = Callable[[Document], Document]
"""From the stored document to what the client wants it to be."""

MAX_ATTEMPTS = 5
"""Follows: apiserver pkg/endpoints/handlers/patch.go, maxRetryWhenPatchConflicts."""


async def update(context: Context) -> Answer:
    """Replace the object by the one in the body; 201 when that created it.

    Raises:
        BadRequest, NotFound, Conflict, Invalid, Forbidden (admission).
    """
    options = writes.write_options(context, "UpdateOptions")
    context.output()
    served, info = context.resource, context.info
    document = writes.decode(context, served.resource, options)
    metadata = document["metadata"]
    name = metadata.get("name", "")
    if name and name != info.name:
        raise writes.name_mismatch(name, info.name)
    if not name:
        raise errors.BadRequest("name must be provided")
    writes.fit_namespace(context, document, served.resource)
    if not info.subresource and strategy.allows_create_on_update(served.resource):
        found = context.core.store.find(served, info.namespace if served.resource.namespaced else "", name)
        if found is None:
            metadata.pop("resourceVersion", None)
            created = await create.create_document(context, document, options)
            return _answer(context, created, 201)
    first = [document]

    def replace(_: Document) -> Document:
        if first:
            return first.pop()
        # A second attempt: the first one has changed the document.
        context.warnings.clear()
        again = writes.decode(context, served.resource, options)
        writes.fit_namespace(context, again, served.resource)
        return again

    result = await change(context, replace, options, apart=True)
    return _answer(context, result, 200)


def _answer(context: Context, result: CachedObject | Document, status: int) -> Answer:
    if isinstance(result, CachedObject):
        return object_answer(context, result, status)
    return document_answer(context, result, status)


@dataclass(slots=True)
class _Attempt:
    current: CachedObject
    repeatable: bool = False
    """When somebody else was faster, try again on what they left: the client insists on no version."""


async def change(
    context: Context,
    transform: Transform,
    options: WriteOptions,
    *,
    attempts: int = MAX_ATTEMPTS,
    owned: bool = False,
    apart: bool = False,
) -> CachedObject | Document:
    """Carry a change of the stored object through all checks; the mere document on a dry run.

    `owned`: what `transform` returns has the right managedFields already. `apart`: it leaves the document it is given
    as it was, and shares nothing with it that anybody changes; otherwise it gets a document of its own.

    Raises:
        NotFound, Conflict: the object carries another version than the client insists on, or too many others
            write at the same time.
        StatusError: whatever admission or validation finds.
    """
    core, served, info = context.core, context.resource, context.info
    namespace = info.namespace if served.resource.namespaced else ""
    await core.store.catch_up()
    current = core.store.read(served, namespace, info.name)
    for _ in range(attempts):
        attempt = _Attempt(current)
        if served.lens is not None:
            await served.lens.prepare((current,))
        try:
            return await _try(context, attempt, transform, options, owned=owned, apart=apart)
        except ChangedMeanwhile as changed:
            if changed.current is None:
                raise errors.not_found(served.resource.plural, served.resource.group, info.name) from None
            if not attempt.repeatable:
                raise modified(served, info.name) from None
            current = changed.current
    raise modified(served, info.name)


async def _try(
    context: Context, attempt: _Attempt, transform: Transform, options: WriteOptions, *, owned: bool, apart: bool
) -> CachedObject | Document:
    core, served, info = context.core, context.resource, context.info
    resource, current = served.resource, attempt.current
    old = core.store.document(served, current)
    new = transform(old if apart else core.store.document(served, current))
    version = new["metadata"].pop("resourceVersion", "")
    _check_version(context, attempt, version)
    uid = new["metadata"].get("uid")
    if uid and uid != old["metadata"].get("uid"):
        raise errors.conflict(
            resource.plural,
            resource.group,
            info.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata'].get('uid')}",
        )
    old["metadata"].pop("resourceVersion", None)
    writes.apply_defaults(resource, new)
    if not owned:
        writes.own(context, new, old, options)
    request = writes.admission_request(context, "UPDATE", new, old, name=info.name, dry_run=options.dry_run)
    request.revision = current.revision
    await core.admission.mutate(request)
    new = writes.admitted(resource, request, new)
    writes.apply_defaults(resource, new)
    new = strategy.prepare_update(resource, info.subresource, new, old)
    if info.subresource and signing_requests.is_signing_request(resource):
        signing_requests.stamp_conditions(new, old, core.clock.now())
    async with writes.allocated(context, new, old, dry_run=options.dry_run):
        writes.check_updated(resource, info.subresource, new, old)
        warnings.on_update(context.warnings, resource, info.subresource, new, old)
        request.object = new
        await core.admission.validate(request)
        if options.dry_run:
            new["metadata"]["resourceVersion"] = str(current.revision)
            return new
        if finished_deleting(new, old):
            return await core.store.delete(served, current)
        return await core.store.update(served, current, new, old=old, ttl_seconds=create.ttl_of(context))


def _check_version(context: Context, attempt: _Attempt, version: str) -> None:
    """Compare the version the client insists on with the stored one.

    Raises:
        Conflict, Invalid.
    """
    served, name = context.resource, context.info.name
    # A patch that says nothing of versions carries the one it was applied to.
    attempt.repeatable = version in {"", "0"} or context.info.verb == "patch"
    if version in {"", "0"}:
        if strategy.allows_unconditional_update(served.resource) or context.info.verb == "patch":
            return
        complaint = field_errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise field_errors.invalid(served.resource.kind, served.resource.group, name, [complaint])
    try:
        number = parse_uint(version)
    except NotANumber as error:
        complaint = field_errors.invalid_value("metadata.resourceVersion", version, str(error))
        raise field_errors.invalid(served.resource.kind, served.resource.group, name, [complaint]) from None
    if number != attempt.current.revision:
        raise modified(served, name)


def finished_deleting(new: Document, old: Document) -> bool:
    """The write removes the last thing a deletion waits for. Follows: store.go, ShouldDeleteDuringUpdate."""
    metadata = new["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if new.get("kind") == "Namespace" and new.get("apiVersion") == "v1" and (new.get("spec") or {}).get("finalizers"):
        return False
    grace = old["metadata"].get("deletionGracePeriodSeconds") or 0
    return not (grace or metadata.get("deletionGracePeriodSeconds"))
