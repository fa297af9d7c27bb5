import base64
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet import environment
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.environment import Sources, Surroundings
from pybernetes.kubelet.seam import CreateContainerConfigError
from pybernetes.machinery.errors import Forbidden, not_found


def pod(container: dict[str, Any], **spec: Any) -> core_v1.Pod:
    document = {
        "metadata": {
            "name": "web-0",
            "namespace": "shop",
            "uid": "u-1",
            "labels": {"app": "web", "tier": 'a"b'},
            "annotations": {"note": "two\nlines", "umlaut": "ü"},
        },
        "spec": {
            "nodeName": "n1",
            "serviceAccountName": "robot",
            "containers": [{"name": "main", **container}],
            "initContainers": [{"name": "first", "resources": {"requests": {"memory": "1Gi"}}}],
            **spec,
        },
    }
    return msgspec.convert(document, core_v1.Pod)


def service(name: str, ip: str, *ports: dict[str, Any], namespace: str = "shop") -> core_v1.Service:
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}},
        core_v1.Service,
    )


SOURCES = Sources(
    config_maps={
        "settings": msgspec.convert({"data": {"color": "blue", "with.dots": "x"}}, core_v1.ConfigMap),
        "gone": not_found("configmap", "", "gone"),
        "closed": Forbidden("configmaps is forbidden"),
    },
    secrets={
        "login": msgspec.convert({"data": {"password": base64.b64encode(b"pa$(A)").decode()}}, core_v1.Secret),
        "gone": not_found("secret", "", "gone"),
    },
    files={("data", "app.env"): "# comment\nA=1\nQUOTED='two words' # more\nA=2\n\n=odd\nPLAIN=x # tail\n"},
)
AROUND = Surroundings(
    services=[
        service("kubernetes", "10.96.0.1", {"name": "https", "port": 443}, namespace="default"),
        service("redis-main", "10.96.3.4", {"name": "db", "port": 6379}, {"port": 53, "protocol": "UDP"}),
        service("headless", "None", {"port": 80}),
        service("external", "", {"port": 80}),
        service("elsewhere", "10.96.9.9", {"port": 80}, namespace="other"),
    ],
    pod_ips=["10.244.0.7", "fd00::7"],
    node=NodeFacts(("192.0.2.1", "2001:db8::1"), {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100G"}),
)


def field(path: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def amount(resource: str, **more: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"resourceFieldRef": {"resource": resource, **more}}}


def build(container: dict[str, Any], around: Surroundings = AROUND, **spec: Any) -> dict[str, str]:
    subject = pod(container, **spec)
    return environment.build(subject, subject.spec.containers[0], SOURCES, around)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        pytest.param({"name": "X", "value": "v"}, "v", id="a plain value"),
        pytest.param({"name": "X"}, "", id="a variable without value is empty"),
        pytest.param({"name": "X", "value": "$(EARLIER)-$(LATER)"}, "e-$(LATER)", id="only earlier ones are expanded"),
        pytest.param({"name": "X", "value": "$(REDIS_MAIN_SERVICE_HOST)"}, "10.96.3.4", id="services are known"),
        pytest.param({"name": "X", "value": "$(color)"}, "blue", id="envFrom stands before env"),
        pytest.param({"name": "X", "value": "$$(EARLIER)"}, "$(EARLIER)", id="an escaped reference"),
        pytest.param(field("metadata.name"), "web-0", id="own name"),
        pytest.param(field("metadata.namespace"), "shop", id="own namespace"),
        pytest.param(field("metadata.uid"), "u-1", id="own uid"),
        pytest.param(field("metadata.labels['app']"), "web", id="one label"),
        pytest.param(field("metadata.labels['none']"), "", id="a label that is not there is empty"),
        pytest.param(field("metadata.annotations['note']"), "two\nlines", id="one annotation, unescaped"),
        pytest.param(field("metadata.labels"), 'app="web"\ntier="a\\"b"', id="all labels, sorted and quoted"),
        pytest.param(field("spec.nodeName"), "n1", id="own node"),
        pytest.param(field("spec.serviceAccountName"), "robot", id="own account"),
        pytest.param(field("status.podIP"), "10.244.0.7", id="own address"),
        pytest.param(field("status.podIPs"), "10.244.0.7,fd00::7", id="own addresses"),
        pytest.param(field("status.hostIP"), "192.0.2.1", id="the node's address"),
        pytest.param(field("status.hostIPs"), "192.0.2.1,2001:db8::1", id="the node's addresses"),
        pytest.param(amount("limits.cpu"), "2", id="1500m rounds up to two cores"),
        pytest.param(amount("limits.cpu", divisor="1m"), "1500", id="in millicores"),
        pytest.param(amount("requests.cpu"), "0", id="a request that is not set is zero"),
        pytest.param(amount("limits.memory", divisor="1Mi"), "8192", id="a limit that is not set is the node's"),
        pytest.param(amount("limits.ephemeral-storage", divisor="1G"), "100", id="storage of the node"),
        pytest.param(amount("requests.memory", containerName="first", divisor="1Mi"), "1024", id="of another one"),
        pytest.param(
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
            "blue",
            id="a key of a ConfigMap",
        ),
        pytest.param(
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            "pa$(A)",
            id="a key of a Secret, never expanded",
        ),
        pytest.param(
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k", "optional": True}}},
            None,
            id="an optional key of nothing leaves the variable unset",
        ),
        pytest.param(
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k", "optional": True}}},
            None,
            id="an optional missing key leaves the variable unset",
        ),
        pytest.param(
            {"name": "X", "valueFrom": {"fileKeyRef": {"volumeName": "data", "path": "app.env", "key": "QUOTED"}}},
            "two words",
            id="a variable of an env file",
        ),
        pytest.param(
            {"name": "X", "valueFrom": {"fileKeyRef": {"volumeName": "data", "path": "app.env", "key": "A"}}},
            "1",
            id="the first of a name in an env file",
        ),
        pytest.param(
            {
                "name": "X",
                "valueFrom": {"fileKeyRef": {"volumeName": "data", "path": "no", "key": "A", "optional": True}},
            },
            None,
            id="an optional env file that is not there",
        ),
    ],
)
def test_a_variable_takes_its_value_from_its_source(variable: dict[str, Any], expected: str | None) -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": [{"name": "EARLIER", "value": "e"}, variable, {"name": "LATER", "value": "l"}],
        "resources": {"limits": {"cpu": "1500m"}},
    }
    assert build(container).get("X") == expected


@pytest.mark.parametrize(
    ("container", "message"),
    [
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}}]},
            'configmap "gone" not found',
            id="a ConfigMap that does not exist",
        ),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            'secret "gone" not found',
            id="a Secret that does not exist",
        ),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "closed", "optional": True}}]},
            "configmaps is forbidden",
            id="optional excuses absence, not refusal",
        ),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k"}}}]},
            "couldn't find key k in ConfigMap shop/settings",
            id="a key that does not exist in a ConfigMap",
        ),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "login", "key": "k"}}}]},
            "couldn't find key k in Secret shop/login",
            id="a key that does not exist in a Secret",
        ),
        pytest.param({"env": [field("spec.unknown")]}, "field label not supported: spec.unknown", id="no such field"),
        pytest.param(
            {"env": [amount("limits.gpu")]}, "Unsupported container resource : limits.gpu", id="an unknown resource"
        ),
        pytest.param(
            {"env": [amount("limits.cpu", containerName="nobody")]}, "container nobody not found", id="no such one"
        ),
        pytest.param(
            {"env": [{"valueFrom": {"fileKeyRef": {"volumeName": "data", "path": "app.env", "key": "N"}}}]},
            'environment variable key "N" not found in file "app.env"',
            id="a variable that the env file does not set",
        ),
    ],
)
def test_what_is_missing_and_not_optional_keeps_the_container_from_being_made(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(CreateContainerConfigError) as caught:
        build(container)
    assert str(caught.value) == message


def test_env_from_takes_all_keys_with_the_prefix_and_env_overrides_them() -> None:
    made = build(
        {
            "envFrom": [
                {"configMapRef": {"name": "settings"}, "prefix": "C_"},
                {"secretRef": {"name": "login"}},
                {"configMapRef": {"name": "gone", "optional": True}},
            ],
            "env": [{"name": "C_color", "value": "red"}],
        }
    )
    assert (made["C_color"], made["C_with.dots"], made["password"]) == ("red", "x", "pa$(A)")


def test_services_of_the_namespace_and_the_api_server_are_announced() -> None:
    made = build({})
    assert made == {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
        "REDIS_MAIN_SERVICE_HOST": "10.96.3.4",
        "REDIS_MAIN_SERVICE_PORT": "6379",
        "REDIS_MAIN_SERVICE_PORT_DB": "6379",
        "REDIS_MAIN_PORT": "tcp://10.96.3.4:6379",
        "REDIS_MAIN_PORT_6379_TCP": "tcp://10.96.3.4:6379",
        "REDIS_MAIN_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_MAIN_PORT_6379_TCP_PORT": "6379",
        "REDIS_MAIN_PORT_6379_TCP_ADDR": "10.96.3.4",
        "REDIS_MAIN_PORT_53_UDP": "udp://10.96.3.4:53",
        "REDIS_MAIN_PORT_53_UDP_PROTO": "udp",
        "REDIS_MAIN_PORT_53_UDP_PORT": "53",
        "REDIS_MAIN_PORT_53_UDP_ADDR": "10.96.3.4",
    }


def test_without_service_links_only_the_api_server_is_announced() -> None:
    assert {name.split("_")[0] for name in build({}, enableServiceLinks=False)} == {"KUBERNETES"}


def test_a_service_never_overrides_a_variable_of_the_container() -> None:
    made = build({"env": [{"name": "REDIS_MAIN_SERVICE_HOST", "value": "mine"}]})
    assert made["REDIS_MAIN_SERVICE_HOST"] == "mine"


def test_limits_of_the_pod_stand_in_for_limits_of_the_container() -> None:
    made = build({"env": [amount("limits.memory", divisor="1Mi")]}, resources={"limits": {"memory": "64Mi"}})
    assert made["X"] == "64"


def test_a_node_without_address_is_an_error_that_says_so() -> None:
    with pytest.raises(CreateContainerConfigError, match="cannot get host IPs"):
        build({"env": [field("status.hostIP")]}, replace(AROUND, node=NodeFacts()))


def test_a_nul_byte_cannot_be_a_variable() -> None:
    with pytest.raises(CreateContainerConfigError, match="contains a NUL byte"):
        build({"env": [{"name": "X", "value": "a\0b"}]})
