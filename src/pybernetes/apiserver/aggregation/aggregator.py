"""Keeps APIService objects and the world in step.

    our groups and versions       have an APIService each: built-in ones from the start, custom ones while defined
    an APIService with a Service  is asked whether it answers: when something about it changes, and now and then
    what it answers               becomes its Available condition, and its part of discovery

Follows: kube-aggregator pkg/controllers/{autoregister,status}; kubernetes pkg/controlplane/controller/crdregistration.
"""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, Final

import orjson

from pybernetes.apiserver.aggregation import services
from pybernetes.apiserver.aggregation.remotes import Remote, Remotes, target_text
from pybernetes.apiserver.aggregation.services import ALWAYS, AUTOMANAGED, GROUP, ON_START, PASSED, PLURAL, Verdict
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.apiserver.scheme import Scheme
from pybernetes.apiserver.webhooks.targets import Location, Unresolvable, locate
from pybernetes.effects import Clock, format_time
from pybernetes.machinery.errors import NotFound, ServiceUnavailable, StatusError

log = logging.getLogger("pybernetes.apiserver.aggregation")

RECHECK_SECONDS: Final = 30.0
"""Between two questions to a server that answers. Follows: remote_available_controller.go, the resync period."""
RETRY_SECONDS: Final = 1.0
"""Between two questions to a server that does not, and after a write that failed."""
ATTEMPTS: Final = 3
_PATH: Final = f"/apis/{GROUP}/v1/{PLURAL}"


class Aggregator:
    """See the module."""

    def __init__(
        self, reader: ObjectReader, scheme: Scheme, remotes: Remotes, client: InProcessClient, clock: Clock
    ) -> None:
        self._reader = reader
        self._scheme = scheme
        self._remotes = remotes
        self._client = client
        self._clock = clock
        self._dirty: dict[str, None] = {}
        """APIServices to ask about: at most all of them."""
        self._checking: set[str] = set()
        self._again: set[str] = set()
        """Changed while they were being asked."""
        self._timers: dict[str, asyncio.Task[None]] = {}
        """The next question to each server that is asked from time to time."""
        self._begun = False
        self._registration_due = True
        self._woken = asyncio.Event()
        self.registered = False
        """Our own groups have their APIServices."""

    def follow(self) -> None:
        """Follow the objects from now on. Definitions are followed after those who serve them."""
        self._reader.subscribe(GROUP, PLURAL, self._service_changed)
        self._reader.subscribe("", "services", self._behind_changed)
        self._reader.subscribe("discovery.k8s.io", "endpointslices", self._behind_changed)
        self._reader.subscribe("apiextensions.k8s.io", "customresourcedefinitions", self._definition_changed)

    def begin(self) -> None:
        """Register our own groups from now on: the server is ready to take its own objects."""
        self._begun = True
        self._woken.set()

    # ── what has changed: called within the commit ──

    def _service_changed(self, old: Document | None, new: Document | None) -> None:
        document = new if new is not None else old
        assert document is not None
        spec, name = document["spec"], document["metadata"]["name"]
        group, version = spec.get("group", ""), spec["version"]
        if new is None or not spec.get("service"):
            self._remotes.drop(group, version)
            if new is None:
                self._registration_due = True
                self._woken.set()
            return
        known = self._remotes.rows.get((group, version))
        available = services.condition_of(new).get("status") == "True"
        remote = Remote(
            name,
            group,
            version,
            _location(spec),
            bool(spec.get("insecureSkipTLSVerify")),
            (spec["groupPriorityMinimum"], spec["versionPriority"]),
            available,
            known.resources if known is not None else (),
            known.openapi if known is not None else "",
        )
        self._remotes.put(remote)
        if old is None or old["spec"] != spec:
            self._touch(name)

    def _behind_changed(self, old: Document | None, new: Document | None) -> None:
        if not self._remotes.rows:
            return
        document = new if new is not None else old
        assert document is not None
        metadata = document["metadata"]
        name = (metadata.get("labels") or {}).get(services.SERVICE_NAME_LABEL) or metadata["name"]
        for remote in self._remotes.rows.values():
            if remote.location.service == (metadata.get("namespace"), name):
                self._touch(remote.name)

    def _definition_changed(self, old: Document | None, new: Document | None) -> None:  # noqa: ARG002 - an observer
        self._registration_due = True
        self._woken.set()

    def _touch(self, name: str) -> None:
        self._dirty[name] = None
        self._woken.set()

    # ── acting ──

    async def run(self) -> None:
        """Register and ask until cancelled."""
        self._woken.set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._woken.wait()
                self._woken.clear()
                if self._begun and self._registration_due:
                    self._registration_due = False
                    await self._register(tasks)
                while self._dirty:
                    name = next(iter(self._dirty))
                    del self._dirty[name]
                    if name in self._checking:
                        self._again.add(name)
                    else:
                        self._checking.add(name)
                        tasks.create_task(self._check(name, tasks), name=f"apiserver/availability {name}")

    async def _register(self, tasks: asyncio.TaskGroup) -> None:
        """Create, repair and delete the APIServices of our own groups."""
        wanted = services.wanted(self._scheme.resources)
        present = {row["metadata"]["name"]: row for row in self._reader.list(GROUP, PLURAL)}
        writes = []
        for name, document in wanted.items():
            mark = document["metadata"]["labels"][AUTOMANAGED]
            if not (self.registered and mark == ON_START):  # whoever changes or deletes these later means it
                writes.append(self._ensure(name, document, present.get(name)))
        for name, row in present.items():
            mark = (row["metadata"].get("labels") or {}).get(AUTOMANAGED)
            managed = mark == ALWAYS or (mark == ON_START and not self.registered)
            if managed and name not in wanted:
                writes.append(self._remove(name))
        # All at once: as many as there are groups, and the store commits them together.
        failures = [found for found in await asyncio.gather(*writes, return_exceptions=True) if found is not None]
        for failure in failures:
            if not isinstance(failure, StatusError):
                raise failure
            log.warning("group not registered error=%s", failure)
        if failures:
            tasks.create_task(self._register_later(), name="apiserver/registration-retry")
        else:
            self.registered = True

    async def _remove(self, name: str) -> None:
        with contextlib.suppress(NotFound):
            await self._client.request("DELETE", f"{_PATH}/{name}")

    async def _register_later(self) -> None:
        await self._clock.sleep(RETRY_SECONDS)
        self._registration_due = True
        self._woken.set()

    async def _ensure(self, name: str, document: Document, existing: Document | None) -> None:
        if existing is None:
            await self._client.request("POST", _PATH, body=orjson.dumps(document))
            return
        if AUTOMANAGED not in (existing["metadata"].get("labels") or {}) or existing["spec"] == document["spec"]:
            return
        changed = {**document, "metadata": {**existing["metadata"]}}
        await self._client.request("PUT", f"{_PATH}/{name}", body=orjson.dumps(changed))

    async def _check(self, name: str, tasks: asyncio.TaskGroup) -> None:
        """Ask one server, write what came of it, and plan the next question."""
        try:
            document = self._reader.get(GROUP, PLURAL, "", name)
            if document is None or not document["spec"].get("service"):
                return
            verdict = await self._verdict(document)
            await self._write(name, verdict)
            delay = RECHECK_SECONDS if verdict.status else RETRY_SECONDS
        except StatusError as error:
            log.warning("availability not written service=%s error=%s", name, error)
            delay = RETRY_SECONDS
        finally:
            self._checking.discard(name)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        if name in self._again:
            self._again.discard(name)
            self._touch(name)
            return
        self._timers[name] = tasks.create_task(self._check_later(name, delay), name=f"apiserver/recheck {name}")

    async def _check_later(self, name: str, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timers.pop(name, None)
        self._touch(name)

    async def _verdict(self, document: Document) -> Verdict:
        spec = document["spec"]
        found = services.judge(spec, self._reader)
        remote = self._remotes.rows.get((spec.get("group", ""), spec["version"]))
        if found is not None or remote is None:
            return found or PASSED
        path = f"/apis/{remote.group}/{remote.version}"
        for attempt in range(ATTEMPTS):
            try:
                body = await self._remotes.document(remote, path)
                resources = services.resources_from(remote.group, remote.version, orjson.loads(body))
            except (ServiceUnavailable, Unresolvable, ValueError, TypeError, KeyError, AttributeError) as error:
                if attempt == ATTEMPTS - 1:
                    url = f"https://{target_text(remote)}{path}"
                    text = f"failing or missing response from {url}: {error}"
                    return Verdict(False, "FailedDiscoveryCheck", text)
            else:
                openapi = await self._openapi(remote)
                self._learn(remote, resources=tuple(resources), openapi=openapi)
                return PASSED
        raise AssertionError("the last attempt answers")

    async def _openapi(self, remote: Remote) -> str:
        """The address of its OpenAPI v3 document, which not every server has."""
        try:
            index = orjson.loads(await self._remotes.document(remote, "/openapi/v3"))
            row = index["paths"].get(f"apis/{remote.group}/{remote.version}") or {}
            return str(row.get("serverRelativeURL") or "")
        except (ServiceUnavailable, Unresolvable, ValueError, KeyError, TypeError, AttributeError):
            return ""

    def _learn(self, remote: Remote, **found: Any) -> None:
        current = self._remotes.rows.get((remote.group, remote.version))
        if current is not None and current.name == remote.name:
            self._remotes.put(replace(current, **found))

    async def _write(self, name: str, verdict: Verdict) -> None:
        """Store the condition; what changed meanwhile is looked at again."""
        document = self._reader.get(GROUP, PLURAL, "", name)
        conditions = services.with_verdict(document, verdict, format_time(self._clock.now())) if document else None
        if conditions is None:
            return
        log.info("availability service=%s available=%s reason=%s", name, verdict.status, verdict.reason)
        body = orjson.dumps({"status": {"conditions": conditions}})
        try:
            await self._client.request(
                "PATCH", f"{_PATH}/{name}/status", body=body, content_type="application/merge-patch+json"
            )
        except NotFound:
            return


def _location(spec: Document) -> Location:
    """Where the server is. A caBundle that cannot be read is found out when it is asked."""
    try:
        return locate({"service": spec["service"], "caBundle": spec.get("caBundle")})
    except Unresolvable:
        return locate({"service": spec["service"]})
