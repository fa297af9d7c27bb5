"""A server in memory for tests, and requests to it as plain documents."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.http.message import Connection, Request, Response, Streaming
from pybernetes.apiserver.inprocess import ADMIN, MemoryStream
from pybernetes.apiserver.interfaces import NoAdmission
from pybernetes.apiserver.server import ApiServer, Parts
from pybernetes.effects import Chance, Ids, VirtualClock
from pybernetes.storage.memory import open_memory

JSON = "application/json"


class Server:
    """An API server on virtual time, asked without sockets."""

    def __init__(self, **parts: Any) -> None:
        self.clock = VirtualClock()
        chance = Chance(1)
        parts.setdefault("admission", NoAdmission())
        self.storage = open_memory(self.clock)
        self.api = ApiServer(Config(), self.storage, Parts(clock=self.clock, chance=chance, ids=Ids(chance), **parts))

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """The answer, whatever its status."""
        path, _, query = path.partition("?")
        data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"accept": accept, "content-type": content_type, **(headers or {})}
        request = Request(method, path, query, sent, data, Connection(user=ADMIN))
        answer = self.api.pipeline.answer(request)
        found = await answer if isinstance(answer, Awaitable) else answer
        assert isinstance(found, Response), found
        return found

    async def call(self, method: str, path: str, body: Any = None, status: int = 0, **more: Any) -> Any:
        """The document answered; the status must be `status`, or a success."""
        answer = await self.ask(method, path, body, **more)
        document = orjson.loads(answer.data)
        if status:
            assert answer.status == status, document
        else:
            assert answer.status < 300, document
        return document

    async def get(self, path: str, **more: Any) -> Any:
        return await self.call("GET", path, **more)

    async def create(self, path: str, body: Any, **more: Any) -> Any:
        return await self.call("POST", path, body, **more)

    async def watch(self, path: str, accept: str = JSON) -> "Watch":
        """An open watch; `path` has the query, too."""
        path, _, query = path.partition("?")
        request = Request("GET", path, f"watch=true&{query}", {"accept": accept}, b"", Connection(user=ADMIN))
        answer = self.api.pipeline.answer(request)
        found = await answer if isinstance(answer, Awaitable) else answer
        assert isinstance(found, Streaming), found
        return Watch(found)


class Watch:
    """Events of one watch, as they come."""

    def __init__(self, answer: Streaming) -> None:
        import asyncio

        self.stream = MemoryStream()
        self._rest = b""
        self._events: list[Any] = []
        self.content_type = answer.content_type
        self._task = asyncio.create_task(self._run(answer))

    async def _run(self, answer: Streaming) -> None:
        try:
            await answer.run(self.stream)
        finally:
            self.stream.end()

    async def next(self) -> Any:
        """The next event; None at the end."""
        while not self._events:
            data = await self.stream.read()
            if not data:
                return None
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._events = [orjson.loads(line) for line in lines]
        return self._events.pop(0)

    async def take(self, count: int) -> list[Any]:
        return [await self.next() for _ in range(count)]

    def close(self) -> None:
        self._task.cancel()


@asynccontextmanager
async def serving(**parts: Any) -> AsyncIterator[Server]:
    server = Server(**parts)
    await server.api.load()
    try:
        yield server
    finally:
        await server.api.stop()
        await server.storage.close()


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "demo"}]},
    }
