"""How the results of a probe become a verdict. Pure.

    failureThreshold 3, successThreshold 1:   ok ok bad bad ok bad bad bad ─► failed
    A first result counts towards the thresholds like any other; before it, readiness is False, liveness is True and
    startup is unknown.

Follows: kubernetes pkg/kubelet/prober/worker.go, doProbe.
"""

from dataclasses import dataclass
from enum import StrEnum

from pybernetes.api import core_v1


class Kind(StrEnum):
    """The word messages begin with."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"


INITIAL: dict[Kind, bool | None] = {Kind.STARTUP: None, Kind.LIVENESS: True, Kind.READINESS: False}


@dataclass(frozen=True, slots=True)
class Tally:
    """A verdict and the run of equal results that may change it. `held`: no more probes of this container."""

    verdict: bool | None
    last: bool | None = None
    run: int = 0
    held: bool = False


def count(tally: Tally, kind: Kind, result: bool, probe: core_v1.Probe) -> Tally:
    """The tally after one more result."""
    run = tally.run + 1 if result is tally.last else 1
    threshold = (probe.successThreshold or 1) if result else (probe.failureThreshold or 3)
    if run < threshold:
        return Tally(tally.verdict, result, run)
    if kind is not Kind.READINESS and not result:
        return Tally(False, result, 0, held=True)  # the container is going to be restarted
    return Tally(result, result, run)


def probe_of(container: core_v1.Container, kind: Kind) -> core_v1.Probe | None:
    match kind:
        case Kind.STARTUP:
            return container.startupProbe
        case Kind.LIVENESS:
            return container.livenessProbe
        case Kind.READINESS:
            return container.readinessProbe
