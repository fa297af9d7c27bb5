import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.api import core_v1, meta_v1
from pybernetes.apiserver.authn.authenticator import Authenticator
from pybernetes.apiserver.authn.keys import InvalidToken, TokenKeys
from pybernetes.apiserver.authn.legacy_tokens import LegacyUsage
from pybernetes.effects import VirtualClock
from pybernetes.machinery.signing import UnusableKey, private_key, sign
from support.fake_client import FakeClient
from support.running import quiet, running
from support.security import Objects, meta

KEY = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {
    "iss": "kubernetes/serviceaccount",
    "kubernetes.io/serviceaccount/namespace": "shop",
    "kubernetes.io/serviceaccount/secret.name": "web-token",
    "kubernetes.io/serviceaccount/service-account.name": "web",
    "kubernetes.io/serviceaccount/service-account.uid": "uid-web",
    "sub": "system:serviceaccount:shop:web",
}
TOKEN = sign(CLAIMS, KEY)


class Cluster:
    def __init__(self) -> None:
        self.objects = Objects()
        self.authenticator = Authenticator(self.objects, VirtualClock(), TokenKeys(KEY))
        self.objects.put("", "serviceaccounts", {"metadata": meta("web", "shop")})
        self.store(TOKEN)

    def store(self, token: str, **labels: str) -> None:
        data = {"token": base64.b64encode(token.encode()).decode()}
        self.objects.put("", "secrets", {"metadata": meta("web-token", "shop", labels=labels), "data": data})


def test_the_token_of_a_secret_stands_for_its_account_and_its_use_is_noted() -> None:
    cluster = Cluster()
    used: list[str] = []
    cluster.authenticator.on_legacy_use = lambda secret: used.append(secret["metadata"]["name"])
    user = cluster.authenticator.identify(f"Bearer {TOKEN}")
    assert user is not None
    assert (user.name, user.uid) == ("system:serviceaccount:shop:web", "uid-web")
    assert "system:serviceaccounts:shop" in user.groups
    assert used == ["web-token"]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("secret gone", "Token has been invalidated"),
        ("other token stored", "Token does not match server's copy"),
        ("account gone", "ServiceAccount shop/web has been deleted"),
        ("account anew", r"ServiceAccount UID \(uid-2\) does not match claim \(uid-web\)"),
        ("marked", "the token in secret shop/web-token has been marked invalid"),
    ],
)
def test_it_is_worth_nothing_any_more_when(what: str, message: str) -> None:
    cluster = Cluster()
    assert cluster.authenticator.check(TOKEN).audiences == ()
    match what:
        case "secret gone":
            cluster.objects.remove("", "secrets", "shop", "web-token")
        case "other token stored":
            cluster.store(sign({**CLAIMS, "x": 1}, KEY))
        case "account gone":
            cluster.objects.remove("", "serviceaccounts", "shop", "web")
        case "account anew":
            cluster.objects.put("", "serviceaccounts", {"metadata": {**meta("web", "shop"), "uid": "uid-2"}})
        case _:
            cluster.store(TOKEN, **{"kubernetes.io/legacy-token-invalid-since": "2026-01-01"})
    with pytest.raises(InvalidToken, match=message):
        cluster.authenticator.check(TOKEN)


def test_a_bound_token_without_expiry_is_not_believed() -> None:
    cluster = Cluster()
    with pytest.raises(InvalidToken, match="invalid bearer token"):
        cluster.authenticator.check(sign({**CLAIMS, "iss": cluster.authenticator.issuers[0]}, KEY))


async def test_the_day_of_the_last_use_is_written_once() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    secret = core_v1.Secret(metadata=meta_v1.ObjectMeta(name="t", namespace="shop"))
    await client.create(secret)
    usage = LegacyUsage(client, clock)
    async with running(usage.run()):
        usage.note({"metadata": {"namespace": "shop", "name": "t"}})
        await quiet(clock)
        found = await client.get(core_v1.Secret, "t", "shop")
        today = clock.now().strftime("%Y-%m-%d")
        assert found.metadata.labels == {"kubernetes.io/legacy-token-last-used": today}
        before = len(client.actions)
        usage.note({"metadata": {"namespace": "shop", "name": "t", "labels": dict(found.metadata.labels)}})
        await quiet(clock)
        assert len(client.actions) == before


def test_a_text_that_is_no_key_is_refused() -> None:
    with pytest.raises(UnusableKey):
        private_key(b"hello")
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert private_key(pem).private_numbers() == KEY.private_numbers()
