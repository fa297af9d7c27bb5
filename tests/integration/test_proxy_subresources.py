"""`proxy` of pods and services against a real HTTP server, through a real API server."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from integration.conftest import Authority, Served

Json = dict[str, Any]
NAMESPACE = "/api/v1/namespaces/default"
ADDRESS = "10.9.9.9"
PAGE = b'<html><a href="/next">next</a><img src="rel.png"></html>'


@dataclass
class Behind:
    """The server behind the proxies, and a session to the API server."""

    port: int
    tls_port: int
    session: aiohttp.ClientSession
    server: Any

    async def ask(self, method: str, path: str, **more: Any) -> tuple[aiohttp.ClientResponse, bytes]:
        more.setdefault("allow_redirects", False)
        async with self.session.request(method, f"{NAMESPACE}{path}", **more) as answer:
            return answer, await answer.read()


async def handle(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/redirect":
            return web.Response(status=302, headers={"Location": "/elsewhere?a=1"})
        case "/page":
            return web.Response(body=PAGE, content_type="text/html")
        case "/zipped":
            return web.Response(
                body=gzip.compress(PAGE), headers={"Content-Type": "text/html", "Content-Encoding": "gzip"}
            )
        case "/stream":
            stream = web.StreamResponse()
            await stream.prepare(request)
            for number in range(3):
                await stream.write(b"%d\n" % number)
            return stream
        case "/socket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(f"echo {message.data}")
            return socket
        case "/teapot":
            return web.Response(status=418, text="short and stout")
        case _:
            pass
    body = await request.read()
    headers = {key.lower(): value for key, value in request.headers.items()}
    shown = {"method": request.method, "path": request.raw_path, "headers": headers, "size": len(body)}
    return web.json_response(shown, headers={"X-Method": request.method})


@pytest.fixture
async def behind(api_server: Served, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Behind]:
    # Loopback addresses may not be proxied to: the address given out leads here.
    connect = asyncio.open_connection

    async def open_connection(host: str, port: int, **more: Any) -> Any:
        return await connect("127.0.0.1" if host == ADDRESS else host, port, **more)

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    folder = tmp_path / "pod"
    folder.mkdir()
    own = Authority(folder).issue("pod")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own.certificate, own.key)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    port, tls_port = (address[1] for address in runner.addresses)
    client = api_server.server.client()

    async def write(method: str, path: str, body: Json) -> None:
        await client.request(method, path, body=orjson.dumps(body))

    container = {"name": "c", "image": "demo", "ports": [{"name": "web", "containerPort": port}]}
    await write("POST", f"{NAMESPACE}/pods", {"metadata": {"name": "p"}, "spec": {"containers": [container]}})
    pod = orjson.loads(await client.request("GET", f"{NAMESPACE}/pods/p"))
    pod["status"] = {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}
    await write("PUT", f"{NAMESPACE}/pods/p/status", pod)
    ports = [{"name": "web", "port": 80}, {"name": "tls", "port": 443}]
    await write("POST", f"{NAMESPACE}/services", {"metadata": {"name": "s"}, "spec": {"ports": ports}})
    await write("POST", f"{NAMESPACE}/services", {"metadata": {"name": "empty"}, "spec": {"ports": [{"port": 80}]}})
    await write(
        "POST",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {
            "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
            "ports": [{"name": "web", "port": port}, {"name": "tls", "port": tls_port}],
        },
    )
    context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
    context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(api_server.url, connector=connector, auto_decompress=True) as session:
        yield Behind(port, tls_port, session, api_server.server)
    await runner.cleanup()


@pytest.mark.parametrize("way", ["pods/p", "services/s:web", "services/s:80", "services/http:s:web", "pods/http:p:"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_all_methods_pass_through_the_pod_and_service_proxy(behind: Behind, way: str, method: str) -> None:
    """ProxyWithPath: all methods with a trailing path pass through the pod and service proxy."""
    answer, body = await behind.ask(method, f"/{way}/proxy/some/path%20x?method={method}&b=")
    assert answer.status == 200, body
    assert answer.headers["X-Method"] == method
    if method != "HEAD":
        assert orjson.loads(body)["path"] == f"/some/path%20x?method={method}&b="


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_without_a_path_all_methods_but_reading_ones_pass(behind: Behind, method: str) -> None:
    """Proxy: all methods and redirects pass through the pod and service proxy."""
    for way in ("pods/p", "services/s:web"):
        answer, body = await behind.ask(method, f"/{way}/proxy?method={method}")
        assert (answer.status, orjson.loads(body)["path"]) == (200, f"/?method={method}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_without_a_path_readers_are_sent_to_the_slash(behind: Behind, method: str) -> None:
    answer, _ = await behind.ask(method, "/pods/p/proxy?a=1")
    assert (answer.status, answer.headers["Location"]) == (301, f"{NAMESPACE}/pods/p/proxy/?a=1")


async def test_should_proxy_through_a_service_and_a_pod_with_tls(behind: Behind) -> None:
    """Many port and scheme forms answer correctly (https too)."""
    for way in ("services/https:s:tls", "services/https:s:443", f"pods/https:p:{behind.tls_port}"):
        answer, body = await behind.ask("GET", f"/{way}/proxy/x")
        assert (answer.status, orjson.loads(body)["path"]) == (200, "/x")


async def test_redirects_and_links_lead_back_through_the_proxy(behind: Behind) -> None:
    answer, _ = await behind.ask("GET", "/services/s:web/proxy/redirect")
    assert (answer.status, answer.headers["Location"]) == (302, f"{NAMESPACE}/services/s:web/proxy/elsewhere?a=1")
    wanted = PAGE.replace(b'"/next"', f'"{NAMESPACE}/services/s:web/proxy/next"'.encode())
    for path in ("page", "zipped"):
        answer, body = await behind.ask("GET", f"/services/s:web/proxy/{path}")
        assert (answer.status, body) == (200, wanted)
        assert answer.headers["Content-Type"].startswith("text/html")


async def test_credentials_stay_here_and_other_headers_pass(behind: Behind) -> None:
    sent = {"Authorization": "Bearer x", "X-Own": "1"}
    _, body = await behind.ask("GET", "/pods/p/proxy/", headers=sent)
    headers = orjson.loads(body)["headers"]
    assert "authorization" not in headers
    assert headers["x-own"] == "1"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-uri"] == f"{NAMESPACE}/pods/p/proxy/"


async def test_bodies_stream_both_ways(behind: Behind) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    _, shown = await behind.ask("POST", "/pods/p/proxy/upload", data=body())
    assert orjson.loads(shown)["size"] == 80 * 65536
    _, streamed = await behind.ask("GET", "/pods/p/proxy/stream")
    assert streamed == b"0\n1\n2\n"


async def test_failures_of_the_server_behind_are_its_own(behind: Behind) -> None:
    answer, body = await behind.ask("GET", "/pods/p/proxy/teapot")
    assert (answer.status, body) == (418, b"short and stout")


async def test_websockets_pass(behind: Behind) -> None:
    async with behind.session.ws_connect(f"{NAMESPACE}/pods/p/proxy/socket") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo hello"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/services/empty/proxy/", 503, 'no endpoints available for service "empty"'),
        ("/services/s:none/proxy/", 503, 'no service port "none" found for service "s"'),
        ("/services/none/proxy/", 404, 'services "none" not found'),
        ("/pods/none/proxy/", 404, 'pods "none" not found'),
        ("/pods/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
    ],
)
async def test_nobody_behind_is_said_in_upstreams_words(behind: Behind, path: str, status: int, message: str) -> None:
    answer, body = await behind.ask("GET", path)
    assert (answer.status, orjson.loads(body)["message"]) == (status, message)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1"])
async def test_addresses_of_the_machine_are_not_reached(behind: Behind, address: str) -> None:
    client = behind.server.client()
    pod = orjson.loads(await client.request("GET", f"{NAMESPACE}/pods/p"))
    pod["status"] = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    await client.request("PUT", f"{NAMESPACE}/pods/p/status", body=orjson.dumps(pod))
    answer, body = await behind.ask("GET", "/pods/p/proxy/")
    assert (answer.status, orjson.loads(body)["message"]) == (400, "address not allowed")
