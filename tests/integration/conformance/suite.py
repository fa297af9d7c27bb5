"""A client for the conformance tests: plain documents over HTTPS, as an administrator, in a namespace of its own."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp

from integration.conftest import Served
from pybernetes.effects import SystemClock

Json = dict[str, Any]
JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
SECONDS = 20.0
CLOCK = SystemClock()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


class Watch:
    """One watch: events as they come."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self, seconds: float = SECONDS) -> tuple[str, Json]:
        line = await asyncio.wait_for(self._answer.content.readline(), seconds)
        event = json.loads(line)
        return event["type"], event["object"]

    async def types(self, count: int) -> list[str]:
        return [(await self.next())[0] for _ in range(count)]

    async def until(self, type_: str, condition: Callable[[Json], bool] = lambda _: True) -> Json:
        """The object of the first such event."""
        async with asyncio.timeout(SECONDS):
            while True:
                found, document = await self.next()
                if found == type_ and condition(document):
                    return document

    async def quiet(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes for a while."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


@dataclass(frozen=True)
class Suite:
    """Asks `served`; paths of resources are made by `core` and `group`, in the test's namespace."""

    session: aiohttp.ClientSession
    served: Served
    namespace: str = ""

    def core(self, plural: str, name: str = "") -> str:
        return _joined(f"/api/v1/namespaces/{self.namespace}", plural, name)

    def group(self, group: str, plural: str, name: str = "", version: str = "v1") -> str:
        return _joined(f"/apis/{group}/{version}/namespaces/{self.namespace}", plural, name)

    def apps(self, plural: str, name: str = "") -> str:
        return self.group("apps", plural, name)

    async def raw(
        self, method: str, path: str, body: Any = None, kind: str = JSON, query: Json | None = None, **headers: str
    ) -> Answer:
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        sent = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = self.served.url + path + (f"?{urlencode(query)}" if query else "")
        async with self.session.request(method, url, data=data, headers=sent) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def ask(
        self, method: str, path: str, body: Any = None, status: int = 0, kind: str = JSON, **query: Any
    ) -> Json:
        """The document answered: by a success, or with this `status`."""
        answer = await self.raw(method, path, body, kind, query)
        assert answer.status == status if status else answer.status < 300, f"{method} {path}: {answer.text}"
        found: Json = answer.document
        return found

    async def create(self, path: str, body: Json, **query: Any) -> Json:
        return await self.ask("POST", path, body, 201, **query)

    async def get(self, path: str, **query: Any) -> Json:
        return await self.ask("GET", path, **query)

    async def items(self, path: str, **query: Any) -> list[Json]:
        found: list[Json] = (await self.get(path, **query))["items"]
        return found

    async def names(self, path: str, **query: Any) -> list[str]:
        return [item["metadata"]["name"] for item in await self.items(path, **query)]

    async def update(self, path: str, body: Json, **query: Any) -> Json:
        return await self.ask("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, kind: str = MERGE, **query: Any) -> Json:
        return await self.ask("PATCH", path, body, kind=kind, **query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Json:
        return await self.ask("DELETE", path, body, **query)

    async def exists(self, path: str) -> bool:
        answer = await self.raw("GET", path)
        assert answer.status in {200, 404}, answer.text
        return answer.status == 200

    async def gone(self, path: str, seconds: float = SECONDS) -> None:
        async def absent() -> bool:
            return not await self.exists(path)

        await self.eventually(f"{path} is gone", absent, seconds)

    async def empty(self, path: str, **query: Any) -> None:
        async def nothing() -> bool:
            return not await self.items(path, **query)

        await self.eventually(f"{path} is empty", nothing)

    async def becomes(self, path: str, condition: Callable[[Json], Any], seconds: float = SECONDS) -> Json:
        """The document there, once the condition holds."""
        found: Json = {}

        async def holds() -> bool:
            nonlocal found
            found = await self.get(path)
            return bool(condition(found))

        try:
            await self.eventually(f"{path} as wanted", holds, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {json.dumps(found)}") from None
        return found

    async def eventually(self, what: str, condition: Callable[[], Awaitable[bool]], seconds: float = SECONDS) -> None:
        end = CLOCK.monotonic() + seconds
        while not await condition():
            assert CLOCK.monotonic() < end, f"not within {seconds} s: {what}"
            await CLOCK.sleep(0.02)

    @asynccontextmanager
    async def watch(self, path: str, since: Json | None = None, **query: Any) -> AsyncIterator[Watch]:
        """Events after the version of `since`: an object or a list."""
        wanted = {"watch": "true", **query}
        if since is not None:
            wanted["resourceVersion"] = since["metadata"]["resourceVersion"]
        async with self.session.get(f"{self.served.url}{path}?{urlencode(wanted)}") as answer:
            assert answer.status == 200, await answer.text()
            yield Watch(answer)

    @asynccontextmanager
    async def anonymous(self) -> AsyncIterator["Suite"]:
        """The same without a client certificate."""
        context = ssl.create_default_context(cafile=str(self.served.ca.certificate))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield replace(self, session=session)

    async def new_namespace(self, labels: Json | None = None) -> "Suite":
        """The same in a new namespace, once pods can be made in it."""
        metadata = {"generateName": "e2e-", "labels": {"e2e-framework": "suite", **(labels or {})}}
        made = await self.create("/api/v1/namespaces", {"metadata": metadata})
        inside = replace(self, namespace=made["metadata"]["name"])

        async def furnished() -> bool:
            return await self.exists(inside.core("serviceaccounts", "default")) and await self.exists(
                inside.core("configmaps", "kube-root-ca.crt")
            )

        await self.eventually("service account and root certificate", furnished)
        return inside


@asynccontextmanager
async def administrator(served: Served) -> AsyncIterator[Suite]:
    context = ssl.create_default_context(cafile=str(served.ca.certificate))
    context.load_cert_chain(served.admin.certificate, served.admin.key)
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Suite(session, served)


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def made(name: str, labels: Json | None = None, **rest: Any) -> Json:
    """A document; its apiVersion and kind are the path's."""
    return {"metadata": {"name": name, **({"labels": labels} if labels else {})}, **rest}


def pod_spec(image: str = "registry.k8s.io/pause:3.10", **more: Any) -> Json:
    return {"containers": [{"name": "c", "image": image}], **more}


def pod(name: str, labels: Json | None = None, **spec: Any) -> Json:
    return made(name, labels, spec=pod_spec(**spec))


def workload(name: str, replicas: int = 1, labels: Json | None = None, **spec: Any) -> Json:
    """A ReplicaSet, Deployment … of pods labelled `name: NAME`."""
    own = labels or {"name": name}
    template = {"metadata": {"labels": own}, "spec": pod_spec()}
    wanted = {"replicas": replicas, "selector": {"matchLabels": own}, "template": template}
    return made(name, own, spec={**wanted, **spec})


def replication_controller(name: str, replicas: int = 1, labels: Json | None = None) -> Json:
    own = labels or {"name": name}
    template = {"metadata": {"labels": own}, "spec": pod_spec()}
    return made(name, own, spec={"replicas": replicas, "selector": own, "template": template})


def owner_reference(owner: Json, api_version: str, kind: str, **more: Any) -> Json:
    metadata = owner["metadata"]
    return {"apiVersion": api_version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"], **more}


def causes(status: Json) -> dict[str, str]:
    return {cause["field"]: cause["message"] for cause in status["details"]["causes"]}
