"""Point 2: the example runs, and kubectl does with it what its users do."""

import subprocess
from pathlib import Path

import pytest

from clusters import EXAMPLE, Cluster, fetch, free_port, is_ready, wait
from node.conftest import wait_web

pytestmark = [pytest.mark.root, pytest.mark.kubectl]

NODE_PORT = 30080


def first_pod(cluster: Cluster) -> str:
    return str(min(pod["metadata"]["name"] for pod in cluster.pods() if is_ready(pod)))


def names(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.pods()}


def test_three_real_containers_run_and_are_ready(web: Cluster) -> None:
    pods = web.pods()
    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    for pod in pods:
        identifier = pod["status"]["containerStatuses"][0]["containerID"]
        assert identifier.startswith("containerd://")
        listed = subprocess.run(
            ["ctr", "-a", str(web.root / "run/containerd.sock"), "-n", "k8s.io", "task", "ls", "-q"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert identifier.removeprefix("containerd://") in listed


def test_the_cluster_ip_answers_from_the_host_and_from_another_pod(web: Cluster) -> None:
    address = web.get("service", "web")["spec"]["clusterIP"]
    seen = {fetch(f"http://{address}:8080/").splitlines()[0] for _ in range(30)}
    assert seen == names(web)
    body = web.exec(first_pod(web), "wget", "-q", "-T", "5", "-O", "-", f"http://{address}:8080/")
    assert body.splitlines()[0] in names(web)
    assert "Hello from Pybernetes" in body


def test_a_pod_reaches_itself_through_its_service(web: Cluster) -> None:
    pod = first_pod(web)
    seen = {web.exec(pod, "wget", "-q", "-T", "5", "-O", "-", "http://web:8080/").splitlines()[0] for _ in range(15)}
    assert pod in seen


def test_service_names_resolve_in_pods(web: Cluster) -> None:
    pod, address = first_pod(web), web.get("service", "web")["spec"]["clusterIP"]
    assert address in web.exec(pod, "nslookup", "web.default.svc.cluster.local")
    for name in ("web", "web.default", "web.default.svc.cluster.local"):
        assert web.exec(pod, "wget", "-q", "-T", "5", "-O", "-", f"http://{name}:8080/")
    assert "can't find" in web.exec(pod, "nslookup", "nobody.default.svc.cluster.local", code=1)


def test_the_node_port_answers(web: Cluster) -> None:
    node = web.get("nodes")["items"][0]
    address = next(row["address"] for row in node["status"]["addresses"] if row["type"] == "InternalIP")
    assert fetch(f"http://{address}:{NODE_PORT}/").splitlines()[0] in names(web)
    body = web.exec(first_pod(web), "wget", "-q", "-T", "5", "-O", "-", f"http://{address}:{NODE_PORT}/")
    assert body.splitlines()[0] in names(web)


def test_a_pod_reaches_the_api_server_under_its_name(web: Cluster) -> None:
    pod = first_pod(web)
    assert "10.96.0.1" in web.exec(pod, "nslookup", "kubernetes.default.svc.cluster.local")
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    command = (
        f'curl -sS -m 5 --cacert {account}/ca.crt -H "Authorization: Bearer $(cat {account}/token)" '
        "https://kubernetes.default.svc"
    )
    assert '"gitVersion": "v1.36' in web.exec(pod, "sh", "-c", f"{command}/version")
    refused = web.exec(pod, "sh", "-c", f"{command}/api/v1/namespaces/default/secrets")
    assert 'User \\"system:serviceaccount:default:default\\" cannot list resource' in refused


def test_logs(web: Cluster) -> None:
    pod = first_pod(web)
    assert f"{pod} serves on port 8080" in web.kubectl("logs", pod)
    assert web.kubectl("logs", "-l", "app=web", "--tail=1").count("serves on port") == 3
    assert web.kubectl("logs", "deployment/web", "--since=1s") is not None


def test_exec_with_input_output_and_exit_code(web: Cluster) -> None:
    pod = first_pod(web)
    assert web.exec(pod, "hostname").strip() == pod
    assert web.kubectl("exec", "-i", pod, "--", "cat", text="through the pipe\n") == "through the pipe\n"
    assert "exit code 7" in web.exec(pod, "sh", "-c", "exit 7", code=7)
    assert web.exec(pod, "cat", "/etc/web/greeting") == "Hello from Pybernetes"


def test_port_forward(web: Cluster) -> None:
    local = free_port()
    with subprocess.Popen(
        ["kubectl", "--context", web.name, "port-forward", "service/web", f"{local}:8080"],
        env=web.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            body = wait("the forwarded port", 20, lambda: fetch(f"http://127.0.0.1:{local}/"))
            assert body.splitlines()[0] in names(web)
        finally:
            process.terminate()


def test_cp_both_ways(web: Cluster, tmp_path: Path) -> None:
    pod = first_pod(web)
    (tmp_path / "there").write_text("content\n" * 10_000)
    web.kubectl("cp", str(tmp_path / "there"), f"{pod}:/tmp/copied")
    assert web.exec(pod, "wc", "-l", "/tmp/copied").startswith("10000")
    web.kubectl("cp", f"{pod}:/tmp/copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == (tmp_path / "there").read_text()


def test_describe_reads_right(web: Cluster) -> None:
    pod = web.kubectl("describe", "pod", first_pod(web))
    for part in ("Status:", "Running", "Scheduled", "Successfully assigned default/", "Started", "Created", "Node:"):
        assert part in pod
    deployment = web.kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in deployment
    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in deployment
    service = web.kubectl("describe", "service", "web")
    assert "Endpoints:" in service
    assert "Ready" in web.kubectl("describe", "node")


def test_get_in_every_form(web: Cluster) -> None:
    node = web.get("nodes")["items"][0]["metadata"]["name"]
    wide = web.kubectl("get", "pods", "-o", "wide")
    assert wide.splitlines()[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert node in wide
    everything = web.kubectl("get", "all")
    for name in ("pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/web-"):
        assert name in everything
    assert web.kubectl("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}") == "3"
    assert "kind: Deployment" in web.kubectl("get", "deployment", "web", "-o", "yaml")
    assert "3/3" in web.kubectl("get", "deployment", "web")
    assert "containerd://" in web.kubectl("get", "nodes", "-o", "wide")


def test_explain(web: Cluster) -> None:
    text = web.kubectl("explain", "deployment.spec.replicas")
    assert "replicas" in text
    assert "integer" in text
    assert "containers" in web.kubectl("explain", "pod.spec")


def test_diff_tells_what_apply_would_change(web: Cluster, tmp_path: Path) -> None:
    assert web.kubectl("diff", "-f", str(EXAMPLE)) == ""
    changed = tmp_path / "web.yaml"
    changed.write_text(EXAMPLE.read_text().replace("replicas: 3", "replicas: 4"))
    text = web.kubectl("diff", "-f", str(changed), code=1)
    assert "-  replicas: 3" in text
    assert "+  replicas: 4" in text


def test_scale_and_wait(web: Cluster) -> None:
    web.kubectl("scale", "deployment", "web", "--replicas=5")
    web.kubectl("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=5", "--timeout=60s")
    web.kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    web.kubectl("scale", "deployment", "web", "--replicas=3")
    wait_web(web)


def test_rollout_and_undo(web: Cluster) -> None:
    assert "successfully rolled out" in web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    web.kubectl("set", "env", "deployment/web", "GREETING=changed", "EXTRA=1")
    assert "successfully rolled out" in web.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    assert "EXTRA=1" in web.exec(first_pod(web), "env")
    assert "REVISION" in web.kubectl("rollout", "history", "deployment/web")
    web.kubectl("rollout", "undo", "deployment/web")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    wait_web(web)
    assert "EXTRA=1" not in web.exec(first_pod(web), "env")


def test_a_bad_manifest_is_told_and_nothing_is_made(web: Cluster, tmp_path: Path) -> None:
    broken = tmp_path / "bad.yaml"
    broken.write_text(EXAMPLE.read_text().replace("replicas: 3", "replicas: many"))
    assert "replicas" in web.kubectl("apply", "-f", str(broken), code=1)
    broken.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: Bad_Name}\nspec: {containers: []}\n")
    text = web.kubectl("apply", "-f", str(broken), code=1)
    assert "Invalid value" in text or "Required value" in text
    assert "NotFound" in web.kubectl("get", "pod", "bad", code=1)
