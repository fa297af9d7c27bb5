"""Volumes, claims and their attribute classes stay while they are in use, by a finalizer that is taken off afterwards.

    claim     used by every pod on a node that names it, ended or not
    volume    used while it is bound
    class     used by claims and volumes that name it, want it or have it

Follows: kubernetes 1.36 pkg/controller/volume/{pvcprotection,pvprotection,vacprotection}.
"""

from abc import abstractmethod
from typing import ClassVar, Generic, TypeVar

import msgspec

from pybernetes.api import core_v1, storage_v1
from pybernetes.api.object import Object
from pybernetes.client.informer import Informer
from pybernetes.controllers.framework import Context, Controller
from pybernetes.machinery.errors import NotFound

T = TypeVar("T", bound=Object)
BOUND = "Bound"


class ProtectionController(Controller, Generic[T]):
    """The finalizer of one kind: there until the object is to go and nobody uses it any more."""

    WORKERS = 1
    FINALIZER: ClassVar[str]

    def __init__(self, context: Context, kind: type[T]) -> None:
        super().__init__(context)
        self.protected: Informer[T] = self.informer(kind)
        self.protected.add_handler(self._seen, lambda _, new: self._seen(new))

    def _seen(self, value: T) -> None:
        if (value.metadata.deletionTimestamp is not None) == (self.FINALIZER in value.metadata.finalizers):
            self.queue.add(value.key)

    @abstractmethod
    async def in_use(self, value: T) -> bool:
        """Whether somebody would miss the object."""

    async def reconcile(self, key: str) -> None:
        value = self.protected.get(key)
        if value is None:
            return
        finalizers = value.metadata.finalizers
        if value.metadata.deletionTimestamp is None:
            if self.FINALIZER in finalizers:
                return
            wanted = [*finalizers, self.FINALIZER]
        elif self.FINALIZER not in finalizers or await self.in_use(value):
            return
        else:
            wanted = [finalizer for finalizer in finalizers if finalizer != self.FINALIZER]
        metadata = msgspec.structs.replace(value.metadata, finalizers=wanted)
        try:
            await self.client.update(msgspec.structs.replace(value, metadata=metadata))
        except NotFound:
            return  # it has gone already


def claims_of(pod: core_v1.Pod) -> set[str]:
    """Names of the claims a pod uses, those made for it too."""
    found = set()
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            found.add(volume.persistentVolumeClaim.claimName)
        elif volume.ephemeral is not None:
            found.add(f"{pod.name}-{volume.name}")
    return found


def uses_claim(pod: core_v1.Pod, claim: str) -> bool:
    """A pod without a node does not count: no kubelet starts a pod whose claim is being deleted."""
    return bool(pod.spec.nodeName) and claim in claims_of(pod)


class PersistentVolumeClaimProtectionController(ProtectionController[core_v1.PersistentVolumeClaim]):
    NAME = "persistentvolumeclaim-protection-controller"
    FINALIZER = "kubernetes.io/pvc-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context, core_v1.PersistentVolumeClaim)
        self.pods = self.informer(core_v1.Pod)
        self.pods.add_handler(on_delete=self._pod_gone)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        for claim in claims_of(pod):
            self.queue.add(f"{pod.namespace}/{claim}")

    async def in_use(self, value: core_v1.PersistentVolumeClaim) -> bool:
        if any(uses_claim(pod, value.name) for pod in self.pods.list(value.namespace)):
            return True
        # The cache may be behind; a volume taken away from a running pod would be worse than a question.
        live = await self.client.list(core_v1.Pod, value.namespace)
        return any(uses_claim(pod, value.name) for pod in live.items)


class PersistentVolumeProtectionController(ProtectionController[core_v1.PersistentVolume]):
    NAME = "persistentvolume-protection-controller"
    FINALIZER = "kubernetes.io/pv-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context, core_v1.PersistentVolume)

    async def in_use(self, value: core_v1.PersistentVolume) -> bool:
        return value.status.phase == BOUND


def classes_of(value: core_v1.PersistentVolume | core_v1.PersistentVolumeClaim) -> set[str]:
    """Names of the attribute classes a volume or claim wants or has."""
    found = {value.spec.volumeAttributesClassName}
    if isinstance(value, core_v1.PersistentVolumeClaim):
        found.add(value.status.currentVolumeAttributesClassName)
        if value.status.modifyVolumeStatus is not None:
            found.add(value.status.modifyVolumeStatus.targetVolumeAttributesClassName)
    return {name for name in found if name}


class VolumeAttributesClassProtectionController(ProtectionController[storage_v1.VolumeAttributesClass]):
    NAME = "volumeattributesclass-protection-controller"
    FINALIZER = "kubernetes.io/vac-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context, storage_v1.VolumeAttributesClass)
        self.claims = self.informer(core_v1.PersistentVolumeClaim)
        self.volumes = self.informer(core_v1.PersistentVolume)
        self.claims.add_handler(on_update=lambda old, _: self._left(old), on_delete=self._left)
        self.volumes.add_handler(on_update=lambda old, _: self._left(old), on_delete=self._left)

    def _left(self, value: core_v1.PersistentVolume | core_v1.PersistentVolumeClaim) -> None:
        for name in classes_of(value):
            self.queue.add(name)

    async def in_use(self, value: storage_v1.VolumeAttributesClass) -> bool:
        users: list[core_v1.PersistentVolume | core_v1.PersistentVolumeClaim] = []
        users += self.claims.list()
        users += self.volumes.list()
        return any(value.name in classes_of(user) for user in users)
