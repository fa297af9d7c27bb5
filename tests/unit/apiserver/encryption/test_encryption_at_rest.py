"""What is stored of encrypted resources, and that nobody reads it without a key."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.encryption import salsa
from pybernetes.apiserver.encryption.config import UnusableEncryption, parse
from pybernetes.apiserver.encryption.storage import EncryptedStorage
from pybernetes.apiserver.encryption.transformers import Undecryptable
from pybernetes.apiserver.server import ApiServer, Parts
from pybernetes.effects import VirtualClock
from pybernetes.storage.interface import Storage
from pybernetes.storage.memory import open_memory

PROVIDERS = ("aesgcm", "aescbc", "secretbox")
SECRETS = "/api/v1/namespaces/default/secrets"
KEY = "/registry/secrets/default/a"


def keys(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "secret": base64.b64encode(name.encode().ljust(32, b"!")).decode()} for name in names]


def configuration(*providers: dict[str, Any], resources: tuple[str, ...] = ("secrets",)) -> dict[str, Any]:
    rows = [{"resources": list(resources), "providers": list(providers)}]
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": rows}


def test_hsalsa20_gives_the_key_of_the_nacl_paper() -> None:
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    wanted = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"
    assert salsa.hsalsa20(shared, bytes(16)).hex() == wanted


def test_secretbox_gives_the_box_of_the_nacl_paper() -> None:
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    message = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c0123"
        "3561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924"
        "ca1c60902e52f0a089bc76897040e082f937763848645e0705"
    )
    assert salsa.seal(key, nonce, message)[:16].hex() == "f3ffc7703f9400e52a7dfb4b3d3305d9"


@pytest.mark.parametrize("provider", PROVIDERS)
@given(data=st.binary(max_size=300))
def test_what_was_written_is_read_again(provider: str, data: bytes) -> None:
    transformer = parse(configuration({provider: {"keys": keys("one")}})).transformer("", "secrets")
    assert transformer is not None
    stored = transformer.to_storage(data, KEY)
    assert stored.startswith(b"k8s:enc:%b:v1:one:" % provider.encode())
    assert transformer.from_storage(stored, KEY) == (data, transformer.prefix)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_is_read_with_another_key(provider: str) -> None:
    one = parse(configuration({provider: {"keys": keys("one")}})).transformer("", "secrets")
    wrong = [{"name": "one", "secret": keys("two")[0]["secret"]}]
    other = parse(configuration({provider: {"keys": wrong}})).transformer("", "secrets")
    assert one is not None
    assert other is not None
    with pytest.raises(Undecryptable):
        other.from_storage(one.to_storage(b'{"kind":"Secret"}' * 9, KEY), KEY)


def test_values_cannot_be_moved_to_another_key_of_the_store() -> None:
    transformer = parse(configuration({"aesgcm": {"keys": keys("one")}})).transformer("", "secrets")
    assert transformer is not None
    with pytest.raises(Undecryptable):
        transformer.from_storage(transformer.to_storage(b"x", KEY), KEY + "b")


def test_identity_does_not_pass_off_encrypted_values_as_plain_ones() -> None:
    transformer = parse(configuration({"identity": {}})).transformer("", "secrets")
    assert transformer is not None
    assert transformer.from_storage(b"{}", KEY) == (b"{}", b"")
    with pytest.raises(Undecryptable):
        transformer.from_storage(b"k8s:enc:aescbc:v1:one:x", KEY)


@pytest.mark.parametrize(
    ("resources", "group", "plural", "found"),
    [
        (("secrets",), "", "secrets", True),
        (("secrets",), "apps", "secrets", False),
        (("*.",), "", "configmaps", True),
        (("*.",), "apps", "deployments", False),
        (("*.apps",), "apps", "deployments", True),
        (("deployments.apps",), "apps", "deployments", True),
        (("*.*",), "example.com", "things", True),
    ],
)
def test_resources_may_be_wildcards(resources: tuple[str, ...], group: str, plural: str, found: bool) -> None:
    encryption = parse(configuration({"aescbc": {"keys": keys("one")}}, resources=resources))
    assert (encryption.transformer(group, plural) is not None) is found


@pytest.mark.parametrize(
    "provider",
    [
        {},
        {"kms": {"name": "x"}},
        {"aescbc": {"keys": []}},
        {"secretbox": {"keys": [{"name": "a", "secret": "c2hvcnQ="}]}},
        {"aesgcm": {"keys": [{"name": "a:b", "secret": keys("one")[0]["secret"]}]}},
        {"aesgcm": {"keys": [{"name": "a", "secret": "hunter2!"}]}},
    ],
)
def test_what_cannot_be_used_is_refused_without_telling_secrets(provider: dict[str, Any]) -> None:
    with pytest.raises(UnusableEncryption) as refusal:
        parse(configuration(provider))
    assert "hunter2" not in str(refusal.value)


async def started(tmp_path: Path, storage: Storage, clock: VirtualClock, *providers: dict[str, Any]) -> ApiServer:
    path = tmp_path / "encryption.json"
    path.write_bytes(orjson.dumps(configuration(*providers)))
    config = Config(encryption_provider_config=str(path), encryption_reload=True)
    server = ApiServer(config, storage, Parts(clock=clock))
    await server.load()
    await server.bootstrap()
    return server


async def test_secrets_cannot_be_read_in_the_store_and_rotation_rewrites_them(tmp_path: Path) -> None:
    clock = VirtualClock()
    storage = open_memory(clock)
    secret = {"metadata": {"name": "a"}, "stringData": {"password": "hunter2"}}
    server = await started(tmp_path, storage, clock, {"identity": {}})
    await server.client().request("POST", SECRETS, body=orjson.dumps(secret))
    assert b"aHVudGVyMg" in (await storage.get(KEY)).value
    encrypted, client = server.storage, server.client()
    assert isinstance(encrypted, EncryptedStorage)

    old, new = {"aescbc": {"keys": keys("old")}}, {"secretbox": {"keys": keys("new")}}
    for name, providers in ((b"old", (old, {"identity": {}})), (b"new", (new, old))):
        encrypted.configure(parse(configuration(*providers)))
        present = await client.request("GET", f"{SECRETS}/a")
        assert orjson.loads(present)["data"] == {"password": "aHVudGVyMg=="}
        await client.request("PUT", f"{SECRETS}/a", body=present)
        stored = (await storage.get(KEY)).value
        assert stored.startswith(b"k8s:enc:")
        assert b":v1:%b:" % name in stored
        assert b"aHVudGVyMg" not in stored
        revision = storage.revision
        await client.request("PUT", f"{SECRETS}/a", body=await client.request("GET", f"{SECRETS}/a"))
        assert storage.revision == revision, "an idle write was stored"
        maps = await storage.range("/registry/configmaps/")
        assert all(entry.value.startswith(b"{") for entry in maps.entries)
    await server.stop()
    await storage.close()


async def test_keys_are_read_again_while_the_server_runs(tmp_path: Path) -> None:
    clock = VirtualClock()
    storage = open_memory(clock)
    server = await started(tmp_path, storage, clock, {"aesgcm": {"keys": keys("one")}})
    (tmp_path / "encryption.json").write_bytes(orjson.dumps(configuration({"aesgcm": {"keys": keys("two", "one")}})))
    await server.reload_encryption()
    await server.client().request("POST", SECRETS, body=orjson.dumps({"metadata": {"name": "a"}}))
    assert (await storage.get(KEY)).value.startswith(b"k8s:enc:aesgcm:v1:two:")
    await server.stop()
    await storage.close()
