from typing import Any

import pytest

from pybernetes.api import field_selectors, registry
from pybernetes.api.field_selectors import FieldSelectorError
from pybernetes.api.registry import Resource


def resource(plural: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.plural == plural and r.group == group)


POD = {
    "metadata": {"name": "a", "namespace": "n"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("spec.nodeName=n1", True),
        ("spec.nodeName==n1", True),
        ("spec.host=n1", True),
        ("spec.nodeName!=n1", False),
        ("status.phase!=Failed,status.phase!=Succeeded", True),
        ("metadata.name=a,metadata.namespace=n", True),
        ("status.podIP=10.0.0.1", True),
        ("spec.hostNetwork=false", True),
        ("spec.nodeName=", False),
    ],
)
def test_pods_are_selected_by_their_fields(text: str, matches: bool) -> None:
    assert field_selectors.parse(text, resource("pods")).matches(POD) is matches


@pytest.mark.parametrize(
    ("plural", "group", "document", "text"),
    [
        ("nodes", "", {"spec": {}}, "spec.unschedulable=false"),
        ("nodes", "", {"spec": {"unschedulable": True}}, "spec.unschedulable=true"),
        ("jobs", "batch", {"status": {"succeeded": 2}}, "status.successful=2"),
        ("secrets", "", {"type": "Opaque"}, "type=Opaque"),
        ("events", "", {"source": {"component": "kubelet"}}, "source=kubelet"),
        ("events", "", {"involvedObject": {"name": "p"}}, "involvedObject.name=p"),
        ("events", "events.k8s.io", {"regarding": {"name": "p"}}, "regarding.name=p"),
    ],
)
def test_each_kind_offers_its_own_fields(plural: str, group: str, document: dict[str, Any], text: str) -> None:
    assert field_selectors.parse(text, resource(plural, group)).matches(document)


def test_a_pinned_field_is_told() -> None:
    selector = field_selectors.parse("metadata.name=a,status.phase!=Failed", resource("pods"))
    assert selector.requires("metadata.name") == "a"
    assert selector.requires("status.phase") is None


def test_escapes_are_undone() -> None:
    selector = field_selectors.parse("metadata.name=a\\,b\\=c", resource("pods"))
    assert selector.requires("metadata.name") == "a,b=c"
    assert str(selector) == "metadata.name=a\\,b\\=c"


@pytest.mark.parametrize(
    ("plural", "text", "message"),
    [
        ("pods", "spec.foo=1", "field label not supported: spec.foo"),
        (
            "configmaps",
            "data.x=1",
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("pods", "nonsense", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
    ],
)
def test_what_cannot_be_selected_is_refused(plural: str, text: str, message: str) -> None:
    with pytest.raises(FieldSelectorError) as error:
        field_selectors.parse(text, resource(plural))
    assert str(error.value) == message


def test_custom_resources_bring_their_own_fields() -> None:
    custom = Resource("example.com", "v1", "Toy", "toys", "toy", namespaced=True, verbs=(), list_kind="ToyList")
    selector = field_selectors.parse("spec.color=red", custom, {"spec.color": ".spec.color"})
    assert selector.matches({"spec": {"color": "red"}})
