"""An operator run by kopf, unmodified, as a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from integration.clients.widgets import definition, widget
from integration.conftest import Served, serving
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.machinery.errors import NotFound, StatusError
from support.running import running

CLOCK = SystemClock()
SECONDS = 30.0
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"


class Cluster:
    """An administrator's requests, and the operator's process."""

    def __init__(self, served: Served, folder: Path) -> None:
        self._client = served.server.client()
        webhook = served.authority.issue("webhook", addresses=("127.0.0.1",))
        self._folder = folder
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(served.kubeconfig),
            "WEBHOOK_PORT": str(free_port()),
            "WEBHOOK_CA": str(served.ca.certificate),
            "WEBHOOK_CERTIFICATE": str(webhook.certificate),
            "WEBHOOK_KEY": str(webhook.key),
        }

    async def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        data = b"" if body is None else orjson.dumps(body)
        return orjson.loads(await self._client.request(method, path, body=data, content_type=kind))

    async def absent(self, path: str) -> bool:
        try:
            await self.ask("GET", path)
        except NotFound:
            return True
        return False

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                while not await holds():
                    await CLOCK.sleep(0.02)
        except TimeoutError:
            log = (self._folder / "operator.log").read_text()[-3000:]
            raise AssertionError(f"not within {SECONDS} s: {what}\n{log}") from None

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        """The operator, for as long as the body runs."""
        source = Path(__file__).with_name("widget_operator.py")
        command = (sys.executable, "-m", "kopf", "run", "--standalone", "--namespace=default", str(source))
        with (self._folder / "operator.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=log, stderr=log)
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(SECONDS):
                    await process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serving(tmp_path) as served:
        async with running(Manager(served.server.client(), CLOCK, Chance(1), Options()).run()):
            found = Cluster(served, tmp_path)
            await found.ask("POST", DEFINITIONS, definition())
            yield found


async def test_an_operator_looks_after_its_objects_through_a_restart(cluster: Cluster) -> None:
    async with cluster.operator():
        await refuses_what_its_webhook_refuses(cluster)
        await makes_and_paints_a_child(cluster)
    # Nobody runs the finalizer's handler now.
    await cluster.ask("DELETE", f"{WIDGETS}/w")
    assert (await cluster.ask("GET", f"{WIDGETS}/w"))["metadata"]["finalizers"] == [FINALIZER]
    async with cluster.operator():
        await cluster.until("the widget to go", lambda: cluster.absent(f"{WIDGETS}/w"))
        assert not await cluster.absent(f"{CONFIG_MAPS}/w-farewell")
        await cluster.until("its child to be collected", lambda: cluster.absent(f"{CONFIG_MAPS}/w-child"))


async def refuses_what_its_webhook_refuses(cluster: Cluster) -> None:
    async def refused() -> bool:
        try:
            await cluster.ask("POST", f"{WIDGETS}?dryRun=All", widget("i", "invisible"))
        except StatusError as error:
            return "nobody would see it" in str(error)
        return False

    await cluster.until("the webhook to be asked", refused)
    assert (await cluster.ask("GET", HOOKS))["items"][0]["metadata"]["name"] == "widgets.example.com"


async def makes_and_paints_a_child(cluster: Cluster) -> None:
    made = await cluster.ask("POST", WIDGETS, widget("w", "red"))
    assert made["spec"] == {"colour": "red", "size": 3, "shape": "round"}

    async def child_is(colour: str) -> bool:
        if await cluster.absent(f"{CONFIG_MAPS}/w-child"):
            return False
        return bool((await cluster.ask("GET", f"{CONFIG_MAPS}/w-child"))["data"]["colour"] == colour)

    async def ticks() -> bool:
        return bool((await cluster.ask("GET", f"{WIDGETS}/w")).get("status", {}).get("ticks", 0) >= 2)

    async def told() -> bool:
        events = await cluster.ask("GET", "/api/v1/namespaces/default/events")
        return any(event["reason"] == "ChildMade" for event in events["items"])

    await cluster.until("a child", lambda: child_is("red"))
    owner = (await cluster.ask("GET", f"{CONFIG_MAPS}/w-child"))["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Widget", "w", True)
    await cluster.until("the timer to tick", ticks)
    await cluster.until("an event", told)
    found = await cluster.ask("GET", f"{WIDGETS}/w")
    assert found["metadata"]["finalizers"] == [FINALIZER]
    assert found["status"]["make_child"] == {"child": "w-child"}
    await cluster.ask("PATCH", f"{WIDGETS}/w", {"spec": {"colour": "blue"}}, "application/merge-patch+json")
    await cluster.until("a blue child", lambda: child_is("blue"))
