"""PATCH: JSON patch, merge patch, strategic merge patch.

    application/json-patch+json               operations; a failing test is 422
    application/merge-patch+json              RFC 7386
    application/strategic-merge-patch+json    built-in kinds only: lists merge by their keys
    application/apply-patch+yaml              a declaration: see `apply`

A patch is applied anew to whatever is there until it fits, unless it carries a resourceVersion.

Follows: apiserver pkg/endpoints/handlers/patch.go.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from pybernetes.api import decoding, schema
from pybernetes.api.body_limits import ParseError, check_depth, may_be_deep
from pybernetes.api.registry import Resource
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import apply as apply_patch
from pybernetes.apiserver.handlers import update, writes
from pybernetes.apiserver.handlers.output import document_answer, object_answer
from pybernetes.apiserver.handlers.writes import WriteOptions
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.http.negotiation import (
    APPLY_PATCH_YAML,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
)
from pybernetes.apiserver.request import Document
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import BadRequest, Invalid, RequestEntityTooLarge, UnsupportedMediaType
from pybernetes.machinery.patch import json_patch, merge_patch, strategic

MAX_JSON_PATCH_OPERATIONS = 10000
"""Follows: patch.go, maxJSONPatchOperations."""


async def patch(context: Context) -> Answer:
    """The object after the patch.

    Raises:
        BadRequest, NotFound, Conflict, Invalid, UnsupportedMediaType, Forbidden (admission).
    """
    context.output()
    media_type = decoding.media_type(context.request.headers.get("content-type", ""))
    options = writes.write_options(context, "PatchOptions")
    if options.force is not None and media_type != APPLY_PATCH_YAML:
        complaint = field_errors.forbidden_value("force", "may not be specified for non-apply patch")
        raise field_errors.invalid("PatchOptions", "meta.k8s.io", "", [complaint])
    if media_type == APPLY_PATCH_YAML:
        return await apply_patch.apply(context, options)
    transform = _transform(context, media_type, options)
    # Patches share what they leave alone, but the normal form of a typed document is a new one.
    apart = bool(context.resource.resource.type_alias)
    result = await update.change(context, transform, options, apart=apart)
    if isinstance(result, CachedObject):
        return object_answer(context, result)
    return document_answer(context, result)


def accepted_types(context: Context) -> list[str]:
    """Patch types the resource knows."""
    types = [JSON_PATCH, MERGE_PATCH]
    if not context.resource.custom:
        types.append(STRATEGIC_MERGE_PATCH)
    types.append(APPLY_PATCH_YAML)
    return types


def unsupported(context: Context) -> UnsupportedMediaType:
    """The 415 for another patch type."""
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted_types(context))
    )


def _transform(context: Context, media_type: str, options: WriteOptions) -> update.Transform:
    """How the stored document becomes the patched one."""
    if media_type not in accepted_types(context):
        raise unsupported(context)
    patch_document = parse(context.request.body, media_type)
    complaints: Sequence[str] = ()
    if options.field_validation != decoding.IGNORE:
        complaints = decoding.complaints_of_patch(context.request.body, patch_document)

    def transform(document: Document) -> Document:
        warnings = len(context.warnings)
        patched = apply(media_type, document, patch_document, context.resource.resource)
        decoded = decoding.check(
            patched,
            context.resource.resource,
            field_validation=options.field_validation,
            patch=context.request.body,
            patch_complaints=complaints,
        )
        del context.warnings[warnings:]
        context.warnings.extend(decoded.warnings)
        _check_identity(context, decoded.document)
        return decoded.document

    return transform


def parse(body: bytes, media_type: str) -> Any:
    """The patch in a body.

    Raises:
        BadRequest, RequestEntityTooLarge.
    """
    operations = media_type == JSON_PATCH
    try:
        document = orjson.loads(body)
        if may_be_deep(body):
            check_depth(document)
    except (orjson.JSONDecodeError, ParseError) as error:
        raise BadRequest(f"error decoding patch: {error}") from None
    if operations:
        if not isinstance(document, list):
            raise BadRequest(
                "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            )
        if len(document) > MAX_JSON_PATCH_OPERATIONS:
            raise RequestEntityTooLarge(
                f"The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {len(document)}"
            )
    elif not isinstance(document, dict):
        raise BadRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return document


def apply(media_type: str, document: Document, patch_document: Any, resource: Resource) -> Document:
    """The patched document, not yet checked.

    Raises:
        BadRequest, Invalid.
    """
    try:
        if media_type == JSON_PATCH:
            patched = json_patch.apply(document, patch_document)
            check_depth(patched)  # operations can nest what is there deeper and deeper
        elif media_type == MERGE_PATCH:
            patched = merge_patch.apply(document, patch_document)
        else:
            patched = strategic.apply(document, patch_document, schema.type_of(resource.type_alias))
    except (json_patch.PatchError, ParseError) as error:
        raise Invalid(f"the server rejected our request due to an error in our request: {error}") from None
    except (json_patch.MalformedPatchError, strategic.StrategicPatchError) as error:
        raise BadRequest(str(error)) from None
    if not isinstance(patched, dict):
        raise errors.BadRequest(f"the patch of {resource.qualified_name} does not leave an object")
    patched.setdefault("metadata", {})
    return patched


def _check_identity(context: Context, document: Document) -> None:
    """A patch may not rename or move the object.

    Raises:
        BadRequest.
    """
    metadata = document["metadata"]
    if metadata.get("name") != context.info.name:
        raise writes.name_mismatch(metadata.get("name", ""), context.info.name)
    writes.fit_namespace(context, document, context.resource.resource)
