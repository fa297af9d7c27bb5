from typing import Any

import pytest

from pybernetes.api import registry, validation
from unit.api.validation.builders import complaints, make, update_complaints

Json = dict[str, Any]

C = {"name": "c", "image": "i"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [C]}}
SELECTOR = {"matchLabels": {"a": "b"}}
WORKLOAD: Json = {"selector": SELECTOR, "template": TEMPLATE}
RBAC = "rbac.authorization.k8s.io"
NET = "networking.k8s.io"
STORAGE = "storage.k8s.io"
ONCE = {"metadata": {}, "spec": {"containers": [C], "restartPolicy": "Never"}}
CLAIM: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
PORT = {"port": 80}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}


def ingress(**path: Any) -> Json:
    return {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND, **path}]}}]}


@pytest.mark.parametrize(
    ("kind", "group", "content"),
    [
        ("Deployment", "apps", {"spec": WORKLOAD}),
        ("ReplicaSet", "apps", {"spec": WORKLOAD}),
        ("DaemonSet", "apps", {"spec": WORKLOAD}),
        ("StatefulSet", "apps", {"spec": {**WORKLOAD, "serviceName": "s"}}),
        ("ReplicationController", "", {"spec": {"template": TEMPLATE}}),
        ("Job", "batch", {"spec": {"template": ONCE}}),
        ("CronJob", "batch", {"spec": {"schedule": "*/5 1-3 * jan mon", "jobTemplate": {"spec": {"template": ONCE}}}}),
        ("Service", "", {"spec": {"ports": [PORT]}}),
        ("Service", "", {"spec": {"clusterIP": "None"}}),
        ("Service", "", {"spec": {"type": "ExternalName", "externalName": "a.example.com"}}),
        ("ConfigMap", "", {"data": {"a.b_c-d": "x"}}),
        ("Secret", "", {"stringData": {"a": "x"}}),
        ("Namespace", "", {}),
        ("Node", "", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
        ("ServiceAccount", "", {}),
        ("Role", RBAC, {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ("ClusterRole", RBAC, {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}),
        (
            "RoleBinding",
            RBAC,
            {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
        ),
        ("Ingress", NET, {"spec": ingress()}),
        ("NetworkPolicy", NET, {"spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}}),
        ("PersistentVolumeClaim", "", {"spec": CLAIM}),
        (
            "PersistentVolume",
            "",
            {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}},
        ),
        ("StorageClass", STORAGE, {"provisioner": "example.com/x"}),
        ("CSIDriver", STORAGE, {"spec": {}}),
        ("PodDisruptionBudget", "policy", {"spec": {"minAvailable": "50%", "selector": SELECTOR}}),
        (
            "HorizontalPodAutoscaler",
            "autoscaling",
            {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}},
        ),
        ("ResourceQuota", "", {"spec": {"hard": {"pods": "5", "requests.cpu": "2", "count/jobs.batch": "1"}}}),
        ("LimitRange", "", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}}]}}),
        ("PriorityClass", "scheduling.k8s.io", {"value": 1000}),
        ("RuntimeClass", "node.k8s.io", {"handler": "runc"}),
        ("Lease", "coordination.k8s.io", {"spec": {"leaseDurationSeconds": 40}}),
        (
            "EndpointSlice",
            "discovery.k8s.io",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [PORT]},
        ),
        ("Endpoints", "", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [PORT]}]}),
        ("Event", "", {"involvedObject": {"namespace": "n", "name": "p"}}),
    ],
)
def test_good_objects_have_no_complaints(kind: str, group: str, content: Json) -> None:
    assert complaints(kind, group, **content) == []


BAD_SELECTOR = 'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'


@pytest.mark.parametrize(
    ("row", "kind", "group", "content", "text"),
    [
        (
            "a selector for others",
            "Deployment",
            "apps",
            {"spec": {**WORKLOAD, "selector": {"matchLabels": {"a": "c"}}}},
            BAD_SELECTOR,
        ),
        (
            "an empty selector",
            "DaemonSet",
            "apps",
            {"spec": {**WORKLOAD, "selector": {}}},
            "spec.selector: Invalid value: {}: empty selector is invalid for daemonset",
        ),
        (
            "pods that end",
            "ReplicaSet",
            "apps",
            {"spec": {**WORKLOAD, "template": {**TEMPLATE, "spec": {"containers": [C], "restartPolicy": "Never"}}}},
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        (
            "negative replicas",
            "Deployment",
            "apps",
            {"spec": {**WORKLOAD, "replicas": -1}},
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "neither surge nor unavailable",
            "Deployment",
            "apps",
            {"spec": {**WORKLOAD, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}},
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ),
        (
            "recreate with rolling update",
            "Deployment",
            "apps",
            {"spec": {**WORKLOAD, "strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            "deadline too early",
            "Deployment",
            "apps",
            {"spec": {**WORKLOAD, "progressDeadlineSeconds": 5, "minReadySeconds": 5}},
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            "both surge and unavailable",
            "DaemonSet",
            "apps",
            {"spec": {**WORKLOAD, "updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}}},
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is "
            "non-zero",
        ),
        (
            "a job that restarts always",
            "Job",
            "batch",
            {"spec": {"template": {"spec": {"containers": [C]}}}},
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        (
            "indexed without completions",
            "Job",
            "batch",
            {"spec": {"template": ONCE, "completionMode": "Indexed", "parallelism": 1}},
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            "no cron schedule",
            "CronJob",
            "batch",
            {"spec": {"schedule": "every day", "jobTemplate": {"spec": {"template": ONCE}}}},
            'spec.schedule: Invalid value: "every day": expected exactly 5 fields, found 2: [every day]',
        ),
        (
            "unknown time zone",
            "CronJob",
            "batch",
            {"spec": {"schedule": "@daily", "timeZone": "Mars/X", "jobTemplate": {"spec": {"template": ONCE}}}},
            'spec.timeZone: Invalid value: "Mars/X": unknown time zone Mars/X',
        ),
        ("a service without ports", "Service", "", {"spec": {}}, "spec.ports: Required value"),
        (
            "two nameless ports",
            "Service",
            "",
            {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2}]}},
            "spec.ports[1].name: Required value",
        ),
        (
            "a node port on a cluster IP",
            "Service",
            "",
            {"spec": {"ports": [{"port": 1, "nodePort": 30000}]}},
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (
            "a port twice",
            "Service",
            "",
            {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}},
            'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,'
            '"NodePort":0}',
        ),
        (
            "external without name",
            "Service",
            "",
            {"spec": {"type": "ExternalName"}},
            "spec.externalName: Required value",
        ),
        (
            "a key of nothing",
            "ConfigMap",
            "",
            {"data": {"": "x"}},
            "data[]: Invalid value: \"\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
            "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
        (
            "too much data",
            "ConfigMap",
            "",
            {"data": {"a": "x" * 1048577}},
            ": Too long: may not be more than 1048576 bytes",
        ),
        (
            "half a certificate",
            "Secret",
            "",
            {"type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}},
            "data[tls.key]: Required value",
        ),
        (
            "a rule without verbs",
            "Role",
            RBAC,
            {"rules": [{"apiGroups": [""], "resources": ["pods"]}]},
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            "an account without namespace",
            "ClusterRoleBinding",
            RBAC,
            {"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "s"}]},
            "subjects[0].namespace: Required value",
        ),
        (
            "a path type",
            "Ingress",
            NET,
            {"spec": ingress(pathType=None)},
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            "no access mode",
            "PersistentVolumeClaim",
            "",
            {"spec": {**CLAIM, "accessModes": []}},
            "spec.accessModes: Required value: at least 1 access mode is required",
        ),
        (
            "both bounds",
            "PodDisruptionBudget",
            "policy",
            {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
            'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be '
            "both set",
        ),
        (
            "min above max",
            "LimitRange",
            "",
            {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}}]}},
            'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            "a reserved priority",
            "PriorityClass",
            "scheduling.k8s.io",
            {"value": 2_000_000_000},
            "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            "a quota of nothing known",
            "ResourceQuota",
            "",
            {"spec": {"hard": {"foo": "1"}}},
            'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota',
        ),
        (
            "loopback endpoint",
            "EndpointSlice",
            "discovery.k8s.io",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
            'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, '
            "::1/128)",
        ),
        (
            "an event about elsewhere",
            "Event",
            "",
            {"involvedObject": {"namespace": "m"}},
            'involvedObject.namespace: Invalid value: "m": does not match event.namespace',
        ),
        (
            "a definition of another name",
            "CustomResourceDefinition",
            "apiextensions.k8s.io",
            {
                "metadata": {"name": "x"},
                "spec": {
                    "group": "example.com",
                    "scope": "Namespaced",
                    "names": {"plural": "toys", "kind": "Toy"},
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "schema": {"openAPIV3Schema": {"type": "object"}},
                        }
                    ],
                },
            },
            'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group',
        ),
    ],
)
def test_one_thing_wrong_is_one_complaint(row: str, kind: str, group: str, content: Json, text: str) -> None:
    assert complaints(kind, group, **content) == [text], row


NODE_PORT = {"spec": {"type": "NodePort", "ports": [PORT], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}}


@pytest.mark.parametrize(
    ("row", "kind", "group", "old", "new", "texts"),
    [
        (
            "the selector of a Deployment",
            "Deployment",
            "apps",
            {"spec": WORKLOAD},
            {"spec": {**WORKLOAD, "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}},
            [
                'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Exists"}]}: '
                "field is immutable"
            ],
        ),
        (
            "the service name of a StatefulSet",
            "StatefulSet",
            "apps",
            {"spec": {**WORKLOAD, "serviceName": "s"}},
            {"spec": {**WORKLOAD, "serviceName": "t"}},
            [
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                "'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                "'minReadySeconds' are forbidden"
            ],
        ),
        (
            "replicas of a StatefulSet",
            "StatefulSet",
            "apps",
            {"spec": {**WORKLOAD, "serviceName": "s"}},
            {"spec": {**WORKLOAD, "serviceName": "s", "replicas": 3}},
            [],
        ),
        (
            "the address of a Service",
            "Service",
            "",
            NODE_PORT,
            {"spec": {**NODE_PORT["spec"], "clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}},
            ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
        ),
        (
            "a frozen ConfigMap",
            "ConfigMap",
            "",
            {"immutable": True, "data": {"a": "1"}},
            {"data": {"a": "2"}},
            [
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ],
        ),
        (
            "the type of a Secret",
            "Secret",
            "",
            {"type": "a/b"},
            {"type": "c/d"},
            ['type: Invalid value: "c/d": field is immutable'],
        ),
        (
            "the role of a binding",
            "RoleBinding",
            RBAC,
            {"roleRef": {"kind": "Role", "name": "r"}},
            {"roleRef": {"kind": "Role", "name": "s"}},
            [
                'roleRef: Invalid value: {"kind":"Role","name":"s","apiGroup":"rbac.authorization.k8s.io"}: '
                "cannot change roleRef"
            ],
        ),
        (
            "a smaller claim",
            "PersistentVolumeClaim",
            "",
            {"spec": {**CLAIM, "volumeName": "v"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}},
            {"spec": {**CLAIM, "volumeName": "v", "resources": {"requests": {"storage": "512Mi"}}}},
            ["spec.resources.requests.storage: Forbidden: field can not be less than previous value"],
        ),
        (
            "binding a claim",
            "PersistentVolumeClaim",
            "",
            {"spec": CLAIM},
            {"spec": {**CLAIM, "volumeName": "v"}},
            [],
        ),
        (
            "parameters of a storage class",
            "StorageClass",
            STORAGE,
            {"provisioner": "a/b"},
            {"provisioner": "a/b", "parameters": {"x": "y"}},
            ["parameters: Forbidden: updates to parameters are forbidden."],
        ),
        (
            "the value of a priority class",
            "PriorityClass",
            "scheduling.k8s.io",
            {"value": 1},
            {"value": 2},
            ["value: Forbidden: may not be changed in an update."],
        ),
    ],
)
def test_what_may_not_change(row: str, kind: str, group: str, old: Json, new: Json, texts: list[str]) -> None:
    assert update_complaints(kind, group, old, new) == texts, row


def test_the_template_of_a_running_job_is_fixed() -> None:
    old = make(next(r for r in registry.built_in() if r.kind == "Job"), {"spec": {"template": ONCE}})
    what = next(r for r in registry.built_in() if r.kind == "Job")
    new = {**old, "spec": {**old["spec"], "parallelism": 5}}
    assert validation.validate_update(what, "", new, old) == []
    template = {**old["spec"]["template"]}
    template["spec"] = {**template["spec"], "priorityClassName": "p"}
    changed = {**old, "spec": {**old["spec"], "template": template}}
    found = validation.validate_update(what, "", changed, old)
    assert [error.field for error in found] == ["spec.template"]


def test_a_suspended_job_may_be_placed_elsewhere() -> None:
    what = next(r for r in registry.built_in() if r.kind == "Job")
    old = make(what, {"spec": {"template": ONCE, "suspend": True}})
    template = {**old["spec"]["template"]}
    template["spec"] = {**template["spec"], "nodeSelector": {"a": "b"}}
    assert validation.validate_update(what, "", {**old, "spec": {**old["spec"], "template": template}}, old) == []


def test_status_counts_agree() -> None:
    old = {"spec": WORKLOAD}
    new = {"spec": WORKLOAD, "status": {"replicas": 1, "readyReplicas": 2}}
    assert update_complaints("ReplicaSet", "apps", old, new, "status") == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ]


def test_no_kind_stumbles_over_an_empty_object() -> None:
    for what in registry.built_in():
        document = make(what, {})
        validation.validate_create(what, document)
        validation.validate_update(what, "", document, document)
        for door in what.subresources:
            validation.validate_update(what, door, document, document)


def test_claim_templates_are_volumes_too() -> None:
    mounted = {**C, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    template = {**TEMPLATE, "spec": {"containers": [mounted]}}
    claims = [{"metadata": {"name": "data"}, "spec": CLAIM}]
    spec = {"selector": SELECTOR, "template": template, "volumeClaimTemplates": claims, "serviceName": "s"}
    assert complaints("StatefulSet", "apps", spec=spec) == []


def test_without_a_selector_the_template_is_not_selected_either() -> None:
    assert complaints("Deployment", "apps", spec={"template": TEMPLATE}) == [
        "spec.selector: Required value",
        BAD_SELECTOR,
    ]
    assert complaints("DaemonSet", "apps", spec={"template": TEMPLATE}) == [BAD_SELECTOR]
