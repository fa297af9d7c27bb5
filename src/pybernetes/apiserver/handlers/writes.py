"""What creating and updating have in common: reading bodies and options, defaults, validation, the chain of checks.

    decode → default → mutate (admission) → default → prepare (strategy) → validate → validate (admission) → store

Follows: apiserver pkg/registry/generic/registry/store.go, Create and Update; pkg/registry/rest/{create,update}.go.
"""

from dataclasses import dataclass

from pybernetes.api import decoding, defaults, field_ownership, normalize, strategy, validation
from pybernetes.api.registry import Resource
from pybernetes.apiserver.allocators.services import Reservation
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.request import AdmissionRequest, Document
from pybernetes.apiserver.resources.conversion import as_validated
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import BadRequest

DRY_RUN_ALL = "All"
FIELD_VALIDATIONS = ("", decoding.IGNORE, decoding.WARN, decoding.STRICT)
_META_GROUP = "meta.k8s.io"
_MAX_MANAGER_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Query parameters of a write."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = decoding.WARN
    force: bool | None = None


def write_options(context: Context, kind: str) -> WriteOptions:
    """The options of a CREATE, UPDATE or PATCH.

    Raises:
        Invalid: an option has no such value.
    """
    if not context.request.query_text:
        return WriteOptions()
    query = context.request.query
    complaints = []
    dry_run = query.get("dryRun", "")
    if dry_run not in {"", DRY_RUN_ALL}:
        complaints.append(field_errors.not_supported("dryRun", [dry_run], [DRY_RUN_ALL]))
    manager = query.get("fieldManager", "")
    if len(manager) > _MAX_MANAGER_CHARACTERS:
        complaints.append(field_errors.too_long("fieldManager", _MAX_MANAGER_CHARACTERS))
    if not manager.isprintable():
        complaints.append(
            field_errors.invalid_value("fieldManager", manager, "should only contain printable characters")
        )
    field_validation = query.get("fieldValidation", "")
    if field_validation not in FIELD_VALIDATIONS:
        complaints.append(field_errors.not_supported("fieldValidation", field_validation, FIELD_VALIDATIONS))
    if complaints:
        raise field_errors.invalid(kind, _META_GROUP, "", complaints)
    force = query["force"].lower() not in {"false", "0"} if "force" in query else None
    return WriteOptions(bool(dry_run), manager, field_validation or decoding.WARN, force)


def decode(context: Context, expected: Resource, options: WriteOptions) -> Document:
    """The body of a write as a normalised document; warnings go to the answer.

    Raises:
        BadRequest, UnsupportedMediaType.
    """
    content_type = context.request.headers.get("content-type", "")
    decoded = decoding.decode_body(
        context.request.body, content_type, expected, field_validation=options.field_validation
    )
    context.warnings.extend(decoded.warnings)
    decoded.document.setdefault("metadata", {})
    return decoded.document


def fit_namespace(context: Context, document: Document, resource: Resource) -> None:
    """Put the path's namespace into the document.

    Raises:
        BadRequest: the document names another one.
    """
    metadata = document["metadata"]
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    given = metadata.get("namespace")
    wanted = context.info.namespace
    if given and given != wanted:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = wanted


def apply_defaults(resource: Resource, document: Document) -> None:
    """Fill in what the manifest leaves open, in place."""
    if resource.type_alias:
        defaults.apply(document, resource)
    elif resource.custom is not None:
        resource.custom.default(document)


def own(context: Context, new: Document, old: Document | None, options: WriteOptions) -> None:
    """Note in metadata.managedFields whose fields this write changes; before admission adds fields nobody owns."""
    context.warnings.extend(strategy.merge_owners(new))
    manager = field_ownership.manager_name(options.field_manager, context.request.headers.get("user-agent", ""))
    resource, subresource = context.resource.resource, context.info.subresource
    entries = field_ownership.track(resource, subresource, old, new, manager, context.core.clock.now())
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def admitted(resource: Resource, request: AdmissionRequest, document: Document) -> Document:
    """The document after admission. One that was put in its place by strangers is normalised like a decoded one."""
    found = request.object
    assert found is not None
    if found is document:
        return found
    if not resource.type_alias:
        return decoding.check(found, resource, field_validation=decoding.IGNORE).document
    return normalize.normalize(found, resource.type_alias)


def admission_request(
    context: Context, operation: str, document: Document | None, old: Document | None, *, name: str, dry_run: bool
) -> AdmissionRequest:
    """What admission sees of this write."""
    info = context.info
    return AdmissionRequest(
        operation=operation,
        resource=context.resource.resource,
        subresource=info.subresource,
        namespace=info.namespace,
        name=name,
        object=document,
        old=old,
        user=context.user,
        dry_run=dry_run,
        warnings=context.warnings,
        query_text=context.request.query_text,
    )


def check_created(resource: Resource, document: Document) -> None:
    """Refuse an object that is not valid.

    Raises:
        Invalid.
    """
    _refuse(resource, document, validation.validate_create(resource, as_validated(resource, document)))


def check_updated(resource: Resource, subresource: str, new: Document, old: Document) -> None:
    """Refuse a change that is not valid.

    Raises:
        Invalid.
    """
    shown = as_validated(resource, new), as_validated(resource, old)
    _refuse(resource, new, validation.validate_update(resource, subresource, *shown))


def _refuse(resource: Resource, document: Document, complaints: list[field_errors.FieldError]) -> None:
    if complaints:
        metadata = document.get("metadata") or {}
        name = metadata.get("name") or metadata.get("generateName") or ""
        raise field_errors.invalid(resource.kind, resource.group, name, complaints)


class _Nothing:
    """What a write of anything but a Service needs of the allocators."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        return None


_NOTHING = _Nothing()


def allocated(context: Context, new: Document, old: Document | None, *, dry_run: bool) -> Reservation | _Nothing:
    """Give a Service its addresses and ports, in place; what does not get stored is given back at the end.

    Raises:
        Invalid, InternalError.
    """
    resource = context.resource.resource
    if resource.kind != "Service" or resource.group or context.info.subresource:
        return _NOTHING
    allocator = context.core.allocator
    if old is not None:
        return allocator.update(new, old, dry_run=dry_run)
    metadata = new["metadata"]
    if not metadata.get("name"):
        # IPAddress objects name the Service they belong to.
        if not metadata.get("generateName"):
            return _NOTHING  # nothing to give: without a name it is not valid
        metadata["name"] = strategy.generated_name(metadata["generateName"], context.core.chance.name_suffix())
    return allocator.create(new, dry_run=dry_run)


def name_mismatch(given: str, wanted: str) -> BadRequest:
    """The 400 for a body that is about another object than the path."""
    return errors.BadRequest(f"the name of the object ({given}) does not match the name on the URL ({wanted})")
