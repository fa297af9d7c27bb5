"""Points 1 and 5: coming up, coming back, and leaving nothing."""

import json
import subprocess
from pathlib import Path

import pytest

from clusters import NOISE, REPOSITORY, Cluster, free_port, is_ready, left_behind, machine_footprint, wait
from node.conftest import new_cluster, remove
from pybernetes.effects import SystemClock

pytestmark = [pytest.mark.root, pytest.mark.kubectl]

MANY = 200
MANY_PODS = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {MANY}
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: c, image: "localhost/demo:1", command: [sleep, "100000"]}}
"""


def ready_nodes(cluster: Cluster) -> int:
    return cluster.kubectl("get", "nodes", "--no-headers").split().count("Ready")


def test_a_stopped_cluster_is_back_in_seconds_with_everything_it_had() -> None:
    cluster = new_cluster("again")
    try:
        cluster.up()
        assert ready_nodes(cluster) == 1
        cluster.pybernetes("image build-demo")
        cluster.kubectl("create", "deployment", "kept", "--image=localhost/demo:1")
        wait("a ready pod", 60, lambda: [pod for pod in cluster.pods("app=kept") if is_ready(pod)])
        before = cluster.get("deployment", "kept")["metadata"]["uid"]

        cluster.pybernetes("down")
        assert cluster.pybernetes("status", code=1).stdout.count("stopped") >= 1
        assert cluster.processes() == {}

        seconds = cluster.up()

        assert seconds < 8 * NOISE
        assert ready_nodes(cluster) == 1
        assert cluster.get("deployment", "kept")["metadata"]["uid"] == before
        wait("the pod to run again", 60, lambda: [pod for pod in cluster.pods("app=kept") if is_ready(pod)])
        assert cluster.up() < 4 * NOISE, "up of a running cluster changes nothing"
    finally:
        remove(cluster)


def test_200_pods_come_up_and_go_away_and_delete_leaves_nothing_behind() -> None:
    before = machine_footprint()
    cluster = new_cluster("many")
    try:
        cluster.up()
        cluster.pybernetes("image build-demo")
        cluster.apply(MANY_PODS)

        def all_ready() -> bool:
            return bool(cluster.get("deployment", "many")["status"].get("readyReplicas", 0) == MANY)

        wait(f"{MANY} ready pods", 180, all_ready)
        cluster.kubectl("delete", "deployment", "many", "--wait=false")
        wait("the pods to be gone", 180, lambda: not cluster.pods("app=many"))
        cluster.kubectl("create", "deployment", "left", "--image=localhost/demo:1", "--replicas=3")
        wait("ready pods", 60, lambda: sum(map(is_ready, cluster.pods("app=left"))) == 3)
    finally:
        remove(cluster)
    assert left_behind(before, machine_footprint(), cluster) == {}
    assert not cluster.root.exists()


def test_delete_cleans_up_after_a_cluster_whose_processes_were_all_killed() -> None:
    before = machine_footprint()
    cluster = new_cluster("killed")
    try:
        cluster.up()
        cluster.pybernetes("image build-demo")
        cluster.kubectl("create", "deployment", "left", "--image=localhost/demo:1", "--replicas=2")
        wait("ready pods", 60, lambda: sum(map(is_ready, cluster.pods("app=left"))) == 2)
        processes = cluster.processes()
        pids = [str(row["pid"]) for row in processes.values()]
        subprocess.run(["kill", "-9", *pids], check=True)
    finally:
        remove(cluster)
    assert left_behind(before, machine_footprint(), cluster) == {}


def test_a_fresh_clone_is_up_after_one_command(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
    cluster = new_cluster("fresh")
    clock = SystemClock()
    port, began = free_port(), clock.monotonic()
    arguments = f"--name {cluster.name} --data-dir {cluster.root} --port {port} --kubeconfig {cluster.kubeconfig}"
    try:
        command = ["make", "up", f"ARGS={arguments}"]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert clock.monotonic() - began < 90 * NOISE
        assert ready_nodes(cluster) == 1
    finally:
        remove(cluster)


def test_a_taken_port_is_told_with_what_to_do() -> None:
    import socket

    cluster = new_cluster("taken")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", cluster.port))
        listener.listen()
        done = cluster.pybernetes("up", "--port", str(cluster.port), "--kubeconfig", str(cluster.kubeconfig), code=1)
    assert f"port {cluster.port} on 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr
    remove(cluster)


def test_status_tells_every_process(running: Cluster) -> None:
    text = running.pybernetes("status").stdout
    assert "ready" in text
    for component in ("supervisor", "apiserver", "control", "node", "containerd"):
        assert component in text
    report = json.loads(running.pybernetes("status", "--output", "json").stdout)
    assert all(row["running"] and row["memory_bytes"] > 0 for row in report["processes"])
    assert "started component=apiserver" in running.pybernetes("logs", "supervisor").stdout
