"""Real clusters for the acceptance tests: one shared by all that do not stop it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import EXAMPLE, Cluster, is_ready, wait

STATE = Path("/var/lib/pybernetes-tests")
"""Short: unix sockets lie below."""


def new_cluster(name: str) -> Cluster:
    """A cluster of this test run's own: another run on the machine does not meet it."""
    STATE.mkdir(mode=0o755, exist_ok=True)
    own = f"{name}-{os.getpid()}"
    return Cluster(own, STATE / own)


def remove(cluster: Cluster) -> None:
    """Delete it whatever a test did to it, and the files beside it."""
    if cluster.root.exists():
        cluster.delete()
    cluster.kubeconfig.unlink(missing_ok=True)
    if STATE.exists() and not any(STATE.iterdir()):
        STATE.rmdir()


@pytest.fixture(scope="session")
def running() -> Iterator[Cluster]:
    """A real cluster with the demo image."""
    cluster = new_cluster("acceptance")
    try:
        cluster.up()
        cluster.pybernetes("image build-demo")
        yield cluster
    finally:
        remove(cluster)


@pytest.fixture
def web(running: Cluster) -> Cluster:
    """The cluster with examples/web.yaml applied and all three pods Ready; tests leave it so."""
    running.kubectl("apply", "-f", str(EXAMPLE))
    wait_web(running)
    return running


def wait_web(cluster: Cluster, replicas: int = 3) -> None:
    def settled() -> bool:
        pods = cluster.pods()
        return len(pods) == replicas and all(map(is_ready, pods))

    wait(f"{replicas} ready pods of web", 90, settled)
