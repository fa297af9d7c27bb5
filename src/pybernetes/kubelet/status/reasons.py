"""Reasons and condition types as users grep them. Follows: kubernetes pkg/kubelet/{kubelet,status,images,events}."""

from typing import Final

# waiting
CONTAINER_CREATING: Final = "ContainerCreating"
POD_INITIALIZING: Final = "PodInitializing"
CRASH_LOOP_BACK_OFF: Final = "CrashLoopBackOff"
ERR_IMAGE_PULL: Final = "ErrImagePull"
IMAGE_PULL_BACK_OFF: Final = "ImagePullBackOff"
ERR_IMAGE_NEVER_PULL: Final = "ErrImageNeverPull"
IMAGE_INSPECT_ERROR: Final = "ImageInspectError"
INVALID_IMAGE_NAME: Final = "InvalidImageName"
CREATE_CONTAINER_CONFIG_ERROR: Final = "CreateContainerConfigError"
CREATE_CONTAINER_ERROR: Final = "CreateContainerError"
RUN_CONTAINER_ERROR: Final = "RunContainerError"
POST_START_HOOK_ERROR: Final = "PostStartHookError"

# terminated
COMPLETED: Final = "Completed"
ERROR: Final = "Error"
OOM_KILLED: Final = "OOMKilled"
CONTAINER_STATUS_UNKNOWN: Final = "ContainerStatusUnknown"

# pods
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"

# conditions
POD_SCHEDULED: Final = "PodScheduled"
POD_READY_TO_START_CONTAINERS: Final = "PodReadyToStartContainers"
INITIALIZED: Final = "Initialized"
CONTAINERS_READY: Final = "ContainersReady"
READY: Final = "Ready"
DISRUPTION_TARGET: Final = "DisruptionTarget"

KUBELET_CONDITIONS: Final = frozenset(
    {
        POD_SCHEDULED,
        POD_READY_TO_START_CONTAINERS,
        INITIALIZED,
        CONTAINERS_READY,
        READY,
        "PodResizePending",
        "PodResizeInProgress",
    }
)
"""What the kubelet writes; all other conditions are somebody else's and are left alone."""

UNKNOWN_CONTAINER_STATUSES: Final = "UnknownContainerStatuses"
POD_COMPLETED: Final = "PodCompleted"
POD_FAILED: Final = "PodFailed"
CONTAINERS_NOT_READY: Final = "ContainersNotReady"
CONTAINERS_NOT_INITIALIZED: Final = "ContainersNotInitialized"
READINESS_GATES_NOT_READY: Final = "ReadinessGatesNotReady"

# phases
PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
