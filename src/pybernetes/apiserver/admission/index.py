"""Every admission plugin, in the order in which they are asked.

Follows: kubernetes pkg/kubeapiserver/options/plugins.go, AllOrderedPlugins and DefaultOffAdmissionPlugins;
NodeRestriction is on, as kubeadm sets it up.
"""

from dataclasses import dataclass

from pybernetes.apiserver.admission.attributes import Equivalents
from pybernetes.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from pybernetes.apiserver.admission.chain import Chain
from pybernetes.apiserver.admission.default_ingress_class import DefaultIngressClass
from pybernetes.apiserver.admission.default_storage_class import DefaultStorageClass
from pybernetes.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from pybernetes.apiserver.admission.grants import Grants
from pybernetes.apiserver.admission.limit_ranger import LimitRanger
from pybernetes.apiserver.admission.metrics import AdmissionMetrics
from pybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from pybernetes.apiserver.admission.node_restriction import NodeRestriction
from pybernetes.apiserver.admission.persistent_volume_claim_resize import PersistentVolumeClaimResize
from pybernetes.apiserver.admission.plugin import Plugin
from pybernetes.apiserver.admission.pod_security.plugin import PodSecurity
from pybernetes.apiserver.admission.pod_topology_labels import PodTopologyLabels
from pybernetes.apiserver.admission.policies.matching import Surroundings
from pybernetes.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from pybernetes.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from pybernetes.apiserver.admission.priority import Priority
from pybernetes.apiserver.admission.resource_quota.ledger import Ledger
from pybernetes.apiserver.admission.resource_quota.plugin import ResourceQuota
from pybernetes.apiserver.admission.runtime_class import RuntimeClass
from pybernetes.apiserver.admission.service_account import ServiceAccount
from pybernetes.apiserver.admission.storage_object_in_use_protection import StorageObjectInUseProtection
from pybernetes.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from pybernetes.apiserver.admission.webhooks.calls import Caller
from pybernetes.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from pybernetes.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.request import ObjectReader
from pybernetes.apiserver.scheme import Scheme
from pybernetes.apiserver.webhooks.client import WebhookClient
from pybernetes.effects import Chance, Clock, Ids


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What plugins may use."""

    reader: ObjectReader
    authorizer: Authorizer
    clock: Clock
    chance: Chance
    ledger: Ledger
    ids: Ids
    scheme: Scheme
    webhooks: WebhookClient
    metrics: AdmissionMetrics


def plugins(neighbours: Neighbours) -> list[Plugin]:
    """All plugins, in order."""
    reader = neighbours.reader
    equivalents = Equivalents(neighbours.scheme)
    caller = Caller(neighbours.webhooks, neighbours.clock, neighbours.ids, neighbours.metrics, neighbours.authorizer)
    around = Surroundings(
        reader, neighbours.scheme, equivalents, neighbours.authorizer, neighbours.metrics, neighbours.clock
    )
    return [
        NamespaceLifecycle(reader),
        LimitRanger(reader),
        ServiceAccount(reader, neighbours.clock, neighbours.chance),
        NodeRestriction(reader),
        TaintNodesByCondition(),
        PodSecurity(reader),
        Priority(reader),
        DefaultTolerationSeconds(),
        DefaultStorageClass(reader),
        StorageObjectInUseProtection(),
        PersistentVolumeClaimResize(reader),
        RuntimeClass(reader),
        CertificateApproval(neighbours.authorizer),
        CertificateSigning(neighbours.authorizer),
        ClusterTrustBundleAttest(neighbours.authorizer),
        CertificateSubjectRestriction(),
        DefaultIngressClass(reader),
        PodTopologyLabels(reader),
        Grants(neighbours.authorizer),
        MutatingAdmissionPolicy(around),
        MutatingAdmissionWebhook(reader, equivalents, caller),
        ValidatingAdmissionPolicy(around),
        ValidatingAdmissionWebhook(reader, equivalents, caller),
        ResourceQuota(neighbours.ledger, neighbours.clock),
    ]


def chain(neighbours: Neighbours, disabled: frozenset[str] = frozenset()) -> Chain:
    """The chain without the plugins named in `disabled`."""
    return Chain([plugin for plugin in plugins(neighbours) if plugin.NAME not in disabled])
