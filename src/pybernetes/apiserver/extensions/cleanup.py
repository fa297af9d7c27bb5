"""What becomes of the objects of a definition that goes: they are deleted first, each with its own finalizers.

    Terminating  True   InstanceDeletionPending         marked, by the deletion itself
                 True   InstanceDeletionInProgress      objects are being deleted
                 False  InstanceDeletionCompleted       none is left; the finalizer goes with this write
                 True   InstanceDeletionCheck           some are left after a minute: tried again
                 False  NeverEstablished                there were none
                 False  OverlappingBuiltInResource      they are not ours: a built-in resource has the name

Follows: apiextensions-apiserver pkg/controller/finalizer/crd_finalizer.go.
"""

import logging
from typing import Any, Final

import orjson

from pybernetes.api import definitions
from pybernetes.apiserver.context import Core
from pybernetes.apiserver.extensions.served import resources_of
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.scheme import Served, storage_prefix
from pybernetes.machinery.errors import Conflict, NotFound, StatusError

log = logging.getLogger("pybernetes.apiserver.extensions")

Json = dict[str, Any]

POLL_SECONDS: Final = 0.5
"""Between looks at what is left; memory is asked, so this may be short."""
CHECK_SECONDS: Final = 60.0
"""After this long the status tells that something is left."""
_PATH: Final = f"/apis/{definitions.GROUP}/v1/{definitions.PLURAL}"


def is_due(definition: Json) -> bool:
    """The definition is marked and its objects are still ours to delete."""
    metadata = definition["metadata"]
    return bool(metadata.get("deletionTimestamp")) and definitions.CLEANUP_FINALIZER in metadata.get("finalizers", ())


def stored_definition(core: Core, name: str) -> Json | None:
    """A definition as a document of the caller's own, with its resourceVersion."""
    found = core.cache.cache_for(definitions.GROUP, definitions.PLURAL).objects.get(name)
    if found is None:
        return None
    return {"apiVersion": f"{definitions.GROUP}/v1", "kind": definitions.KIND, **found.decode()}


class Cleanup:
    """The cleaning up behind one definition."""

    def __init__(self, core: Core, client: InProcessClient, name: str) -> None:
        self._core = core
        self._client = client
        self._name = name

    async def run(self) -> None:
        """Return when the definition has lost its finalizer, or has to be looked at again."""
        definition = self._definition()
        if definition is None or not is_due(definition):
            return
        spec = definition["spec"]
        if self._core.scheme.is_built_in(spec["group"], spec["names"]["plural"]):
            text = "instances overlap with built-in resources in storage"
            await self._finish("OverlappingBuiltInResource", text)
        elif definitions.is_true(definition, definitions.ESTABLISHED):
            await self._tell("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
            if not await self._delete_all(definition):
                return
            await self._finish("InstanceDeletionCompleted", "removed all instances")
        else:
            await self._finish("NeverEstablished", "resource was never established")

    def _definition(self) -> Json | None:
        return self._core.cache.get(definitions.GROUP, definitions.PLURAL, "", self._name)

    async def _delete_all(self, definition: Json) -> bool:
        """Delete every object and wait until none is left; False when that did not come true in time."""
        spec = definition["spec"]
        prefix = storage_prefix(spec["group"], spec["names"]["plural"], custom=True)
        cache = self._core.cache.resource(prefix)
        version = next((v["name"] for v in spec["versions"] if v.get("served")), None)
        if version is None:
            await self._remove_unserved(definition)
        wrong = []
        for namespace in sorted({obj.namespace for obj in cache}) if version is not None else ():
            root = f"/apis/{spec['group']}/{version}"
            place = f"{root}/namespaces/{namespace}" if namespace else root
            try:
                await self._client.request("DELETE", f"{place}/{spec['names']['plural']}")
            except StatusError as error:
                wrong.append(str(error))
        if wrong:
            text = f"could not issue all deletes: {'; '.join(wrong)}"
            log.warning("objects not deleted definition=%s error=%s", self._name, text)
            await self._tell("True", "InstanceDeletionFailed", text)
            await self._core.clock.sleep(POLL_SECONDS)
            return False
        deadline = self._core.clock.monotonic() + CHECK_SECONDS
        while cache.objects:
            if self._core.clock.monotonic() >= deadline:
                text = "could not confirm zero CustomResources remaining: context deadline exceeded"
                await self._tell("True", "InstanceDeletionCheck", text)
                return False
            await self._core.clock.sleep(POLL_SECONDS)
        return True

    async def _remove_unserved(self, definition: Json) -> None:
        """Remove objects that no version serves any more, past the API; those with finalizers stay."""
        versions = [{**version, "served": True} for version in definition["spec"]["versions"]]
        row = resources_of({**definition, "spec": {**definition["spec"], "versions": versions}}, None)[0]
        prefix = storage_prefix(row.resource.group, row.resource.plural, custom=True)
        served = Served(row.resource, prefix, row.storage_version, custom=True)
        for obj in list(self._core.cache.resource(prefix)):
            if not obj.document["metadata"].get("finalizers"):
                await self._core.store.delete(served, obj)

    async def _finish(self, reason: str, message: str) -> None:
        """The last word, and the end of the definition if nobody else holds it."""
        await self._write("False", reason, message, last=True)

    async def _tell(self, state: str, reason: str, message: str) -> None:
        await self._write(state, reason, message, last=False)

    async def _write(self, state: str, reason: str, message: str, *, last: bool) -> None:
        document = stored_definition(self._core, self._name)
        if document is None:
            return
        now = self._core.clock.now()
        status = document.get("status") or {}
        document["status"] = definitions.with_condition(status, definitions.TERMINATING, state, reason, message, now)
        if last:
            metadata = document["metadata"]
            kept = [name for name in metadata.get("finalizers", ()) if name != definitions.CLEANUP_FINALIZER]
            document["metadata"] = {**metadata, "finalizers": kept}
        try:
            await self._client.request("PUT", f"{_PATH}/{self._name}/status", body=orjson.dumps(document))
        except (Conflict, NotFound):
            log.info("definition changed meanwhile definition=%s", self._name)
