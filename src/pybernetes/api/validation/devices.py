"""Checks of device claims, their templates and classes; `device_slices` has what drivers publish.

Whether a selector compiles is told by `api.device_expressions`.

Follows: pkg/apis/resource/validation/validation.go.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from pybernetes.api import device_expressions
from pybernetes.api.validation import common, metadata, placement
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]
T = TypeVar("T")

MAX_REQUESTS: Final = 32
MAX_CONSTRAINTS: Final = 32
MAX_CONFIGS: Final = 32
MAX_SELECTORS: Final = 32
MAX_ALTERNATIVES: Final = 8
MAX_RESERVED_FOR: Final = 256
MAX_RESULTS: Final = 32
MAX_PARAMETERS_BYTES: Final = 10 * 1024
MAX_EXPRESSION_BYTES: Final = 10 * 1024
MAX_DRIVER_CHARACTERS: Final = 63
MAX_POOL_CHARACTERS: Final = 253
MAX_ID_CHARACTERS: Final = 32
_MODES: Final = ("All", "ExactCount")
_EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
_ONE_OF: Final = "exactly one of `exactly` or `firstAvailable` is required"
_REFERENCE: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)
_ONE_ATTRIBUTE: Final = (
    'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
)
_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_IDENTIFIER_TEXT: Final = names.regex_error(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    _IDENTIFIER,
    *("my_name", "MY_NAME", "MyName"),
)
_identifier = re.compile(_IDENTIFIER).fullmatch

Requests = Mapping[str, frozenset[str]]


def several(errors: Errors, path: str, items: Sequence[T], most: int, check: Callable[[Errors, str, T], None]) -> None:
    """Each item on its own, unless there are too many."""
    if len(items) > most:
        errors.append(fe.too_many(path, len(items), most))
        return
    for index, item in enumerate(items):
        check(errors, f"{path}[{index}]", item)


def distinct(errors: Errors, path: str, keys: Sequence[Any], most: int = 2**31) -> None:
    if len(keys) > most:
        return
    seen: set[Any] = set()
    for index, key in enumerate(keys):
        if key in seen:
            errors.append(fe.duplicate(f"{path}[{index}]", key))
        seen.add(key)


def driver_name(errors: Errors, path: str, name: str) -> None:
    if not name:
        errors.append(fe.required(path))
        return
    if len(name) > MAX_DRIVER_CHARACTERS:
        errors.append(fe.too_long(path, MAX_DRIVER_CHARACTERS))
    add_invalid(errors, path, name, names.dns_subdomain(name.lower()))


def pool_name(errors: Errors, path: str, name: str) -> None:
    if not name:
        errors.append(fe.required(path))
        return
    if len(name) > MAX_POOL_CHARACTERS:
        errors.append(fe.too_long(path, MAX_POOL_CHARACTERS))
    for part in name.split("/"):
        add_invalid(errors, path, part, names.dns_subdomain(part))


def label(errors: Errors, path: str, name: str) -> None:
    add_invalid(errors, path, name, names.dns_label(name))


def qualified(errors: Errors, path: str, name: str) -> None:
    """`name` or `domain/name`."""
    domain, slash, identifier = name.partition("/")
    if "/" in identifier:
        errors.append(fe.invalid_value(path, name, "must not contain more than one slash"))
        return
    if not slash:
        _c_identifier(errors, path, domain)
        return
    if not domain:
        errors.append(fe.invalid_value(path, "", "the domain must not be empty"))
    else:
        driver_name(errors, path, domain)
    if not identifier:
        errors.append(fe.invalid_value(path, "", "the name must not be empty"))
    else:
        _c_identifier(errors, path, identifier)


def _c_identifier(errors: Errors, path: str, name: str) -> None:
    if len(name) > MAX_ID_CHARACTERS:
        errors.append(fe.too_long(path, MAX_ID_CHARACTERS))
    if not _identifier(name):
        errors.append(fe.invalid_value(path, name, _IDENTIFIER_TEXT))


def _fully_qualified(errors: Errors, path: str, name: str) -> None:
    qualified(errors, path, name)
    if "/" not in name:
        text = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(fe.invalid_value(path, name, text))


def claim(errors: Errors, document: Json) -> None:
    _claim_spec(errors, "spec", document.get("spec") or {})


def _claim_spec(errors: Errors, path: str, spec: Json) -> None:
    devices = spec.get("devices") or {}
    place = f"{path}.devices"
    requests = devices.get("requests") or []
    known = _request_names(requests)
    several(errors, f"{place}.requests", requests, MAX_REQUESTS, _request)
    distinct(errors, f"{place}.requests", [request.get("name", "") for request in requests], MAX_REQUESTS)

    def constraint(errors: Errors, path: str, item: Json) -> None:
        _constraint(errors, path, item, known)

    def config(errors: Errors, path: str, item: Json) -> None:
        _references(errors, f"{path}.requests", item.get("requests") or [], known)
        _configuration(errors, path, item)

    several(errors, f"{place}.constraints", devices.get("constraints") or [], MAX_CONSTRAINTS, constraint)
    several(errors, f"{place}.config", devices.get("config") or [], MAX_CONFIGS, config)


def _request_names(requests: Sequence[Json]) -> Requests:
    return {
        request.get("name", ""): frozenset(choice.get("name", "") for choice in request.get("firstAvailable") or ())
        for request in requests
    }


def _request(errors: Errors, path: str, request: Json) -> None:
    label(errors, f"{path}.name", request.get("name", ""))
    choices, exactly = request.get("firstAvailable") or [], request.get("exactly")
    if exactly is None and request.get("deviceClassName"):  # the flat form of v1beta1
        exactly = request
    if not choices and exactly is None:
        errors.append(fe.required(path, _ONE_OF))
    elif choices and exactly is not None:
        errors.append(fe.invalid_value(path, None, f"{_ONE_OF}, but multiple fields are set"))
    elif exactly is not None:
        _exact_request(errors, f"{path}.exactly", exactly)
    else:
        place = f"{path}.firstAvailable"
        several(errors, place, choices, MAX_ALTERNATIVES, _choice)
        distinct(errors, place, [choice.get("name", "") for choice in choices], MAX_ALTERNATIVES)


def _choice(errors: Errors, path: str, request: Json) -> None:
    label(errors, f"{path}.name", request.get("name", ""))
    _exact_request(errors, path, request)


def _exact_request(errors: Errors, path: str, request: Json) -> None:
    name = request.get("deviceClassName", "")
    if not name:
        errors.append(fe.required(f"{path}.deviceClassName"))
    else:
        add_invalid(errors, f"{path}.deviceClassName", name, names.dns_subdomain(name))
    several(errors, f"{path}.selectors", request.get("selectors") or [], MAX_SELECTORS, selector)
    mode, count = request.get("allocationMode", ""), request.get("count", 0)
    if mode == "All":
        if count:
            text = "must not be specified when allocationMode is 'All'"
            errors.append(fe.invalid_value(f"{path}.count", count, text))
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(fe.invalid_value(f"{path}.count", count, common.POSITIVE))
    else:
        errors.append(fe.not_supported(f"{path}.allocationMode", mode, _MODES))
    for index, item in enumerate(request.get("tolerations") or ()):
        _toleration(errors, f"{path}.tolerations[{index}]", item)


def selector(errors: Errors, path: str, item: Json) -> None:
    if item.get("cel") is None:
        errors.append(fe.required(f"{path}.cel"))
        return
    text = item["cel"].get("expression", "")
    if len(text.encode()) > MAX_EXPRESSION_BYTES:
        errors.append(fe.too_long(f"{path}.cel.expression", MAX_EXPRESSION_BYTES))
        return
    fault = device_expressions.why_not(text)
    if fault == device_expressions.TOO_COMPLEX:
        errors.append(fe.forbidden_value(f"{path}.cel.expression", fault))
    elif fault:
        errors.append(fe.invalid_value(f"{path}.cel.expression", text, fault))


def _toleration(errors: Errors, path: str, item: Json) -> None:
    operator, value, effect = item.get("operator", ""), item.get("value", ""), item.get("effect", "")
    if item.get("key"):
        common.label_name(errors, f"{path}.key", item["key"])
    if operator == "Exists":
        if value:
            errors.append(fe.invalid_value(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        add_invalid(errors, f"{path}.value", value, names.label_value(value))
    else:
        common.one_of(errors, f"{path}.operator", operator, ("Equal", "Exists"))
    if effect and effect not in _EFFECTS:
        errors.append(fe.not_supported(f"{path}.effect", effect, _EFFECTS))


def taint(errors: Errors, path: str, item: Json, *, effect_known: bool = False) -> None:
    """`effect_known`: it was stored before and is not looked at again."""
    common.label_name(errors, f"{path}.key", item.get("key", ""))
    if item.get("value"):
        add_invalid(errors, f"{path}.value", item["value"], names.label_value(item["value"]))
    if not effect_known:
        common.one_of(errors, f"{path}.effect", item.get("effect", ""), _EFFECTS)


def _constraint(errors: Errors, path: str, item: Json, known: Requests) -> None:
    _references(errors, f"{path}.requests", item.get("requests") or [], known)
    if item.get("matchAttribute") is not None:
        _fully_qualified(errors, f"{path}.matchAttribute", item["matchAttribute"])
    elif item.get("distinctAttribute") is not None:
        _fully_qualified(errors, f"{path}.distinctAttribute", item["distinctAttribute"])
    else:
        errors.append(fe.required(path, _ONE_ATTRIBUTE))


def _references(errors: Errors, path: str, items: Sequence[str], known: Requests) -> None:
    def check(errors: Errors, path: str, name: str) -> None:
        _reference(errors, path, name, known)

    several(errors, path, items, MAX_REQUESTS, check)
    distinct(errors, path, items, MAX_REQUESTS)


def _reference(errors: Errors, path: str, name: str, known: Requests) -> None:
    parts = name.split("/")
    if len(parts) > 2:
        errors.append(fe.invalid_value(path, name, _REFERENCE))
        return
    for part in parts:
        label(errors, path, part)
    choices = known.get(parts[0])
    if choices is None or (len(parts) == 2 and parts[1] not in choices):
        errors.append(fe.invalid_value(path, name, _REFERENCE))


def _configuration(errors: Errors, path: str, item: Json) -> None:
    opaque = item.get("opaque")
    if opaque is None:
        errors.append(fe.required(f"{path}.opaque"))
        return
    driver_name(errors, f"{path}.opaque.driver", opaque.get("driver", ""))
    raw_object(errors, f"{path}.opaque.parameters", opaque.get("parameters"), MAX_PARAMETERS_BYTES)


def raw_object(errors: Errors, path: str, value: Any, most_bytes: int) -> None:
    """A JSON object of somebody else's making."""
    if value is None:
        errors.append(fe.required(path))
    elif len(orjson.dumps(value)) > most_bytes:
        errors.append(fe.too_long(path, most_bytes))
    elif not isinstance(value, dict):
        errors.append(fe.invalid_value(path, "<value omitted>", "must be a valid JSON object"))


def claim_update(errors: Errors, new: Json, old: Json) -> None:
    common.immutable(errors, "spec", new.get("spec"), old.get("spec"))


def claim_template(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    meta = spec.get("metadata") or {}
    common.labels(errors, "spec.metadata.labels", meta.get("labels"))
    if "annotations" in meta:
        metadata.annotations(errors, "spec.metadata.annotations", meta["annotations"])
    _claim_spec(errors, "spec.spec", spec.get("spec") or {})


def device_class(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    several(errors, "spec.selectors", spec.get("selectors") or [], MAX_SELECTORS, selector)
    several(errors, "spec.config", spec.get("config") or [], MAX_CONFIGS, _configuration)
    name = spec.get("extendedResourceName")
    if name is not None and not common.is_extended_resource(name):
        errors.append(fe.invalid_value("spec.extendedResourceName", name, "must be a valid extended resource name"))


def device_class_update(errors: Errors, new: Json, _old: Json) -> None:
    device_class(errors, new)


def claim_status(errors: Errors, new: Json, old: Json) -> None:
    """Follows: validateResourceClaimStatusUpdate."""
    status, before = new.get("status") or {}, old.get("status") or {}
    reserved = status.get("reservedFor") or []
    several(errors, "status.reservedFor", reserved, MAX_RESERVED_FOR, _consumer)
    distinct(errors, "status.reservedFor", [item.get("uid", "") for item in reserved], MAX_RESERVED_FOR)
    allocation = status.get("allocation")
    known = _request_names(((new.get("spec") or {}).get("devices") or {}).get("requests") or [])
    if reserved and allocation is None:
        text = "may not be specified when `allocated` is not set"
        errors.append(fe.forbidden_value("status.reservedFor", text))
    elif reserved and (new.get("metadata") or {}).get("deletionTimestamp"):
        stored = before.get("reservedFor") or []
        if any(item not in stored for item in reserved):
            text = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
            errors.append(fe.forbidden_value("status.reservedFor", text))
    if allocation is not None and before.get("allocation") is not None:
        common.immutable(errors, "status.allocation", allocation, before["allocation"])
    elif allocation is not None:
        _allocation(errors, "status.allocation", allocation, known)


def _consumer(errors: Errors, path: str, item: Json) -> None:
    errors.extend(fe.required(f"{path}.{field}") for field in ("resource", "name", "uid") if not item.get(field))


def _allocation(errors: Errors, path: str, item: Json, known: Requests) -> None:
    def result(errors: Errors, path: str, found: Json) -> None:
        _reference(errors, f"{path}.request", found.get("request", ""), known)
        driver_name(errors, f"{path}.driver", found.get("driver", ""))
        pool_name(errors, f"{path}.pool", found.get("pool", ""))
        label(errors, f"{path}.device", found.get("device", ""))
        for index, toleration in enumerate(found.get("tolerations") or ()):
            _toleration(errors, f"{path}.tolerations[{index}]", toleration)

    def config(errors: Errors, path: str, found: Json) -> None:
        common.one_of(errors, f"{path}.source", found.get("source", ""), ("FromClaim", "FromClass"))
        _references(errors, f"{path}.requests", found.get("requests") or [], known)
        _configuration(errors, path, found)

    devices = item.get("devices") or {}
    several(errors, f"{path}.devices.results", devices.get("results") or [], MAX_RESULTS, result)
    several(errors, f"{path}.devices.config", devices.get("config") or [], 2 * MAX_CONFIGS, config)
    if item.get("nodeSelector") is not None:
        placement.node_selector(errors, f"{path}.nodeSelector", item["nodeSelector"])
