"""Point 6: an ordinary user without containerd has a cluster of simulated nodes in no time."""

import contextlib
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import NOISE, REPOSITORY, Cluster, wait

pytestmark = pytest.mark.kubectl

NOBODY = 65534
READY_SECONDS = 2.0
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: big}
spec:
  replicas: 500
  selector: {matchLabels: {app: big}}
  template:
    metadata: {labels: {app: big}}
    spec: {containers: [{name: c, image: "example.com/none:1"}]}
"""


SYSTEM_PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def ordinary() -> Iterator[Cluster]:
    """A cluster of an ordinary user: of ourselves, or of nobody when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="pybernetes-user-") as name, contextlib.ExitStack() as undo:
        home = Path(name)
        cluster = of_nobody(home, undo) if os.geteuid() == 0 else Cluster("simulated", home / "state")
        try:
            yield cluster
        finally:
            if cluster.root.exists():
                cluster.delete()


def of_nobody(home: Path, undo: contextlib.ExitStack) -> Cluster:
    """Our code under a path anybody may read (root's home is not), run by the system's interpreter.

    Mounted read-only, so that no cleaning up can ever reach it.
    """
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"there is no {SYSTEM_PYTHON} that an ordinary user could run")
    os.chown(home, NOBODY, NOBODY)
    mounts = {"src": REPOSITORY / "src", "packages": sysconfig.get_path("purelib")}
    for name, source in mounts.items():
        target = home / name
        target.mkdir()
        subprocess.run(["mount", "-o", "bind,ro", str(source), str(target)], check=True)
        undo.callback(subprocess.run, ["umount", "--lazy", str(target)], check=True)
    path = ":".join(str(home / name) for name in mounts)
    return Cluster("simulated", home / "state", user=NOBODY, python=SYSTEM_PYTHON, path=path)


def test_50_simulated_nodes_are_ready_in_seconds_and_run_a_deployment_of_500(ordinary: Cluster) -> None:
    seconds = ordinary.up("--simulated-nodes", "50")
    assert seconds < READY_SECONDS * NOISE

    wait("50 nodes", 10, lambda: ordinary.kubectl("get", "nodes", "--no-headers").count(" Ready ") == 50)
    ordinary.apply(DEPLOYMENT)
    wait(
        "500 available replicas",
        60,
        lambda: ordinary.get("deployment", "big")["status"].get("availableReplicas", 0) == 500,
    )
    per_node: dict[str, int] = {}
    for pod in ordinary.pods("app=big"):
        per_node[pod["spec"]["nodeName"]] = per_node.get(pod["spec"]["nodeName"], 0) + 1
    assert len(per_node) == 50
    assert max(per_node.values()) <= 20

    ordinary.kubectl("scale", "deployment", "big", "--replicas=10")
    wait("10 pods", 60, lambda: len(ordinary.pods("app=big")) == 10)


def test_state_is_kept_over_down_and_up(ordinary: Cluster) -> None:
    ordinary.up("--simulated-nodes", "2")
    ordinary.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    ordinary.pybernetes("down")
    assert ordinary.pybernetes("status", code=1).stdout.count("stopped")
    ordinary.up()
    assert ordinary.get("configmap", "kept")["data"] == {"a": "1"}


def test_a_snapshot_brings_back_what_was_deleted(ordinary: Cluster) -> None:
    ordinary.up("--simulated-nodes", "1")
    ordinary.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    file = str(ordinary.root.parent / "snapshot")
    assert "saved" in ordinary.pybernetes("snapshot save", file).stdout
    ordinary.kubectl("delete", "configmap", "kept")
    assert "is running" in ordinary.pybernetes("snapshot restore", file, code=1).stderr
    ordinary.pybernetes("down")
    ordinary.pybernetes("snapshot restore", file)
    ordinary.up()
    assert ordinary.get("configmap", "kept")["data"] == {"a": "1"}


def test_options_that_need_a_restart_are_told(ordinary: Cluster) -> None:
    ordinary.up("--simulated-nodes", "1")
    done = ordinary.pybernetes("up", "--simulated-nodes", "9", code=1)
    assert "--simulated-nodes cannot change while the cluster runs" in done.stderr
    assert "pybernetes down" in done.stderr
