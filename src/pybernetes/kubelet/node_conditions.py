"""The conditions of a node. Pure.

Follows: kubernetes pkg/kubelet/nodestatus/setters.go.
"""

from collections.abc import Sequence

from pybernetes.api import core_v1
from pybernetes.kubelet.node_facts import Pressure

Text = tuple[str, str]
"""Reason and message."""

_MEMORY: tuple[Text, Text] = (
    ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
)
_DISK: tuple[Text, Text] = (
    ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
)
_PIDS: tuple[Text, Text] = (
    ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def conditions(
    pressure: Pressure, problems: Sequence[str], old: Sequence[core_v1.NodeCondition], now: str
) -> list[core_v1.NodeCondition]:
    """All four, stamped `now`; where the status stayed, so does the transition time. `problems`: why not Ready."""
    before = {condition.type: condition for condition in old}
    result = [
        _pressure("MemoryPressure", pressure.memory, _MEMORY),
        _pressure("DiskPressure", pressure.disk, _DISK),
        _pressure("PIDPressure", pressure.pids, _PIDS),
        core_v1.NodeCondition(
            type="Ready",
            status="False" if problems else "True",
            reason="KubeletNotReady" if problems else "KubeletReady",
            message=f"[{', '.join(problems)}]"
            if len(problems) > 1
            else problems[0]
            if problems
            else "kubelet is posting ready status",
        ),
    ]
    stamped = []
    for condition in result:
        known = before.get(condition.type)
        since = known.lastTransitionTime if known is not None and known.status == condition.status else now
        stamped.append(
            core_v1.NodeCondition(
                type=condition.type,
                status=condition.status,
                reason=condition.reason,
                message=condition.message,
                lastHeartbeatTime=now,
                lastTransitionTime=since,
            )
        )
    own = {condition.type for condition in stamped}
    return [condition for condition in old if condition.type not in own] + stamped


def _pressure(kind: str, present: bool, texts: tuple[Text, Text]) -> core_v1.NodeCondition:
    reason, message = texts[0] if present else texts[1]
    return core_v1.NodeCondition(type=kind, status="True" if present else "False", reason=reason, message=message)
