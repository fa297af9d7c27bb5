"""ReplicationControllers behave as ReplicaSets do; only their fields are named differently.

Follows: kubernetes 1.36 pkg/controller/replication/conversion.go.
"""

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers.framework import Context
from pybernetes.controllers.replicaset import status
from pybernetes.controllers.replicaset.controller import ReplicasController
from pybernetes.machinery.labels import NOTHING, Selector, from_map


class ReplicationControllerController(ReplicasController[core_v1.ReplicationController]):
    NAME = "replicationcontroller-controller"
    COMPONENT = "replication-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context, core_v1.ReplicationController)

    def selector(self, owner: core_v1.ReplicationController) -> Selector:
        return from_map(owner.spec.selector) if owner.spec.selector else NOTHING

    def template(self, owner: core_v1.ReplicationController) -> core_v1.PodTemplateSpec:
        return owner.spec.template or core_v1.PodTemplateSpec()

    def desired(self, owner: core_v1.ReplicationController) -> int:
        return 1 if owner.spec.replicas is None else owner.spec.replicas

    def min_ready_seconds(self, owner: core_v1.ReplicationController) -> int:
        return owner.spec.minReadySeconds

    def with_status(
        self,
        owner: core_v1.ReplicationController,
        counts: status.Counts,
        failure: apps_v1.ReplicaSetCondition | None,
    ) -> core_v1.ReplicationController:
        return msgspec.structs.replace(owner, status=status.of_replication_controller(owner, counts, failure))
