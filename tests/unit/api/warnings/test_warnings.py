"""Texts that clients match, quoted from upstream's own tables of advice."""

from typing import Any

import pytest

from pybernetes.api import registry, warnings
from unit.api.validation.builders import make, read, resource

Json = dict[str, Any]
C = {"name": "c", "image": "i"}
SURPRISE = "which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"


def told(kind: str, group: str = "", **content: Any) -> list[str]:
    what = resource(kind, group)
    found: list[str] = []
    warnings.on_create(found, what, make(what, content))
    return found


def pod(metadata: Json | None = None, **spec: Any) -> list[str]:
    return told("Pod", metadata=metadata or {}, spec={"containers": [C], **spec})


def container(**fields: Any) -> list[str]:
    return pod(containers=[{**C, **fields}])


SELECTOR_TERM = {"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "In", "values": ["a"]}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"nodeSelector": {"beta.kubernetes.io/arch": "x"}},
            ['spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead'],
        ),
        (
            {"imagePullSecrets": [{"name": "a"}, {"name": "a"}, {}]},
            [
                'spec.imagePullSecrets[1].name: duplicate name "a"',
                'spec.imagePullSecrets[2].name: invalid empty name ""',
            ],
        ),
        (
            {"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]},
            ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"'],
        ),
        (
            {"volumes": [{"name": "a", "gitRepo": {"repository": "r"}}]},
            ["spec.volumes[0].gitRepo: deprecated in v1.11"],
        ),
        (
            {"terminationGracePeriodSeconds": -1},
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]},
            ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
        ),
        (
            {"overhead": {"memory": "100m"}},
            ['spec.overhead[memory]: fractional byte value "100m" is invalid, must be an integer'],
        ),
        (
            {
                "containers": [
                    {**C, "ports": [{"containerPort": 80}]},
                    {**C, "name": "d", "ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 80}]},
                ]
            },
            [
                "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
                "spec.containers[1].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
                "spec.containers[1].ports[1]: overlapping port definition with spec.containers[1].ports[0]",
            ],
        ),
    ],
)
def test_pods_are_advised_in_upstream_words(spec: Json, expected: list[str]) -> None:
    assert pod(**spec) == expected


@pytest.mark.parametrize(
    ("env", "hides"),
    [
        ([{"name": "a", "value": "x"}, {"name": "a", "value": "y"}], True),
        ([{"name": "a", "value": "x"}, {"name": "a", "value": "$(a)"}], True),
        ([{"name": "a", "value": "x"}, {"name": "a", "value": "$(a):y"}], False),
    ],
)
def test_a_second_definition_is_hidden_unless_it_builds_upon_the_first(env: list[Json], hides: bool) -> None:
    text = 'spec.containers[0].env[1]: hides previous definition of "a", which may be dropped when using apply'
    assert container(env=env) == ([text] if hides else [])


def test_parts_of_bytes_are_told_once_per_amount() -> None:
    resources = {"limits": {"memory": "1500m", "cpu": "100m"}}
    text = 'fractional byte value "1500m" is invalid, must be an integer'
    assert container(resources=resources) == [
        f"spec.containers[0].resources.limits[memory]: {text}",
        f"spec.containers[0].resources.requests[memory]: {text}",
    ]


def test_a_host_ip_without_a_port_is_shown_as_go_prints_it() -> None:
    assert container(ports=[{"containerPort": 80, "hostIP": "1.2.3.4"}]) == [
        "spec.containers[0].ports[0]: hostIP set without hostPort: "
        "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}"
    ]


@pytest.mark.parametrize(("kind", "use"), [("Pod", "the Pod's hostname"), ("Deployment", "Pod names and hostnames")])
def test_names_with_dots_surprise_in_host_names(kind: str, use: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [C]}}
    spec = {"containers": [C]} if kind == "Pod" else {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    (text,) = told(kind, "" if kind == "Pod" else "apps", metadata={"name": "a.b"}, spec=spec)
    assert text.startswith(f"metadata.name: this is used in {use}, {SURPRISE}")


def test_templates_are_advised_under_their_path_and_only_when_they_change() -> None:
    what = resource("Deployment", "apps")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [C], "imagePullSecrets": [{}]}}
    new = make(what, {"spec": {"template": template}})
    old = {**new, "metadata": {**new["metadata"], "generation": 0}}
    found: list[str] = []
    warnings.on_update(found, what, "", new, new)
    assert found == []
    warnings.on_update(found, what, "", new, old)
    assert found == ['spec.template.spec.imagePullSecrets[0].name: invalid empty name ""']


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": [{"port": 80}]}, []),
        (
            {"ports": [{"port": 80}], "externalIPs": ["2001:DB8::1"]},
            [
                'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
                '("2001:db8::1")',
                "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
            ],
        ),
        (
            {"clusterIP": "None", "sessionAffinity": "ClientIP"},
            ["spec.SessionAffinity is ignored for headless services"],
        ),
        (
            {"ports": [{"port": 80}], "trafficDistribution": "PreferClose"},
            ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
        ),
    ],
)
def test_services_are_advised(spec: Json, expected: list[str]) -> None:
    assert told("Service", spec=spec) == expected


def test_networks_with_bits_too_many_are_ambiguous() -> None:
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}
    assert told("NetworkPolicy", "networking.k8s.io", spec={"podSelector": {}, "ingress": [rule]}) == [
        'spec.ingress[0].from[0].ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context '
        '(should be "10.0.0.0/8" or "10.0.0.1/32"?)'
    ]


@pytest.mark.parametrize(
    ("kind", "group", "content", "expected"),
    [
        (
            "Ingress",
            "networking.k8s.io",
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}},
            ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"],
        ),
        (
            "PersistentVolume",
            "",
            {"spec": {"persistentVolumeReclaimPolicy": "Recycle", "cephfs": {"monitors": ["m"]}}},
            [
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
                "Instead, the recommended approach is to use dynamic provisioning.",
                "spec.cephfs: deprecated in v1.28, non-functional in v1.31+",
            ],
        ),
        (
            "PersistentVolumeClaim",
            "",
            {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "x"}}},
            [
                "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; "
                'use "storageClassName" attribute instead'
            ],
        ),
        (
            "Secret",
            "",
            {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}},
            ["tls: failed to find any PEM data in certificate input"],
        ),
        (
            "Node",
            "",
            {"spec": {"externalID": "x"}},
            ["spec.externalID: this field is deprecated, and is unused by Kubernetes"],
        ),
        ("ConfigMap", "", {"data": {"a": "b"}}, []),
    ],
)
def test_other_kinds_are_advised(kind: str, group: str, content: Json, expected: list[str]) -> None:
    assert told(kind, group, **content) == expected


def test_kubelets_hear_nothing_about_pods() -> None:
    what = resource("Pod")
    bad = read(what, {"metadata": {"name": "a.b"}, "spec": {"containers": [C], "imagePullSecrets": [{}]}})
    found: list[str] = []
    warnings.on_update(found, what, "", bad, bad)
    warnings.on_update(found, what, "status", bad, bad)
    assert found == []


def test_every_answer_about_endpoints_points_to_slices() -> None:
    deprecated = {r.plural: r.deprecation for r in registry.built_in() if r.deprecation and r.version == "v1"}
    assert deprecated["endpoints"] == "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert set(deprecated) == {"endpoints", "componentstatuses"}
