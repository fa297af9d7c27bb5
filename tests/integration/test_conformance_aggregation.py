"""Aggregation and discovery on real sockets; tests quote the sentences of the conformance suite they prove."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from cryptography import x509

from integration.conftest import Authority, Pem, write_kubeconfig
from pybernetes.apiserver.config import Config, RequestHeaderConfig
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import SystemClock
from pybernetes.storage.memory import open_memory
from support.extension_server import GROUP, ROOT, VERSION, ExtensionServer

Json = dict[str, Any]
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
CLOCK = SystemClock()
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass
class Cluster:
    server: ApiServer
    extension: ExtensionServer
    ca: Pem
    admin: Pem
    proxy: Pem
    authority: Authority

    def session(self, client: Pem | None) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=str(self.ca.certificate))
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return aiohttp.ClientSession(self.server.url, connector=aiohttp.TCPConnector(ssl=context))

    async def get(self, path: str, accept: str = "application/json") -> Any:
        async with self.session(self.admin) as session, session.get(path, headers={"Accept": accept}) as answer:
            assert answer.status == 200, await answer.text()
            return orjson.loads(await answer.read())

    async def write(self, method: str, path: str, body: Any) -> Any:
        data = await self.server.client().request(method, path, body=orjson.dumps(body))
        return orjson.loads(data)

    async def register(self, **spec: Any) -> None:
        """Service, slice and APIService of the extension server."""
        port = {"name": "https", "port": 443, "targetPort": self.extension.port}
        await self.write(
            "POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "ext"}, "spec": {"ports": [port]}}
        )
        await self.endpoints()
        await self.api_service(**spec)

    async def endpoints(self) -> None:
        document = {
            "metadata": {"name": "ext-1", "labels": {"kubernetes.io/service-name": "ext"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.9.9.9"], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": self.extension.port, "protocol": "TCP"}],
        }
        await self.write("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", document)

    async def api_service(self, **spec: Any) -> None:
        trust = {} if spec.get("insecureSkipTLSVerify") else {"caBundle": self.extension.ca_bundle}
        whole = {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": "ext", "namespace": "default"},
            **trust,
            **spec,
        }
        await self.write("POST", SERVICES, {"metadata": {"name": NAME}, "spec": whole})

    async def condition(self, reason: str) -> Json:
        """The Available condition once it has this reason."""
        document: Json = {}
        for _ in range(200):
            document = await self.get(f"{SERVICES}/{NAME}")
            for row in (document.get("status") or {}).get("conditions") or ():
                if row["reason"] == reason:
                    found: Json = row
                    return found
            await CLOCK.sleep(0.05)
        raise AssertionError(f"never {reason}: {document.get('status')}")


class NamedAuthority(Authority):
    """An authority that issues certificates for DNS names."""

    def issue_for(self, name: str, dns: str) -> Pem:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        return self._write(name, builder.sign(self._key, hashes.SHA256()), key)


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    folders = [tmp_path / name for name in ("clients", "proxies", "extension")]
    for folder in folders:
        folder.mkdir()
    clients, proxies, extension = Authority(folders[0]), Authority(folders[1]), NamedAuthority(folders[2])
    serving, admin = clients.issue("server", addresses=("127.0.0.1",)), clients.issue("admin", "system:masters")
    proxy = proxies.issue("front-proxy-client")
    config = Config(
        port=0,
        tls_certificate=str(serving.certificate),
        tls_key=str(serving.key),
        client_ca=str(clients.pem.certificate),
        proxy_client_certificate=str(proxy.certificate),
        proxy_client_key=str(proxy.key),
        request_header=RequestHeaderConfig(str(proxies.pem.certificate), allowed_names=("front-proxy-client",)),
    )
    # Endpoints cannot be loopback addresses: the one that is given out leads here.
    connect = asyncio.open_connection

    async def open_connection(host: str, port: int, **more: Any) -> Any:
        return await connect("127.0.0.1" if host == "10.9.9.9" else host, port, **more)

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    storage = open_memory(SystemClock())
    server = ApiServer(config, storage)
    own = extension.issue_for("ext", "ext.default.svc")
    async with ExtensionServer(own.certificate, own.key, extension.pem.certificate, proxies.pem.certificate) as behind:
        await server.start()
        try:
            yield Cluster(server, behind, clients.pem, admin, proxy, proxies)
        finally:
            await server.stop()
            await storage.close()


async def registered(cluster: Cluster) -> list[Json]:
    """Our own APIServices, once all are there."""
    for _ in range(100):
        async with cluster.session(None) as session, session.get("/readyz") as answer:
            if answer.status == 200:
                items: list[Json] = (await cluster.get(SERVICES))["items"]
                return items
        await CLOCK.sleep(0.02)
    raise AssertionError("never ready")


async def test_every_group_of_our_own_has_an_available_api_service(cluster: Cluster) -> None:
    items = await registered(cluster)
    names = {item["metadata"]["name"] for item in items}
    assert {"v1.", "v1.apps", "v2.autoscaling", "v1.apiextensions.k8s.io"} <= names
    assert "v1.apiregistration.k8s.io" not in names
    for item in items:
        assert item["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
        [row] = item["status"]["conditions"]
        assert (row["type"], row["status"], row["reason"]) == ("Available", "True", "Local")


async def test_a_group_of_custom_resources_has_an_api_service_while_it_is_defined(cluster: Cluster) -> None:
    await registered(cluster)
    definition = {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await cluster.write("POST", definitions, definition)

    async def present() -> bool:
        return any(row["metadata"]["name"] == "v1.example.com" for row in (await cluster.get(SERVICES))["items"])

    async def eventually(wanted: bool) -> None:
        for _ in range(100):
            if await present() is wanted:
                return
            await CLOCK.sleep(0.05)
        raise AssertionError(wanted)

    await eventually(True)
    spec = (await cluster.get(f"{SERVICES}/v1.example.com"))["spec"]
    assert (spec["groupPriorityMinimum"], spec["versionPriority"]) == (1000, 100)
    await cluster.write("DELETE", f"{definitions}/things.example.com", {})
    await eventually(False)


@pytest.mark.conformance("Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator")
async def test_requests_reach_the_extension_server_with_the_user_and_our_certificate(cluster: Cluster) -> None:
    """Aggregator: proxy a group to an extension server: delegated auth, front proxy, discovery merge, conditions."""
    await cluster.register()
    row = await cluster.condition("Passed")
    assert (row["status"], row["message"]) == ("True", "all checks passed")
    headers = {
        "X-Remote-User": "evil",
        "X-Remote-Group": "system:masters",
        "X-Remote-Extra-Scopes": "all",
        "Authorization": "Bearer secret",
    }
    async with cluster.session(cluster.admin) as session, session.get(f"{ROOT}/nodes?limit=5", headers=headers) as got:
        assert got.status == 200
        assert (await got.json())["items"][0]["metadata"]["name"] == "n1"
    [seen] = cluster.extension.asked(f"{ROOT}/nodes")
    assert seen.path == f"{ROOT}/nodes?limit=5"
    assert seen.certificate == "front-proxy-client"
    assert seen.values("X-Remote-User") == ["admin"]
    assert seen.values("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert seen.values("X-Remote-Extra-Scopes") == []
    assert seen.values("Authorization") == []


@pytest.mark.conformance("Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator")
async def test_bodies_watches_and_upgrades_pass_through(cluster: Cluster) -> None:
    await cluster.register()
    await cluster.condition("Passed")
    async with cluster.session(cluster.admin) as session:
        async with session.post(f"{ROOT}/namespaces/a/pods", data=b"x" * 70_000) as answer:
            assert (answer.status, len((await answer.json())["body"])) == (201, 70_000)
        async with session.get(f"{ROOT}/pods?watch=true") as answer:
            lines = [orjson.loads(line) async for line in answer.content]
            assert [line["object"]["number"] for line in lines] == [0, 1, 2]
        async with session.head(f"{ROOT}/nodes") as answer:
            assert answer.status == 200
    context = ssl.create_default_context(cafile=str(cluster.ca.certificate))
    context.load_cert_chain(cluster.admin.certificate, cluster.admin.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", cluster.server.port, ssl=context)
    head = f"GET {ROOT}/nodes/x/exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"hello")
    assert await reader.readexactly(10) == b"echo:hello"
    writer.close()


@pytest.mark.conformance("Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator")
async def test_discovery_has_the_resources_of_extension_servers(cluster: Cluster) -> None:
    await cluster.register()
    await cluster.condition("Passed")
    groups = {group["name"]: group for group in (await cluster.get("/apis"))["groups"]}
    assert groups[GROUP]["preferredVersion"] == {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    assert (await cluster.get(f"/apis/{GROUP}"))["kind"] == "APIGroup"
    assert {row["name"] for row in (await cluster.get(ROOT))["resources"]} == {"nodes", "pods"}
    items = {item["metadata"].get("name"): item for item in (await cluster.get("/apis", AGGREGATED))["items"]}
    [version] = items[GROUP]["versions"]
    assert version["freshness"] == "Current"
    assert [(row["resource"], row["scope"]) for row in version["resources"]] == [
        ("nodes", "Cluster"),
        ("pods", "Namespaced"),
    ]
    index = (await cluster.get("/openapi/v3"))["paths"]
    url = index[f"apis/{GROUP}/{VERSION}"]["serverRelativeURL"]
    assert (await cluster.get(url))["info"]["title"] == "metrics"


@pytest.mark.conformance("Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator")
async def test_conditions_say_what_is_missing_and_requests_get_503_meanwhile(cluster: Cluster) -> None:
    await cluster.api_service()
    row = await cluster.condition("ServiceNotFound")
    assert row["message"] == 'service/ext in "default" is not present'
    async with cluster.session(cluster.admin) as session, session.get(f"{ROOT}/nodes") as answer:
        assert (answer.status, await answer.text()) == (503, "service unavailable\n")
    port = {"name": "https", "port": 443, "targetPort": cluster.extension.port}
    await cluster.write(
        "POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "ext"}, "spec": {"ports": [port]}}
    )
    row = await cluster.condition("EndpointsNotFound")
    assert row["message"] == 'cannot find endpointslices for service/ext in "default"'
    cluster.extension.failing = True
    await cluster.endpoints()
    row = await cluster.condition("FailedDiscoveryCheck")
    assert row["status"] == "False"
    assert row["message"].startswith(f"failing or missing response from https://ext.default.svc:443{ROOT}: bad status")
    cluster.extension.failing = False
    await cluster.condition("Passed")


async def test_a_server_nobody_vouches_for_is_not_believed(cluster: Cluster) -> None:
    await cluster.register(caBundle=_other_bundle(cluster))
    row = await cluster.condition("FailedDiscoveryCheck")
    assert "certificate" in row["message"]


def _other_bundle(cluster: Cluster) -> str:
    import base64

    return base64.b64encode(cluster.ca.certificate.read_bytes()).decode()


async def test_a_certificate_is_not_looked_at_where_the_service_says_so(cluster: Cluster) -> None:
    await cluster.register(insecureSkipTLSVerify=True)
    await cluster.condition("Passed")


async def test_front_proxies_name_the_user_in_headers_and_nobody_else_may(cluster: Cluster) -> None:
    async def who(client: Pem, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        async with cluster.session(client) as session, session.post(path, json={}, headers=sent) as answer:
            document = await answer.json()
            return document["status"]["userInfo"] if answer.status == 201 else document

    named = await who(cluster.proxy, X_Remote_User="jane", X_Remote_Group="dev", X_Remote_Extra_Acme_2fteam="a")
    assert named["username"] == "jane"
    assert named["groups"] == ["dev", "system:authenticated"]
    assert (await who(cluster.admin, X_Remote_User="jane"))["username"] == "admin"
    assert (await who(cluster.proxy))["code"] in {401, 403}, "a proxy's own name is no user"
    other = cluster.authority.issue("somebody-else")
    assert (await who(other, X_Remote_User="jane"))["code"] in {401, 403}, "the name is not allowed"


async def test_extension_servers_find_what_they_must_trust(cluster: Cluster) -> None:
    document = await cluster.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")
    data = document["data"]
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["requestheader-username-headers"] == '["X-Remote-User"]'
    assert "BEGIN CERTIFICATE" in data["requestheader-client-ca-file"]
    assert "BEGIN CERTIFICATE" in data["client-ca-file"]


async def test_kubectl_shows_the_resources_of_an_extension_server(cluster: Cluster, tmp_path: Path) -> None:
    import shutil

    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    await cluster.register()
    await cluster.condition("Passed")
    kubeconfig = write_kubeconfig(tmp_path / "config", cluster.server.url, cluster.ca, cluster.admin)

    async def run(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--kubeconfig={kubeconfig}",
            f"--cache-dir={tmp_path / 'cache'}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return out.decode()

    assert "NodeMetrics" in await run("api-resources", f"--api-group={GROUP}")
    assert f"{GROUP}/{VERSION}" in (await run("api-versions")).splitlines()
    assert "v1.apps" in await run("get", "apiservices")


# ── Discovery, server version ──


@pytest.mark.conformance("Discovery should validate PreferredVersion for each APIGroup")
async def test_discovery_should_validate_preferred_version_for_each_api_group(cluster: Cluster) -> None:
    """Every group document answers with trailing slash too and its preferredVersion is one of its versions."""
    for group in (await cluster.get("/apis"))["groups"]:
        document = await cluster.get(f"/apis/{group['name']}/")
        assert document["preferredVersion"] in document["versions"]


@pytest.mark.conformance("Discovery should locate the groupVersion and a resource within each APIGroup")
async def test_discovery_should_locate_the_group_version_and_a_resource_within_each_group(cluster: Cluster) -> None:
    """Each listed group version returns its resource list with the matching groupVersion string."""
    for group in (await cluster.get("/apis"))["groups"]:
        for version in group["versions"]:
            document = await cluster.get(f"/apis/{version['groupVersion']}")
            assert document["groupVersion"] == version["groupVersion"]
            assert document["resources"]


@pytest.mark.conformance("AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers")
async def test_aggregated_discovery_answers_the_raw_accept_header_for_both_roots(cluster: Cluster) -> None:
    """Return the aggregated documents as JSON for the exact Accept header, for both legacy and group roots."""
    for path, kind in (("/api", "pods"), ("/apis", "deployments")):
        document = await cluster.get(path, AGGREGATED)
        assert document["kind"] == "APIGroupDiscoveryList"
        names = [r["resource"] for item in document["items"] for v in item["versions"] for r in v["resources"]]
        assert kind in names


@pytest.mark.conformance("server version should find the server version")
async def test_server_version_should_find_the_server_version(cluster: Cluster) -> None:
    """Major is a single non-zero digit string and minor starts with digits."""
    document = await cluster.get("/version")
    assert document["major"] == "1"
    assert document["minor"][0].isdigit()
