"""One cluster per file: the API server over TLS, all controllers, the scheduler and three simulated nodes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integration.conformance.suite import Suite, administrator
from integration.conftest import Served, serving
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.scheduler.scheduler import Scheduler, SchedulerConfig
from pybernetes.simnode import simnode
from pybernetes.simnode.config import SimConfig
from support.running import running

CLOCK = SystemClock()
NODES = 3
ADDRESS = "192.0.2.1"
"""What the endpoints of the API server say; nobody connects to it (RFC 5737)."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("conformance")
    signing_key = folder / "sa.key"
    signing_key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    async with serving(folder, service_account_signing_key=str(signing_key), advertise_address=ADDRESS) as served:
        client = served.server.client()
        async with running(
            Manager(client, CLOCK, Chance(1), Options(root_ca=served.ca.certificate.read_text())).run(),
            Scheduler(client, CLOCK, Chance(2), SchedulerConfig()).run(),
            simnode.run(client, SimConfig(count=NODES), CLOCK, Chance(3)),
        ):
            yield served


@pytest_asyncio.fixture(loop_scope="module")
async def suite(cluster: Served) -> AsyncIterator[Suite]:
    async with administrator(cluster) as outside:
        inside = await outside.new_namespace()
        yield inside
        if await outside.exists(f"/api/v1/namespaces/{inside.namespace}"):
            await outside.delete(f"/api/v1/namespaces/{inside.namespace}")
