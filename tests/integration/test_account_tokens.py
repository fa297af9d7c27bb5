"""Tokens of service accounts with the real API server and controller: Secrets, bound objects, reviews, revocation."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.api import core_v1, meta_v1
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.request import User
from pybernetes.apiserver.server import ApiServer
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.storage.memory import open_memory

CLOCK = SystemClock()
CONTROLLER_MANAGER = User("system:kube-controller-manager", groups=("system:authenticated",))


@asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[InProcessClient]:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "sa.key"
    file.write_bytes(pem)
    storage = open_memory(CLOCK)
    async with ApiServer(Config(port=0, service_account_signing_key=str(file)), storage) as server:
        client = server.client()
        options = Options(
            controllers=("serviceaccount-token-controller",), service_account_private_key=pem, root_ca="CA"
        )
        task = asyncio.create_task(Manager(server.client(CONTROLLER_MANAGER), CLOCK, Chance(1), options).run())
        await client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="web", namespace="default")))
        yield client
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await storage.close()


async def post(client: InProcessClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(await client.request("POST", path, body=orjson.dumps(body)))
    return found


async def review(client: InProcessClient, token: str, *audiences: str) -> dict[str, Any]:
    spec = {"token": token, "audiences": [*audiences]}
    status = (await post(client, "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": spec}))["status"]
    assert isinstance(status, dict)
    return status


async def test_the_token_of_a_secret_is_believed_until_the_secret_goes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        metadata = meta_v1.ObjectMeta(
            name="web-token", namespace="default", annotations={"kubernetes.io/service-account.name": "web"}
        )
        await client.create(core_v1.Secret(metadata=metadata, type="kubernetes.io/service-account-token"))
        token = ""
        for _ in range(200):
            data = (await client.get(core_v1.Secret, "web-token", "default")).data
            if "token" in data:
                token = base64.b64decode(data["token"]).decode()
                break
            await CLOCK.sleep(0.05)
        status = await review(client, token)
        assert status["authenticated"]
        assert status["user"]["username"] == "system:serviceaccount:default:web"
        await client.delete(core_v1.Secret, "web-token", "default")
        assert "authenticated" not in await review(client, token)


@pytest.mark.parametrize("kind", ["Secret", "Node"])
async def test_a_bound_token_ends_with_what_it_is_bound_to(tmp_path: Path, kind: str) -> None:
    async with cluster(tmp_path) as client:
        of: type[core_v1.Secret | core_v1.Node] = core_v1.Secret if kind == "Secret" else core_v1.Node
        namespace = "default" if kind == "Secret" else ""
        bound = await client.create(of(metadata=meta_v1.ObjectMeta(name="b", namespace=namespace)))
        reference = {"kind": kind, "apiVersion": "v1", "name": "b", "uid": bound.metadata.uid}
        path = "/api/v1/namespaces/default/serviceaccounts/web/token"
        request = {"spec": {"boundObjectRef": reference, "audiences": ["vault"], "expirationSeconds": 600}}
        token = (await post(client, path, request))["status"]["token"]
        assert "authenticated" not in await review(client, token)
        assert (await review(client, token, "vault", "x"))["audiences"] == ["vault"]
        await client.delete(of, "b", namespace)
        assert "authenticated" not in await review(client, token, "vault")
