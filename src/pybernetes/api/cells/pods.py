"""The row of a pod. Follows: pkg/printers/internalversion/printers.go, printPod."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pybernetes.api.cells import text

Json = dict[str, Any]

_TERMINAL: Final = frozenset({"Succeeded", "Failed"})

SUCCEEDED_ROW: Final = (
    {"type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod has completed successfully."},
)
FAILED_ROW: Final = ({"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."},)


@dataclass(slots=True)
class _Restarts:
    """Restarts counted so far and when the last one was."""

    count: int = 0
    last: str = ""

    def add(self, status: Json) -> None:
        self.count += status.get("restartCount", 0)
        terminated = (status.get("lastState") or {}).get("terminated")
        if terminated is not None:
            self.last = max(self.last, terminated.get("finishedAt") or "")


def pod(document: Json, now: datetime) -> list[Any]:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    ready, total, reason, restarts = summary(document)
    restart_text = str(restarts.count)
    if restarts.count and restarts.last:
        restart_text = f"{restarts.count} ({text.since(restarts.last, now)} ago)"
    ips = status.get("podIPs") or ()
    gates = spec.get("readinessGates") or ()
    gate_text = text.NONE
    if gates:
        fulfilled = sum(text.is_true(document, gate.get("conditionType", "")) for gate in gates)
        gate_text = f"{fulfilled}/{len(gates)}"
    return [
        text.name(document),
        f"{ready}/{total}",
        reason,
        restart_text,
        text.age(document, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or text.NONE,
        spec.get("nodeName") or text.NONE,
        status.get("nominatedNodeName") or text.NONE,
        gate_text,
    ]


def summary(document: Json) -> tuple[int, int, str, _Restarts]:
    """Ready containers, all containers, the STATUS word, and restarts."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    scheduled = text.condition(document, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    ready, init_reason, all_restarts, restarts = _init_containers(spec, status, sidecars)
    if init_reason is not None:
        reason = init_reason
    if init_reason is None or text.is_true(document, "Initialized"):
        more_ready, reason = _main_containers(document, status, reason, restarts)
        ready += more_ready
    else:
        restarts = all_restarts
    if "deletionTimestamp" in (document.get("metadata") or {}):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in _TERMINAL:
            reason = "Terminating"
    return ready, total, reason, restarts


def _init_containers(spec: Json, status: Json, sidecars: set[Any]) -> tuple[int, str | None, _Restarts, _Restarts]:
    """Ready sidecars, the reason when initialisation is not over, restarts of all and of sidecars."""
    every, of_sidecars = _Restarts(), _Restarts()
    ready = 0
    count = len(spec.get("initContainers") or ())
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        every.add(container)
        is_sidecar = container.get("name") in sidecars
        if is_sidecar:
            of_sidecars.add(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if is_sidecar and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        if terminated is not None:
            reason = f"Init:{terminated.get('reason') or _exit_text(terminated)}"
        elif waiting is not None and waiting.get("reason") not in {None, "", "PodInitializing"}:
            reason = f"Init:{waiting['reason']}"
        else:
            reason = f"Init:{index}/{count}"
        return ready, reason, every, of_sidecars
    return ready, None, every, of_sidecars


def _exit_text(terminated: Json) -> str:
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _main_containers(document: Json, status: Json, reason: str, restarts: _Restarts) -> tuple[int, str]:
    ready, running, error = 0, False, ""
    for container in reversed(status.get("containerStatuses") or ()):
        restarts.add(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if waiting is not None and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = terminated.get("reason") or _exit_text(terminated)
            if terminated.get("exitCode"):
                error = reason
        elif container.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if reason == "Completed" and running:
        reason = "Running" if text.is_true(document, "Ready") else error or "NotReady"
    return ready, reason


def row_conditions(document: Json) -> tuple[Json, ...]:
    """What marks the row of a finished pod."""
    match (document.get("status") or {}).get("phase"):
        case "Succeeded":
            return SUCCEEDED_ROW
        case "Failed":
            return FAILED_ROW
        case _:
            return ()


def pod_template(document: Json, _now: datetime) -> list[Any]:
    template = document.get("template") or {}
    names, images = text.containers(template.get("spec"))
    return [text.name(document), names, images, text.pairs((template.get("metadata") or {}).get("labels"))]
