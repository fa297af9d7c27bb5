"""The scale subresource: replicas of a workload, and nothing else, as `autoscaling/v1 Scale`.

Follows: pkg/registry/apps/deployment/storage/storage.go, ScaleREST; pkg/apis/autoscaling/validation, ValidateScale.
"""

from pybernetes.api import decoding, field_ownership
from pybernetes.api.registry import Resource
from pybernetes.api.structural.kind import CustomKind, nested
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import apply, patch, update, writes
from pybernetes.apiserver.handlers.output import document_answer
from pybernetes.apiserver.handlers.writes import WriteOptions
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.http.negotiation import APPLY_PATCH_YAML, STRATEGIC_MERGE_PATCH
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources import scale_ownership
from pybernetes.machinery import errors, field_errors, labels

SCALE = Resource(
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    namespaced=True,
    verbs=(),
    list_kind="ScaleList",
    type_alias="autoscaling.v1.Scale",
)


def to_scale(document: Document, resource: Resource) -> Document:
    """The Scale that shows a workload.

    Raises:
        InternalError: something else than numbers stands where a custom resource's definition says they are.
    """
    metadata = document["metadata"]
    shown = {
        key: metadata[key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in metadata
    }
    if resource.custom is not None and resource.custom.scale is not None:
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": shown,
            **_custom(document, resource.custom),
        }
    spec, status = document.get("spec") or {}, document.get("status") or {}
    scale_status: Document = {"replicas": status.get("replicas", 0)}
    selector = spec.get("selector")
    if selector:
        chosen = labels.from_map(selector) if document["kind"] == "ReplicationController" else _structured(selector)
        scale_status["selector"] = str(chosen)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": scale_status,
    }


def _custom(document: Document, custom: CustomKind) -> Document:
    """Spec and status by the paths of the definition. Follows: customresource/etcd.go, scaleFromCustomResource."""
    paths = custom.scale or {}
    found: Document = {}
    for part in ("spec", "status"):
        value, wrong = nested(document, paths[f"{part}ReplicasPath"])
        if wrong or not isinstance(value, int | None) or isinstance(value, bool):
            raise errors.internal_error(wrong or f"{paths[f'{part}ReplicasPath']} is no integer")
        found[part] = {"replicas": value or 0}
    if paths.get("labelSelectorPath"):
        value, wrong = nested(document, paths["labelSelectorPath"])
        if wrong or not isinstance(value, str | None):
            raise errors.internal_error(wrong or f"{paths['labelSelectorPath']} is no string")
        if value:
            found["status"]["selector"] = value
    return found


def _structured(selector: Document) -> labels.Selector:
    return labels.from_label_selector(selector)


async def scale(context: Context) -> Answer:
    """Show or set the number of replicas.

    Raises:
        NotFound, Conflict, BadRequest, Invalid, Forbidden (admission).
    """
    core, served, info = context.core, context.resource, context.info
    if info.verb == "get":
        await core.store.catch_up()
        found = core.store.read(served, info.namespace if served.resource.namespaced else "", info.name)
        if served.lens is not None:
            await served.lens.prepare((found,))
        return document_answer(context, to_scale(core.store.document(served, found), served.resource))
    options = writes.write_options(context, "UpdateOptions" if info.verb == "update" else "PatchOptions")
    if info.verb == "update":
        wanted = writes.decode(context, SCALE, options)
        name = wanted["metadata"].get("name")
        if name and name != info.name:
            raise writes.name_mismatch(name, info.name)

        def scaled(present: Document) -> Document:  # noqa: ARG001 - a PUT replaces what is there
            return wanted
    else:
        media_type = decoding.media_type(context.request.headers.get("content-type", ""))
        if media_type == APPLY_PATCH_YAML:
            return await _apply(context, options)
        if media_type not in patch.accepted_types(context):
            raise patch.unsupported(context)
        body = patch.parse(context.request.body, media_type)

        def scaled(present: Document) -> Document:
            alias = SCALE if media_type == STRATEGIC_MERGE_PATCH else served.resource
            patched = patch.apply(media_type, present, body, alias)
            return decoding.check(patched, SCALE, field_validation=options.field_validation).document

    def transform(document: Document) -> Document:
        return set_replicas(document, scaled(to_scale(document, served.resource)), served.resource)

    return _answer(context, await update.change(context, transform, options))


def _answer(context: Context, result: CachedObject | Document) -> Answer:
    core, served = context.core, context.resource
    document = core.store.document(served, result) if isinstance(result, CachedObject) else result
    return document_answer(context, to_scale(document, served.resource))


async def _apply(context: Context, options: WriteOptions) -> Answer:
    """Lay a declared Scale over the one that is shown; the owners of the replicas are the workload's.

    Raises:
        BadRequest, Invalid, NotFound, Conflict: somebody else owns the replicas.
    """
    declared = apply.parse(context, options, SCALE)
    resource = context.resource.resource
    custom = resource.custom.scale if resource.custom is not None else None
    path = scale_ownership.steps_of(custom["specReplicasPath"]) if custom is not None else scale_ownership.IN_SCALE

    def transform(document: Document) -> Document:
        present = to_scale(document, resource)
        version = declared["metadata"].get("resourceVersion", "")
        if version and version != present["metadata"].pop("resourceVersion", ""):
            raise errors.conflict(resource.plural, resource.group, context.info.name)
        entries = document["metadata"].get("managedFields")
        present["metadata"]["managedFields"] = scale_ownership.of_scale(entries, path)
        merged = field_ownership.apply_patch(
            SCALE,
            context.info.subresource,
            present,
            declared,
            options.field_manager,
            context.core.clock.now(),
            force=bool(options.force),
        )
        wanted = decoding.check(merged, SCALE, field_validation=decoding.IGNORE).document
        owners = merged["metadata"].get("managedFields") or []
        changed = set_replicas(document, wanted, resource)
        changed["metadata"]["managedFields"] = scale_ownership.of_workload(entries, owners, resource.api_version, path)
        return changed

    return _answer(context, await update.change(context, transform, options, owned=True))


def set_replicas(document: Document, wanted: Document, resource: Resource) -> Document:
    """The workload with the replicas of a Scale, under its resourceVersion.

    Raises:
        Invalid, Conflict.
    """
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    metadata = document["metadata"]
    if replicas < 0:
        complaint = field_errors.invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise field_errors.invalid("Scale", "autoscaling", metadata["name"], [complaint])
    uid = wanted["metadata"].get("uid")
    if uid and uid != metadata.get("uid"):
        raise errors.conflict("scales", "autoscaling", metadata["name"])
    custom = resource.custom.scale if resource.custom is not None else None
    if custom is None:
        document["spec"] = {**(document.get("spec") or {}), "replicas": replicas}
    else:
        _put(document, custom["specReplicasPath"].removeprefix(".").split("."), replicas)
    version = wanted["metadata"].get("resourceVersion", "")
    if version:
        metadata["resourceVersion"] = version
    elif custom is None:  # updates of custom resources name a version: the one that was read
        metadata.pop("resourceVersion", None)
    return document


def _put(document: Document, path: list[str], value: int) -> None:
    """Set a field below a document that is the caller's own."""
    for name in path[:-1]:
        below = document.get(name)
        document[name] = dict(below) if isinstance(below, dict) else {}
        document = document[name]
    document[path[-1]] = value
