"""Device claims and slices of `resource.k8s.io/v1beta1`: flat there, nested in every later version.

    v1beta1    requests: [{name, deviceClassName, count, …}]     devices: [{name, basic: {attributes, …}}]
    others     requests: [{name, exactly: {deviceClassName, …}}] devices: [{name, attributes, …}]

Follows: pkg/apis/resource/v1beta1/conversion.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]

FLAT_VERSION: Final = "resource.k8s.io/v1beta1"
_OF_EXACT_REQUEST: Final = (
    "deviceClassName",
    "selectors",
    "allocationMode",
    "count",
    "adminAccess",
    "tolerations",
    "capacity",
)


def _nested_request(request: Json) -> Json:
    exactly = {key: value for key, value in request.items() if key in _OF_EXACT_REQUEST}
    rest = {key: value for key, value in request.items() if key not in _OF_EXACT_REQUEST}
    return {**rest, "exactly": exactly} if any(exactly.values()) else rest


def _flat_request(request: Json) -> Json:
    rest = {key: value for key, value in request.items() if key != "exactly"}
    return {"name": rest.pop("name", ""), **(request.get("exactly") or {"deviceClassName": ""}), **rest}


def _inlined_device(device: Json) -> Json:
    rest = {key: value for key, value in device.items() if key != "basic"}
    return {**rest, **(device.get("basic") or {})}


def _basic_device(device: Json) -> Json:
    return {"name": device.get("name", ""), "basic": {key: value for key, value in device.items() if key != "name"}}


def _claim_spec(spec: Json, change: Callable[[Json], Json]) -> Json:
    devices = spec.get("devices") or {}
    if not devices.get("requests"):
        return spec
    return {**spec, "devices": {**devices, "requests": [change(request) for request in devices["requests"]]}}


def _claim(document: Json, change: Callable[[Json], Json]) -> Json:
    return {**document, "spec": _claim_spec(document.get("spec") or {}, change)}


def _template(document: Json, change: Callable[[Json], Json]) -> Json:
    spec = document.get("spec") or {}
    return {**document, "spec": {**spec, "spec": _claim_spec(spec.get("spec") or {}, change)}}


def _slice(document: Json, change: Callable[[Json], Json]) -> Json:
    spec = document.get("spec") or {}
    if not spec.get("devices"):
        return document
    return {**document, "spec": {**spec, "devices": [change(device) for device in spec["devices"]]}}


_Walk = Callable[[Json, Callable[[Json], Json]], Json]
_KINDS: Final[Mapping[str, tuple[_Walk, Callable[[Json], Json], Callable[[Json], Json]]]] = {
    "ResourceClaim": (_claim, _nested_request, _flat_request),
    "ResourceClaimTemplate": (_template, _nested_request, _flat_request),
    "ResourceSlice": (_slice, _inlined_device, _basic_device),
}
"""Kind → how its parts are reached, what nests them, what makes them flat again."""

KINDS: Final = frozenset(_KINDS)


def nested(document: Json, kind: str) -> Json:
    """The document of v1beta1 as later versions write it; nothing given is changed."""
    walk, change, _ = _KINDS[kind]
    return walk(document, change)


def flat(document: Json, kind: str) -> Json:
    """The document of a later version as v1beta1 writes it; nothing given is changed."""
    walk, _, change = _KINDS[kind]
    return walk(document, change)
