"""What a container left behind to say why it ended.

Follows: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go, getTerminationMessage;
pkg/kubelet/kubelet_pods.go, the 12 KiB a pod's messages share.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, State

MAX_MESSAGE_BYTES = 4096
MAX_POD_MESSAGE_BYTES = 12 * 1024
MAX_LOG_TAIL_BYTES = 2048
MAX_LOG_TAIL_LINES = 80
FALLBACK_TO_LOGS = "FallbackToLogsOnError"
_READ_BACK_BYTES = 64 * 1024
"""How much of a log's end is read; log lines carry a prefix of some 45 bytes."""


def with_messages(pod: RuntimePod, container_count: int) -> RuntimePod:
    """The pod with messages of its dead containers added to what the runtime said. Reads files."""
    each = min(MAX_MESSAGE_BYTES, MAX_POD_MESSAGE_BYTES // max(1, container_count))
    if not any(container.state is State.EXITED for container in pod.containers):
        return pod
    return replace(pod, containers=tuple(_with_message(one, each) for one in pod.containers))


def _with_message(container: RuntimeContainer, limit: int) -> RuntimeContainer:
    if container.state is not State.EXITED:
        return container
    text = _from_file(container.mounts, container.message_path, limit)
    if not text and container.message_policy == FALLBACK_TO_LOGS and container.exit_code != 0:
        text = _log_tail(Path(container.log_path), min(limit, MAX_LOG_TAIL_BYTES))
    if not text:
        return container
    return replace(container, message=f"{container.message}: {text}" if container.message else text)


def _from_file(mounts: Sequence[tuple[str, str]], message_path: str, limit: int) -> str:
    host_path = next((host for inside, host in mounts if inside == message_path), "") if message_path else ""
    if not host_path:
        return ""
    try:
        with Path(host_path).open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"Error on reading termination log {host_path}: {error.strerror}"


def _log_tail(path: Path, limit: int) -> str:
    """The last lines of a CRI log, without its prefixes."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _READ_BACK_BYTES))
            lines = file.read().splitlines()
    except OSError as error:
        return f"Error on reading termination message from logs: {error.strerror}"
    text = b""
    for line in lines[-MAX_LOG_TAIL_LINES:]:
        fields = line.split(b" ", 3)
        if len(fields) == 4:
            text += fields[3] + (b"\n" if fields[2] == b"F" else b"")
    return text[-limit:].decode(errors="replace")
