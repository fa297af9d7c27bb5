"""The rows of `data/resources.json` as things to send: where a resource lies, an object of it, what it becomes.

sample(resource) ── POST collection(resource) ──▶ place(resource) ── settled(api, path)
"""

from collections.abc import AsyncIterator
from typing import Any

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.effects import SystemClock
from support.examples import example
from support.forms import FormClient

Json = dict[str, Any]
NAME = "round-trip"
ANNOTATIONS = {"n": "1e3", "y": "y", "text": "é\n x: [", "empty": ""}
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"


def row_name(resource: Resource) -> str:
    return f"{resource.api_version}/{resource.plural}"


ROWS = {row_name(r): r for r in registry.built_in()}
STORED = [name for name, r in ROWS.items() if "update" in r.verbs]
ASKED = [name for name, r in ROWS.items() if r.verbs == ("create",)]


def collection(resource: Resource) -> str:
    home = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    return f"{home}/namespaces/default/{resource.plural}" if resource.namespaced else f"{home}/{resource.plural}"


def sample(resource: Resource) -> Json:
    found = example(resource, NAME)
    assert found is not None, f"{resource.kind} has no row in support.examples"
    found["metadata"]["annotations"] = dict(ANNOTATIONS)
    return found


CHANGED_AT_ONCE = {"CustomResourceDefinition": 2, "APIService": 1, "ResourceQuota": 1, "FlowSchema": 1}
"""Kinds whose status the server itself writes as soon as they are there: how many conditions, or limits, it tells."""
LOOKS, PAUSE_SECONDS = 100, 0.02
CLOCK = SystemClock()


async def settled(api: FormClient, path: str) -> Json:
    """The object once the server has told its status."""
    found = await api.ok("GET", path)
    for _ in range(LOOKS):
        status = found.get("status") or {}
        told = len(status.get("conditions") or status.get("hard") or ())
        if found["kind"] not in CHANGED_AT_ONCE or told >= CHANGED_AT_ONCE[found["kind"]]:
            break
        await CLOCK.sleep(PAUSE_SECONDS)
        found = await api.ok("GET", path)
    return found


def only(path: str) -> str:
    """The field selector of one object."""
    return f"metadata.name={path.rpartition('/')[2]}"


async def event_of(events: AsyncIterator[Json], document: Json) -> Json:
    """The event that tells this version; the server's own writes may come between."""
    event = await anext(events)
    while int(event["object"]["metadata"]["resourceVersion"]) < int(document["metadata"]["resourceVersion"]):
        event = await anext(events)
    return event


def place(resource: Resource) -> str:
    return f"{collection(resource)}/{sample(resource)['metadata']['name']}"
