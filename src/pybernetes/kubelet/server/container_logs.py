"""`/containerLogs/NAMESPACE/POD/CONTAINER`: a container's log with the options of `kubectl logs`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pybernetes.api import core_v1
from pybernetes.effects import Clock, parse_time
from pybernetes.kubelet.cri import api_pb2 as cri
from pybernetes.kubelet.cri.errors import RuntimeFailure, RuntimeNotFound
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.logs.reader import LogReader
from pybernetes.kubelet.logs.records import STDERR, STDOUT, LogOptions
from pybernetes.kubelet.server import lookup
from pybernetes.kubelet.server.http import TEXT, Exchange, Request
from pybernetes.machinery.errors import BadRequest, NotFound

_STREAMS = {"": "", "All": "", "Stdout": STDOUT, "Stderr": STDERR}


def log_options(query: Mapping[str, Sequence[str]], now: datetime) -> LogOptions:
    """What `PodLogOptions` in a query string ask for.

    Raises:
        BadRequest: a value is no number, no time, or out of range.
    """

    def first(name: str) -> str:
        return next(iter(query.get(name, ())), "")

    def number(name: str, least: int) -> int | None:
        text = first(name)
        if not text:
            return None
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise BadRequest(f'{name}: Invalid value: "{text}": must be a whole number, at least {least}')
        return int(text)

    since_seconds = number("sinceSeconds", 1)
    since = now - timedelta(seconds=since_seconds) if since_seconds is not None else None
    if first("sinceTime"):
        try:
            since = parse_time(first("sinceTime"))
        except ValueError as error:
            raise BadRequest(f'sinceTime: Invalid value: "{first("sinceTime")}": {error}') from error
    if first("stream") not in _STREAMS:
        raise BadRequest(f'stream: Unsupported value: "{first("stream")}": supported values: "All", "Stderr", "Stdout"')
    return LogOptions(
        follow=first("follow").lower() in ("1", "true"),
        timestamps=first("timestamps").lower() in ("1", "true"),
        tail_lines=number("tailLines", 0),
        since=since,
        limit_bytes=number("limitBytes", 1),
        stream=_STREAMS[first("stream")],
    )


class ContainerLogs:
    """Answers requests for logs."""

    def __init__(self, pods: Callable[[], Sequence[core_v1.Pod]], runtime: RuntimeService, clock: Clock) -> None:
        self._pods, self._runtime, self._clock = pods, runtime, clock

    async def serve(self, request: Request, exchange: Exchange, namespace: str, name: str, container: str) -> None:
        """Send the log. Raises: BadRequest, NotFound."""
        options = log_options(request.query, self._clock.now())
        pod = lookup.find_pod(self._pods, namespace, name)
        if container not in lookup.container_names(pod):
            raise NotFound(f'container "{container}" not found in pod "{name}"')
        container_id = lookup.logged_container(pod, container, previous=request.flag("previous"))
        path = await self._path(container_id)
        reader = LogReader(path, options, self._clock)

        async def is_running() -> bool:
            try:
                status = await self._runtime.container_status(container_id)
            except RuntimeNotFound:
                return False
            except RuntimeFailure:
                return True  # the runtime is away; its containers are not
            return status.state == cri.CONTAINER_RUNNING

        if not path.exists():
            raise NotFound(f"failed to open log file: {path} does not exist")
        await exchange.stream(200, TEXT)
        copying = asyncio.create_task(self._copy(reader, exchange, is_running), name="kubelet/server-log")
        if not options.follow:
            await copying
            return
        leaving = asyncio.create_task(exchange.wait_closed(), name="kubelet/server-log-client")
        try:
            await asyncio.wait((copying, leaving), return_when=asyncio.FIRST_COMPLETED)
            if copying.done():
                copying.result()
        finally:
            for task in (copying, leaving):
                task.cancel()
            await asyncio.gather(copying, leaving, return_exceptions=True)

    @staticmethod
    async def _copy(reader: LogReader, exchange: Exchange, is_running: Callable[[], Awaitable[bool]]) -> None:
        async for block in reader.read(is_running):
            await exchange.write(block)
        await exchange.finish()

    async def _path(self, container_id: str) -> Path:
        try:
            status = await self._runtime.container_status(container_id)
        except RuntimeFailure as error:
            raise NotFound(
                f'failed to try resolving symlinks in path of container "{container_id}": {error}'
            ) from error
        return Path(status.log_path)
