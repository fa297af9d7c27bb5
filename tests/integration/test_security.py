"""Who may do what, seen with the real kubectl, and with tokens on the way a pod's requests take."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.http.message import Request, Response
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import SystemClock
from pybernetes.storage.memory import open_memory

Kubectl = Callable[..., Awaitable[str]]

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]
"""


async def test_a_namespace_admin_rules_there_and_nowhere_else(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "team")
    await kubectl("create", "rolebinding", "ann", "--clusterrole=admin", "--user=ann", "--namespace=team")
    ann = ("--as=ann", "--namespace=team")
    await kubectl(*ann, "create", "configmap", "settings", "--from-literal=a=b")
    assert "yes" in await kubectl(*ann, "auth", "can-i", "delete", "pods")
    refused = await kubectl("--as=ann", "get", "pods", fails=True)
    assert 'pods is forbidden: User "ann" cannot list resource "pods" in API group ""' in refused
    escalation = await kubectl(*ann, "create", "role", "more", "--verb=get", "--resource=nodes", fails=True)
    assert "attempting to grant RBAC permissions not currently held" in escalation
    assert '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}' in escalation


async def test_explain_diff_and_apply_find_their_schemas(kubectl: Kubectl, tmp_path: Path) -> None:
    assert "ports\t<[]ContainerPort>" in await kubectl("explain", "pod.spec.containers")
    assert "KIND:     Service" in await kubectl("explain", "service", "--output=plaintext-openapiv2")
    manifest = tmp_path / "service.yaml"
    manifest.write_text(SERVICE)
    await kubectl("apply", "-f", str(manifest))
    manifest.write_text(SERVICE.replace("port: 80", "port: 81"))
    assert "port: 81" in await _dry_run(kubectl, manifest)
    await kubectl("apply", "-f", str(manifest))
    found = orjson.loads(await kubectl("get", "service", "web", "-o", "json"))["spec"]
    ports = {row["name"]: row["nodePort"] for row in found["ports"]}
    assert ports["dns"] == ports["dns-tcp"]
    assert found["clusterIPs"] == [found["clusterIP"]]


async def _dry_run(kubectl: Kubectl, manifest: Path) -> str:
    """What `kubectl diff` compares with: the object as the server would store it."""
    return await kubectl("apply", "-f", str(manifest), "--dry-run=server", "-o", "yaml")


async def test_a_quota_and_the_pod_security_level_of_a_namespace_hold(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "tight")
    await kubectl("create", "serviceaccount", "default", "--namespace=tight")
    await kubectl("create", "quota", "q", "--hard=configmaps=1", "--namespace=tight")
    await kubectl("create", "configmap", "a", "--namespace=tight")
    refused = await kubectl("create", "configmap", "b", "--namespace=tight", fails=True)
    assert "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1" in refused
    await kubectl("label", "namespace", "tight", "pod-security.kubernetes.io/enforce=restricted")
    refused = await kubectl("run", "web", "--image=web", "--namespace=tight", fails=True)
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in refused


# ── tokens ──


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    key = tmp_path / "sa.key"
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.write_bytes(pem)
    storage = open_memory(SystemClock())
    async with ApiServer(Config(port=0, service_account_signing_key=str(key)), storage) as server:
        yield server
    await storage.close()


async def ask(server: ApiServer, path: str, token: str) -> int:
    answer = server.pipeline.answer(Request("GET", path, headers={"authorization": f"Bearer {token}"}))
    found = await answer if isinstance(answer, Awaitable) else answer
    assert isinstance(found, Response)
    return found.status


async def post(server: ApiServer, path: str, document: object) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = orjson.loads(
        await server.client().request("POST", path, body=orjson.dumps(document))
    )
    return found


async def test_a_pods_token_works_until_the_pod_is_gone(server: ApiServer) -> None:
    core = "/api/v1/namespaces/default"
    await post(server, f"{core}/serviceaccounts", {"metadata": {"name": "default"}})
    pod = await post(
        server, f"{core}/pods", {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    )
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": pod["metadata"]["uid"]}
    answer = await post(server, f"{core}/serviceaccounts/default/token", {"spec": {"boundObjectRef": bound}})
    token = answer["status"]["token"]
    assert await ask(server, "/openapi/v3", token) == 200
    assert await ask(server, f"{core}/pods", token) == 403
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    await post(server, rbac, {"metadata": {"name": "v"}, "roleRef": role, "subjects": [subject]})
    assert await ask(server, f"{core}/pods", token) == 200
    await server.client().request("DELETE", f"{core}/pods/web?gracePeriodSeconds=0")
    assert await ask(server, f"{core}/pods", token) == 401


async def test_nobody_may_read_more_than_version_and_health(server: ApiServer) -> None:
    for path, status in (("/version", 200), ("/healthz", 200), ("/api/v1/pods", 403), ("/apis", 403)):
        answer = server.pipeline.answer(Request("GET", path))
        found = await answer if isinstance(answer, Awaitable) else answer
        assert isinstance(found, Response)
        assert found.status == status, path
    assert await ask(server, "/version", "nonsense") == 401
