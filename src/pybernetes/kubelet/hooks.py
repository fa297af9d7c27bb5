"""postStart and preStop handlers of a container.

Follows: kubernetes pkg/kubelet/lifecycle/handlers.go.
"""

from pybernetes.api import core_v1
from pybernetes.effects import Clock
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.probes.http_get import BadAnswer, get
from pybernetes.kubelet.probes.probers import ProbeError, Target, http_headers, http_url
from pybernetes.kubelet.seam import ContainerLike


class HookFailed(Exception):
    """A handler did not succeed; the text says how."""


async def run_hook(
    runtime: RuntimeService,
    clock: Clock,
    handler: core_v1.LifecycleHandler,
    container: ContainerLike,
    container_id: str,
    pod_ip: str,
) -> None:
    """Return when the handler is done.

    Raises:
        HookFailed: a command ended with another code than 0, nobody answered, or it could not be run.
    """
    if handler.exec is not None:
        try:
            done = await runtime.exec_sync(container_id, handler.exec.command)
        except RuntimeFailure as error:
            raise HookFailed(str(error)) from error
        if done.exit_code:
            output = (done.stdout + done.stderr).decode(errors="replace")
            command = " ".join(handler.exec.command)
            raise HookFailed(f"command '{command}' exited with {done.exit_code}: {output}")
    elif handler.httpGet is not None:
        target = Target(container_id, pod_ip, {port.name: port.containerPort for port in container.ports})
        try:
            await get(http_url(handler.httpGet, target), http_headers(handler.httpGet))  # any answer will do
        except (ProbeError, BadAnswer, OSError, ValueError) as error:
            raise HookFailed(str(error)) from error
    elif handler.sleep is not None:
        await clock.sleep(handler.sleep.seconds)
