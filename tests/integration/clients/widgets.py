"""A custom resource for clients that know no types: `widgets.example.com`, with a status and a scale."""

from typing import Any

Json = dict[str, Any]

GROUP, VERSION, PLURAL, KIND = "example.com", "v1", "widgets", "Widget"
API_VERSION = f"{GROUP}/{VERSION}"


def definition() -> Json:
    text, number = {"type": "string"}, {"type": "integer"}
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"colour": text, "shape": text, "size": {**number, "default": 3}}},
            "status": {
                "type": "object",
                "properties": {"phase": text},
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": PLURAL, "singular": "widget", "kind": KIND},
            "versions": [version],
        },
    }


def widget(name: str, colour: str = "red") -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"colour": colour},
    }
