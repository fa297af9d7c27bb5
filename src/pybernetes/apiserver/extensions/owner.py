"""The one who watches definitions: keeps the scheme as they say, their status right, and cleans up behind them.

    a definition changes     the scheme follows within the commit that changed it; its watches end, so that clients
                             see the new schema when they come back
    its names change         status is written: names accepted, established
    it is deleted            its objects are deleted, then its finalizer goes

After a restart the same happens for every definition that is there.

Follows: apiextensions-apiserver pkg/apiserver/apiserver.go and the controllers it starts.
"""

import asyncio
import logging
from typing import Any, Final

import orjson

from pybernetes.api import definitions
from pybernetes.apiserver.context import Core
from pybernetes.apiserver.extensions import cleanup
from pybernetes.apiserver.extensions.conversion import Webhook
from pybernetes.apiserver.extensions.served import CustomResource, resources_of
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.scheme import storage_prefix
from pybernetes.machinery.errors import Conflict, NotFound, StatusError

log = logging.getLogger("pybernetes.apiserver.extensions")

Json = dict[str, Any]

RETRY_SECONDS: Final = 1.0
"""After a status could not be written."""
_PATH: Final = f"/apis/{definitions.GROUP}/v1/{definitions.PLURAL}"


class Owner:
    """See the module. The only one who adds to and removes from the scheme."""

    def __init__(self, core: Core, client: InProcessClient) -> None:
        self._core = core
        self._client = client
        self._served: dict[str, list[CustomResource]] = {}
        self._dirty: dict[str, None] = {}
        """Definitions whose status has to be looked at: at most all of them."""
        self._woken = asyncio.Event()
        self._cleaning: set[str] = set()

    def follow(self) -> None:
        """Serve what is defined, from now on."""
        self._core.cache.subscribe(definitions.GROUP, definitions.PLURAL, self._changed)

    def _changed(self, old: Json | None, new: Json | None) -> None:
        """A definition has changed; called within the commit."""
        definition = new if new is not None else old
        assert definition is not None
        name = definition["metadata"]["name"]
        if old is None or new is None or _serves_other(old, new):
            self._serve(name, new)
        if new is None or old is None or _names(old) != _names(new):
            self._touch_group(definition["spec"]["group"])
        self._touch(name)

    def _serve(self, name: str, definition: Json | None) -> None:
        """Let the scheme say what the definition says."""
        core = self._core
        before = self._served.pop(name, [])
        found: list[CustomResource] = []
        if definition is not None:
            try:
                found = list(resources_of(definition, self._converter(definition)))
            except (KeyError, StopIteration, TypeError, ValueError) as error:
                # Validation should not have let it in; one broken definition must not stop the others.
                log.error("definition cannot be served definition=%s error=%r", name, error)  # noqa: TRY400
        for row in before:
            served = core.scheme.find(row.resource.group, row.resource.version, row.resource.plural)
            if served is not None and served.resource is row.resource:
                core.forms.forget(served)
                core.scheme.remove(row.resource)
        if any(core.scheme.is_built_in(row.resource.group, row.resource.plural) for row in found):
            log.warning("definition overlaps with a built-in resource, which stays definition=%s", name)
            found = []
        for row in found:
            core.scheme.add(row.resource, row.storage_version, row.lens)
        if found:
            self._served[name] = found
        for row in {row.resource.plural: row for row in (*before, *found)}.values():
            prefix = storage_prefix(row.resource.group, row.resource.plural, custom=True)
            for obj in core.cache.resource(prefix).objects.values():
                obj.forget()
            if before:
                core.watches.end(prefix)

    def _converter(self, definition: Json) -> Webhook | None:
        conversion = definition["spec"].get("conversion") or {}
        if conversion.get("strategy") != "Webhook":
            return None
        return Webhook(definition, self._core.webhooks, self._core.ids)

    def _touch(self, name: str) -> None:
        self._dirty[name] = None
        self._woken.set()

    def _touch_group(self, group: str) -> None:
        for other in self._core.cache.list(definitions.GROUP, definitions.PLURAL):
            if other["spec"]["group"] == group:
                self._touch(other["metadata"]["name"])

    # ── status ──

    async def run(self) -> None:
        """Write statuses and clean up until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._dirty:
                    name = next(iter(self._dirty))
                    del self._dirty[name]
                    await self._look(name, tasks)

    async def _look(self, name: str, tasks: asyncio.TaskGroup) -> None:
        definition = self._core.cache.get(definitions.GROUP, definitions.PLURAL, "", name)
        if definition is None:
            return
        if definition["metadata"].get("deletionTimestamp"):
            if name not in self._cleaning and cleanup.is_due(definition):
                self._cleaning.add(name)
                tasks.create_task(self._clean(name, tasks), name=f"apiserver/cleanup {name}")
            return
        group = definition["spec"]["group"]
        others = [
            other
            for other in self._core.cache.list(definitions.GROUP, definitions.PLURAL)
            if other["spec"]["group"] == group and other["metadata"]["name"] != name
        ]
        status = definitions.next_status(definition, others, self._core.clock.now())
        if status != definition.get("status"):
            await self._write(name, status, tasks)

    async def _write(self, name: str, status: Json, tasks: asyncio.TaskGroup) -> None:
        """Store the status of a definition; one that changed meanwhile is looked at again."""
        document = cleanup.stored_definition(self._core, name)
        if document is None:
            return
        document["status"] = status
        try:
            await self._client.request("PUT", f"{_PATH}/{name}/status", body=orjson.dumps(document))
        except (Conflict, NotFound):
            self._touch(name)
        except StatusError as error:
            log.warning("status not written definition=%s error=%s", name, error)
            tasks.create_task(self._retry(name), name=f"apiserver/definition-retry {name}")

    async def _retry(self, name: str) -> None:
        await self._core.clock.sleep(RETRY_SECONDS)
        self._touch(name)

    async def _clean(self, name: str, tasks: asyncio.TaskGroup) -> None:
        try:
            await cleanup.Cleanup(self._core, self._client, name).run()
        except StatusError as error:
            log.warning("cleanup failed definition=%s error=%s", name, error)
            tasks.create_task(self._retry(name), name=f"apiserver/definition-retry {name}")
        else:
            self._touch(name)
        finally:
            self._cleaning.discard(name)


def _names(definition: Json) -> Any:
    return (definition.get("status") or {}).get("acceptedNames")


def _serves_other(old: Json, new: Json) -> bool:
    """Something that is served differs."""
    return (
        old["spec"] != new["spec"]
        or _names(old) != _names(new)
        or any(
            definitions.is_true(old, kind) != definitions.is_true(new, kind)
            for kind in (definitions.ESTABLISHED, definitions.TERMINATING)
        )
    )
