import base64

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.api import core_v1, meta_v1
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, VirtualClock
from support.fake_client import FakeClient
from support.world import World

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
NAME = "serviceaccount-token-controller"
ACCOUNT = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="web", namespace="shop"))


def secret(**annotations: str) -> core_v1.Secret:
    named = {"kubernetes.io/service-account.name": "web", **annotations}
    return core_v1.Secret(
        metadata=meta_v1.ObjectMeta(name="web-token", namespace="shop", annotations=named),
        type="kubernetes.io/service-account-token",
    )


def world() -> World:
    return World(NAME, service_account_private_key=PEM, root_ca="CA")


def decoded(value: str) -> str:
    return base64.b64decode(value).decode()


async def test_a_token_secret_is_filled_for_its_account() -> None:
    async with world().started() as cluster:
        account = await cluster.client.create(ACCOUNT)
        await cluster.client.create(secret())
        await cluster.settle(1)
        found = await cluster.one(core_v1.Secret, "web-token", "shop")
        assert (decoded(found.data["ca.crt"]), decoded(found.data["namespace"])) == ("CA", "shop")
        assert found.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
        claims = jwt.decode(decoded(found.data["token"]), KEY.public_key(), ["ES256"])
        assert claims["iss"] == "kubernetes/serviceaccount"
        assert claims["sub"] == "system:serviceaccount:shop:web"
        assert claims["kubernetes.io/serviceaccount/secret.name"] == "web-token"
        assert "exp" not in claims
        writes = len(cluster.client.actions)
        await cluster.settle(5)
        assert len(cluster.client.actions) == writes


async def test_it_goes_with_its_account() -> None:
    async with world().started() as cluster:
        await cluster.client.create(ACCOUNT)
        await cluster.client.create(secret())
        await cluster.settle(1)
        await cluster.client.delete(core_v1.ServiceAccount, "web", "shop")
        await cluster.settle(1)
        assert await cluster.all(core_v1.Secret) == []


@pytest.mark.parametrize("annotations", [{}, {"kubernetes.io/service-account.uid": "another"}])
async def test_one_of_an_account_that_is_not_there_is_deleted(annotations: dict[str, str]) -> None:
    async with world().started() as cluster:
        if annotations:
            await cluster.client.create(ACCOUNT)
        await cluster.client.create(secret(**annotations))
        await cluster.settle(1)
        assert await cluster.all(core_v1.Secret) == []


def test_without_a_key_the_controller_does_not_run() -> None:
    clock = VirtualClock()
    manager = Manager(FakeClient(clock, Chance(1)), clock, Chance(2), Options())
    assert NAME not in {controller.NAME for controller in manager.controllers}
