"""Making, deleting, adopting and releasing pods on behalf of a controller, with the events users read.

Follows: kubernetes pkg/controller/controller_utils.go, RealPodControl.
"""

import msgspec

from pybernetes.api import core_v1, meta_v1
from pybernetes.api.object import Object
from pybernetes.client.events import NORMAL, WARNING, EventRecorder
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client
from pybernetes.controllers import owners
from pybernetes.machinery import names
from pybernetes.machinery.errors import NotFound, StatusError

SUCCESSFUL_CREATE, FAILED_CREATE = "SuccessfulCreate", "FailedCreate"
SUCCESSFUL_DELETE, FAILED_DELETE = "SuccessfulDelete", "FailedDelete"
NAMESPACE_TERMINATING = "NamespaceTerminating"


def is_namespace_terminating(error: Exception | None) -> bool:
    """Whether a create was refused because the namespace is going: nothing to report, nothing to retry."""
    return isinstance(error, StatusError) and any(
        cause.get("reason") == NAMESPACE_TERMINATING for cause in error.causes
    )


def pod_from_template(template: core_v1.PodTemplateSpec, owner: Object, *, name: str = "") -> core_v1.Pod:
    """The pod a template asks for, controlled by `owner`; named `name`, or by the server after the owner."""
    prefix = f"{owner.metadata.name}-"
    meta = meta_v1.ObjectMeta(
        name=name,
        generateName="" if name else (owner.metadata.name if names.dns_subdomain(f"{prefix}x") else prefix),
        namespace=owner.metadata.namespace,
        labels=template.metadata.labels,
        annotations=template.metadata.annotations,
        finalizers=template.metadata.finalizers,
        ownerReferences=[owners.controller_reference(owner)],
    )
    return core_v1.Pod(metadata=meta, spec=template.spec)


class PodControl:
    """Writes to pods; every one shows in the events of the owner."""

    def __init__(self, client: Client, recorder: EventRecorder, pods: Informer[core_v1.Pod]) -> None:
        self._client, self._recorder, self._pods = client, recorder, pods

    async def create(self, pod: core_v1.Pod, owner: Object) -> core_v1.Pod:
        """The created pod.

        Raises:
            StatusError, Unreachable: an event tells, unless the namespace is going.
        """
        try:
            made = await self._client.create(pod)
        except StatusError as error:
            if not is_namespace_terminating(error):
                self._recorder.event(owner, WARNING, FAILED_CREATE, f"Error creating: {error}")
            raise
        self._recorder.event(owner, NORMAL, SUCCESSFUL_CREATE, f"Created pod: {made.name}")
        return made

    async def delete(self, pod: core_v1.Pod, owner: Object) -> None:
        """Ask for the pod's end; one that has gone already is as good.

        Raises:
            StatusError, Unreachable: an event tells.
        """
        try:
            await self._client.delete(core_v1.Pod, pod.name, pod.namespace, uid=pod.metadata.uid)
        except NotFound:
            return
        except StatusError as error:
            self._recorder.event(owner, WARNING, FAILED_DELETE, f"Error deleting: {error}")
            raise
        self._recorder.event(owner, NORMAL, SUCCESSFUL_DELETE, f"Deleted pod: {pod.name}")

    async def wait_deleting(self, pod: core_v1.Pod) -> None:
        """Return once the cache shows the pod going or gone."""
        await self._pods.wait_for(pod.key, lambda now: is_going(now, pod.metadata.uid))


def is_going(value: Object | None, uid: str) -> bool:
    return value is None or value.metadata.uid != uid or value.metadata.deletionTimestamp is not None


def with_labels(template: core_v1.PodTemplateSpec, **labels: str) -> core_v1.PodTemplateSpec:
    """The template with more labels."""
    meta = msgspec.structs.replace(template.metadata, labels={**template.metadata.labels, **labels})
    return msgspec.structs.replace(template, metadata=meta)
