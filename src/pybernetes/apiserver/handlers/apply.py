"""Server-side apply: PATCH with a whole declaration instead of a difference.

    there is no such object    create it, if the user may also create
    there is one               lay the declaration over it, take out what this manager no longer declares

Who owns what is `api.field_ownership`'s business.

Follows: apiserver pkg/endpoints/handlers/patch.go, applyPatcher.
"""

import dataclasses
from typing import Any

from pybernetes.api import decoding, field_ownership
from pybernetes.api.body_limits import ParseError
from pybernetes.api.registry import Resource
from pybernetes.api.yaml_text import parse_yaml
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import create, update, writes
from pybernetes.apiserver.handlers.output import document_answer, object_answer
from pybernetes.apiserver.handlers.writes import WriteOptions
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.interfaces import Decision
from pybernetes.apiserver.request import Document
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import AlreadyExists, BadRequest


async def apply(context: Context, options: WriteOptions) -> Answer:
    """The object after the apply; 201 when that created it.

    Raises:
        BadRequest, Invalid, Conflict (fields of others), Forbidden, NotFound (a subresource of nothing).
    """
    declared = parse(context, options)
    served, info = context.resource, context.info
    namespace = info.namespace if served.resource.namespaced else ""
    await context.core.store.catch_up()
    if not info.subresource and context.core.store.find(served, namespace, info.name) is None:
        try:
            created = await _create(context, declared, options)
        except AlreadyExists:
            created = None  # somebody was faster: lay the declaration over theirs
        if created is not None:
            return _answer(context, created, 201)
    result = await update.change(context, _transform(context, declared, options), options, owned=True)
    return _answer(context, result, 200)


def _answer(context: Context, result: CachedObject | Document, status: int) -> Answer:
    if isinstance(result, CachedObject):
        return object_answer(context, result, status)
    return document_answer(context, result, status)


def parse(context: Context, options: WriteOptions, resource: Resource | None = None) -> Document:
    """The declaration in the body, of the kind and name of the path; of another kind where a subresource has its own.

    Raises:
        BadRequest.
        Invalid: nobody says who declares.
    """
    if not options.field_manager:
        complaint = field_errors.required("fieldManager", "is required for apply patch")
        raise field_errors.invalid("PatchOptions", "meta.k8s.io", "", [complaint])
    body = context.request.body
    duplicates: list[str] = []
    try:
        declared: Any = decoding.parse_json(body)
        if options.field_validation != decoding.IGNORE and decoding.duplicate_fields(body, declared).found:
            duplicates = parse_yaml(body)[1]  # upstream reads every declaration as YAML
    except ParseError:
        try:
            declared, duplicates = parse_yaml(body)
        except ParseError as error:
            raise BadRequest(f"error decoding YAML: {error}") from None
    if not isinstance(declared, dict):
        raise BadRequest("error decoding YAML: the body is no object")
    if duplicates and options.field_validation == decoding.STRICT:
        lines = "\n".join(f"  {text}" for text in duplicates)
        raise BadRequest(f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n{lines}")
    if options.field_validation == decoding.WARN:
        context.warnings.extend(duplicates)
    _check_identity(context, declared, resource or context.resource.resource)
    return declared


def _check_identity(context: Context, declared: Document, resource: Resource) -> None:
    kind, version = declared.get("kind"), declared.get("apiVersion")
    if not kind or not version:
        raise BadRequest("couldn't get version/kind; apiVersion and kind must be set in an apply patch")
    if (kind, version) != (resource.kind, resource.api_version):
        raise BadRequest(
            f"{kind} in version {version} cannot be applied to {resource.qualified_name}; "
            f"send {resource.kind} in version {resource.api_version}"
        )
    metadata = declared.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("metadata must be an object")
    name = metadata.get("name")
    if name and name != context.info.name:
        raise writes.name_mismatch(name, context.info.name)
    metadata["name"] = context.info.name
    writes.fit_namespace(context, declared, resource)


def _checked(context: Context, merged: Document) -> Document:
    """The merged document, typed and normalised; ownership is left as it was merged."""
    decoded = decoding.check(merged, context.resource.resource, field_validation=decoding.IGNORE)
    decoded.document.setdefault("metadata", {})
    return decoded.document


def _transform(context: Context, declared: Document, options: WriteOptions) -> update.Transform:
    resource, subresource = context.resource.resource, context.info.subresource

    def transform(live: Document) -> Document:
        version = (declared.get("metadata") or {}).get("resourceVersion", "")
        present = live["metadata"].pop("resourceVersion", "")
        if version and version != present:
            raise errors.conflict(resource.plural, resource.group, context.info.name)
        merged = field_ownership.apply_patch(
            resource,
            subresource,
            live,
            declared,
            options.field_manager,
            context.core.clock.now(),
            force=bool(options.force),
        )
        merged = {**merged, "metadata": {k: v for k, v in merged["metadata"].items() if k != "resourceVersion"}}
        return _checked(context, merged)

    return transform


async def _create(context: Context, declared: Document, options: WriteOptions) -> CachedObject | Document:
    """Create what is declared.

    Raises:
        Forbidden, Conflict: the declaration insists on an object that is not there.
    """
    core, resource = context.core, context.resource.resource
    metadata = declared["metadata"]
    if metadata.get("resourceVersion") or metadata.get("uid"):
        raise errors.not_found(resource.plural, resource.group, context.info.name)
    info = dataclasses.replace(context.info, verb="create")
    decision = core.authorizer.authorize(context.user, info)
    if not isinstance(decision, Decision):
        decision = await decision
    if not decision.allowed:
        raise errors.forbidden(
            resource.plural, resource.group, context.info.name, decision.reason or "not allowed to create on apply"
        )
    merged = field_ownership.apply_patch(
        resource, "", None, declared, options.field_manager, core.clock.now(), force=bool(options.force)
    )
    return await create.create_document(context, _checked(context, merged), options, owned=True)
