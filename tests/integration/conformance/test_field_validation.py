"""What `fieldValidation=Strict` refuses, in typed objects and in custom resources."""

from typing import Any

import pytest

from integration.conformance.suite import APPLY, Json, Suite, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRICT = {"fieldValidation": "Strict"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "items": {
        "type": "object",
        "required": ["containerPort", "protocol"],
        "properties": {
            "containerPort": {"type": "integer", "format": "int32"},
            "hostPort": {"type": "integer", "format": "int32"},
            "protocol": {"type": "string"},
        },
    },
}
KNOWN = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"cronSpec": {"type": "string"}, "foo": {"type": "string"}, "ports": PORTS},
        }
    },
}
PRESERVING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EMBEDDED = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "template": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "properties": {"metadata": {"type": "object"}, "spec": {"type": "object"}},
                }
            },
        }
    },
}

DEPLOYMENT = """{
 "apiVersion": "apps/v1", "kind": "Deployment",
 "metadata": {"name": "my-dep"%(metadata)s},
 "spec": {%(spec)s
  "selector": {"matchLabels": {"app": "nginx"}},
  "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": [{"name": "nginx", "image": "i"}]}}
 }
}"""


class Definition:
    """A kind of the test's own."""

    def __init__(self, suite: Suite, schema: Json) -> None:
        self._suite = suite
        self.group = f"{suite.namespace}.example.com"
        self._schema = schema

    async def define(self) -> "Definition":
        spec = {
            "group": self.group,
            "scope": "Namespaced",
            "names": {"plural": "noxus", "singular": "noxu", "kind": "Noxu", "listKind": "NoxuList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": self._schema}}],
        }
        await self._suite.create(DEFINITIONS, made(f"noxus.{self.group}", spec=spec))

        async def served() -> bool:
            return await self._suite.exists(f"/apis/{self.group}/v1/noxus")

        await self._suite.eventually("the definition is served", served)
        return self

    async def apply(self, rest: str, status: int, name: str = "mytest") -> Json:
        """Server-side apply of YAML: what comes after the name."""
        text = f"apiVersion: {self.group}/v1\nkind: Noxu\nmetadata:\n  name: {name}\n{rest}"
        path = self._suite.group(self.group, f"noxus/{name}")
        query: dict[str, Any] = {**STRICT, "fieldManager": "field_validation_mgr"}
        return await self._suite.ask("PATCH", path, text, status, kind=APPLY, **query)


@pytest.mark.conformance("FieldValidation should detect unknown and duplicate fields of a typed object")
async def test_unknown_and_duplicate_fields_are_told_together(suite: Suite) -> None:
    body = DEPLOYMENT % {
        "metadata": "",
        "spec": '"unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, '
        '"paused": false,',
    }
    refused = await suite.ask("POST", suite.apps("deployments"), body, 400, **STRICT)
    assert refused["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.unknown1", unknown field "spec.unknownDupe", duplicate field "spec.paused"'
    )


@pytest.mark.conformance("FieldValidation should detect unknown metadata fields of a typed object")
async def test_unknown_metadata_is_told_with_its_path(suite: Suite) -> None:
    body = DEPLOYMENT % {"metadata": ', "unknownMeta": "foo"', "spec": ""}
    refused = await suite.ask("POST", suite.apps("deployments"), body, 400, **STRICT)
    assert 'strict decoding error: unknown field "metadata.unknownMeta"' in refused["message"]


@pytest.mark.conformance("FieldValidation should create/apply a valid CR for CRD with validation schema")
async def test_a_valid_object_is_applied(suite: Suite) -> None:
    custom = await Definition(suite, KNOWN).define()
    ports = "  ports:\n  - {containerPort: 80, protocol: TCP}\n  - {containerPort: 80, protocol: UDP}\n"
    made_ = await custom.apply(f"spec:\n  cronSpec: '* * * * *'\n{ports}", 201)
    assert [port["protocol"] for port in made_["spec"]["ports"]] == ["TCP", "UDP"]


@pytest.mark.conformance(
    "FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema"
)
async def test_without_schema_every_field_is_known(suite: Suite) -> None:
    custom = await Definition(suite, PRESERVING).define()
    made_ = await custom.apply("spec:\n  unknown1: val1\n", 201)
    assert made_["spec"] == {"unknown1": "val1"}


@pytest.mark.conformance(
    "FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema"
)
async def test_a_field_beyond_the_schema_is_not_declared(suite: Suite) -> None:
    custom = await Definition(suite, KNOWN).define()
    refused = await custom.apply("unknownField: unknown\nspec:\n  foo: bar\n", 500)
    assert ".unknownField: field not declared in schema" in refused["message"]


@pytest.mark.conformance("FieldValidation should detect duplicates in a CR when preserving unknown fields")
async def test_a_duplicate_key_of_yaml_is_told_with_its_line(suite: Suite) -> None:
    custom = await Definition(suite, PRESERVING).define()
    refused = await custom.apply("spec:\n  unknown: uk1\n  cronSpec: one\n  cronSpec: two\n", 400)
    assert 'line 8: key "cronSpec" already set in map' in refused["message"]


@pytest.mark.conformance(
    "FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR"
)
async def test_unknown_metadata_of_embedded_objects_is_not_declared(suite: Suite) -> None:
    custom = await Definition(suite, EMBEDDED).define()
    text = (
        "  unknownMeta: unknown\nspec:\n  template:\n    apiVersion: foo/v1\n    kind: Sub\n    metadata:\n"
        "      name: sub\n      unknownSubMeta: unknown\n"
    )
    refused = await custom.apply(text, 500)
    assert ".metadata.unknownMeta: field not declared in schema" in refused["message"]
    assert ".spec.template.metadata.unknownSubMeta: field not declared in schema" in refused["message"]
