from typing import Any

import pytest

from pybernetes.api import defaults, normalize, registry
from pybernetes.api.defaults import pods
from pybernetes.api.registry import Resource

Json = dict[str, Any]


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


def filled(kind: str, group: str = "", **content: Any) -> Json:
    what = resource(kind, group)
    document = {"apiVersion": what.api_version, "kind": kind, "metadata": {"name": "x"}, **content}
    return defaults.apply(normalize.normalize(document, what.type_alias), what)


CONTAINER = {"name": "c", "image": "nginx"}


def test_a_pod_gets_what_upstream_gives() -> None:
    probe = {"httpGet": {"port": 80}}
    spec = filled("Pod", spec={"containers": [{**CONTAINER, "ports": [{"containerPort": 80}], "livenessProbe": probe}]})
    assert spec["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "livenessProbe": {
                    "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "resources": {},
                "imagePullPolicy": "Always",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:2", "IfNotPresent"),
        ("nginx@sha256:0", "IfNotPresent"),
        ("nginx:latest@sha256:0", "Always"),
        ("", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pods.pull_policy(image) == policy


def test_a_limit_without_request_is_the_request() -> None:
    container = {**CONTAINER, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}}
    found = filled("Pod", spec={"containers": [container]})["spec"]["containers"][0]["resources"]
    assert found["requests"] == {"cpu": "100m", "memory": "1Gi"}


def test_templates_do_not_copy_limits() -> None:
    container = {**CONTAINER, "resources": {"limits": {"cpu": "1"}}}
    found = filled("Deployment", "apps", spec={"template": {"spec": {"containers": [container]}}})
    assert "requests" not in found["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert "enableServiceLinks" not in found["spec"]["template"]["spec"]


def test_host_network_sets_host_ports() -> None:
    container = {**CONTAINER, "ports": [{"containerPort": 80}]}
    found = filled("Pod", spec={"hostNetwork": True, "containers": [container]})
    assert found["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


def test_requests_of_the_whole_pod_come_from_its_containers() -> None:
    sidecar = {**CONTAINER, "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}
    start = {**CONTAINER, "resources": {"requests": {"cpu": "5"}}}
    main = {**CONTAINER, "resources": {"requests": {"cpu": "2"}}}
    spec = {"resources": {"limits": {"cpu": "9", "memory": "1Gi"}}, "initContainers": [sidecar, start]}
    found = filled("Pod", spec={**spec, "containers": [main]})
    assert found["spec"]["resources"]["requests"] == {"cpu": "6", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("row", "volume", "expected"),
    [
        ("nothing is an empty directory", {}, {"emptyDir": {}}),
        ("a secret has a mode", {"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ("a host path has a type", {"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        (
            "a projected token expires",
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
    ],
)
def test_volumes(row: str, volume: Json, expected: Json) -> None:
    found = filled("Pod", spec={"containers": [CONTAINER], "volumes": [{"name": "v", **volume}]})
    assert found["spec"]["volumes"] == [{"name": "v", **expected}], row


def test_a_deployment() -> None:
    spec = filled("Deployment", "apps", spec={})["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


def test_zero_replicas_stay_zero() -> None:
    assert filled("Deployment", "apps", spec={"replicas": 0})["spec"]["replicas"] == 0


def test_a_service() -> None:
    spec = filled("Service", spec={"type": "NodePort", "ports": [{"port": 80}]})["spec"]
    assert spec == {
        "type": "NodePort",
        "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
        "sessionAffinity": "None",
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
    }


def test_an_external_name_has_no_traffic_policy() -> None:
    spec = filled("Service", spec={"type": "ExternalName", "externalName": "a.b"})["spec"]
    assert "internalTrafficPolicy" not in spec


def test_texts_of_a_secret_are_merged_over_its_data() -> None:
    found = filled("Secret", data={"a": "eA==", "b": "eA=="}, stringData={"b": "y"})
    assert found["data"] == {"a": "eA==", "b": "eQ=="}
    assert "stringData" not in found
    assert found["type"] == "Opaque"


def test_a_job_without_counts_runs_once() -> None:
    spec = filled("Job", "batch", spec={"template": {"metadata": {"labels": {"a": "b"}}}})
    assert spec["metadata"]["labels"] == {"a": "b"}
    assert (spec["spec"]["completions"], spec["spec"]["parallelism"], spec["spec"]["backoffLimit"]) == (1, 1, 6)


def test_a_limit_range_derives_requests() -> None:
    limits = [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]
    found = filled("LimitRange", spec={"limits": limits})["spec"]["limits"][0]
    assert found["default"] == {"cpu": "2"}
    assert found["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def test_a_stateful_set_fills_its_claim_templates() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    spec = filled("StatefulSet", "apps", spec={"volumeClaimTemplates": [claim]})["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["volumeClaimTemplates"][0]["spec"]["volumeMode"] == "Filesystem"
    assert spec["volumeClaimTemplates"][0]["status"] == {"phase": "Pending"}


def test_every_default_is_idempotent() -> None:
    for what in registry.built_in():
        document = {"apiVersion": what.api_version, "kind": what.kind, "metadata": {"name": "x"}}
        once = defaults.apply(normalize.normalize(document, what.type_alias), what)
        again = defaults.apply(normalize.normalize(once, what.type_alias), what)
        assert once == again, what.kind
