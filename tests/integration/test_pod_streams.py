"""Logs, exec and proxy through a kubelet that is a few lines of TLS server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from integration.conftest import Authority, Kubectl, Served
from pybernetes.api import core_v1 as core
from pybernetes.api.object import decode

SECONDS = 10


class FakeKubelet:
    """Answers /containerLogs with text, /exec by echoing, /pods with what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ", 2)[1]
        self.asked.append(path)
        self.heads.append(head)
        if path.startswith("/containerLogs/"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            for line in (b"one\n", b"two\n"):
                writer.write(b"%x\r\n%b\r\n" % (len(line), line))
            writer.write(b"0\r\n\r\n")
        elif path.startswith("/exec/"):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nhello")
            while data := await reader.read(100):
                writer.write(data.upper())
        else:
            body = b"no such thing here"
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()


@pytest.fixture
async def kubelet(api_server: Served, tmp_path: Path) -> AsyncIterator[FakeKubelet]:
    """One node whose kubelet is fake, and a pod `p` on it."""
    (tmp_path / "kubelet").mkdir()
    pem = Authority(tmp_path / "kubelet").issue("kubelet", addresses=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.certificate, pem.key)
    fake = FakeKubelet()
    listener = await asyncio.start_server(fake.serve, "127.0.0.1", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]
    client = api_server.server.client()
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    await client.create(_typed(core.Node, {"metadata": {"name": "n"}, "status": status}))
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "demo"}]}
    await client.create(_typed(core.Pod, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec}))
    async with listener:
        yield fake


def _typed(kind: Any, document: Any) -> Any:
    import orjson

    return decode(kind, orjson.dumps(document))


async def test_kubectl_shows_logs(kubectl: Kubectl, kubelet: FakeKubelet) -> None:
    assert await kubectl("logs", "p", "--tail=5", "--timestamps") == "one\ntwo\n"
    path, _, query = kubelet.asked[0].partition("?")
    assert path == "/containerLogs/default/p/c"
    assert sorted(query.split("&")) == ["tailLines=5", "timestamps=true"]


async def test_kubectl_is_told_which_container_is_wrong(kubectl: Kubectl, kubelet: FakeKubelet) -> None:
    error = await kubectl("logs", "p", "-c", "other", fails=True)
    assert "container other is not valid for pod p" in error
    assert kubelet.asked == []


async def test_exec_is_a_tunnel_after_the_upgrade(api_server: Served, kubelet: FakeKubelet) -> None:
    context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
    context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", api_server.server.port, ssl=context)
    writer.write(
        b"POST /api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&stdin=true&stdout=true HTTP/1.1\r\n"
        b"Host: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nAuthorization: Bearer secret\r\n"
        b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 0\r\n\r\n"
    )
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(5) == b"hello"
        writer.write(b"abc")
        assert await reader.readexactly(3) == b"ABC"
    writer.close()
    path, _, query = kubelet.asked[0].partition("?")
    assert path == "/exec/default/p/c"
    assert query == "input=1&output=1&command=sh&command=-c"
    assert "v4.channel.k8s.io" in kubelet.heads[0]
    assert "secret" not in kubelet.heads[0]


async def test_the_node_proxy_passes_path_and_refusal_on(kubectl: Kubectl, kubelet: FakeKubelet) -> None:
    error = await kubectl("get", "--raw", "/api/v1/nodes/n/proxy/pods?x=1", fails=True)
    assert "the server rejected our request" in error
    assert kubelet.asked == ["/pods?x=1"]


async def test_a_pod_behind_nobody_is_unavailable(kubectl: Kubectl, kubelet: FakeKubelet) -> None:
    error = await kubectl("get", "--raw", "/api/v1/namespaces/default/pods/p:1/proxy/", fails=True)
    assert "address not allowed" in error
    assert kubelet.asked == []
