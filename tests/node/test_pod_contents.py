"""What real containers find inside: variables from every source, volumes of every kind, and what changes under them."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import Cluster, is_ready, wait

pytestmark = [pytest.mark.root, pytest.mark.kubectl]

IMAGE = "localhost/demo:1"


class Namespace:
    """Pods and what they refer to, in a namespace of one test's own."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name

    def kubectl(self, *arguments: str, code: int | None = 0, text: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.name, *arguments, code=code, text=text)

    def apply(self, *documents: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": documents}
        self.kubectl("apply", "-f", "-", text=json.dumps(items))

    def pod(self, name: str, **spec: Any) -> None:
        """Apply a pod whose first container sleeps unless it says what to do, and wait until it is Ready."""
        self.apply(manifest(name, **spec))
        wait(f"pod {name} to be ready", 60, lambda: is_ready(self.get("pod", name)))

    def get(self, *arguments: str) -> Any:
        return self.cluster.get("-n", self.name, *arguments)

    def sh(self, pod: str, script: str, code: int | None = 0) -> str:
        return self.kubectl("exec", pod, "-c", "main", "--", "sh", "-c", script, code=code)

    def events(self, reason: str) -> list[str]:
        return [event["message"] for event in self.get("events")["items"] if event["reason"] == reason]


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": {"note": 'two\nlines "quoted"'}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def field(path: str) -> dict[str, Any]:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


@pytest.fixture
def namespace(running: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    running.kubectl("create", "namespace", name)
    try:
        wait("the default account", 20, lambda: running.get("-n", name, "serviceaccount", "default"))
        yield Namespace(running, name)
    finally:
        running.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.conformance(
    "Secrets should be consumable from pods in env vars",
    "ConfigMap should be consumable via environment variable",
    "Variable Expansion should allow composing env vars into new env vars",
    "Variable Expansion should allow substituting values in a container's command",
    "Downward API should provide host IP as an env var",
    "Downward API should provide pod UID as env vars",
    "Pods should contain environment variables for services",
)
def test_variables_from_every_source(namespace: Namespace) -> None:
    namespace.apply(
        config_map("settings", COLOR="blue", SIZE="1"),
        secret("login", PASSWORD="pa$(COLOR)"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "data-base"},
            "spec": {"selector": {"app": "none"}, "ports": [{"name": "sql", "port": 5432}]},
        },
    )
    wait("the Service's address", 20, lambda: namespace.get("service", "data-base")["spec"]["clusterIP"])
    namespace.pod(
        "env",
        container={
            "command": ["sh", "-c", "echo '$(GREETING) $$(GREETING) $(NONE)' > /tmp/args; sleep 3600"],
            "envFrom": [{"configMapRef": {"name": "settings"}}, {"prefix": "S_", "secretRef": {"name": "login"}}],
            "env": [
                {"name": "SIZE", "value": "2"},
                {"name": "GREETING", "value": "hello-$(COLOR)-$(SIZE)-$(LATER)-$$(COLOR)"},
                {"name": "LATER", "value": "later"},
                {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOR"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "login", "key": "PASSWORD"}}},
                {"name": "NOTHING", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
                {"name": "NAME", **field("metadata.name")},
                {"name": "UID", **field("metadata.uid")},
                {"name": "LABEL", **field("metadata.labels['app']")},
                {"name": "NODE", **field("spec.nodeName")},
                {"name": "ACCOUNT", **field("spec.serviceAccountName")},
                {"name": "IP", **field("status.podIP")},
                {"name": "HOST", **field("status.hostIP")},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            ],
            "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}},
        },
    )
    pod = namespace.get("pod", "env")
    found = dict(line.split("=", 1) for line in namespace.sh("env", "env").splitlines() if "=" in line)
    service = namespace.get("service", "data-base")["spec"]["clusterIP"]
    expected = {
        "COLOR": "blue",
        "SIZE": "2",
        "S_PASSWORD": "pa$(COLOR)",
        "GREETING": "hello-blue-2-$(LATER)-$(COLOR)",
        "KEY": "blue",
        "SECRET": "pa$(COLOR)",
        "NAME": "env",
        "UID": pod["metadata"]["uid"],
        "LABEL": "env",
        "NODE": pod["spec"]["nodeName"],
        "ACCOUNT": "default",
        "IP": pod["status"]["podIP"],
        "HOST": pod["status"]["hostIP"],
        "CPU": "2",
        "MEM": "64",
        "DATA_BASE_SERVICE_HOST": service,
        "DATA_BASE_SERVICE_PORT_SQL": "5432",
        "DATA_BASE_PORT": f"tcp://{service}:5432",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "HOSTNAME": "env",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "NOTHING" not in found
    assert namespace.sh("env", "cat /tmp/args") == f"{expected['GREETING']} $(GREETING) $(NONE)\n"


def test_a_missing_source_is_told_and_its_arrival_starts_the_container(namespace: Namespace) -> None:
    variable = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "k"}}}
    namespace.apply(manifest("waits", container={"env": [variable]}))

    def reason() -> bool:
        waiting = namespace.get("pod", "waits")["status"]["containerStatuses"][0]["state"].get("waiting", {})
        return bool(waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "late" not found'})

    wait("the container to wait for its configuration", 30, reason)
    assert 'Error: configmap "late" not found' in namespace.events("Failed")
    namespace.apply(config_map("late", other="1"))
    namespace.kubectl("patch", "configmap", "late", "--type=merge", "-p", '{"data":{"k":"v"}}')
    wait("the pod to be ready", 60, lambda: is_ready(namespace.get("pod", "waits")))


@pytest.mark.conformance(
    "Secrets should be consumable from pods in volume with defaultMode set",
    "EmptyDir volumes volume on default medium should have the correct mode",
    "Projected combined should project all components that make up the projection API",
    "Downward API volume should provide container's memory limit",
)
def test_volumes_of_every_kind(namespace: Namespace, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir(mode=0o777)
    (tmp_path / "host/kept").write_text("kept")
    namespace.apply(config_map("settings", **{"color": "blue", "app.conf": "a=1"}), secret("login", password="x"))
    projected = {
        "defaultMode": 0o440,
        "sources": [
            {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
            {"configMap": {"name": "settings", "items": [{"key": "color", "path": "deep/color"}]}},
            {"secret": {"name": "login"}},
            {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        ],
    }
    downward = {
        "items": [
            {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}},
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {
                "path": "memory",
                "resourceFieldRef": {"containerName": "main", "resource": "limits.memory", "divisor": "1Mi"},
            },
        ]
    }
    namespace.pod(
        "volumes",
        volumes=[
            {"name": "disk", "emptyDir": {}},
            {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "config", "configMap": {"name": "settings"}},
            {"name": "secret", "secret": {"secretName": "login", "defaultMode": 0o400}},
            {"name": "downward", "downwardAPI": downward},
            {"name": "projected", "projected": projected},
            {"name": "host", "hostPath": {"path": str(tmp_path / "host"), "type": "Directory"}},
            {"name": "optional", "secret": {"secretName": "none", "optional": True}},
        ],
        container={
            "resources": {"limits": {"memory": "64Mi"}},
            "volumeMounts": [
                {"name": "disk", "mountPath": "/disk"},
                {"name": "disk", "mountPath": "/part", "subPath": "a/b"},
                {"name": "memory", "mountPath": "/memory"},
                {"name": "config", "mountPath": "/config"},
                {"name": "config", "mountPath": "/etc/app.conf", "subPath": "app.conf"},
                {"name": "secret", "mountPath": "/secret"},
                {"name": "downward", "mountPath": "/downward"},
                {"name": "projected", "mountPath": "/projected"},
                {"name": "host", "mountPath": "/host"},
                {"name": "host", "mountPath": "/host-read", "readOnly": True},
                {"name": "optional", "mountPath": "/optional"},
            ],
        },
    )
    sh = namespace.sh
    assert sh("volumes", "echo x > /disk/a/b/f; cat /part/f; stat -c %a /disk") == "x\n777\n"
    assert sh("volumes", "head -c 2000000 /dev/zero > /memory/big 2> /dev/null; stat -c %s /memory/big") == "1048576\n"
    assert sh("volumes", "cat /config/color /etc/app.conf; ls /config") == "bluea=1app.conf\ncolor\n"
    assert sh("volumes", "cat /secret/password; stat -L -c %a /secret/password") == "x400\n"
    assert "Read-only file system" in sh("volumes", "echo y > /secret/password", code=1)
    assert sh("volumes", "cat /downward/labels") == 'app="volumes"'
    assert sh("volumes", "cat /downward/memory") == "64"
    assert 'note="two\\nlines \\"quoted\\""' in sh("volumes", "cat /downward/annotations")
    assert sh("volumes", "cat /projected/deep/color /projected/password /projected/name") == "bluexvolumes"
    payload = sh("volumes", "cat /projected/token").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["aud"] == ["vault"]
    assert claims["kubernetes.io"]["pod"]["name"] == "volumes"
    assert sh("volumes", "echo from pod > /host/made; cat /host-read/kept") == "kept"
    assert (tmp_path / "host/made").read_text() == "from pod\n"
    assert "Read-only file system" in sh("volumes", "touch /host-read/x", code=1)
    assert sh("volumes", "ls /optional") == ""
    assert "volumes" in sh("volumes", "cat /etc/hosts")
    root = namespace.cluster.root / "kubelet/pods" / namespace.get("pod", "volumes")["metadata"]["uid"]
    namespace.kubectl("delete", "pod", "volumes", "--wait=true")
    wait("the pod's directory to go", 30, lambda: not (root / "volumes").exists())
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
    assert (tmp_path / "host/kept").read_text() == "kept"


@pytest.mark.conformance(
    "ConfigMap updates should be reflected in volume",
    "Downward API volume should update labels on modification",
)
def test_running_containers_see_changes_within_seconds(namespace: Namespace) -> None:
    namespace.apply(config_map("settings", color="blue", gone="1"), secret("login", password="x"))
    namespace.pod(
        "watcher",
        volumes=[
            {"name": "config", "configMap": {"name": "settings"}},
            {"name": "secret", "secret": {"secretName": "login"}},
            {"name": "me", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ],
        container={
            "volumeMounts": [
                {"name": "config", "mountPath": "/config"},
                {"name": "config", "mountPath": "/once", "subPath": "color"},
                {"name": "secret", "mountPath": "/secret"},
                {"name": "me", "mountPath": "/me"},
            ]
        },
    )
    namespace.kubectl("patch", "configmap", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/gone"}]')
    namespace.apply(config_map("settings", color="red"), secret("login", password="y"))
    namespace.kubectl("label", "pod", "watcher", "new=1")
    began = time.monotonic()  # noqa: TID251
    wait("the new color", 60, lambda: namespace.sh("watcher", "cat /config/color") == "red")
    wait("the new password", 60, lambda: namespace.sh("watcher", "cat /secret/password") == "y")
    wait("the new label", 60, lambda: 'new="1"' in namespace.sh("watcher", "cat /me/l"))
    assert time.monotonic() - began < 20  # noqa: TID251
    assert namespace.sh("watcher", "ls /config; cat /once") == "color\nblue"


def test_a_volume_that_cannot_be_mounted_is_told_and_comes_later(namespace: Namespace) -> None:
    namespace.apply(
        manifest(
            "waits",
            volumes=[{"name": "config", "configMap": {"name": "late"}}],
            container={"volumeMounts": [{"name": "config", "mountPath": "/config"}]},
        )
    )
    message = 'MountVolume.SetUp failed for volume "config" : configmap "late" not found'
    wait("the event", 30, lambda: message in namespace.events("FailedMount"))
    state = namespace.get("pod", "waits")["status"]["containerStatuses"][0]["state"]
    assert state["waiting"]["reason"] == "ContainerCreating"
    namespace.apply(config_map("late", a="1"))
    wait("the pod to be ready", 60, lambda: is_ready(namespace.get("pod", "waits")))


def test_a_path_of_the_node_that_is_not_what_it_should_be_is_told(namespace: Namespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    volume = {"name": "v", "hostPath": {"path": str(tmp_path / "file"), "type": "Directory"}}
    namespace.apply(manifest("waits", volumes=[volume], container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}))
    wait(
        "the event",
        30,
        lambda: any("is not a directory" in message for message in namespace.events("FailedMount")),
    )


def test_the_pods_group_owns_its_volumes_and_its_user_reads_the_token(namespace: Namespace) -> None:
    namespace.apply(secret("login", password="x"))
    namespace.pod(
        "grouped",
        securityContext={"runAsUser": 1001, "runAsGroup": 3000, "fsGroup": 2000},
        volumes=[{"name": "disk", "emptyDir": {}}, {"name": "secret", "secret": {"secretName": "login"}}],
        container={
            "volumeMounts": [{"name": "disk", "mountPath": "/disk"}, {"name": "secret", "mountPath": "/secret"}]
        },
    )
    sh = namespace.sh
    assert "2000" in sh("grouped", "id -G").split()
    assert sh("grouped", "touch /disk/f; stat -c '%u %g' /disk/f; stat -c '%g %a' /disk") == "1001 2000\n2000 2777\n"
    assert sh("grouped", "stat -L -c '%g %a' /secret/password; cat /secret/password") == "2000 644\nx"
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert sh("grouped", f"stat -L -c '%u %g %a' {token}; head -c 2 {token}") == "1001 2000 640\ney"


def test_sub_paths_with_variables_and_init_containers_share_a_volume(namespace: Namespace) -> None:
    mounts = [{"name": "work", "mountPath": "/work", "subPathExpr": "$(POD)/data"}]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    first = {
        "name": "first",
        "image": IMAGE,
        "env": env,
        "command": ["sh", "-c", "echo made > /work/f"],
        "volumeMounts": mounts,
    }
    namespace.pod(
        "expr",
        initContainers=[first],
        volumes=[{"name": "work", "emptyDir": {}}],
        container={"env": env, "volumeMounts": [*mounts, {"name": "work", "mountPath": "/all"}]},
    )
    assert namespace.sh("expr", "cat /work/f /all/expr/data/f") == "made\nmade\n"


def test_names_and_resolution_are_the_pods_own(namespace: Namespace) -> None:
    namespace.pod(
        "named",
        hostname="host",
        subdomain="sub",
        hostAliases=[{"ip": "192.0.2.9", "hostnames": ["one", "two"]}],
        dnsConfig={
            "nameservers": ["192.0.2.53"],
            "searches": ["own.example"],
            "options": [{"name": "ndots", "value": "2"}],
        },
    )
    name = f"host.sub.{namespace.name}.svc.cluster.local"
    ip = namespace.get("pod", "named")["status"]["podIP"]
    assert namespace.sh("named", "hostname") == "host\n"
    hosts = namespace.sh("named", "cat /etc/hosts")
    assert f"{ip}\t{name}\thost\n" in hosts
    assert "192.0.2.9\tone\ttwo\n" in hosts
    resolv = namespace.sh("named", "cat /etc/resolv.conf")
    assert "nameserver 10.96.0.10\n" in resolv
    assert "nameserver 192.0.2.53\n" in resolv
    assert f"search {namespace.name}.svc.cluster.local svc.cluster.local cluster.local" in resolv
    assert "own.example" in resolv
    assert "ndots:2" in resolv


def test_the_kubelet_tells_what_pods_use(namespace: Namespace) -> None:
    namespace.pod("busy", container={"command": ["sh", "-c", "i=0; while true; do i=$((i+1)); done"]})
    node = namespace.get("pod", "busy")["spec"]["nodeName"]
    path = f"/api/v1/nodes/{node}/proxy"
    summary = json.loads(namespace.kubectl("get", "--raw", f"{path}/stats/summary"))
    pod = next(pod for pod in summary["pods"] if pod["podRef"]["name"] == "busy")
    assert pod["containers"][0]["cpu"]["usageCoreNanoSeconds"] > 0
    assert pod["memory"]["workingSetBytes"] > 0
    assert pod["network"]["interfaces"][0]["name"] == "eth0"
    metrics = namespace.kubectl("get", "--raw", f"{path}/metrics/resource")
    assert f'container_cpu_usage_seconds_total{{container="main",namespace="{namespace.name}",pod="busy"}}' in metrics
    assert "node_memory_working_set_bytes" in metrics
    pods = json.loads(namespace.kubectl("get", "--raw", f"{path}/pods"))
    assert "busy" in {pod["metadata"]["name"] for pod in pods["items"]}


def test_logs_with_every_option(namespace: Namespace) -> None:
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; sleep 2; echo last; sleep 1; exit 3"
    namespace.apply(manifest("talks", container={"command": ["sh", "-c", script]}))
    wait("the first lines", 30, lambda: "err 3" in namespace.kubectl("logs", "talks"))
    assert namespace.kubectl("logs", "talks", "--limit-bytes=5") in ("out 1", "err 1")
    followed = namespace.kubectl("logs", "talks", "-f", "--tail=2")
    assert followed.endswith("last\n")
    wait(
        "the second start", 30, lambda: namespace.get("pod", "talks")["status"]["containerStatuses"][0]["restartCount"]
    )
    assert namespace.kubectl("logs", "talks", "--previous", "--tail=1") == "last\n"
    stamped = namespace.kubectl("logs", "talks", "--previous", "--timestamps", "--tail=1")
    assert stamped[:4].isdigit()
    assert stamped.split(" ", 1)[0].endswith("Z")
    assert namespace.kubectl("logs", "talks", "--previous", "--since=1h").count("\n") == 7
    missing = namespace.kubectl("logs", "talks", "-c", "nobody", code=1)
    assert "container nobody is not valid for pod talks" in missing
