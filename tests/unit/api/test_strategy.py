from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api import defaults, normalize, pod_qos, registry, strategy
from pybernetes.api.registry import Resource

Json = dict[str, Any]
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


def created(kind: str, group: str = "", **content: Any) -> Json:
    what = resource(kind, group)
    document = {"apiVersion": what.api_version, "kind": kind, "metadata": {"name": "x"}, **content}
    document = defaults.apply(normalize.normalize(document, what.type_alias), what)
    return strategy.prepare_create(what, document, NOW, "u1")


POD_SPEC = {"containers": [{"name": "c", "image": "i"}]}


def test_identity_and_time_are_the_servers() -> None:
    found = created("ConfigMap", metadata={"name": "x", "uid": "mine", "resourceVersion": "7", "selfLink": "/"})
    assert found["metadata"] == {"name": "x", "uid": "u1", "creationTimestamp": "2024-01-02T03:04:05Z"}


def test_a_pod_starts_pending() -> None:
    found = created("Pod", spec=POD_SPEC, status={"phase": "Running"})
    assert found["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert found["metadata"]["generation"] == 1


def test_a_gated_pod_says_so() -> None:
    found = created("Pod", spec={**POD_SPEC, "schedulingGates": [{"name": "g"}]})
    assert found["status"]["conditions"][0]["reason"] == "SchedulingGated"


def test_a_node_keeps_its_status_at_creation() -> None:
    found = created("Node", status={"capacity": {"cpu": "2"}})
    assert found["status"]["allocatable"] == {"cpu": "2"}
    assert "generation" not in found["metadata"]


def test_a_namespace_gets_label_and_finalizer() -> None:
    found = created("Namespace")
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["status"] == {"phase": "Active"}


def test_a_job_gets_its_selector() -> None:
    found = created("Job", "batch", spec={"template": {"spec": POD_SPEC}})
    assert found["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}}
    assert found["spec"]["template"]["metadata"]["labels"] == {
        "job-name": "x",
        "batch.kubernetes.io/job-name": "x",
        "controller-uid": "u1",
        "batch.kubernetes.io/controller-uid": "u1",
    }


def deployment(**spec: Any) -> Json:
    return created("Deployment", "apps", spec={"template": {"spec": POD_SPEC}, **spec})


DEPLOYMENTS = resource("Deployment", "apps")


def test_generation_rises_with_the_spec_only() -> None:
    old = {**deployment(), "status": {"replicas": 1}}
    same = strategy.prepare_update(DEPLOYMENTS, "", deployment(), old)
    assert same["metadata"]["generation"] == 1
    changed = strategy.prepare_update(DEPLOYMENTS, "", deployment(replicas=5), old)
    assert changed["metadata"]["generation"] == 2


def test_an_update_keeps_the_stored_status_and_identity() -> None:
    old = {**deployment(), "status": {"replicas": 1}}
    new = {
        "metadata": {"name": "x", "creationTimestamp": "2000-01-01T00:00:00Z"},
        "spec": {},
        "status": {"replicas": 9},
    }
    found = strategy.prepare_update(DEPLOYMENTS, "", new, old)
    assert found["status"] == {"replicas": 1}
    assert found["metadata"]["uid"] == "u1"
    assert found["metadata"]["creationTimestamp"] == "2024-01-02T03:04:05Z"


def test_a_status_write_changes_nothing_else() -> None:
    old = deployment()
    new = {"metadata": {"name": "x", "annotations": {"a": "b"}}, "spec": {"replicas": 9}, "status": {"replicas": 9}}
    found = strategy.prepare_update(DEPLOYMENTS, "status", new, old)
    assert found["spec"] == old["spec"]
    assert found["status"] == {"replicas": 9}
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["metadata"]["generation"] == 1


def test_a_pod_status_write_cannot_touch_owners_or_deletion() -> None:
    old = created("Pod", spec=POD_SPEC)
    old["metadata"]["ownerReferences"] = [{"uid": "o"}]
    new = {"metadata": {"name": "x", "deletionTimestamp": "2024-01-02T03:04:05Z"}, "status": {"phase": "Running"}}
    found = strategy.prepare_update(resource("Pod"), "status", new, old)
    assert found["metadata"]["ownerReferences"] == [{"uid": "o"}]
    assert "deletionTimestamp" not in found["metadata"]
    assert found["status"] == {"phase": "Running", "qosClass": "BestEffort"}


def test_a_daemon_set_counts_its_templates() -> None:
    old = created("DaemonSet", "apps", spec={"template": {"spec": POD_SPEC}})
    key = "deprecated.daemonset.template.generation"
    assert old["metadata"]["annotations"] == {key: "1"}
    new = created("DaemonSet", "apps", spec={"template": {"spec": {**POD_SPEC, "nodeName": "n"}}})
    found = strategy.prepare_update(resource("DaemonSet", "apps"), "", new, old)
    assert found["metadata"]["annotations"] == {key: "2"}
    assert found["metadata"]["generation"] == 2


def service(**spec: Any) -> Json:
    return created("Service", spec={"ports": [{"port": 80}], **spec})


def test_a_service_keeps_its_addresses_when_the_client_leaves_them_out() -> None:
    old = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    found = strategy.prepare_update(resource("Service"), "", service(), old)
    assert found["spec"]["clusterIP"] == "10.96.0.7"
    assert found["spec"]["ipFamilies"] == ["IPv4"]


def test_a_service_that_becomes_external_loses_its_addresses() -> None:
    old = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ipFamilies=["IPv4"])
    new = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], type="ExternalName", externalName="a.b")
    found = strategy.prepare_update(resource("Service"), "", new, old)
    assert "clusterIP" not in found["spec"]


def test_a_service_that_gives_up_node_ports_loses_them() -> None:
    old = service(type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    new = service(type="ClusterIP", ports=[{"port": 80, "nodePort": 30001}])
    found = strategy.prepare_update(resource("Service"), "", new, old)
    assert "nodePort" not in found["spec"]["ports"][0]


def test_namespace_finalizers_have_their_own_door() -> None:
    old = created("Namespace")
    new = {"metadata": {"name": "x"}, "spec": {}}
    kept = strategy.prepare_update(resource("Namespace"), "", {**new}, old)
    assert kept["spec"] == {"finalizers": ["kubernetes"]}
    gone = strategy.prepare_update(resource("Namespace"), "finalize", {**new}, old)
    assert gone["spec"] == {}


def test_ephemeral_containers_have_their_own_door() -> None:
    old = created("Pod", spec=POD_SPEC)
    new = {"metadata": {"name": "x"}, "spec": {"nodeName": "n", "ephemeralContainers": [{"name": "debug"}]}}
    found = strategy.prepare_update(resource("Pod"), "ephemeralcontainers", new, old)
    assert found["spec"]["ephemeralContainers"] == [{"name": "debug"}]
    assert "nodeName" not in found["spec"]
    assert found["metadata"]["generation"] == 2


def test_resize_changes_resources_only() -> None:
    old = created("Pod", spec=POD_SPEC)
    wanted = [{"name": "c", "image": "other", "resources": {"requests": {"cpu": "1"}}}]
    found = strategy.prepare_update(resource("Pod"), "resize", {"metadata": {}, "spec": {"containers": wanted}}, old)
    assert found["spec"]["containers"][0]["image"] == "i"
    assert found["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1"}}


def test_custom_resources_with_a_status_door() -> None:
    toy = Resource(
        "example.com",
        "v1",
        "Toy",
        "toys",
        "toy",
        namespaced=True,
        verbs=(),
        list_kind="ToyList",
        subresources={"status": registry.Subresource("status", "Toy", ())},
    )
    old = strategy.prepare_create(toy, {"metadata": {"name": "x"}, "spec": {"a": 1}, "status": {"b": 1}}, NOW, "u")
    assert "status" not in old
    new = {"metadata": {"name": "x", "labels": {"l": "1"}}, "spec": {"a": 2}, "status": {"b": 2}}
    found = strategy.prepare_update(toy, "status", dict(new), old)
    assert (found["spec"], found["status"], found["metadata"].get("labels")) == ({"a": 1}, {"b": 2}, None)
    found = strategy.prepare_update(toy, "", dict(new), old)
    assert (found["spec"], "status" in found, found["metadata"]["generation"]) == ({"a": 2}, False, 2)


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("row", "resources", "expected"),
    [
        ("nothing asked", [{}], "BestEffort"),
        ("all limits equal requests", [{"limits": FULL, "requests": FULL}], "Guaranteed"),
        ("one container without limits", [{"limits": FULL, "requests": FULL}, {}], "Burstable"),
        ("requests below limits", [{"limits": FULL, "requests": {"cpu": "500m", "memory": "1Gi"}}], "Burstable"),
        ("only memory", [{"requests": {"memory": "1Gi"}}], "Burstable"),
        ("other resources do not count", [{"requests": {"example.com/x": "1"}}], "BestEffort"),
    ],
)
def test_qos_class(row: str, resources: list[Json], expected: str) -> None:
    assert pod_qos.qos_class({"containers": [{"resources": r} for r in resources]}) == expected, row


def test_a_new_object_looks_as_go_writes_it() -> None:
    assert created("ReplicationController")["status"] == {"replicas": 0}
    assert created("DaemonSet", "apps")["status"]["numberReady"] == 0
    assert created("Ingress", "networking.k8s.io")["status"] == {"loadBalancer": {}}


def test_owners_named_twice_are_merged_with_a_warning() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}
    document = {"metadata": {"ownerReferences": [owner, {**owner, "uid": "2"}, dict(owner)]}}
    (warning,) = strategy.merge_owners(document)
    assert warning.endswith("duplicate UID(s) observed: 1")
    assert [o["uid"] for o in document["metadata"]["ownerReferences"]] == ["1", "2"]
    assert strategy.merge_owners(document) == []
