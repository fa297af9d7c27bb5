"""LimitRanges: what containers get that say nothing, and how much anybody may ask for.

    default                of containers that name none
    min, max               minimum cpu usage per Container is 50m, but request is 10m
    maxLimitRequestRatio   … every complaint is listed: [a, b]

Follows: kubernetes plugin/pkg/admission/limitranger/admission.go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from pybernetes.api import core_v1, pod_resources
from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Kinds, Plugin, deny, spec_of
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.machinery import quantity
from pybernetes.machinery.quantity import Quantity

ANNOTATION = "kubernetes.io/limit-ranger"
Amounts = Mapping[str, Quantity]


class LimitRanger(Plugin):
    NAME = "LimitRanger"
    KINDS: ClassVar[Kinds | None] = frozenset({("", "pods"), ("", "persistentvolumeclaims")})
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({"", "resize"})

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def _limits(self, request: AdmissionRequest, kind: str) -> Iterator[Document]:
        for document in self._reader.list("", "limitranges", request.namespace):
            for limit in (document.get("spec") or {}).get("limits") or ():
                if limit.get("type") == kind:
                    yield limit

    def mutate(self, request: AdmissionRequest) -> None:
        if request.resource.plural != "pods" or request.operation != CREATE:
            return
        requests: dict[str, str] = {}
        limits: dict[str, str] = {}
        for limit in self._limits(request, "Container"):
            requests |= limit.get("defaultRequest") or {}
            limits |= limit.get("default") or {}
        if requests or limits:
            _fill_in(request, requests, limits)

    def validate(self, request: AdmissionRequest) -> None:
        complaints: list[str] = []
        if request.resource.plural == "persistentvolumeclaims":
            asked = ((spec_of(request).get("resources") or {}).get("requests")) or {}
            for limit in self._limits(request, "PersistentVolumeClaim"):
                complaints += claim_complaints(limit, _parsed(asked))
        elif request.operation == CREATE or request.subresource == "resize":
            complaints = list(self._pod_complaints(request))
        if complaints:
            texts = list(dict.fromkeys(complaints))
            raise deny(request, texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")

    def _pod_complaints(self, request: AdmissionRequest) -> Iterator[str]:
        spec = spec_of(request)
        for limit in self._limits(request, "Container"):
            for container in _containers(spec):
                resources = container.get("resources") or {}
                asked, allowed = _parsed(resources.get("requests") or {}), _parsed(resources.get("limits") or {})
                yield from complaints_about(limit, asked, allowed)
        pod_limits = list(self._limits(request, "Pod"))
        if pod_limits:
            pod = msgspec.convert(request.object, core_v1.Pod)
            asked, allowed = pod_resources.requests(pod), pod_resources.limits(pod)
            for limit in pod_limits:
                yield from complaints_about(limit, asked, allowed)


def _containers(spec: Document) -> Iterator[Document]:
    for field in ("containers", "initContainers"):
        yield from spec.get(field) or ()


def _parsed(amounts: Mapping[str, Any]) -> dict[str, Quantity]:
    return {name: quantity.parse(amount) for name, amount in amounts.items()}


def _fill_in(request: AdmissionRequest, requests: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Defaults for every container, and the annotation that says what was set."""
    notes = []
    spec = spec_of(request)
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(field) or ():
            resources = container.setdefault("resources", {})
            for part, defaults, what in (("limits", limits, "limit"), ("requests", requests, "request")):
                given = resources.get(part) or {}
                missing = sorted(name for name in defaults if name not in given)
                if missing:
                    resources[part] = {**given, **{name: defaults[name] for name in missing}}
                    notes.append(f"{', '.join(missing)} {what} for {word} {container.get('name', '')}")
    if notes:
        assert request.object is not None
        metadata = request.object.setdefault("metadata", {})
        text = f"LimitRanger plugin set: {'; '.join(notes)}"
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: text}


def complaints_about(limit: Document, asked: Amounts, allowed: Amounts) -> Iterator[str]:
    """What is wrong with the requests and limits of one container, or of a whole pod."""
    kind = limit["type"]
    for name, bound in _bounds(limit, "min"):
        yield from _minimum(kind, name, bound, asked, allowed)
    for name, bound in _bounds(limit, "max"):
        yield from _maximum(kind, name, bound, asked, allowed)
    for name, bound in _bounds(limit, "maxLimitRequestRatio"):
        yield from _ratio(kind, name, bound, asked, allowed)


def claim_complaints(limit: Document, asked: Amounts) -> Iterator[str]:
    """What is wrong with the requests of a claim."""
    for name, bound in _bounds(limit, "min"):
        yield from _minimum(limit["type"], name, bound, asked, {})
    for name, bound in _bounds(limit, "max"):
        what = f"maximum {name} usage per {limit['type']} is {bound}"
        if name not in asked:
            yield f"{what}.  No request is specified"
        elif asked[name] > bound:
            yield f"{what}, but request is {asked[name]}"


def _bounds(limit: Document, field: str) -> Iterable[tuple[str, Quantity]]:
    return sorted(_parsed(limit.get(field) or {}).items(), key=lambda row: row[0])


Complaints = Callable[[str, str, Quantity, Amounts, Amounts], Iterator[str]]


def _minimum(kind: str, name: str, bound: Quantity, asked: Amounts, allowed: Amounts) -> Iterator[str]:
    what = f"minimum {name} usage per {kind} is {bound}"
    if name not in asked:
        yield f"{what}.  No request is specified"
    elif asked[name] < bound:
        yield f"{what}, but request is {asked[name]}"
    elif name in allowed and allowed[name] < bound:
        yield f"{what}, but limit is {allowed[name]}"


def _maximum(kind: str, name: str, bound: Quantity, asked: Amounts, allowed: Amounts) -> Iterator[str]:
    what = f"maximum {name} usage per {kind} is {bound}"
    if name not in allowed:
        yield f"{what}.  No limit is specified"
    elif allowed[name] > bound:
        yield f"{what}, but limit is {allowed[name]}"
    elif name in asked and asked[name] > bound:
        yield f"{what}, but request is {asked[name]}"


def _ratio(kind: str, name: str, bound: Quantity, asked: Amounts, allowed: Amounts) -> Iterator[str]:
    what = f"{name} max limit to request ratio per {kind} is {bound}"
    if not asked.get(name):
        yield f"{what}, but no request is specified or request is 0"
    elif not allowed.get(name):
        yield f"{what}, but no limit is specified or limit is 0"
    else:
        ratio = allowed[name].milli_value / asked[name].milli_value
        if ratio > bound.milli_value / 1000:
            yield f"{what}, but provided ratio is {ratio:f}"
