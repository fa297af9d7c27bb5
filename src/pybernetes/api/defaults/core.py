"""Defaults of the small core kinds. Follows: pkg/apis/core/v1/defaults.go, conversion.go (Secret)."""

import base64
from typing import Any

Json = dict[str, Any]

NAME_LABEL = "kubernetes.io/metadata.name"


def namespace(document: Json) -> None:
    metadata = document.setdefault("metadata", {})
    name = metadata.get("name")
    if name and (metadata.get("labels") or {}).get(NAME_LABEL) != name:
        metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: name}
    status = document.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def secret(document: Json) -> None:
    if not document.get("type"):
        document["type"] = "Opaque"
    texts = document.pop("stringData", None)
    if texts:
        data = dict(document.get("data") or {})
        for key, text in texts.items():
            data[key] = base64.b64encode(text.encode()).decode()
        document["data"] = data


def node(document: Json) -> None:
    status = document.setdefault("status", {})
    if not status.get("allocatable") and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])


def limit_range(document: Json) -> None:
    for item in (document.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


def priority_class(document: Json) -> None:
    document.setdefault("preemptionPolicy", "PreemptLowerPriority")


def token_request(document: Json) -> None:
    document.setdefault("spec", {}).setdefault("expirationSeconds", 3600)
