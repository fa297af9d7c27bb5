"""Where a `clientConfig` leads, and what an answer that is none means."""

import base64

import pytest

from pybernetes.apiserver.webhooks.client import refusal
from pybernetes.apiserver.webhooks.connections import Reply
from pybernetes.apiserver.webhooks.targets import Unresolvable, locate, resolve
from pybernetes.effects import Chance
from support.security import Objects

SERVICE = {"service": {"namespace": "default", "name": "hooks", "path": "validate"}}


def objects(*, ready: bool = True, port: int = 443) -> Objects:
    found = Objects()
    found.put(
        "",
        "services",
        {"metadata": {"name": "hooks", "namespace": "default"}, "spec": {"ports": [{"name": "https", "port": port}]}},
    )
    found.put(
        "discovery.k8s.io",
        "endpointslices",
        {
            "metadata": {
                "name": "hooks-1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "hooks"},
            },
            "ports": [{"name": "https", "port": 8443}],
            "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": ready}}],
        },
    )
    return found


def test_a_service_is_reached_at_a_ready_endpoint_and_verified_by_its_name() -> None:
    location = locate(SERVICE)
    assert location.server_name == "hooks.default.svc"
    assert location.url(10) == "https://hooks.default.svc:443/validate?timeout=10s"
    assert resolve(location, objects(), Chance(1)) == ("10.244.0.7", 8443)


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (Objects(), 'service "hooks" not found'),
        (objects(ready=False), 'no endpoints available for service "hooks"'),
        (objects(port=444), 'no service port 443 found for service "hooks"'),
    ],
)
def test_a_service_nobody_stands_behind_is_named(reader: Objects, text: str) -> None:
    with pytest.raises(Unresolvable, match=text):
        resolve(locate(SERVICE), reader, Chance(1))


def test_a_url_is_taken_as_it_is() -> None:
    location = locate({"url": "https://hooks.example.com/a b", "caBundle": base64.b64encode(b"pem").decode()})
    assert (location.authority, location.server_name, location.port) == ("hooks.example.com", "hooks.example.com", 443)
    assert location.path == "/a%20b"
    assert location.ca_bundle == b"pem"


def test_a_location_needs_url_or_service_and_a_readable_bundle() -> None:
    with pytest.raises(Unresolvable, match="must have either service or URL"):
        locate({})
    with pytest.raises(Unresolvable, match="unable to load root certificates"):
        locate({"url": "https://a", "caBundle": "***"})


def test_a_refusal_says_what_client_go_says() -> None:
    assert refusal(Reply(404, {}, b"nothing here")) == "the server could not find the requested resource"
    assert refusal(Reply(500, {}, b"boom\n")) == (
        'an error on the server ("boom") has prevented the request from succeeding'
    )
    assert refusal(Reply(403, {}, b'{"kind":"Status","message":"go away","code":403}')) == "go away"
