"""How one of our processes runs: its loop, its end by signal, and its eye on the supervisor.

run(main)      a fast loop, logging, SIGTERM cancels `main`, a failure ends the process with its reason logged
keep_parent    the supervisor is started again when it died without being told to
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from pybernetes.client.interface import Client, Unreachable
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.identity import identify
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import PIDFD, running_supervisor
from pybernetes.cluster.up import start_supervisor
from pybernetes.effects import Clock
from pybernetes.machinery.errors import StatusError

log = logging.getLogger("pybernetes.cluster")

STOP_SECONDS = 8.0
"""For what a component does on its way out; the supervisor kills after 10."""
PARENT_POLL_SECONDS = 1.0
API_POLL_SECONDS = 0.03


def run(main: Coroutine[Any, Any, None]) -> int:
    """Run until `main` ends or SIGTERM comes; the exit code.

    Raises:
        ClusterError: `main` could not do its work for a reason that has words.
    """
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signal(main))
    except KeyboardInterrupt:
        return 130


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _until_signal(main: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    task = asyncio.create_task(main, name="main")
    waiting = asyncio.create_task(stopped.wait(), name="signal")
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(asyncio.wait((task,))), STOP_SECONDS)
    if task.done() and not task.cancelled() and task.exception() is not None:
        if isinstance(task.exception(), ClusterError):
            task.result()  # raises: the command says it in words
        log.error("failed", exc_info=task.exception())
        return 1
    return 0


def settle_memory() -> None:
    """After start: what lives now lives on; the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


async def wait_for_api(client: Client, clock: Clock) -> None:
    """Return once the API server is ready; quicker than every component's own back-off."""
    while True:
        try:
            await client.request("GET", "/readyz")
        except (Unreachable, StatusError):
            await clock.sleep(API_POLL_SECONDS)
        else:
            return


async def keep_parent(state: StateDirectory, clock: Clock, patience_seconds: float) -> None:
    """Start the supervisor again whenever it died; `patience_seconds` lets another process be the first to.

    An orderly supervisor removes its identity file before it ends, and then none is started.
    """
    while True:
        supervisor = running_supervisor(state.run)
        if supervisor is not None:
            await _wait_for_end(supervisor.pid, clock)
            await clock.sleep(patience_seconds)
        elif (state.run / "supervisor.json").exists():
            log.warning("the supervisor has died, starting it again")
            start_supervisor(state)
            await clock.sleep(PARENT_POLL_SECONDS)
        else:
            await clock.sleep(PARENT_POLL_SECONDS)


async def _wait_for_end(pid: int, clock: Clock) -> None:
    """Return when the process has ended."""
    if not PIDFD:
        while identify(pid).alive:
            await clock.sleep(PARENT_POLL_SECONDS)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
