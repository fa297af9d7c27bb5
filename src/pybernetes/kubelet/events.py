"""Reasons of the events a kubelet writes, and who writes them.

Follows: kubernetes pkg/kubelet/events/event.go.
"""

from typing import Final, Protocol

from pybernetes.api.object import Object

NORMAL: Final = "Normal"
WARNING: Final = "Warning"

CREATED: Final = "Created"
STARTED: Final = "Started"
FAILED: Final = "Failed"
KILLING: Final = "Killing"
BACK_OFF: Final = "BackOff"
PULLING: Final = "Pulling"
PULLED: Final = "Pulled"
INSPECT_FAILED: Final = "InspectFailed"
ERR_IMAGE_NEVER_PULL: Final = "ErrImageNeverPull"
UNHEALTHY: Final = "Unhealthy"
PROBE_WARNING: Final = "ProbeWarning"
FAILED_POST_START_HOOK: Final = "FailedPostStartHook"
FAILED_PRE_STOP_HOOK: Final = "FailedPreStopHook"
SANDBOX_CHANGED: Final = "SandboxChanged"
FAILED_CREATE_POD_SANDBOX: Final = "FailedCreatePodSandBox"
FAILED_KILL_POD: Final = "FailedKillPod"
FAILED_MOUNT: Final = "FailedMount"
NETWORK_NOT_READY: Final = "NetworkNotReady"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
STARTING: Final = "Starting"
NODE_READY: Final = "NodeReady"
NODE_NOT_READY: Final = "NodeNotReady"
NODE_ALLOCATABLE_ENFORCED: Final = "NodeAllocatableEnforced"
REGISTERED_NODE: Final = "RegisteredNode"
REBOOTED: Final = "Rebooted"


class Recorder(Protocol):
    """Writes events; never waits, never raises: an event that cannot be written is dropped with a log line."""

    def event(self, obj: Object, event_type: str, reason: str, message: str, *, field_path: str = "") -> None: ...
