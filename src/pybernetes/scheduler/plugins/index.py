"""All plugins, in the order they filter, and the weights of their scores.

Follows: kubernetes 1.36 pkg/scheduler/apis/config/v1/default_plugins.go.
"""

from pybernetes.scheduler.framework import FilterPlugin, ScorePlugin
from pybernetes.scheduler.plugins.image_locality import ImageLocality
from pybernetes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from pybernetes.scheduler.plugins.node_affinity import NodeAffinity
from pybernetes.scheduler.plugins.node_name import NodeName
from pybernetes.scheduler.plugins.node_ports import NodePorts
from pybernetes.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from pybernetes.scheduler.plugins.node_resources_fit import NodeResourcesFit
from pybernetes.scheduler.plugins.node_unschedulable import NodeUnschedulable
from pybernetes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from pybernetes.scheduler.plugins.taint_toleration import TaintToleration

FILTERS: tuple[FilterPlugin, ...] = (
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    NodeResourcesFit(),
    PodTopologySpread(),
    InterPodAffinity(),
)

SCORES: tuple[tuple[ScorePlugin, int], ...] = (
    (TaintToleration(), 3),
    (NodeAffinity(), 2),
    (NodeResourcesFit(), 1),
    (PodTopologySpread(), 2),
    (InterPodAffinity(), 2),
    (NodeResourcesBalancedAllocation(), 1),
    (ImageLocality(), 1),
)
