"""Brings the objects every cluster has into the store at start, and repairs what was taken from them.

    plan(wanted, existing) → create, update or nothing       pure, per kind of object
    Bootstrap.run()                                          carries the plans out through the API

Rules, subjects, labels and annotations are only ever added: whoever gave a bootstrap role more keeps it, and whoever
sets its autoupdate annotation to "false" is left alone. Namespaces and priority classes are only created.

Follows: component-helpers auth/rbac/reconciliation; kubernetes pkg/registry/rbac/rest/storage_rbac.go;
pkg/registry/flowcontrol/ensurer.
"""

import asyncio
import dataclasses
import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from pybernetes.api.registry import GroupVersion, built_in
from pybernetes.apiserver.authz.rules import Rule, uncovered
from pybernetes.apiserver.bootstrap import cluster_roles, controller_roles, flow_control, namespaced_roles, objects
from pybernetes.apiserver.bootstrap.notation import AUTOUPDATE
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Clock, format_time
from pybernetes.machinery.errors import AlreadyExists, Conflict, NotFound

log = logging.getLogger("pybernetes.apiserver.bootstrap")

Json = dict[str, Any]

AT_ONCE = 32
"""Writes under way at the same time: enough for the store to commit them in few batches. Arbitrary."""
SECURE_PORT = 6443
"""Where the Service leads before the server knows its port."""
ATTEMPTS = 5
"""How often an object is looked at again when somebody else changed it meanwhile."""


class Requests(Protocol):
    """The part of a client that is needed: any request, for documents."""

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What of the server's settings shows in the objects."""

    cluster_ip: str
    service_cidr: str
    advertise_address: str
    port: int
    client_ca_file: str = ""
    today: str = ""
    """The date; empty: tokens in Secrets are not used."""
    request_header: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Of front proxies, as extension servers read it."""


def advertised(config: Config) -> str:
    """The address under which pods reach this server; empty where it listens on loopback only."""
    address = config.advertise_address or config.bind_address
    parsed = ipaddress.ip_address(address)
    return "" if parsed.is_loopback or parsed.is_unspecified else address


# ── plans ──

Merge = Callable[[Document, Document], Document | None]
"""(wanted, existing) → what to write instead of the existing one, None when that is as it should be."""


def keep(wanted: Document, existing: Document) -> Document | None:  # noqa: ARG001 - a `Merge`
    """Existing objects are left alone."""
    return None


def merge_role(wanted: Document, existing: Document) -> Document | None:
    """The existing role with what it lacks of labels, annotations and rules."""
    if (existing["metadata"].get("annotations") or {}).get(AUTOUPDATE) == "false":
        return None
    metadata = _merged_metadata(wanted, existing)
    rules = existing.get("rules") or []
    held = [Rule.of(rule) for rule in rules]
    lacking = [rule for rule in wanted.get("rules") or () if uncovered(held, [rule])]
    changed = {**existing, "metadata": metadata}
    if "aggregationRule" in wanted:
        selectors = (existing.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
        own = wanted["aggregationRule"]["clusterRoleSelectors"]
        added = [selector for selector in own if selector not in selectors]
        changed["aggregationRule"] = {"clusterRoleSelectors": [*selectors, *added]}
    elif lacking:
        changed["rules"] = [*rules, *lacking]
    return changed if changed != existing else None


def merge_binding(wanted: Document, existing: Document) -> Document | None:
    """The existing binding with the subjects, labels and annotations it lacks."""
    if (existing["metadata"].get("annotations") or {}).get(AUTOUPDATE) == "false":
        return None
    subjects = existing.get("subjects") or []
    lacking = [subject for subject in wanted["subjects"] if subject not in subjects]
    changed = {**existing, "metadata": _merged_metadata(wanted, existing)}
    if lacking:
        changed["subjects"] = [*subjects, *lacking]
    return changed if changed != existing else None


def _merged_metadata(wanted: Document, existing: Document) -> Json:
    metadata: Json = dict(existing["metadata"])
    for field in ("labels", "annotations"):
        merged = {**(wanted["metadata"].get(field) or {}), **(metadata.get(field) or {})}
        if merged:
            metadata[field] = merged
    return metadata


def replace_spec(wanted: Document, existing: Document) -> Document | None:
    """The wanted spec where it may be updated, and the annotation that says whether.

    It may when the annotation says so or is missing from an object nobody ever changed; mandatory objects always.
    Follows: flowcontrol/ensurer/strategy.go.
    """
    metadata = existing["metadata"]
    annotations = metadata.get("annotations") or {}
    said = annotations.get(flow_control.AUTOUPDATE)
    automatic = said == "true" or (said is None and metadata.get("generation", 1) == 1)
    spec = wanted["spec"]
    if metadata["name"] in flow_control.MANDATORY:
        automatic = True
        if "exempt" in spec:  # of this one, people choose the shares
            spec = {**spec, "exempt": {**spec["exempt"], **((existing.get("spec") or {}).get("exempt") or {})}}
    text = str(automatic).lower()
    changed = existing
    if said != text:
        annotations = {**annotations, flow_control.AUTOUPDATE: text}
        changed = {**changed, "metadata": {**metadata, "annotations": annotations}}
    if automatic and existing.get("spec") != spec:
        changed = {**changed, "spec": spec}
    return changed if changed is not existing else None


def replace_fields(*fields: str) -> Merge:
    """The existing object with some fields as wanted."""

    def merge(wanted: Document, existing: Document) -> Document | None:
        if all(_holds(existing.get(field), wanted.get(field)) for field in fields):
            return None
        return {**existing, **{field: wanted[field] for field in fields if field in wanted}}

    return merge


def merge_service_cidr(wanted: Document, existing: Document) -> Document | None:
    """The default range with a second family where one was added to the flag; nothing else of it can change."""
    asked, stored = wanted["spec"]["cidrs"], existing["spec"]["cidrs"]
    if asked == stored:
        return None
    if len(stored) == 1 and asked[:1] == stored:
        return {**existing, "spec": wanted["spec"]}
    log.warning("KubernetesDefaultServiceCIDRInconsistent stored=%s flag=%s", stored, asked)
    return None


def merge_service(wanted: Document, existing: Document) -> Document | None:
    """The API server's Service with its ports and labels as wanted; a cluster IP cannot change."""
    ports = wanted["spec"]["ports"]
    labels = {**(existing["metadata"].get("labels") or {}), **wanted["metadata"]["labels"]}
    if _holds(existing["spec"].get("ports"), ports) and labels == existing["metadata"].get("labels"):
        return None
    metadata = {**existing["metadata"], "labels": labels}
    return {**existing, "metadata": metadata, "spec": {**existing["spec"], "ports": ports}}


def _holds(existing: Any, wanted: Any) -> bool:
    """`existing` has everything `wanted` has; further fields may be defaults."""
    if isinstance(wanted, dict):
        return isinstance(existing, dict) and all(_holds(existing.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(existing, list) and len(existing) == len(wanted)
        return same_length and all(_holds(one, other) for one, other in zip(existing, wanted, strict=True))
    return bool(existing == wanted)


def _flow_control() -> list[tuple[Document, Merge]]:
    return [(row, replace_spec) for row in (*flow_control.priority_levels(), *flow_control.flow_schemas())]


def everything(settings: Settings) -> list[list[tuple[Document, Merge]]]:
    """All objects in stages: those of a stage need nothing of their own stage or later ones."""
    roles = [*cluster_roles.roles(), *controller_roles.roles(), *namespaced_roles.roles()]
    bindings = [*cluster_roles.bindings(), *controller_roles.bindings(), *namespaced_roles.bindings()]
    second: list[tuple[Document, Merge]] = [(role, merge_role) for role in roles]
    second += [(binding, merge_binding) for binding in bindings]
    second += [(row, keep) for row in objects.priority_classes()]
    second += _flow_control()
    if settings.today:
        second.append((objects.token_tracking(settings.today), keep))
    if settings.client_ca_file or settings.request_header:
        ca = Path(settings.client_ca_file).read_text(encoding="ascii") if settings.client_ca_file else ""
        second.append((objects.ca_config_map(ca, dict(settings.request_header)), replace_fields("data")))
    address, port = settings.advertise_address, settings.port
    second.append((objects.api_service(settings.cluster_ip, port or SECURE_PORT), merge_service))
    if address and port:
        second.append((objects.api_endpoints(address, port), replace_fields("subsets")))
        second.append((objects.api_endpoint_slice(address, port), replace_fields("endpoints", "ports")))
    first: list[tuple[Document, Merge]] = [(row, keep) for row in objects.namespaces()]
    first.append((objects.service_cidr(settings.service_cidr), merge_service_cidr))
    return [first, second]


# ── carrying out ──


class Bootstrap:
    """Writes what is missing through the API server's own API, as a superuser."""

    def __init__(self, reader: ObjectReader, client: Requests, clock: Clock) -> None:
        self._reader = reader
        self._client = client
        self._clock = clock
        self._plurals = {(r.api_version, r.kind): (r.plural, r.namespaced) for r in built_in()}
        self.written = 0

    async def run(self, settings: Settings) -> None:
        """Return when every object is there; the number written is in `written`.

        Raises:
            StatusError: the API server refuses one of them.
        """
        begin = self._clock.monotonic()
        for stage in everything(settings):
            await self._all(stage)
        await self._service_cidr_ready()
        seconds = self._clock.monotonic() - begin
        log.info("bootstrapped written=%d seconds=%.3f", self.written, seconds)

    async def _all(self, rows: Sequence[tuple[Document, Merge]]) -> None:
        waiting = list(reversed(rows))

        async def work() -> None:
            while waiting:
                await self._ensure(*waiting.pop())

        async with asyncio.TaskGroup() as tasks:
            for number in range(min(AT_ONCE, len(rows))):
                tasks.create_task(work(), name=f"apiserver/bootstrap-{number}")

    def _where(self, document: Document) -> tuple[GroupVersion, str, str, str]:
        """Group and version, plural, namespace and path of the collection."""
        version = GroupVersion.parse(document["apiVersion"])
        plural, namespaced = self._plurals[document["apiVersion"], document["kind"]]
        namespace = document["metadata"]["namespace"] if namespaced else ""
        root = f"/apis/{version}" if version.group else f"/api/{version}"
        middle = f"/namespaces/{namespace}" if namespace else ""
        return version, plural, namespace, f"{root}{middle}/{plural}"

    async def _ensure(self, wanted: Document, merge: Merge) -> None:
        version, plural, namespace, path = self._where(wanted)
        name = wanted["metadata"]["name"]
        for attempt in range(ATTEMPTS):
            existing = self._reader.get(version.group, plural, namespace, name)
            try:
                if existing is None:
                    await self._client.request("POST", path, body=orjson.dumps(wanted))
                else:
                    changed = merge(wanted, {**existing, "apiVersion": wanted["apiVersion"], "kind": wanted["kind"]})
                    if changed is None:
                        return
                    await self._client.request("PUT", f"{path}/{name}", body=orjson.dumps(changed))
            except (AlreadyExists, Conflict, NotFound):
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                self.written += 1
                return

    async def ensure_flow_control(self) -> None:
        """Bring back what is missing of priority levels and flow schemas, one after the other.

        Raises:
            StatusError: the API server refuses one of them.
        """
        for document, merge in _flow_control():
            await self._ensure(document, merge)

    async def _service_cidr_ready(self) -> None:
        """Say of the service range that it can be used, if nobody has."""
        existing = self._reader.get("networking.k8s.io", "servicecidrs", "", objects.SERVICE)
        if existing is None or (existing.get("status") or {}).get("conditions"):
            return
        status = objects.service_cidr_status(format_time(self._clock.now()))
        path = f"/apis/networking.k8s.io/v1/servicecidrs/{objects.SERVICE}/status"
        body = orjson.dumps({"status": status})
        await self._client.request("PATCH", path, body=body, content_type="application/merge-patch+json")
        self.written += 1


def names(rows: Iterable[tuple[Document, Merge]]) -> list[str]:
    """Kinds and names, for logs and tests."""
    return [f"{document['kind']} {document['metadata']['name']}" for document, _ in rows]
