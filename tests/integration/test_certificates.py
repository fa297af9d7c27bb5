"""Certificates by request, from a machine that has a bootstrap identity to a kubelet the server knows."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integration.conftest import Served, serving
from pybernetes.api import certificates_v1, meta_v1
from pybernetes.client.connection import Connection
from pybernetes.client.rest import RestClient
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from support.running import running

CSR = certificates_v1.CertificateSigningRequest
CLOCK = SystemClock()
KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
USAGES = ["digital signature", "key encipherment", "client auth"]
BOOTSTRAPPERS = "system:bootstrappers:kubeadm:default-node-token"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as found:
        options = Options(
            controllers=("*", "-garbage-collector-controller"),
            signing_certificate=found.ca.certificate.read_bytes(),
            signing_key=found.ca.key.read_bytes(),
        )
        async with running(Manager(found.server.client(), CLOCK, Chance(1), options).run()):
            yield found


def new_request(key: ec.EllipticCurvePrivateKey, name: str, organization: str, signer: str, object_name: str) -> CSR:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    text = base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()
    spec = certificates_v1.CertificateSigningRequestSpec(request=text, signerName=signer, usages=USAGES)
    return CSR(metadata=meta_v1.ObjectMeta(name=object_name), spec=spec)


async def until(client: RestClient, name: str, holds: Callable[[CSR], bool]) -> CSR:
    found = await client.get(CSR, name)
    for _ in range(500):
        if holds(found):
            return found
        await CLOCK.sleep(0.02)
        found = await client.get(CSR, name)
    raise AssertionError(f"request {name} stayed at {found.status}")


def write_pair(folder: Path, request: CSR, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    certificate, private = folder / f"{request.name}.crt", folder / f"{request.name}.key"
    certificate.write_bytes(base64.b64decode(request.status.certificate))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


async def who_am_i(client: RestClient) -> dict[str, object]:
    body = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
    answer = await client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body)
    found: dict[str, object] = orjson.loads(answer)["status"]["userInfo"]
    return found


async def test_a_bootstrapped_kubelet_gets_a_certificate_and_renews_it(served: Served, tmp_path: Path) -> None:
    identity = served.authority.issue("system:bootstrap:abcdef", BOOTSTRAPPERS)
    key = ec.generate_private_key(ec.SECP256R1())
    connection = Connection(served.url, served.ca.certificate, identity.certificate, identity.key)
    async with RestClient(connection) as machine:
        await machine.create(new_request(key, "system:node:joined", "system:nodes", KUBELET, "first"))
        issued = await until(machine, "first", lambda found: bool(found.status.certificate))
    assert [condition.reason for condition in issued.status.conditions] == ["AutoApproved"]
    certificate, private = write_pair(tmp_path, issued, key)
    async with RestClient(Connection(served.url, served.ca.certificate, certificate, private)) as kubelet:
        known = await who_am_i(kubelet)
        assert known["username"] == "system:node:joined"
        assert "system:nodes" in known["groups"]  # type: ignore[operator]
        await kubelet.create(new_request(key, "system:node:joined", "system:nodes", KUBELET, "second"))
        renewed = await until(kubelet, "second", lambda found: bool(found.status.certificate))
    assert "self kubelet client certificate" in renewed.status.conditions[0].message


async def test_what_a_signer_must_not_sign_fails_once_approved(served: Served) -> None:
    connection = Connection(served.url, served.ca.certificate, served.admin.certificate, served.admin.key)
    key = ec.generate_private_key(ec.SECP256R1())
    async with RestClient(connection) as admin:
        await admin.create(new_request(key, "jane", "team", KUBELET, "not-a-node"))
        path = f"{CSR.GROUP}/v1/certificatesigningrequests/not-a-node/approval"
        created = orjson.loads(await admin.request("GET", f"/apis/{path.removesuffix('/approval')}"))
        created["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "ByHand"}]}
        await admin.request("PUT", f"/apis/{path}", body=orjson.dumps(created))
        failed = await until(admin, "not-a-node", lambda found: len(found.status.conditions) == 2)
    assert failed.status.certificate == ""
    assert failed.status.conditions[1].type == "Failed"
    assert failed.status.conditions[1].reason == "SignerValidationFailure"
    assert failed.status.conditions[1].message == "subject organization is not system:nodes"


async def test_requests_of_others_wait_for_a_person(served: Served) -> None:
    connection = Connection(served.url, served.ca.certificate, served.admin.certificate, served.admin.key)
    key = ec.generate_private_key(ec.SECP256R1())
    async with RestClient(connection) as admin:
        await admin.create(new_request(key, "jane", "team", "kubernetes.io/kube-apiserver-client", "by-hand"))
        await admin.create(new_request(key, "system:node:b", "system:nodes", KUBELET, "b"))
        await until(admin, "b", lambda found: bool(found.status.certificate))  # whose turn comes later
        assert (await admin.get(CSR, "by-hand")).status.conditions == []
