"""Point 3: what breaks is repaired."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from clusters import Cluster, fetch, is_ready, restarts, wait
from node.conftest import wait_web

pytestmark = [pytest.mark.root, pytest.mark.kubectl]


def first_process(cluster: Cluster, pod: dict[str, object]) -> int:
    """The host's pid of the pod's container."""
    identifier = pod["status"]["containerStatuses"][0]["containerID"]  # type: ignore[index]
    listed = subprocess.run(
        ["ctr", "-a", str(cluster.root / "run/containerd.sock"), "-n", "k8s.io", "task", "ls"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    row = next(line for line in listed.splitlines() if line.startswith(identifier.removeprefix("containerd://")))
    return int(row.split()[1])


def by_name(cluster: Cluster, name: str) -> dict[str, object]:
    return next(pod for pod in cluster.pods() if pod["metadata"]["name"] == name)


def test_a_killed_process_is_restarted_and_counted(web: Cluster) -> None:
    pod = web.pods()[0]
    name, before = pod["metadata"]["name"], restarts(pod)

    os.kill(first_process(web, pod), signal.SIGKILL)

    wait("the restart", 60, lambda: restarts(by_name(web, name)) > before)
    wait_web(web)
    again = by_name(web, name)
    last = again["status"]["containerStatuses"][0]["lastState"]["terminated"]  # type: ignore[index]
    assert last["exitCode"] == 137
    assert "serves on port" in web.kubectl("logs", name, "--previous")


def test_a_deleted_pod_is_replaced(web: Cluster) -> None:
    names = {pod["metadata"]["name"] for pod in web.pods()}
    gone = min(names)

    web.kubectl("delete", "pod", gone)

    wait_web(web)
    now = {pod["metadata"]["name"] for pod in web.pods()}
    assert gone not in now
    assert len(now - names) == 1


def test_a_bad_image_backs_off_while_the_old_replicas_stay(web: Cluster) -> None:
    old = {pod["metadata"]["name"] for pod in web.pods()}
    web.kubectl("set", "image", "deployment/web", "web=localhost:1/no/such:1")

    def backing_off() -> bool:
        reasons = {
            row["state"].get("waiting", {}).get("reason")
            for pod in web.pods()
            for row in pod["status"].get("containerStatuses", ())
        }
        return "ImagePullBackOff" in reasons

    wait("ImagePullBackOff", 90, backing_off)
    assert old <= {pod["metadata"]["name"] for pod in web.pods() if is_ready(pod)}
    assert "Failed to pull image" in web.kubectl("describe", "pods", "-l", "app=web")
    web.kubectl("rollout", "undo", "deployment/web")
    wait_web(web)


def test_a_failing_readiness_probe_takes_a_pod_out_of_the_service(web: Cluster) -> None:
    address = web.get("service", "web")["spec"]["clusterIP"]
    victim = min(pod["metadata"]["name"] for pod in web.pods())
    ip = by_name(web, victim)["status"]["podIP"]  # type: ignore[index]
    before = restarts(by_name(web, victim))

    def endpoints() -> set[str]:
        slices = web.get("endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
        return {
            endpoint["addresses"][0]
            for piece in slices
            for endpoint in piece.get("endpoints") or ()
            if endpoint["conditions"]["ready"]
        }

    assert ip in endpoints()
    web.exec(victim, "mv", "/www/healthz", "/www/hidden")

    try:
        wait("the pod to be unready", 30, lambda: not is_ready(by_name(web, victim)))
        wait("the endpoint to be out", 10, lambda: ip not in endpoints())
        wait("the proxy to follow", 10, lambda: victim not in {answer(address) for _ in range(20)})
        assert restarts(by_name(web, victim)) == before
    finally:
        web.exec(victim, "mv", "/www/hidden", "/www/healthz")
    wait("the endpoint to be back", 30, lambda: ip in endpoints())


def answer(address: str) -> str:
    body = fetch(f"http://{address}:8080/")
    assert body, "a Service with ready endpoints always answers"
    return body.splitlines()[0]


def test_a_container_over_its_memory_limit_is_reported_as_oom_killed(running: Cluster) -> None:
    running.apply(
        """
apiVersion: v1
kind: Pod
metadata: {name: greedy, labels: {app: greedy}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: localhost/demo:1
    command: [sh, -c, "exec tail /dev/zero"]
    resources: {limits: {memory: 24Mi}}
"""
    )
    try:

        def reason() -> bool:
            status = running.get("pod", "greedy")["status"]["containerStatuses"][0]["state"]
            return bool(status.get("terminated", {}).get("reason") == "OOMKilled")

        wait("OOMKilled", 60, reason)
        assert running.get("pod", "greedy")["status"]["phase"] == "Failed"
    finally:
        running.kubectl("delete", "pod", "greedy", "--now")


def test_no_cgroup_or_mount_stays_of_pods_that_are_gone(running: Cluster) -> None:
    running.kubectl("create", "deployment", "brief", "--image=localhost/demo:1", "--replicas=2")
    wait("ready pods", 60, lambda: sum(map(is_ready, running.pods("app=brief"))) == 2)
    uids = [pod["metadata"]["uid"] for pod in running.pods("app=brief")]
    running.kubectl("delete", "deployment", "brief")
    wait("the pods to be gone", 60, lambda: not running.pods("app=brief"))

    def traces() -> list[str]:
        mounts = Path("/proc/self/mountinfo").read_text()
        cgroups = [str(path) for path in Path("/sys/fs/cgroup").rglob("pod*") if path.is_dir()]
        return [uid for uid in uids if uid in mounts or any(uid in path for path in cgroups)]

    wait("mounts and cgroups to be gone", 30, lambda: not traces())
