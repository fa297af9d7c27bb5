"""An extension server for `metrics.k8s.io`-like groups: HTTPS, discovery, a list, a watch, an upgrade.

It writes down who it was told is asking, and what certificate was shown.
"""

import asyncio
import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

Json = dict[str, Any]
GROUP, VERSION = "metrics.example.com", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/{VERSION}",
    "resources": [
        {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
        {
            "name": "pods",
            "singularName": "pod",
            "namespaced": True,
            "kind": "PodMetrics",
            "verbs": ["get", "list", "watch"],
        },
    ],
}


@dataclass
class Seen:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    certificate: str

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class ExtensionServer:
    certificate: Path
    key: Path
    ca: Path
    client_ca: Path | None = None
    seen: list[Seen] = field(default_factory=list)
    failing: bool = False
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_ca)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self.ca.read_bytes()).decode()

    def asked(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.path.partition("?")[0] == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
        lower = {name.lower(): value for name, value in headers}
        body = b""
        if lower.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
        elif "content-length" in lower:
            body = await reader.readexactly(int(lower["content-length"]))
        peer = writer.get_extra_info("peercert") or {}
        name = next((v for rdn in peer.get("subject", ()) for k, v in rdn if k == "commonName"), "")
        self.seen.append(Seen(method, path, headers, body, name))
        if lower.get("upgrade"):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while data := await reader.read(1024):
                writer.write(b"echo:" + data)
                await writer.drain()
            return
        if "watch=true" in path:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(3):
                line = orjson.dumps({"type": "ADDED", "object": {"kind": "PodMetrics", "number": number}}) + b"\n"
                writer.write(b"%x\r\n%b\r\n" % (len(line), line))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return
        status, document = self._document(method, path.partition("?")[0], body)
        data = orjson.dumps(document)
        reply = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(reply.encode() + data)
        await writer.drain()

    def _document(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        if self.failing:
            return 500, {}
        if path == ROOT:
            return 200, RESOURCES
        if path == "/openapi/v3":
            url = f"/openapi/v3/apis/{GROUP}/{VERSION}?hash=ABC"
            return 200, {"paths": {f"apis/{GROUP}/{VERSION}": {"serverRelativeURL": url}}}
        if path == f"/openapi/v3/apis/{GROUP}/{VERSION}":
            return 200, {"openapi": "3.0.0", "info": {"title": "metrics"}, "paths": {}}
        if path == f"{ROOT}/nodes":
            item = {"metadata": {"name": "n1"}, "usage": {"cpu": "10m"}}
            return 200, {"kind": "NodeMetricsList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [item]}
        if method in {"POST", "PUT", "PATCH"}:
            return 201, {"kind": "Echo", "body": body.decode()}
        return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "message": "not there"}
