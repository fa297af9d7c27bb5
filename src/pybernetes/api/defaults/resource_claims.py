"""Defaults of device claims. Follows: pkg/apis/resource/v1/defaults.go."""

from typing import Any

Json = dict[str, Any]


def claim(document: Json) -> None:
    _spec(document.get("spec") or {})


def claim_template(document: Json) -> None:
    _spec((document.get("spec") or {}).get("spec") or {})


def _spec(spec: Json) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        if "exactly" in request:
            _request(request["exactly"])
        elif request.get("deviceClassName"):  # the flat form of v1beta1
            _request(request)
        for choice in request.get("firstAvailable") or ():
            _request(choice)


def _request(request: Json) -> None:
    if not request.get("allocationMode"):
        request["allocationMode"] = "ExactCount"
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1
    for toleration in request.get("tolerations") or ():
        if not toleration.get("operator"):
            toleration["operator"] = "Equal"
