from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api import normalize, printing, registry
from pybernetes.api.cells import text
from pybernetes.api.registry import Resource

Json = dict[str, Any]
NOW = datetime(2024, 1, 2, 0, 0, 0, tzinfo=UTC)
CREATED = "2024-01-01T23:00:00Z"


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


def row(kind: str, group: str = "", **content: Any) -> dict[str, Any]:
    what = resource(kind, group)
    document = {"metadata": {"name": "x", "creationTimestamp": CREATED}, **content}
    cells = printing.cells(what, document, NOW)
    names = [column["name"] for column in printing.columns(what)]
    return dict(zip(names, cells, strict=True))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 720, "5h12m"),
        (8 * 3600 + 720, "8h"),
        (47 * 3600, "47h"),
        (2 * 86400, "2d"),
        (3 * 86400 + 7200, "3d2h"),
        (8 * 86400 + 7200, "8d"),
        (729 * 86400, "729d"),
        (2 * 365 * 86400 + 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_are_short(seconds: int, shown: str) -> None:
    assert text.human_duration(seconds) == shown


def container(**state: Any) -> Json:
    return {"name": "c", "restartCount": 0, "ready": False, "state": state}


TWO = {"containers": [{"name": "c"}, {"name": "d"}]}


@pytest.mark.parametrize(
    ("what", "spec", "status", "ready", "word"),
    [
        ("not started", TWO, {"phase": "Pending"}, "0/2", "Pending"),
        ("evicted", TWO, {"phase": "Failed", "reason": "Evicted"}, "0/2", "Evicted"),
        (
            "gated",
            TWO,
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]},
            "0/2",
            "SchedulingGated",
        ),
        (
            "waiting",
            TWO,
            {"phase": "Pending", "containerStatuses": [container(waiting={"reason": "ErrImagePull"})]},
            "0/2",
            "ErrImagePull",
        ),
        (
            "running",
            TWO,
            {"phase": "Running", "containerStatuses": [{**container(running={}), "ready": True}]},
            "1/2",
            "Running",
        ),
        (
            "killed by a signal",
            TWO,
            {"phase": "Failed", "containerStatuses": [container(terminated={"signal": 9, "exitCode": 137})]},
            "0/2",
            "Signal:9",
        ),
        (
            "one finished, one running, ready",
            TWO,
            {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    container(terminated={"reason": "Completed", "exitCode": 0}),
                    {**container(running={}), "ready": True},
                ],
            },
            "1/2",
            "Running",
        ),
        (
            "second init container at work",
            {**TWO, "initContainers": [{"name": "i"}, {"name": "j"}]},
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                    {"name": "j", "state": {"running": {}}},
                ],
            },
            "0/2",
            "Init:1/2",
        ),
        (
            "init container failed",
            {**TWO, "initContainers": [{"name": "i"}]},
            {
                "phase": "Pending",
                "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3}}}],
            },
            "0/2",
            "Init:ExitCode:3",
        ),
        (
            "a sidecar counts",
            {**TWO, "initContainers": [{"name": "s", "restartPolicy": "Always"}]},
            {
                "phase": "Running",
                "initContainerStatuses": [{"name": "s", "started": True, "ready": True, "state": {"running": {}}}],
            },
            "1/3",
            "Running",
        ),
    ],
)
def test_the_status_of_a_pod(what: str, spec: Json, status: Json, ready: str, word: str) -> None:
    found = row("Pod", spec=spec, status=status)
    assert (found["Ready"], found["Status"]) == (ready, word), what


def test_a_deleted_pod_is_terminating_and_restarts_have_an_age() -> None:
    last = {"terminated": {"finishedAt": "2024-01-01T23:55:00Z"}}
    status = {"phase": "Running", "containerStatuses": [{**container(), "restartCount": 3, "lastState": last}]}
    metadata = {"name": "x", "creationTimestamp": CREATED, "deletionTimestamp": CREATED}
    found = row("Pod", metadata=metadata, spec=TWO, status=status)
    assert (found["Status"], found["Restarts"], found["Age"]) == ("Terminating", "3 (5m ago)", "60m")
    assert (found["IP"], found["Node"], found["Readiness Gates"]) == ("<none>", "<none>", "<none>")


def test_rows_of_finished_pods_are_marked() -> None:
    pods = resource("Pod")
    assert printing.row_conditions(pods, {"status": {"phase": "Succeeded"}})[0]["type"] == "Completed"
    assert printing.row_conditions(pods, {"status": {"phase": "Running"}}) == ()


@pytest.mark.parametrize(
    ("kind", "group", "content", "expected"),
    [
        (
            "Service",
            "",
            {"spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30001}]}},
            {"Type": "NodePort", "Cluster-IP": "10.0.0.1", "External-IP": "<none>", "Port(s)": "80:30001/TCP"},
        ),
        ("Service", "", {"spec": {"type": "LoadBalancer"}}, {"External-IP": "<pending>", "Port(s)": "<none>"}),
        (
            "Deployment",
            "apps",
            {"spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}, "status": {"readyReplicas": 2}},
            {"Ready": "2/3", "Up-to-date": 0, "Available": 0, "Selector": "a=b"},
        ),
        ("ReplicaSet", "apps", {"spec": {"replicas": 3}, "status": {"replicas": 2}}, {"Desired": 3, "Current": 2}),
        (
            "Node",
            "",
            {
                "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
            {
                "Status": "Ready,SchedulingDisabled",
                "Roles": "control-plane",
                "Internal-IP": "<none>",
                "Age": "<unknown>",
            },
        ),
        (
            "Job",
            "batch",
            {"spec": {"completions": 2}, "status": {"succeeded": 1, "startTime": CREATED}},
            {"Status": "Running", "Completions": "1/2", "Duration": "60m"},
        ),
        ("CronJob", "batch", {"spec": {"schedule": "* * * * *", "suspend": False}}, {"Suspend": "False", "Active": 0}),
        (
            "Event",
            "",
            {"lastTimestamp": CREATED, "involvedObject": {"kind": "Pod", "name": "p"}, "message": "m\n", "count": 4},
            {"Last Seen": "60m", "Object": "pod/p", "Message": "m", "Count": 4},
        ),
        ("ConfigMap", "", {"data": {"a": "1"}, "binaryData": {"b": ""}}, {"Data": 2}),
        ("Endpoints", "", {}, {"Endpoints": "<none>"}),
        (
            "EndpointSlice",
            "discovery.k8s.io",
            {"ports": [{"port": 80}], "endpoints": [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]},
            {"Ports": "80", "Endpoints": "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."},
        ),
        (
            "PersistentVolumeClaim",
            "",
            {
                "spec": {"volumeName": "v"},
                "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
            },
            {"Status": "Bound", "Capacity": "1Gi", "Access Modes": "RWO", "VolumeAttributesClass": "<unset>"},
        ),
        (
            "HorizontalPodAutoscaler",
            "autoscaling",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                    "metrics": [
                        {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
                    ],
                }
            },
            {"Reference": "Deployment/d", "Targets": "cpu: <unknown>/80%", "MinPods": "<unset>"},
        ),
        (
            "ResourceQuota",
            "",
            {"status": {"hard": {"pods": "5", "limits.cpu": "2"}, "used": {"pods": "1"}}},
            {"Request": "pods: 1/5", "Limit": "limits.cpu: 0/2"},
        ),
        (
            "Ingress",
            "networking.k8s.io",
            {"spec": {"tls": [{}]}},
            {"Class": "<none>", "Hosts": "*", "Ports": "80, 443"},
        ),
        (
            "RoleBinding",
            "rbac.authorization.k8s.io",
            {
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
            },
            {"Role": "Role/r", "ServiceAccounts": "n/s"},
        ),
        ("Role", "rbac.authorization.k8s.io", {}, {"Created At": CREATED}),
        (
            "PodDisruptionBudget",
            "policy",
            {"spec": {"minAvailable": 1}},
            {"Min Available": "1", "Max Unavailable": "N/A"},
        ),
        (
            "PodGroup",
            "scheduling.k8s.io",
            {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}},
            {"Policy": "Gang", "Workload": "<none>", "Status": "Pending"},
        ),
        (
            "PodCertificateRequest",
            "certificates.k8s.io",
            {"spec": {"podName": "p"}, "status": {"conditions": [{"type": "Issued", "status": "True"}]}},
            {"PodName": "p", "State": "Issued", "UnverifiedUserAnnotations": "<none>"},
        ),
        (
            "ResourcePoolStatusRequest",
            "resource.k8s.io",
            {
                "spec": {"driver": "d"},
                "status": {
                    "pools": [{"totalDevices": 3, "allocatedDevices": 1}, {"totalDevices": 2}],
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            },
            {"Total": "5", "Allocated": "1", "Errors": "0", "Pools": 2, "Status": "Complete"},
        ),
    ],
)
def test_cells(kind: str, group: str, content: Json, expected: Json) -> None:
    found = row(kind, group, **content)
    assert {key: found[key] for key in expected} == expected


def test_every_kind_has_as_many_cells_as_columns() -> None:
    for what in registry.built_in():
        document = normalize.normalize({}, what.type_alias)
        assert len(printing.cells(what, document, NOW)) == len(printing.columns(what)), what.kind


TOY = Resource("example.com", "v1", "Toy", "toys", "toy", namespaced=True, verbs=(), list_kind="ToyList")


def test_custom_resources_show_their_own_columns() -> None:
    additional: list[Json] = [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Count", "type": "integer", "jsonPath": ".spec.count", "priority": 1},
        {"name": "Missing", "type": "string", "jsonPath": ".spec.nope"},
    ]
    document = {
        "metadata": {"name": "x"},
        "spec": {"color": "red", "count": 3},
        "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]},
    }
    assert printing.cells(TOY, document, NOW, additional) == ["x", "red", "True", 3, None]
    assert [c["name"] for c in printing.columns(TOY, additional)] == ["Name", "Color", "Ready", "Count", "Missing"]


def test_custom_resources_without_columns_show_when_they_were_created() -> None:
    document = {"metadata": {"name": "x", "creationTimestamp": CREATED}}
    assert printing.cells(TOY, document, NOW) == ["x", "60m"]
    assert [c["name"] for c in printing.columns(TOY)] == ["Name", "Age"]
