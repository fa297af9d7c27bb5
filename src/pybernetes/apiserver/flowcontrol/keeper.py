"""Keeps the flow control objects that every cluster has, and says of each schema whether its level exists.

    wanted objects     made anew when deleted, repaired where their annotation allows, the mandatory ones always;
                       objects that still carry the annotation and are no longer wanted go
    Dangling           the one condition of a FlowSchema

Looks at everything again whenever a schema or level changes, and every minute.

Follows: kubernetes pkg/registry/flowcontrol/rest/storage_flowcontrol.go, ensurer/strategy.go;
apiserver pkg/util/flowcontrol/apf_controller.go, presyncFlowSchemaStatus.
"""

import asyncio
import logging
from typing import Any, Protocol

import orjson

from pybernetes.apiserver.bootstrap import flow_control
from pybernetes.apiserver.flowcontrol.fairness import GROUP, LEVELS, SCHEMAS, Fairness
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Clock, format_time
from pybernetes.machinery.errors import NotFound, StatusError

log = logging.getLogger("pybernetes.apiserver.flowcontrol")

PERIOD_SECONDS = 60.0
PAUSE_SECONDS = 0.2
"""Between two looks: changes come in bursts. Follows: the config queue's first retry."""
MANAGER = "api-priority-and-fairness-config-consumer-v1"
DANGLING = "Dangling"


class Ensurer(Protocol):
    """The part of `bootstrap.reconcile.Bootstrap` that is needed."""

    async def ensure_flow_control(self) -> None: ...


class Requests(Protocol):
    async def request(self, method: str, path: str, *, body: bytes = b"", content_type: str = "") -> bytes: ...


def dangling(schema: Document, levels: set[str], now: str) -> dict[str, Any] | None:
    """The condition to write; None when the present one says it already."""
    name = schema["spec"]["priorityLevelConfiguration"]["name"]
    start = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}"'
    if name in levels:
        wanted = {"status": "False", "reason": "Found", "message": f"{start} and it exists"}
    else:
        wanted = {"status": "True", "reason": "NotFound", "message": f"{start} but there is no such object"}
    for row in (schema.get("status") or {}).get("conditions") or ():
        if row.get("type") == DANGLING and all(row.get(key) == value for key, value in wanted.items()):
            return None
    return {"type": DANGLING, "lastTransitionTime": now, **wanted}


def unwanted(present: list[Document], wanted: list[Document]) -> list[str]:
    """Names of objects that this server once made and no longer wants."""
    names = {row["metadata"]["name"] for row in wanted}
    return [
        row["metadata"]["name"]
        for row in present
        if row["metadata"]["name"] not in names
        and (row["metadata"].get("annotations") or {}).get(flow_control.AUTOUPDATE) == "true"
    ]


class Keeper:
    """See the module."""

    def __init__(
        self, fairness: Fairness, reader: ObjectReader, client: Requests, ensurer: Ensurer, clock: Clock
    ) -> None:
        self._fairness = fairness
        self._reader = reader
        self._client = client
        self._ensurer = ensurer
        self._clock = clock
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """The objects have been made for the first time."""
        self._begun.set()

    async def run(self) -> None:
        """Keep them until cancelled."""
        await self._begun.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick(), name="apiserver/flow-control-tick")
            self._fairness.changed.set()
            while True:
                await self._fairness.changed.wait()
                self._fairness.changed.clear()
                try:
                    await self.look()
                except StatusError as error:
                    log.warning("flow control objects not kept error=%s", error)
                await self._clock.sleep(PAUSE_SECONDS)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            self._fairness.changed.set()

    async def look(self) -> None:
        """One look at everything.

        Raises:
            StatusError: the API server refuses a write.
        """
        await self._ensurer.ensure_flow_control()
        for plural, wanted in (
            (SCHEMAS, flow_control.flow_schemas()),
            (LEVELS, flow_control.priority_levels()),
        ):
            for name in unwanted(list(self._reader.list(GROUP, plural)), wanted):
                await self._request("DELETE", f"/apis/{GROUP}/v1/{plural}/{name}")
                log.info("removed an object that is no longer wanted resource=%s name=%s", plural, name)
        levels = {row["metadata"]["name"] for row in self._reader.list(GROUP, LEVELS)}
        for schema in list(self._reader.list(GROUP, SCHEMAS)):
            condition = dangling(schema, levels, format_time(self._clock.now()))
            if condition is not None:
                await self._write(schema["metadata"]["name"], condition)

    async def _write(self, name: str, condition: dict[str, Any]) -> None:
        body = {
            "apiVersion": flow_control.API_VERSION,
            "kind": "FlowSchema",
            "metadata": {"name": name},
            "status": {"conditions": [condition]},
        }
        path = f"/apis/{GROUP}/v1/{SCHEMAS}/{name}/status?fieldManager={MANAGER}&force=true"
        await self._request("PATCH", path, orjson.dumps(body), "application/apply-patch+yaml")

    async def _request(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> None:
        try:
            await self._client.request(method, path, body=body, content_type=content_type)
        except NotFound:  # somebody else was faster; the next look sees it
            log.debug("object gone meanwhile path=%s", path)
