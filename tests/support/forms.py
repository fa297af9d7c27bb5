"""A client that speaks JSON, YAML and protobuf, and checks each answer by a second reader where there is one.

    api = FormClient(session)
    made = await api.send("POST", path, document, form=PROTOBUF)      made.status, made.document, made.headers

Bodies go out in `form`; answers are asked for, checked to come, and read in the same one. What came as protobuf is also
read by `support.wire`, and both readers must agree.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from pybernetes.api import normalize, protobuf, schema
from pybernetes.api.yaml_text import parse_yaml, write_yaml
from support import wire

Json = dict[str, Any]

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
FORMS = (JSON, YAML, PROTOBUF)
METADATA = ";as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
TABLE = ";as=Table;v=v1;g=meta.k8s.io"
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Answered:
    """One answer, read."""

    status: int
    document: Json
    headers: Mapping[str, str]
    body: bytes


class FormClient:
    """Requests in any form over one session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        form: str = JSON,
        content_type: str = "",
        accept: str = "",
        **query: str,
    ) -> Answered:
        """`content_type` sends a JSON body under another name (patches), `accept` asks for another shape."""
        body = None
        if document is not None:
            body = orjson.dumps(document) if content_type else write(document, form)
        return await self._request(method, path, body, content_type or form, accept or form, form, query)

    async def send_bytes(self, method: str, path: str, body: bytes, content_type: str, **query: str) -> Answered:
        """A body as it is; the answer comes as JSON."""
        return await self._request(method, path, body, content_type, JSON, JSON, query)

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        accept: str,
        form: str,
        query: Mapping[str, str],
    ) -> Answered:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        async with asyncio.timeout(ANSWER_SECONDS):
            async with self._session.request(method, path, data=body, headers=headers, params=query) as answer:
                data = await answer.read()
                expected = accept.partition(",")[0].partition(";")[0] or form
                assert answer.content_type == expected or answer.status == 406, (answer.status, data)
                return Answered(answer.status, read(data, answer.content_type), answer.headers, data)

    async def ok(self, method: str, path: str, document: Any = None, *, expect: int = 200, **how: str) -> Json:
        """The document of an answer that must have that status."""
        answer = await self.send(method, path, document, **how)
        assert answer.status == expect, answer.document
        return answer.document

    async def remove(self, path: str) -> None:
        """Delete and take every finalizer away until the object is gone."""
        await self.send("DELETE", path, gracePeriodSeconds="0", propagationPolicy="Background")
        left = await self.send("GET", path)
        if left.status == 200 and left.document["kind"] == "Namespace":
            await self.send("PUT", f"{path}/finalize", {**left.document, "spec": {}})
        elif left.status == 200 and left.document["metadata"].get("finalizers"):
            nothing = {"metadata": {"finalizers": None}}
            await self.send("PATCH", path, nothing, content_type="application/merge-patch+json")
        left = await self.send("GET", path)
        assert left.status == 404, left.document

    @asynccontextmanager
    async def watching(self, path: str, form: str, **query: str) -> AsyncIterator[AsyncIterator[Json]]:
        """Events of a watch, as they come."""
        headers = {"Accept": form}
        async with self._session.get(path, headers=headers, params={"watch": "true", **query}) as answer:
            assert answer.status == 200, await answer.read()
            yield _events(answer, form)


async def _events(answer: aiohttp.ClientResponse, form: str) -> AsyncIterator[Json]:
    while True:
        async with asyncio.timeout(ANSWER_SECONDS):
            if form.startswith(PROTOBUF):
                length = int.from_bytes(await answer.content.readexactly(4), "big")
                yield wire.read_frame(await answer.content.readexactly(length))
            else:
                event: Json = orjson.loads(await answer.content.readline())
                yield event


def write(document: Json, form: str) -> bytes:
    """A body."""
    if form == PROTOBUF:
        alias = schema.alias_of(document["apiVersion"], document["kind"])
        if not alias:  # options and the like, which every group has
            message = protobuf.encode_message(f"meta.v1.{document['kind']}", document)
            return protobuf.wrap(document["apiVersion"], document["kind"], message)
        return protobuf.encode(normalize.normalize(document, alias))
    return write_yaml(document) if form == YAML else orjson.dumps(document)


def read(data: bytes, form: str) -> Json:
    """A body as a document; the two readers of protobuf must agree."""
    if form == PROTOBUF:
        second = wire.read_body(data)
        alias = schema.alias_of(second["apiVersion"], second["kind"])
        if not alias:  # lists and metadata alone, which the server never reads
            return second
        found = protobuf.decode(data)
        assert wire.differences(found, second) == []
        return normalize.normalize(found, alias)
    document: Json = parse_yaml(data)[0] if form == YAML else orjson.loads(data)
    return document


def missing(sent: Any, told: Any, path: str = "") -> list[str]:
    """What was sent and is not in the answer; the server may add fields and append to lists."""
    if isinstance(sent, dict) and isinstance(told, dict):
        return [line for key, item in sent.items() for line in missing(item, told.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(told, list) and len(sent) <= len(told):
        pairs = zip(sent, told, strict=False)
        return [line for i, (one, other) in enumerate(pairs) for line in missing(one, other, f"{path}[{i}]")]
    same = sent == told or (sent in ([], {}) and told is None)
    return [] if same else [f"{path}: sent {sent!r}, told {told!r}"]
