"""Requests, from the nearly ordinary to the absurd: verb × path × parameters × headers × body."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pybernetes.api import registry
from pybernetes.api.registry import Resource
from pybernetes.effects import Chance
from support.examples import SUBRESOURCES, example
from support.fuzzing.documents import TEXTS, DocumentMaker

Json = dict[str, Any]

NAMES = ("x0", "x0", "x1")
"""Few, so that requests meet what earlier ones left behind, and the store stays small."""
NAMESPACES = ("default", "default", "default", "fuzz", "absent")
METHODS = ("GET", "POST", "POST", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE")
ODD_METHODS = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PURGE", "PROPFIND", "M-SEARCH")
VERB_OF = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
BODY_TYPES = (
    "application/json",
    "application/json",
    "application/json; charset=utf-8",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "",
    "text/plain",
    "application/cbor",
    "multipart/form-data",
    "application/json;;;=",
    "*/*",
)
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
    "application/json",
    "",
)
ACCEPTS = (
    "",
    "*/*",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf,application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v9;g=meta.k8s.io, application/json",
    "application/json;stream=watch",
    "text/html",
    "application/json;q=nan, */*;q=inf",
    "application/json;q=-1",
    ";;;,,,===",
    "application/" + "x" * 4000,
    ",".join(["application/json;as=Nothing"] * 300),
    "application/json;as=",
    "image/png;q=0.1, application/*;q=0.2",
)
PARAMETERS: dict[str, tuple[str, ...]] = {
    "limit": ("0", "1", "2", "500", "-1", "x", "99999999999999999999", "1_0", " 1", "١"),
    "continue": ("", "x", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJ4In0", "é", "====", "W10"),
    "resourceVersion": ("", "0", "1", "5", "100000000", "-1", "x", "18446744073709551616", "١", "1" * 5000),
    "resourceVersionMatch": ("", "Exact", "NotOlderThan", "Newest", "exact"),
    "labelSelector": (
        "", "app=web", "app!=web", "app in (web,db)", "app notin (web)", "!app", "app", "app>1", "app in ()", "((((",
        "a=b,c=d,", "=,=", "a b c", "é=x", "x/y/z=1", ",".join(["app=web"] * 500), "app in (" + "a," * 3000 + "b)",
        "a" * 70_00 + "=1", "\x00", "app in (web", "app==web", "app<1,app>2",
    ),
    "fieldSelector": (
        "", "metadata.name=x0", "metadata.namespace=default", "metadata.name!=x0", "status.phase=Running", "spec.x=1",
        "a", "=", "metadata.name=x0,metadata.name=x1", "metadata.name\\=x", "\\", "a=b=c", "," * 1000, "é=é",
    ),
    "watch": ("", "true", "1", "false", "0", "x"),
    "timeoutSeconds": ("1", "0", "-1", "x", "99999999999999999999"),
    "timeout": ("1s", "0s", "x", "-1s", "1h", "99999999999999999s", "1"),
    "allowWatchBookmarks": ("true", "false", "x"),
    "sendInitialEvents": ("true", "false", "", "x"),
    "dryRun": ("All", "All", "All", "All", "", "None"),
    "fieldManager": ("fuzz", "other", "fuzz", "", "\x07", "m" * 200, "é"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "Strict", "Warn", "Ignore", "x", ""),
    "force": ("true", "false", "x", ""),
    "pretty": ("true", "x", ""),
    "gracePeriodSeconds": ("0", "-1", "30", "x", "99999999999999999999", "1.5"),
    "propagationPolicy": ("Orphan", "Background", "Foreground", "x", ""),
    "orphanDependents": ("true", "x"),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("true", "x"),
    "includeObject": ("None", "Object", "Metadata", "x"),
    "shardSelector": ("x",),
    "container": ("web", "absent", ""),
    "tailLines": ("1", "-1", "x"),
    "limitBytes": ("0", "x"),
    "sinceSeconds": ("0", "x"),
    "command": ("ls",),
    "path": ("/x",),
    "": ("", "x"),
    "%": ("%",),
}  # fmt: skip
OF_WRITES = ("dryRun", "fieldManager", "fieldValidation", "fieldManager", "fieldValidation", "pretty", "timeout")
OF_READS = (
    "limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "pretty",
    "allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds", "includeObject",
)  # fmt: skip
OF_DELETIONS = (
    "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "dryRun", "labelSelector", "fieldSelector",
    "resourceVersion", "limit",
)  # fmt: skip
DOCUMENT_PATHS = (
    "/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/absent", "/version", "/healthz", "/livez",
    "/readyz", "/readyz/ping", "/livez/absent", "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1",
    "/openid/v1/jwks", "/.well-known/openid-configuration", "/logs", "/debug/pprof", "/api/v1/watch/pods",
    "/api/v1/watch/namespaces/default/pods/x0", "/api/v1/proxy/namespaces/default/pods/x0", "/apis/apps/v1/watch",
    "/swagger.json", "/favicon.ico", "/api/v1/namespaces/default", "/api/v1/namespaces/default/status",
    "/api/v1/namespaces/default/finalize", "/apis/fuzz.example.com/v1", "/apis/fuzz.example.com/v1/things",
)  # fmt: skip
ODD_SEGMENTS = (
    "..", ".", "%2e%2e", "%2E%2e%2f", "%00", "%ff", "%", "%zz", "", "%2f", "a%20b", "é", "x" * 300, "?", "%3f", "#x",
    "*", ";a=b", "%25", "\\", "name", "proxy", "status", "scale", "watch", "namespaces", "{name}",
)  # fmt: skip

CONTROLLING = frozenset(
    {
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "APIService",
    }
)
"""Kinds whose objects decide over the requests of others: a changed one could refuse everything that follows, or make
the server call strangers. They are written on dry runs only."""
REACHING_OUT = frozenset({("services", "proxy"), ("nodes", "proxy")})
"""Doors that may lead off this machine."""

THING = Resource(
    group="fuzz.example.com",
    version="v1",
    kind="Thing",
    plural="things",
    singular="thing",
    namespaced=True,
    verbs=("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
    list_kind="ThingList",
)
"""What the example of a CustomResourceDefinition defines."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `target` is raw: path and query as they go onto the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    about: str = field(default="", compare=False)

    def __str__(self) -> str:
        headers = " ".join(f"{name}: {value[:60]!r}" for name, value in self.headers)
        shown = self.body if len(self.body) <= 400 else self.body[:400] + b"..."
        return f"{self.method} {self.target[:300]} [{headers}] {shown!r}"


def served_resources() -> list[Resource]:
    return [*(r for r in registry.built_in() if r.enabled_by_default), THING]


class AttemptMaker:
    """Draws requests from one source of chance: the same seed gives the same requests."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._documents = DocumentMaker(chance)
        self._resources = served_resources()

    def next(self) -> Attempt:
        chance = self._chance
        if self._documents.chosen(4):
            path = chance.choice(DOCUMENT_PATHS)
            return self._finish(chance.choice((*METHODS, *ODD_METHODS)), path, None, "", "")
        resource = chance.choice(self._resources)
        subresource, verbs = "", resource.verbs
        if resource.subresources and self._documents.chosen(25):
            subresource = chance.choice(sorted(resource.subresources))
            if (resource.plural, subresource) in REACHING_OUT:
                subresource = "status"
            verbs = resource.subresources[subresource].verbs
        elif self._documents.chosen(2):
            subresource = chance.choice(("status", "scale", "absent", "proxy/a/b"))
            if resource.plural in {"services", "nodes"}:
                subresource = "status"
        method = chance.choice(METHODS) if self._documents.chosen(98) else chance.choice(ODD_METHODS)
        if VERB_OF.get(method) not in verbs and self._documents.chosen(80):
            method = chance.choice([method for method in METHODS if VERB_OF[method] in verbs] or METHODS)
        name = chance.choice(NAMES)
        return self._finish(method, self._path(resource, method, name, subresource), resource, name, subresource)

    def _path(self, resource: Resource, method: str, name: str, subresource: str) -> str:
        chance, chosen = self._chance, self._documents.chosen
        parts = ["api", resource.version] if not resource.group else ["apis", resource.group, resource.version]
        if resource.namespaced and chosen(97):
            parts += ["namespaces", chance.choice(NAMESPACES)]
        parts.append(resource.plural)
        collection = method == "POST" if chosen(96) else method != "POST"
        if method == "GET":
            collection = chosen(50)
        elif method == "DELETE":
            collection = chosen(5)
        if not collection or subresource:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        if chosen(4):
            place = chance.randint(0, len(parts))
            parts[place : place + chance.randint(0, 1)] = [chance.choice(ODD_SEGMENTS)]
        return "/" + "/".join(parts)

    def _finish(self, method: str, path: str, resource: Resource | None, name: str, subresource: str) -> Attempt:
        chance, chosen = self._chance, self._documents.chosen
        headers: list[tuple[str, str]] = []
        if chosen(25):
            headers.append(("Accept", chance.choice(ACCEPTS[:8]) if chosen(70) else chance.choice(ACCEPTS)))
        if chosen(5):
            headers.append(("Accept-Encoding", chance.choice(("gzip", "br", "gzip;q=0", "*", "identity"))))
        if chosen(2):
            headers.append(self._odd_header())
        body = b""
        content_type = ""
        if method in {"POST", "PUT", "PATCH"} or chosen(10) or (method == "DELETE" and chosen(50)):
            content_type = self._content_type(method)
            body = self._body(method, content_type, resource, name, subresource)
            if content_type:
                headers.append(("Content-Type", content_type))
        query = self._query(method, content_type)
        if resource is not None and resource.kind in CONTROLLING and method not in {"GET", "HEAD"}:
            query = "dryRun=All"
        return Attempt(method, f"{path}?{query}" if query else path, tuple(headers), body)

    def _odd_header(self) -> tuple[str, str]:
        return self._chance.choice(
            (
                ("Impersonate-User", "eve"),
                ("Impersonate-User", "system:serviceaccount:default:default"),
                ("Impersonate-User", ""),
                ("Impersonate-Group", "system:masters"),
                ("Impersonate-Extra-a%2fb", "x"),
                ("X-Http-Method-Override", "DELETE"),
                ("Expect", "100-continue"),
                ("Expect", "200-maybe"),
                ("Upgrade", "websocket"),
                ("Content-Encoding", "gzip"),
                ("If-None-Match", '"x"'),
                ("Range", "bytes=0-1"),
                ("User-Agent", "\xff\x07" + "u" * 500),
                ("Cookie", "a" * 5000),
                ("Transfer-Encoding", "identity"),
            )
        )

    def _content_type(self, method: str) -> str:
        chance, chosen = self._chance, self._documents.chosen
        if method == "PATCH":
            return chance.choice(PATCH_TYPES[:4]) if chosen(95) else chance.choice(PATCH_TYPES)
        return chance.choice(BODY_TYPES[:5]) if chosen(95) else chance.choice(BODY_TYPES)

    def _query(self, method: str, content_type: str) -> str:
        chance, chosen = self._chance, self._documents.chosen
        offered: tuple[str, ...] = OF_READS if method == "GET" else OF_DELETIONS if method == "DELETE" else OF_WRITES
        if chosen(5):
            offered = tuple(PARAMETERS)
        pairs = []
        if "apply-patch" in content_type and chosen(95):
            pairs.append(f"fieldManager={chance.choice(('fuzz', 'other'))}")
            if chosen(50):
                pairs.append("force=true")
        if chosen(45):
            for _ in range(chance.randint(1, 3)):
                key = chance.choice(offered)
                pairs.append(f"{quote(key)}={quote(chance.choice(PARAMETERS[key]))}")
        if method == "GET" and chosen(8):
            pairs.append("watch=true")
        if chosen(1):
            pairs.append(chance.choice(("&&&", "%", "a=%ff", "=", ";", "%00=%00", "a[]=1")))
        return "&".join(pairs)

    def _body(self, method: str, content_type: str, resource: Resource | None, name: str, subresource: str) -> bytes:
        chance, make = self._chance, self._documents
        if make.chosen(1):
            return make.monster()
        if make.chosen(1):
            return chance.bytes(chance.randint(0, 300))
        document, alias = self._document(method, resource, name, subresource)
        if method == "DELETE":
            options = {"kind": "DeleteOptions", "apiVersion": chance.choice(("v1", "meta.k8s.io/v1", "apps/v1", "x"))}
            document, alias = options, "meta.v1.DeleteOptions"
        elif "json-patch" in content_type and make.chosen(95):
            return make.encoded(self._operations(document), content_type)
        elif method == "PATCH" and make.chosen(60):
            kept = {"apiVersion": document["apiVersion"], "kind": document["kind"]} if make.chosen(80) else {}
            document = {**kept, **self._part(document)}
        document = make.changed(document, alias) if make.chosen(85) else document
        data = make.encoded(document, content_type)
        return make.damaged(data) if make.chosen(5) else data

    def _document(self, method: str, resource: Resource | None, name: str, subresource: str) -> tuple[Json, str]:
        chance = self._chance
        if resource is None:
            resource = chance.choice(self._resources)
        if subresource in SUBRESOURCES and self._documents.chosen(95):
            document = {**SUBRESOURCES[subresource], "metadata": {"name": name}}
            return document, ""
        if resource is THING:
            return {
                "apiVersion": "fuzz.example.com/v1",
                "kind": "Thing",
                "metadata": {"name": name},
                "spec": {"size": 1, "list": [1, {"a": "b"}]},
            }, ""
        found = example(resource, name)
        if found is None:
            found = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
        metadata = {**found["metadata"], "name": name} if method != "POST" else found["metadata"]
        if method == "POST" and self._documents.chosen(3):
            metadata = {"generateName": chance.choice(("g-", "", "G", "g" * 70))}
        if self._documents.chosen(4):
            metadata = {**metadata, "finalizers": ["fuzz.example.com/hold"]}
        return {**found, "metadata": metadata}, resource.type_alias

    def _part(self, document: Json) -> Json:
        """Some top-level fields, as patches have them."""
        kept = {key: item for key, item in document.items() if self._documents.chosen(50)}
        if self._documents.chosen(60) or "metadata" not in kept:
            kept["metadata"] = {"annotations": {self._chance.choice(TEXTS): self._chance.choice(TEXTS)}}
        return kept

    def _operations(self, document: Json) -> list[Any]:
        chance, make = self._chance, self._documents
        operations: list[Any] = []
        for _ in range(chance.randint(0, 4)):
            path = self._pointer(document)
            operation: Json = {
                "op": chance.choice(("add", "remove", "replace", "move", "copy", "test", "add", "replace", "x")),
                "path": path,
            }
            if operation["op"] in {"move", "copy"}:
                operation["from"] = self._pointer(document)
            elif operation["op"] != "remove":
                operation["value"] = make.anything()
            operations.append(operation if make.chosen(97) else make.anything())
        return operations

    def _pointer(self, document: Json) -> str:
        chance = self._chance
        place: Any = document
        parts: list[str] = []
        while isinstance(place, dict | list) and place and self._documents.chosen(85):
            key: Any = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            parts.append(str(key).replace("~", "~0").replace("/", "~1"))
            place = place[key]
        if self._documents.chosen(20):
            parts.append(chance.choice(("-", "0", "99", "-1", "x", "", "~", "~1", "01")))
        return "/" + "/".join(parts) if parts else chance.choice(("", "/", "x"))
