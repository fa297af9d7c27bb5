"""Defaults of custom resource definitions and API services.

Follows: apiextensions-apiserver pkg/apis/apiextensions/v1/defaults.go; kube-aggregator pkg/apis/apiregistration/v1.
"""

from typing import Any

Json = dict[str, Any]


def custom_resource_definition(document: Json) -> None:
    spec = document.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {})
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    webhook = (conversion.get("webhook") or {}).get("clientConfig") or {}
    if "service" in webhook:
        webhook["service"].setdefault("port", 443)
    status = document.setdefault("status", {})
    if not status.get("storedVersions"):
        status["storedVersions"] = [v["name"] for v in spec.get("versions") or () if v.get("storage")]
    status.setdefault("conditions", [])
    accepted = status.setdefault("acceptedNames", {})
    accepted.setdefault("kind", "")
    accepted.setdefault("plural", "")


def api_service(document: Json) -> None:
    service = (document.get("spec") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
