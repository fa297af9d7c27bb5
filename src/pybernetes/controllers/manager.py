"""All controllers in one place: which there are, and `run`, which starts those that are asked for.

Each kind is watched once, whoever needs it. A controller that breaks an invariant takes all down: the supervisor
starts them anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pybernetes.client.informer import InformerStatistics
from pybernetes.client.interface import Client
from pybernetes.client.workqueue import QueueStatistics
from pybernetes.controllers.certificates.controller import (
    CertificateApprovingController,
    CertificateCleanerController,
    CertificateSigningController,
)
from pybernetes.controllers.clusterroleaggregation.controller import ClusterRoleAggregationController
from pybernetes.controllers.cronjob.controller import CronJobController
from pybernetes.controllers.daemonset.controller import DaemonSetController
from pybernetes.controllers.deployment.controller import DeploymentController
from pybernetes.controllers.disruption.controller import DisruptionController
from pybernetes.controllers.endpoints.controller import EndpointsController
from pybernetes.controllers.endpointslice.controller import EndpointSliceController
from pybernetes.controllers.endpointslicemirroring.controller import EndpointSliceMirroringController
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.garbagecollector.controller import GarbageCollectorController
from pybernetes.controllers.job.controller import JobController
from pybernetes.controllers.namespace.controller import NamespaceController
from pybernetes.controllers.nodeipam.controller import NodeIpamController
from pybernetes.controllers.nodelifecycle.controller import NodeLifecycleController
from pybernetes.controllers.options import Options, enabled
from pybernetes.controllers.podgc.controller import PodGcController
from pybernetes.controllers.replicaset.controller import ReplicaSetController
from pybernetes.controllers.replication.controller import ReplicationControllerController
from pybernetes.controllers.rootca.controller import RootCaController
from pybernetes.controllers.serviceaccount.controller import ServiceAccountController
from pybernetes.controllers.serviceaccounttoken.controller import ServiceAccountTokenController
from pybernetes.controllers.servicecidrs.controller import ServiceCidrController
from pybernetes.controllers.statefulset.controller import StatefulSetController
from pybernetes.controllers.tainteviction.controller import TaintEvictionController
from pybernetes.controllers.ttlafterfinished.controller import TtlAfterFinishedController
from pybernetes.controllers.validatingadmissionpolicystatus.controller import ValidatingAdmissionPolicyStatusController
from pybernetes.controllers.volumeprotection.controller import (
    PersistentVolumeClaimProtectionController,
    PersistentVolumeProtectionController,
    VolumeAttributesClassProtectionController,
)
from pybernetes.effects import Chance, Clock

Make = Callable[[Context], Controller]

CONTROLLERS: Mapping[str, Make] = {
    kind.NAME: kind
    for kind in (
        NodeIpamController,
        ServiceAccountController,
        ServiceAccountTokenController,
        RootCaController,
        ReplicaSetController,
        DeploymentController,
        DaemonSetController,
        NodeLifecycleController,
        TaintEvictionController,
        ReplicationControllerController,
        EndpointSliceController,
        EndpointsController,
        EndpointSliceMirroringController,
        NamespaceController,
        PodGcController,
        StatefulSetController,
        JobController,
        CronJobController,
        TtlAfterFinishedController,
        DisruptionController,
        ClusterRoleAggregationController,
        CertificateSigningController,
        CertificateApprovingController,
        CertificateCleanerController,
        ServiceCidrController,
        ValidatingAdmissionPolicyStatusController,
        PersistentVolumeClaimProtectionController,
        PersistentVolumeProtectionController,
        VolumeAttributesClassProtectionController,
        GarbageCollectorController,
    )
}
"""By the name `--controllers` knows them by, in the order they are started."""


@dataclass(frozen=True, slots=True)
class ManagerStatistics:
    queues: Mapping[str, QueueStatistics]
    informers: Mapping[str, InformerStatistics]


class Manager:
    """The chosen controllers around one client."""

    def __init__(self, client: Client, clock: Clock, chance: Chance, options: Options) -> None:
        self.context = Context(client, clock, chance, options)
        self.controllers = [make(self.context) for name, make in CONTROLLERS.items() if self._wanted(name)]

    def _wanted(self, name: str) -> bool:
        options = self.context.options
        if name == NodeIpamController.NAME and not options.allocate_node_cidrs:
            return False
        if name == RootCaController.NAME and not options.root_ca:
            return False
        if name == ServiceAccountTokenController.NAME and not options.service_account_private_key:
            return False
        if name == CertificateSigningController.NAME and not options.signing_key:
            return False
        return enabled(name, options.controllers)

    def statistics(self) -> ManagerStatistics:
        return ManagerStatistics(
            {controller.NAME: controller.statistics() for controller in self.controllers},
            {
                f"{informer.kind.PLURAL}.{informer.kind.GROUP}": informer.statistics()
                for informer in self.context.informers.all()
            },
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.context.informers.run(), name="controllers/informers")
            for number, recorder in enumerate(self.context.recorders):
                tasks.create_task(recorder.run(), name=f"controllers/events-{number}")
            for controller in self.controllers:
                tasks.create_task(controller.run(), name=f"controllers/{controller.NAME}")


async def run(client: Client, clock: Clock, chance: Chance, options: Options) -> None:
    """Run all controllers that `options` asks for, until cancelled."""
    await Manager(client, clock, chance, options).run()
