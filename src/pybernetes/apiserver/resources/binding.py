"""POST of `pods/NAME/binding` and of `bindings`: the scheduler's word that a pod runs on a node.

Follows: pkg/registry/core/pod/storage/storage.go, BindingREST, assignPod, setPodNodeAndMetadata.
"""

from typing import Any

from pybernetes.api.registry import Resource
from pybernetes.api.validation import common, metadata
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.handlers.output import status_answer
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.http.statuses import created
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources.conditions import set_condition
from pybernetes.apiserver.resources.editing import edit
from pybernetes.effects import format_time
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import Conflict
from pybernetes.machinery.field_errors import FieldError

POD_SCHEDULED = "PodScheduled"


async def bind(context: Context) -> Answer:
    """Assign the pod to the node the Binding names.

    Raises:
        BadRequest, NotFound, Invalid, Conflict (assigned already, or being deleted), Forbidden (admission).
    """
    core, info = context.core, context.info
    options = writes.write_options(context, "CreateOptions")
    expected = core.scheme.find("", "v1", "bindings")
    assert expected is not None
    binding = writes.decode(context, expected.resource, options)
    name = info.name or binding["metadata"].get("name", "")
    if binding["metadata"].get("name") and binding["metadata"]["name"] != name:
        raise writes.name_mismatch(binding["metadata"]["name"], name)
    binding["metadata"]["name"] = name
    writes.fit_namespace(context, binding, expected.resource)
    _check(expected.resource, name, binding)
    request = writes.admission_request(context, "CREATE", binding, None, name=name, dry_run=options.dry_run)
    await core.admission.mutate(request)
    await core.admission.validate(request)
    binding = request.object or binding
    pods = core.scheme.find("", "v1", "pods")
    assert pods is not None
    now = format_time(core.clock.now())
    if options.dry_run:
        assign(core.store.document(pods, core.store.read(pods, info.namespace, name)), binding, now)
    else:
        await edit(core, pods, info.namespace, name, lambda pod: assign(pod, binding, now))
    return status_answer(context, created())


def _check(resource: Resource, name: str, binding: Document) -> None:
    target = binding.get("target") or {}
    complaints: list[FieldError] = []
    # Differs: upstream puts them on the pod unchecked.
    common.labels(complaints, "metadata.labels", binding["metadata"].get("labels"))
    metadata.annotations(complaints, "metadata.annotations", binding["metadata"].get("annotations") or {})
    if target.get("kind") not in {None, "", "Node"}:
        complaints.append(field_errors.not_supported("target.kind", target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        complaints.append(field_errors.required("target.name"))
    if complaints:
        raise field_errors.invalid(resource.kind, resource.group, name, complaints)


def assign(pod: Document, binding: Document, now: str) -> Document:
    """The pod on its node.

    Raises:
        Conflict.
    """
    present, spec = pod["metadata"], pod["spec"]
    name = present["name"]
    wanted = binding["metadata"]
    if wanted.get("uid") and wanted["uid"] != present.get("uid"):
        why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {present.get('uid')}"
        raise _refused(name, why)
    if present.get("deletionTimestamp"):
        raise _refused(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _refused(name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise _refused(name, f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = binding["target"]["name"]
    for field in ("annotations", "labels"):
        if wanted.get(field):
            present[field] = {**(present.get(field) or {}), **wanted[field]}
    status: dict[str, Any] = pod.setdefault("status", {})
    set_condition(status, {"type": POD_SCHEDULED, "status": "True"}, now)
    return pod


def _refused(name: str, why: str) -> Conflict:
    return errors.conflict("pods/binding", "", name, why)
