"""`/openapi/v2` and `/openapi/v3`: one document for everything, or an index and one document per group version.

    GET /openapi/v3                      {"paths": {"apis/apps/v1": {"serverRelativeURL": "…/apis/apps/v1?hash=…"}}}
    GET /openapi/v3/apis/apps/v1?hash=…  may be kept for a year, because another content has another hash

Documents are made when asked for. Only encoded bytes stay: the hash of what a document is made from (tables, texts,
resources, this code) stands for the hash of the document itself, so that the index needs none of them.

Follows: kube-openapi pkg/handler, pkg/handler3.
"""

import dataclasses
import functools
import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources as files
from typing import Any
from urllib.parse import parse_qs

import orjson

from pybernetes import KUBERNETES_VERSION
from pybernetes.api.published_texts import DESCRIPTIONS, load_texts
from pybernetes.api.registry import Resource, load_data
from pybernetes.api.structural import publish
from pybernetes.apiserver.aggregation.remotes import Remote
from pybernetes.apiserver.openapi import gnostic
from pybernetes.apiserver.openapi.paths import Operation, Path, custom_name, document_paths, paths_of, version_path
from pybernetes.apiserver.openapi.schemas import (
    SchemaWriter,
    closure,
    load_rows,
    schema_name,
)
from pybernetes.apiserver.published import GZIP_LEVEL, JSON, Published

Json = dict[str, Any]
CustomSchemas = Callable[[Resource], Json | None]
"""The schema of a custom resource as its definition has it, or None where it has none."""

V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V2_PROTOBUF_NAME = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What the answer is called: `@` is no letter of media types, though clients ask with it."""
INFO = {"title": "Kubernetes", "version": KUBERNETES_VERSION}
META_ROOTS = ("meta.v1.DeleteOptions", "meta.v1.Patch", "meta.v1.Status", "meta.v1.WatchEvent")
CUSTOM_ROOTS = ("meta.v1.ObjectMeta", "meta.v1.ListMeta")
"""What the schemas of custom resources refer to."""
IMMUTABLE = "public, immutable"
_ANSWERS = {
    "create": ("200", "201", "202"),
    "update": ("200", "201"),
    "patch": ("200", "201"),
    "delete": ("200", "202"),
}


@functools.cache
def _sources_digest() -> bytes:
    """A digest of everything documents are made from but the set of resources."""
    digest = hashlib.sha512(KUBERNETES_VERSION.encode())
    data = files.files("pybernetes.api") / "data"
    code = files.files("pybernetes.apiserver") / "openapi"
    for file in (
        data / "types.json",
        data / "enumerations.json",
        data / DESCRIPTIONS,
        *sorted(code.iterdir(), key=lambda f: f.name),
    ):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.digest()


def _alias_packages() -> dict[tuple[str, str], str]:
    packages = load_data("protobuf.json")["packages"]
    return {(package["group"], package["version"]): alias for alias, package in packages.items() if "group" in package}


class OpenApi:
    """The OpenAPI documents of whatever `resources` gives, made again when `generation` changes."""

    def __init__(
        self,
        resources: Callable[[], Iterable[Resource]],
        generation: Callable[[], int] = lambda: 0,
        custom_schemas: CustomSchemas = lambda resource: resource.custom.published if resource.custom else None,
        remotes: Callable[[], Iterable[Remote]] = tuple,
    ) -> None:
        self._remotes = remotes
        self._resources = resources
        self._generation = generation
        self._custom_schemas = custom_schemas
        self._made_for = generation()
        self._made: dict[str, Published] = {}

    def answer(self, path: str, query_text: str = "", accept: str = "") -> Published | None:
        """The document at `path`; None where there is none."""
        if self._made_for != self._generation():
            self._made.clear()
            self._made_for = self._generation()
        path = path.rstrip("/")
        if path == "/openapi/v2":
            wants_protobuf = V2_PROTOBUF in accept or V2_PROTOBUF_NAME in accept
            return self._kept("v2.pb" if wants_protobuf else "v2", self._make_v2)
        if path == "/openapi/v3":
            return self._kept("v3", self._index)
        if path.startswith("/openapi/v3/"):
            return self._v3(path.removeprefix("/openapi/v3/"), query_text)
        return None

    def _kept(self, key: str, make: Callable[[str], Published]) -> Published:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make(key)
        return found

    def _by_group_version(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self._resources():
            name = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            found.setdefault(name, []).append(resource)
        return found

    def _hash(self, resources: Iterable[Resource]) -> str:
        digest = hashlib.sha512(_sources_digest())
        for resource in sorted(resources, key=lambda r: (r.group, r.version, r.plural)):
            digest.update(repr(resource).encode())
            if not resource.type_alias:
                digest.update(orjson.dumps(self._custom_schemas(resource)))
        return digest.hexdigest().upper()

    # ── version 3 ──

    def _index(self, _: str) -> Published:
        rows = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={self._hash(resources)}"}
            for name, resources in sorted(self._by_group_version().items())
        }
        for remote in self._remotes():
            if remote.openapi:
                rows[f"apis/{remote.group}/{remote.version}"] = {"serverRelativeURL": remote.openapi}
        body = orjson.dumps({"paths": rows})
        return Published(body, JSON, etag=f'"{hashlib.sha512(body).hexdigest().upper()}"')

    def _v3(self, name: str, query_text: str) -> Published | None:
        resources = self._by_group_version().get(name)
        if resources is None:
            return None
        digest = self._hash(resources)
        asked = parse_qs(query_text).get("hash", [""])[0]
        if asked and asked != digest:
            return Published(b"", JSON, 301, headers={"Location": f"/openapi/v3/{name}?hash={digest}"})
        found = self._kept(f"v3/{name}", lambda _: self._make_v3(resources, digest))
        if not asked:
            return found
        headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept"}
        return dataclasses.replace(found, headers=headers)

    def _make_v3(self, resources: list[Resource], digest: str) -> Published:
        packages = _alias_packages()
        rows, writer, paths, aliases, kinds = self._collect(resources, packages, 3)
        schemas = dict(writer.write(closure(rows, aliases), kinds))
        document = {
            "openapi": "3.0.0",
            "info": INFO,
            "paths": {path.path: _path_v3(path, writer) for path in paths},
            "components": {"schemas": {**schemas, **self._custom(resources, 3)}},
        }
        return _encoded(orjson.dumps(document), JSON, digest)

    def _custom(self, resources: Iterable[Resource], version: int) -> Json:
        """The schemas of custom resources and of their lists."""
        found: Json = {}
        custom = [resource for resource in resources if not resource.type_alias]
        texts = _texts() if custom else publish.PLAIN_TEXTS
        for resource in custom:
            name, list_name = custom_name(resource), custom_name(resource, resource.list_kind)
            schema = publish.schema(self._custom_schemas(resource), version, texts)
            listed = publish.listed(name, resource.plural, resource.kind, resource.list_kind, version, texts)
            found[name] = {**schema, **_custom_extensions(resource, resource.kind)}
            found[list_name] = {**listed, **_custom_extensions(resource, resource.list_kind)}
        return found

    def _collect(
        self, resources: Iterable[Resource], packages: dict[tuple[str, str], str], version: int
    ) -> tuple[Mapping[str, Any], SchemaWriter, list[Path], set[str], dict[str, list[Json]]]:
        rows = load_rows()
        writer = SchemaWriter(rows, load_texts(), version)
        resources = list(resources)
        custom = [resource for resource in resources if not resource.type_alias]
        writer.custom = {custom_name(r, kind) for r in custom for kind in (r.kind, r.list_kind)}
        roots = {*META_ROOTS, *CUSTOM_ROOTS} if custom else {*META_ROOTS}
        paths = [path for resource in resources for path in paths_of(resource, packages)]
        paths += [version_path(*gv) for gv in dict.fromkeys((r.group, r.version) for r in resources if r.type_alias)]
        if version == 2:
            paths += document_paths([group for group in dict.fromkeys(r.group for r in resources) if group])
        aliases = {name for path in paths for op in path.operations for name in (op.body, op.answer) if name}
        kinds: dict[str, list[Json]] = {}
        for alias in closure(rows, {*aliases, *roots}):
            package, _, name = alias.rpartition(".")
            found = next((gv for gv, known in packages.items() if known == package), None)
            if found is not None and "kind" in rows[alias] and package != "meta.v1":
                kinds[alias] = [{"group": found[0], "kind": name, "version": found[1]}]
        versions = sorted({(resource.group, resource.version) for resource in resources})
        for name in ("DeleteOptions", "WatchEvent"):
            kinds[f"meta.v1.{name}"] = [{"group": g, "kind": name, "version": v} for g, v in versions]
        kinds["meta.v1.Status"] = [{"group": "", "kind": "Status", "version": "v1"}]
        return rows, writer, paths, {*aliases, *roots}, kinds

    # ── version 2 ──

    def _make_v2(self, key: str) -> Published:
        resources = list(self._resources())
        rows, writer, paths, aliases, kinds = self._collect(resources, _alias_packages(), 2)
        document: Json = {
            "swagger": "2.0",
            "info": INFO,
            "paths": {path.path: _path_v2(path, writer) for path in paths},
            "definitions": {**dict(writer.write(closure(rows, aliases), kinds)), **self._custom(resources, 2)},
        }
        if key == "v2.pb":
            return _encoded(gnostic.encode_document(document), V2_PROTOBUF_NAME, self._hash(resources))
        return _encoded(orjson.dumps(document), JSON, self._hash(resources))


def _encoded(body: bytes, content_type: str, digest: str) -> Published:
    return Published(
        b"",  # nearly every client takes gzip; the others wait for the decompression
        content_type,
        etag=f'"{digest}"',
        headers={"Vary": "Accept"},
        compressed=gzip.compress(body, GZIP_LEVEL, mtime=0),
    )


def _texts() -> publish.Texts:
    """What upstream's documents say of the fields every object has, as far as the build could fetch it."""
    known = load_texts()
    pod, pods = known.get(schema_name("core.v1.Pod"), {}), known.get(schema_name("core.v1.PodList"), {})
    return {**publish.PLAIN_TEXTS, **pod, **({"list": pods["metadata"]} if "metadata" in pods else {})}


def _custom_extensions(resource: Resource, kind: str) -> Json:
    row = {"group": resource.group, "kind": kind, "version": resource.version}
    found: Json = {"x-kubernetes-group-version-kind": [row]}
    if resource.custom is not None and resource.custom.selectable:
        found["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in resource.custom.selectable]
    return found


def _extensions(operation: Operation) -> Json:
    if not operation.kind:
        return {}
    return {
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.group_version_kind,
    }


def _answers(operation: Operation) -> tuple[str, ...]:
    return _ANSWERS.get(operation.verb, ("200",))


_NAMES = {
    "name": "name of the object",
    "namespace": "namespace of the object",
    "path": "path on the server behind",
}
_CODES = {"200": "OK", "201": "Created", "202": "Accepted"}


def _path_v3(path: Path, writer: SchemaWriter) -> Json:
    item: Json = {}
    for operation in path.operations:
        row: Json = {"operationId": operation.operation_id, **_extensions(operation)}
        row["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}
            for name, kind in sorted(operation.query.items())
        ]
        if writer.knows(operation.body):
            media = operation.patch_types if operation.verb == "patch" else ("*/*",)
            schema = {"schema": writer.reference(operation.body)}
            row["requestBody"] = {"content": dict.fromkeys(media, schema), "required": operation.verb != "delete"}
        answer: Json = {}
        if writer.knows(operation.answer):
            schema = {"schema": writer.reference(operation.answer)}
            answer = {"content": dict.fromkeys(operation.media_types, schema)}
        row["responses"] = {code: {"description": _CODES[code], **answer} for code in _answers(operation)}
        item[operation.method] = row
    if path.parameters:
        item["parameters"] = [
            {"name": n, "in": "path", "description": _NAMES[n], "required": True, "schema": {"type": "string"}}
            for n in path.parameters
        ]
    return item


def _path_v2(path: Path, writer: SchemaWriter) -> Json:
    item: Json = {}
    for operation in path.operations:
        row: Json = {"operationId": operation.operation_id, **_extensions(operation)}
        row["consumes"] = list(operation.patch_types) if operation.verb == "patch" else ["*/*"]
        row["produces"] = list(operation.media_types)
        row["parameters"] = [
            {"name": name, "in": "query", "type": kind} for name, kind in sorted(operation.query.items())
        ]
        if writer.knows(operation.body):
            body = {"name": "body", "in": "body", "required": operation.verb != "delete"}
            row["parameters"].append({**body, "schema": writer.reference(operation.body)})
        answer = {"schema": writer.reference(operation.answer)} if writer.knows(operation.answer) else {}
        row["responses"] = {code: {"description": _CODES[code], **answer} for code in _answers(operation)}
        item[operation.method] = row
    if path.parameters:
        item["parameters"] = [
            {"name": n, "in": "path", "description": _NAMES[n], "required": True, "type": "string"}
            for n in path.parameters
        ]
    return item


__all__ = ["CustomSchemas", "OpenApi", "custom_name", "schema_name"]
