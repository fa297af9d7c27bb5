"""DELETE of one object: at once, after its grace period, or when its finalizers are gone.

    decide(old, options, now)    what the deletion does to the object         pure
    delete                       carries that out, again when somebody else was faster

Follows: apiserver pkg/endpoints/handlers/delete.go, DeleteResource; pkg/registry/generic/registry/store.go, Delete,
updateForGracefulDeletionAndFinalizers; pkg/registry/rest/delete.go, BeforeDelete.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pybernetes.api import decoding, definitions, normalize, strategy
from pybernetes.api.registry import Resource
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.handlers.output import document_answer, object_answer, status_answer
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.http.statuses import success
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.routing import is_true
from pybernetes.apiserver.store import ChangedMeanwhile
from pybernetes.effects import format_time, parse_time
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.numbers import NotANumber, parse_int

ORPHAN_FINALIZER = "orphan"
FOREGROUND_FINALIZER = "foregroundDeletion"
ORPHAN, BACKGROUND, FOREGROUND = "Orphan", "Background", "Foreground"
MAX_ATTEMPTS = 20
"""A deletion names no version, so it goes on against concurrent writers; arbitrary."""
_META_GROUP = "meta.k8s.io"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. `grace_period_seconds` None leaves it to the object."""

    grace_period_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    orphan_dependents: bool | None = None
    propagation: str = ""
    dry_run: bool = False
    document: Document = field(default_factory=dict)


def delete_options(context: Context) -> DeleteOptions:
    """The options in the body, or without a body those in the query.

    Raises:
        BadRequest, Invalid.
    """
    if context.request.body:
        content_type = context.request.headers.get("content-type", "")
        document = decoding.decode_body(context.request.body, content_type, None).document
        if not document.get("kind"):
            document = _as_options(document)
        if document.get("kind") not in {"DeleteOptions", ""}:
            raise errors.BadRequest(f"the body of a DELETE must be DeleteOptions, not {document.get('kind')}")
    else:
        document = _from_query(context)
    return checked_options(document)


def _as_options(document: Document) -> Document:
    """A body that says nothing of its kind can only be DeleteOptions.

    Raises:
        BadRequest.
    """
    try:
        return normalize.normalize({**document, "kind": "DeleteOptions", "apiVersion": "v1"}, "meta.v1.DeleteOptions")
    except normalize.TypeMismatch as error:
        text = f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: {error}'
        raise errors.BadRequest(text) from None


def _from_query(context: Context) -> Document:
    document: Document = {}
    query = context.request.query if context.request.query_text else {}
    if "gracePeriodSeconds" in query:
        try:
            document["gracePeriodSeconds"] = parse_int(query["gracePeriodSeconds"])
        except NotANumber as error:
            raise errors.BadRequest(str(error)) from None
    if "orphanDependents" in query:
        document["orphanDependents"] = is_true(query["orphanDependents"])
    if query.get("propagationPolicy"):
        document["propagationPolicy"] = query["propagationPolicy"]
    if query.get("dryRun"):
        document["dryRun"] = [query["dryRun"]]
    return document


def checked_options(document: Document) -> DeleteOptions:
    """The options a DeleteOptions document means.

    Raises:
        Invalid.
    """
    complaints = []
    propagation = document.get("propagationPolicy") or ""
    orphan = document.get("orphanDependents")
    if orphan is not None and propagation:
        complaints.append(
            field_errors.invalid_value(
                "propagationPolicy", propagation, "orphanDependents and deletionPropagation cannot be both set"
            )
        )
    if propagation not in {"", ORPHAN, BACKGROUND, FOREGROUND}:
        complaints.append(
            field_errors.not_supported("propagationPolicy", propagation, [FOREGROUND, BACKGROUND, ORPHAN, "nil"])
        )
    dry_run = document.get("dryRun") or []
    if dry_run not in ([], [writes.DRY_RUN_ALL]):
        complaints.append(field_errors.not_supported("dryRun", dry_run, [writes.DRY_RUN_ALL]))
    if complaints:
        raise field_errors.invalid("DeleteOptions", _META_GROUP, "", complaints)
    preconditions = document.get("preconditions") or {}
    return DeleteOptions(
        grace_period_seconds=document.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        orphan_dependents=orphan,
        propagation=propagation,
        dry_run=bool(dry_run),
        document=document,
    )


# ── decision ──


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion does now. `document` is the object to store instead, None removes it."""

    document: Document | None


def decide(resource: Resource, old: Document, options: DeleteOptions, now: datetime) -> Deletion:
    """Whether the object goes at once, or stays with a deletionTimestamp.

    A pod with 30 s of grace that is scheduled and alive stays until the kubelet deletes it with grace 0; asking again
    with a shorter period shortens the wait, a longer one changes nothing.
    """
    is_definition = resource.kind == definitions.KIND and resource.group == definitions.GROUP
    if is_definition and not old["metadata"].get("deletionTimestamp"):
        old = definitions.marked_for_deletion(old, now)
    metadata = dict(old["metadata"])
    document = {**old, "metadata": metadata}
    finalizers = _finalizers(resource, metadata.get("finalizers") or [], options)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    is_namespace = resource.kind == "Namespace" and not resource.group
    spec_finalizers = (old.get("spec") or {}).get("finalizers") if is_namespace else None
    grace = _grace(resource, old, options)
    if metadata.get("deletionTimestamp"):
        graceful = _shorten(metadata, grace)
    else:
        graceful = grace > 0
        if graceful or finalizers or spec_finalizers:
            metadata["deletionTimestamp"] = format_time(now + timedelta(seconds=grace))
            metadata["deletionGracePeriodSeconds"] = grace
            if metadata.get("generation", 0) > 0:
                metadata["generation"] += 1
    if spec_finalizers:
        document["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    if graceful or finalizers or spec_finalizers:
        return Deletion(document)
    return Deletion(None)


def _grace(resource: Resource, old: Document, options: DeleteOptions) -> int:
    """Seconds the object is given; only pods have any.

    Follows: pkg/registry/core/pod/strategy.go, CheckGracefulDelete.
    """
    if resource.kind != "Pod" or resource.group:
        return 0
    spec, status = old.get("spec") or {}, old.get("status") or {}
    grace = options.grace_period_seconds
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds")
        grace = 30 if grace is None else grace
    if not spec.get("nodeName") or status.get("phase") in {"Succeeded", "Failed"}:
        return 0
    return max(1, grace) if grace < 0 else grace


def _shorten(metadata: dict[str, Any], grace: int) -> bool:
    """Bring an earlier deletion forward; True while there is still something to wait for."""
    before = metadata.get("deletionGracePeriodSeconds")
    if before is None or before == 0:
        return False
    if grace < before:
        moment = parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=before - grace)
        metadata["deletionTimestamp"] = format_time(moment)
        metadata["deletionGracePeriodSeconds"] = grace
    return bool(metadata["deletionGracePeriodSeconds"])


def _finalizers(resource: Resource, present: list[str], options: DeleteOptions) -> list[str]:
    """The finalizers after the propagation policy has its say.

    Follows: store.go, deletionFinalizersForGarbageCollection.
    """
    if (resource.group, resource.kind) in {("", "Event"), ("events.k8s.io", "Event")}:
        return present
    if options.orphan_dependents is not None:
        orphan = options.orphan_dependents
    elif options.propagation:
        orphan = options.propagation == ORPHAN
    else:
        orphan = ORPHAN_FINALIZER in present or (
            (resource.group, resource.kind) in strategy.ORPHAN_BY_DEFAULT and FOREGROUND_FINALIZER not in present
        )
    foreground = options.propagation == FOREGROUND or (
        not options.propagation and options.orphan_dependents is None and FOREGROUND_FINALIZER in present
    )
    kept = [f for f in present if f not in {ORPHAN_FINALIZER, FOREGROUND_FINALIZER}]
    if orphan:
        kept.append(ORPHAN_FINALIZER)
    if foreground:
        kept.append(FOREGROUND_FINALIZER)
    return present if set(kept) == set(present) else kept


# ── action ──


async def delete(context: Context) -> Answer:
    """Delete the object; what is answered says whether it is gone or only on its way.

    Raises:
        NotFound, Conflict (preconditions), BadRequest, Invalid, Forbidden (admission).
    """
    options = delete_options(context)
    output = context.output()
    served, info = context.resource, context.info
    namespace = info.namespace if served.resource.namespaced else ""
    await context.core.store.catch_up()
    current = context.core.store.read(served, namespace, info.name)
    result, removed = await delete_object(context, current, options)
    status = 202 if not removed and options.orphan_dependents is False else 200
    if removed and (served.resource.group, served.resource.kind) not in strategy.ANSWERS_DELETE_WITH_OBJECT:
        return _gone(context, result)
    if options.dry_run:
        return document_answer(context, {**context.core.store.document(served, result)}, status)
    return object_answer(context, result, status, output)


def _gone(context: Context, result: CachedObject) -> Response:
    info = context.info
    details = {"name": result.name, "group": info.group, "kind": info.resource}
    if not info.group:
        del details["group"]
    uid = result.document["metadata"].get("uid")
    if uid:
        details["uid"] = uid
    return status_answer(context, success(details))


async def delete_object(
    context: Context, current: CachedObject, options: DeleteOptions, *, admitted: bool = False
) -> tuple[CachedObject, bool]:
    """Delete one object: what there is now or was last, and whether it is gone.

    `admitted`: admission has agreed to what leads here, as to an eviction, and is not asked again.

    Raises:
        StatusError.
    """
    core, served = context.core, context.resource
    resource = served.resource
    for _ in range(MAX_ATTEMPTS):
        if served.lens is not None:
            await served.lens.prepare((current,))
        old = core.store.document(served, current)
        _check_preconditions(resource, current, old, options)
        if not admitted:
            request = writes.admission_request(context, "DELETE", None, old, name=current.name, dry_run=options.dry_run)
            request.options = options.document
            await core.admission.mutate(request)
            await core.admission.validate(request)
        old["metadata"].pop("resourceVersion", None)
        deletion = decide(resource, old, options, core.clock.now())
        if options.dry_run:
            return current, deletion.document is None
        try:
            if deletion.document is None:
                return await core.store.delete(served, current), True
            return await core.store.update(served, current, deletion.document), False
        except ChangedMeanwhile as changed:
            if changed.current is None:
                raise errors.not_found(resource.plural, resource.group, current.name) from None
            current = changed.current
    raise errors.conflict(resource.plural, resource.group, current.name)


def _check_preconditions(resource: Resource, current: CachedObject, old: Document, options: DeleteOptions) -> None:
    uid = old["metadata"].get("uid", "")
    if options.uid and options.uid != uid:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {uid}"
        raise errors.conflict(resource.plural, resource.group, current.name, why)
    if options.resource_version and options.resource_version != str(current.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {current.revision}"
        )
        raise errors.conflict(resource.plural, resource.group, current.name, why)
