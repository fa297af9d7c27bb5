from typing import Any

import pytest

from unit.api.validation.builders import complaints, update_complaints

Json = dict[str, Any]

C = {"name": "c", "image": "i"}
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def container(**more: Any) -> Json:
    return {"containers": [{**C, **more}]}


def test_a_good_pod_has_no_complaints() -> None:
    probe = {"httpGet": {"port": "web"}, "periodSeconds": 5}
    spec = {
        "containers": [
            {
                **C,
                "ports": [{"containerPort": 80, "name": "web"}],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a/b']"}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "m"}}],
                "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
                "livenessProbe": probe,
                "readinessProbe": {"exec": {"command": ["true"]}, "successThreshold": 2},
                "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
                "resources": {"requests": {"cpu": "1", "example.com/x": "1"}, "limits": {"example.com/x": "1"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "initContainers": [{"name": "i", "image": "i"}, {"name": "s", "image": "i", "restartPolicy": "Always"}],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "hostPath": {"path": "/x"}}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
        "nodeSelector": {"a": "b"},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]
                }
            }
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "securityContext": {"runAsUser": 1000, "sysctls": [{"name": "net.core.somaxconn", "value": "1"}]},
    }
    assert complaints("Pod", spec=spec) == []


@pytest.mark.parametrize(
    ("row", "spec", "text"),
    [
        ("no containers", {}, "spec.containers: Required value"),
        ("no image", {"containers": [{"name": "c"}]}, "spec.containers[0].image: Required value"),
        (
            "two containers of one name",
            {"containers": [C, C]},
            'spec.containers[1].name: Duplicate value: "c"',
        ),
        (
            "bad name",
            {"containers": [{**C, "name": "A"}]},
            f'spec.containers[0].name: Invalid value: "A": {LABEL_TEXT}',
        ),
        (
            "blank around an image",
            container(image=" i"),
            'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace',
        ),
        (
            "pull policy",
            container(imagePullPolicy="Sometimes"),
            'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", '
            '"IfNotPresent", "Never"',
        ),
        (
            "restart policy",
            {**container(), "restartPolicy": "Maybe"},
            'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"',
        ),
        (
            "no port number",
            container(ports=[{"name": "a"}]),
            "spec.containers[0].ports[0].containerPort: Required value",
        ),
        (
            "port too large",
            container(ports=[{"containerPort": 65536}]),
            "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
        ),
        (
            "port name too long",
            container(ports=[{"containerPort": 80, "name": "abcdefghijklmnop"}]),
            'spec.containers[0].ports[0].name: Invalid value: "abcdefghijklmnop": must be no more than 15 characters',
        ),
        (
            "a variable with value and source",
            container(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
        ),
        (
            "a source of nothing",
            container(env=[{"name": "A", "valueFrom": {}}]),
            'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
            "`resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        (
            "an unknown field",
            container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.foo"}}}]),
            'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting '
            "fieldPath: field label not supported: spec.foo",
        ),
        (
            "a mount of nothing",
            container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            "two mounts at one path",
            {
                **container(volumeMounts=[{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}]),
                "volumes": [{"name": "v"}],
            },
            'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
        ),
        (
            "a step back in a sub path",
            {
                **container(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "a/../b"}]),
                "volumes": [{"name": "v"}],
            },
            "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"a/../b\": must not contain '..'",
        ),
        (
            "a volume of two kinds",
            {**container(), "volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            "two volumes of one name",
            {**container(), "volumes": [{"name": "v"}, {"name": "v"}]},
            'spec.volumes[1].name: Duplicate value: "v"',
        ),
        (
            "a short-lived token",
            {
                **container(),
                "volumes": [
                    {
                        "name": "v",
                        "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]},
                    }
                ],
            },
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: "
            "may not specify a duration less than 10 minutes",
        ),
        (
            "a probe without handler",
            container(livenessProbe={}),
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            "liveness must succeed once",
            container(livenessProbe={"tcpSocket": {"port": 80}, "successThreshold": 2}),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            "a request above its limit",
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            "an unknown resource",
            container(resources={"requests": {"gpu": "1"}}),
            'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for '
            "containers",
        ),
        (
            "an extended resource without limit",
            container(resources={"requests": {"example.com/x": "1"}}),
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            "an init container with a probe",
            {**container(), "initContainers": [{"name": "i", "image": "i", "livenessProbe": {"exec": {}}}]},
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always",
        ),
        (
            "ephemeral containers at creation",
            {**container(), "ephemeralContainers": [{"name": "e", "image": "i"}]},
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        (
            "a gated pod with a node",
            {**container(), "nodeName": "n", "schedulingGates": [{"name": "a/b"}]},
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ),
        (
            "toleration seconds without NoExecute",
            {**container(), "tolerations": [{"key": "k", "tolerationSeconds": 1}]},
            "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is "
            "set",
        ),
        (
            "deadline",
            {**container(), "activeDeadlineSeconds": 0},
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            "DNS none without nameserver",
            {**container(), "dnsPolicy": "None"},
            "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` "
            "is None",
        ),
        (
            "escalation and privilege",
            container(securityContext={"allowPrivilegeEscalation": False, "privileged": True}),
            'spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: '
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
        (
            "weight of a preference",
            {
                **container(),
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 101, "podAffinityTerm": {"topologyKey": "k"}}
                        ]
                    }
                },
            },
            "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: "
            "must be in the range 1-100",
        ),
    ],
)
def test_one_thing_wrong_is_one_complaint(row: str, spec: Json, text: str) -> None:
    assert complaints("Pod", spec=spec) == [text], row


def test_host_ports_are_unique_in_the_pod() -> None:
    ports = [{"containerPort": 80, "hostPort": 80}]
    spec = {"containers": [{**C, "ports": ports}, {**C, "name": "d", "ports": ports}]}
    assert complaints("Pod", spec=spec) == ['spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"']


POD: Json = {"spec": {**container(), "tolerations": [{"key": "a", "operator": "Exists"}]}}


def changed(**spec: Any) -> Json:
    return {"spec": {**POD["spec"], **spec}}


@pytest.mark.parametrize(
    ("row", "new"),
    [
        ("nothing", POD),
        ("an image", changed(containers=[{**C, "image": "j", "imagePullPolicy": "Always"}])),
        ("a toleration more", changed(tolerations=[*POD["spec"]["tolerations"], {"key": "b", "operator": "Exists"}])),
        ("a deadline", changed(activeDeadlineSeconds=5)),
    ],
)
def test_what_may_change(row: str, new: Json) -> None:
    assert update_complaints("Pod", "", POD, new) == [], row


@pytest.mark.parametrize(
    ("row", "new", "start"),
    [
        ("the node", changed(nodeName="n"), "spec: Forbidden: pod updates may not change fields other than "),
        ("a command", changed(containers=[{**C, "args": ["x"]}]), "spec: Forbidden: pod updates may not change fields"),
        (
            "a container more",
            changed(containers=[C, {**C, "name": "d"}]),
            "spec: Forbidden: pod updates may not add",
        ),
        ("a toleration less", changed(tolerations=[]), "spec.tolerations: Forbidden: existing toleration can not be"),
        ("an empty image", changed(containers=[{"name": "c"}]), "spec.containers[0].image: Required value"),
    ],
)
def test_what_may_not_change(row: str, new: Json, start: str) -> None:
    assert update_complaints("Pod", "", POD, new)[0].startswith(start), row


def test_the_difference_is_told() -> None:
    found = update_complaints("Pod", "", POD, changed(nodeName="n"))[0]
    assert found.endswith('\n-\tnodeName: null\n+\tnodeName: "n"\n')


def test_a_gated_pod_may_be_narrowed() -> None:
    old = {"spec": {**container(), "schedulingGates": [{"name": "a/b"}], "nodeSelector": {"x": "1"}}}
    new = {"spec": {**container(), "nodeSelector": {"x": "1", "y": "2"}}}
    assert update_complaints("Pod", "", old, new) == []
    assert update_complaints("Pod", "", new, old) != []


def test_ephemeral_containers_are_only_added() -> None:
    debug = {"name": "debug", "image": "i", "targetContainerName": "c"}
    new = {"spec": {**container(), "ephemeralContainers": [debug]}}
    assert update_complaints("Pod", "", {"spec": container()}, new, "ephemeralcontainers") == []
    stray = {"spec": {**container(), "ephemeralContainers": [{**debug, "targetContainerName": "zz"}]}}
    assert update_complaints("Pod", "", {"spec": container()}, stray, "ephemeralcontainers") == [
        'spec.ephemeralContainers[0].targetContainerName: Not found: "zz"'
    ]


FULL = {"cpu": "1", "memory": "1Gi"}


def test_a_resize_keeps_the_quality_of_service() -> None:
    old = {"spec": container(resources={"requests": FULL, "limits": FULL})}
    more = {"spec": container(resources={"requests": {**FULL, "cpu": "2"}, "limits": {**FULL, "cpu": "2"}})}
    assert update_complaints("Pod", "", old, more, "resize") == []
    burst = {"spec": container(resources={"requests": {**FULL, "cpu": "500m"}, "limits": FULL})}
    found = update_complaints("Pod", "", old, burst, "resize")
    assert found == ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing']
