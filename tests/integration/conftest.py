"""An API server on real sockets with TLS, and clients of it: `kubectl`, the Python client, raw HTTP.

api_server      one server in memory, admin credentials, a kubeconfig
kubectl         runs the real binary against it: `await kubectl("get", "pods")`
"""

import asyncio
import datetime as dt
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.api.core_v1 import ServiceAccount
from pybernetes.api.meta_v1 import ObjectMeta
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import SystemClock
from pybernetes.storage.memory import open_memory
from support.forms import FormClient

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pem:
    """A key pair in files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Served:
    """A running server and how to reach it."""

    server: ApiServer
    kubeconfig: Path
    ca: Pem
    admin: Pem
    authority: "Authority"
    """Issues further identities."""

    @property
    def url(self) -> str:
        return self.server.url


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test-ca-{folder.name}"[:64])])
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.pem = self._write("ca", builder.sign(self._key, hashes.SHA256()), self._key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)  # noqa: TID251 - certificates are checked against real time
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )

    def issue(self, name: str, organization: str = "", addresses: tuple[str, ...] = ()) -> Pem:
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        builder = self._builder(x509.Name(attributes), key)
        if addresses:
            import ipaddress

            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pem:
        pem = Pem(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pem.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pem


def write_kubeconfig(path: Path, url: str, ca: Pem, client: Pem) -> Path:
    cluster = {"server": url, "certificate-authority": str(ca.certificate)}
    user = {"client-certificate": str(client.certificate), "client-key": str(client.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@asynccontextmanager
async def serving(folder: Path, *, every_version: bool = False, **settings: Any) -> AsyncIterator[Served]:
    """One API server in memory, its keys and a kubeconfig in `folder`; `settings` are further ones of `Config`."""
    authority = Authority(folder)
    own = authority.issue("server", addresses=("127.0.0.1",))
    admin = authority.issue("admin", "system:masters")
    config = Config(
        port=0,
        tls_certificate=str(own.certificate),
        tls_key=str(own.key),
        client_ca=str(authority.pem.certificate),
        all_api_versions=every_version,
        **settings,
    )
    storage = open_memory(SystemClock())
    server = ApiServer(config, storage)
    await server.start()
    # What a controller would do: pods wait for their service account.
    account = ObjectMeta(name="default", namespace="default")
    await server.client().create(ServiceAccount(metadata=account))
    kubeconfig = write_kubeconfig(folder / "kubeconfig", server.url, authority.pem, admin)
    try:
        yield Served(server, kubeconfig, authority.pem, admin, authority)
    finally:
        await server.stop()
        await storage.close()


@asynccontextmanager
async def form_client(folder: Path) -> AsyncIterator[FormClient]:
    """A server with every version of every group, and an administrator's client of it."""
    async with serving(folder, every_version=True) as served:
        context = ssl.create_default_context(cafile=str(served.ca.certificate))
        context.load_cert_chain(served.admin.certificate, served.admin.key)
        async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield FormClient(session)


@pytest.fixture
async def api_server(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as served:
        yield served


Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
async def kubectl(api_server: Served, tmp_path: Path) -> Kubectl:
    """Run kubectl; what it prints. `fails=True` expects a failure and gives its error text."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")

    async def run(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--kubeconfig={api_server.kubeconfig}",
            f"--cache-dir={tmp_path / 'kube-cache'}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        if fails:
            assert process.returncode != 0, out.decode()
            return error.decode()
        assert process.returncode == 0, error.decode()
        return out.decode()

    return run
