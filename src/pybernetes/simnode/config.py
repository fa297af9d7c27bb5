"""How simulated nodes look, and how long what happens on them takes."""

from dataclasses import dataclass, field

ANNOTATION_PREFIX = "simnode.pybernetes.io/"
"""Pods choose their own delays: `simnode.pybernetes.io/ready-seconds: "5"`; see `Delays` for the stages."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds each stage of a pod's life takes. A pod's annotation of the stage's name (`start-seconds`) wins.

    scheduled ──start──► Running ──ready──► Ready ──complete──► Succeeded     (complete: pods that end by themselves)
                                    deleted ──stop──► gone

    A changed spec of a running pod is followed at once.
    """

    start: float = 0.0
    ready: float = 0.0
    complete: float = 1.0
    stop: float = 0.0


@dataclass(frozen=True, slots=True)
class SimConfig:
    """`count` nodes, called `<prefix>-0` to `<prefix>-<count - 1>`."""

    count: int
    prefix: str = "sim-node"
    cpu: str = "32"
    memory: str = "256Gi"
    pods: str = "110"
    architecture: str = "amd64"
    delays: Delays = field(default_factory=Delays)
    lease_seconds: int = 40
    renew_seconds: float = 15.0
    """Each node renews its lease once in this time; the nodes are spread evenly over it."""
    workers: int = 32
    """Requests in flight at once."""
