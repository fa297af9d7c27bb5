"""postStart and preStop handlers of a container.

Follows: kubernetes pkg/kubelet/lifecycle/handlers.go.
"""

import aiohttp

from pybernetes.api import core_v1
from pybernetes.effects import Clock
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import RuntimeService
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
            await _get(handler.httpGet, target)
        except (ProbeError, aiohttp.ClientError, OSError, ValueError) as error:
            raise HookFailed(str(error)) from error
    elif handler.sleep is not None:
        await clock.sleep(handler.sleep.seconds)


async def _get(action: core_v1.HTTPGetAction, target: Target) -> None:
    """Any answer will do, as upstream's hook does not look at the status code."""
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=False), cookie_jar=aiohttp.DummyCookieJar()
        ) as session,
        session.get(http_url(action, target), headers=http_headers(action), allow_redirects=False) as answer,
    ):
        await answer.read()
