"""Custom resources through the API server: from a definition to its last object."""

import asyncio
from typing import Any

import pytest

from unit.apiserver.serving import Server, serving

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "stable.example.com"
TABS = f"/apis/{GROUP}/v1/namespaces/default/crontabs"

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cronSpec": {"type": "string", "default": "* * * * *"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
        "image": {"type": "string", "enum": ["b", "a"]},
        "hosts": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
            },
        },
    },
}


def version(name: str = "v1", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object", **PRESERVE}}}
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}


PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}


def definition(
    plural: str = "crontabs", kind: str = "CronTab", *versions: dict[str, Any], **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def tab(name: str, api_version: str = "v1", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": f"{GROUP}/{api_version}", "kind": "CronTab", "metadata": metadata, "spec": spec}


async def settled(server: Server) -> None:
    """Let the owner of definitions do what it has to."""
    for _ in range(50):
        await asyncio.sleep(0)  # noqa: TID251 - yields, does not wait


async def define(server: Server, document: dict[str, Any]) -> Any:
    await server.create(DEFINITIONS, document)
    await settled(server)
    return await server.get(f"{DEFINITIONS}/{document['metadata']['name']}")


def conditions(document: Any) -> dict[str, tuple[str, str]]:
    return {row["type"]: (row["status"], row["reason"]) for row in document["status"].get("conditions", ())}


async def test_a_definition_is_established_and_its_objects_are_served() -> None:
    async with serving() as server:
        stored = await define(server, definition())
        assert conditions(stored) == {
            "NamesAccepted": ("True", "NoConflicts"),
            "Established": ("True", "InitialNamesAccepted"),
        }
        assert stored["status"]["acceptedNames"]["listKind"] == "CronTabList"
        assert stored["status"]["storedVersions"] == ["v1"]
        created = await server.create(TABS, tab("a", replicas=3))
        assert created["spec"] == {"replicas": 3, "cronSpec": "* * * * *"}
        assert created["metadata"]["generation"] == 1
        assert [item["metadata"]["name"] for item in (await server.get(TABS))["items"]] == ["a"]


async def test_unknown_fields_are_pruned_and_told_as_a_warning() -> None:
    async with serving() as server:
        await define(server, definition())
        answer = await server.ask("POST", TABS, tab("a", surprise=1))
        assert answer.status == 201
        assert ("Warning", '299 - "unknown field \\"spec.surprise\\""') in answer.headers
        refused = await server.call("POST", f"{TABS}?fieldValidation=Strict", tab("b", surprise=1), 400)
        assert refused["message"] == (
            'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: '
            'unknown field "spec.surprise"'
        )


async def test_values_that_do_not_fit_are_told_with_their_paths() -> None:
    async with serving() as server:
        await define(server, definition())
        refused = await server.call("POST", TABS, tab("a", replicas="x", image="c", hosts=["h", "h"]), 422)
        causes = {(c["reason"], c["field"], c["message"]) for c in refused["details"]["causes"]}
        assert causes == {
            (
                "FieldValueTypeInvalid",
                "spec.replicas",
                'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
            ),
            ("FieldValueNotSupported", "spec.image", 'Unsupported value: "c": supported values: "b", "a"'),
            ("FieldValueDuplicate", "spec.hosts[1]", 'Duplicate value: "h"'),
        }


async def test_a_value_that_was_wrong_before_the_schema_changed_does_not_stop_an_update_of_another() -> None:
    async with serving() as server:
        stored = await define(server, definition())
        created = await server.create(TABS, tab("a", replicas=9))
        narrow = {**SPEC["properties"], "replicas": {"type": "integer", "maximum": 5}}
        stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = narrow
        await server.call("PUT", f"{DEFINITIONS}/crontabs.{GROUP}", stored)
        created["spec"]["image"] = "a"
        changed = await server.call("PUT", f"{TABS}/a", created)
        assert changed["spec"]["image"] == "a"
        changed["spec"]["replicas"] = 8
        refused = await server.call("PUT", f"{TABS}/a", changed, 422)
        assert "should be less than or equal to 5" in refused["message"]


async def test_defaults_reach_objects_that_were_stored_before_them() -> None:
    async with serving() as server:
        stored = await define(server, definition())
        await server.create(TABS, tab("a"))
        properties = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        properties["image"]["default"] = "a"
        await server.call("PUT", f"{DEFINITIONS}/crontabs.{GROUP}", stored)
        assert (await server.get(f"{TABS}/a"))["spec"]["image"] == "a"
        assert (await server.get(TABS))["items"][0]["spec"]["image"] == "a"


async def test_status_and_spec_have_doors_of_their_own() -> None:
    async with serving() as server:
        await define(server, definition("crontabs", "CronTab", version(subresources={"status": {}})))
        created = await server.create(TABS, {**tab("a", replicas=1), "status": {"phase": "x"}})
        assert "status" not in created
        created["status"] = {"phase": "up"}
        created["spec"]["replicas"] = 2
        through_status = await server.call("PUT", f"{TABS}/a/status", created)
        assert through_status["status"] == {"phase": "up"}
        assert through_status["spec"]["replicas"] == 1
        assert through_status["metadata"]["generation"] == 1
        through_status["spec"]["replicas"] = 2
        through_status["status"] = {"phase": "down"}
        changed = await server.call("PUT", f"{TABS}/a", through_status)
        assert (changed["spec"]["replicas"], changed["status"]["phase"]) == (2, "up")
        assert changed["metadata"]["generation"] == 2


async def test_names_in_use_are_not_accepted_until_they_are_free() -> None:
    async with serving() as server:
        await define(server, definition())
        second = definition("other", "CronTab")
        stored = await define(server, second)
        assert conditions(stored) == {
            "NamesAccepted": ("False", "ListKindConflict"),
            "Established": ("False", "NotAccepted"),
        }
        await server.call("GET", f"/apis/{GROUP}/v1/namespaces/default/other", status=404)
        await server.call("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")
        await settled(server)
        stored = await server.get(f"{DEFINITIONS}/other.{GROUP}")
        assert conditions(stored)["Established"] == ("True", "InitialNamesAccepted")
        await server.get(f"/apis/{GROUP}/v1/namespaces/default/other")


async def test_a_definition_takes_its_objects_with_it() -> None:
    async with serving() as server:
        await define(server, definition())
        await server.create(TABS, tab("a"))
        held = tab("b")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await server.create(TABS, held)
        gone = await server.call("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")
        assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        await settled(server)
        stored = await server.get(f"{DEFINITIONS}/crontabs.{GROUP}")
        assert conditions(stored)["Terminating"] == ("True", "InstanceDeletionInProgress")
        assert [item["metadata"]["name"] for item in (await server.get(TABS))["items"]] == ["b"]
        refused = await server.call("POST", TABS, tab("c"), 403)
        assert "create not allowed while custom resource definition is terminating" in refused["message"]
        patch = {"metadata": {"finalizers": None}}
        await server.call("PATCH", f"{TABS}/b", patch, content_type="application/merge-patch+json")
        await server.clock.advance(1)
        await settled(server)
        await server.call("GET", f"{DEFINITIONS}/crontabs.{GROUP}", status=404)
        await server.call("GET", TABS, status=404)


async def test_a_watch_ends_when_the_definition_changes() -> None:
    async with serving() as server:
        stored = await define(server, definition())
        watch = await server.watch(f"{TABS}?resourceVersion=0")
        await server.create(TABS, tab("a"))
        assert (await watch.next())["type"] == "ADDED"
        stored["spec"]["versions"][0]["additionalPrinterColumns"] = [
            {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"}
        ]
        await server.call("PUT", f"{DEFINITIONS}/crontabs.{GROUP}", stored)
        assert await watch.next() is None


async def test_strategic_merge_patches_are_refused() -> None:
    async with serving() as server:
        await define(server, definition())
        await server.create(TABS, tab("a"))
        refused = await server.call(
            "PATCH", f"{TABS}/a", {"spec": {}}, 415, content_type="application/strategic-merge-patch+json"
        )
        assert refused["message"] == (
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )


async def test_appliers_share_lists_as_the_schema_says() -> None:
    async with serving() as server:
        await define(server, definition())

        async def apply(manager: str, status: int = 0, **spec: Any) -> Any:
            path, kind = f"{TABS}/a?fieldManager={manager}", "application/apply-patch+yaml"
            return await server.call("PATCH", path, tab("a", **spec), status, content_type=kind)

        await apply("one", ports=[{"name": "x", "port": 1}], hosts=["h1"], replicas=1)
        both = await apply("two", ports=[{"name": "y", "port": 2}], hosts=["h2"])
        assert both["spec"]["ports"] == [{"name": "x", "port": 1}, {"name": "y", "port": 2}]
        assert both["spec"]["hosts"] == ["h1", "h2"]
        refused = await apply("two", 409, ports=[{"name": "x", "port": 3}])
        assert refused["details"]["causes"][0]["field"] == '.spec.ports[name="x"].port'
        left = await apply("one", hosts=["h1"], replicas=1)
        assert left["spec"]["ports"] == [{"name": "y", "port": 2}]
        unknown = await apply("one", 500, nothing=1)
        assert unknown["message"].endswith(".spec.nothing: field not declared in schema")


@pytest.mark.parametrize("stored", ["v1", "v2"])
async def test_objects_are_seen_in_every_version_without_a_webhook(stored: str) -> None:
    async with serving() as server:
        versions = [version(name, storage=name == stored) for name in ("v1", "v2")]
        await define(server, definition("crontabs", "CronTab", *versions))
        await server.create(TABS, tab("a", replicas=2))
        other = TABS.replace("/v1/", "/v2/")
        seen = await server.get(f"{other}/a")
        assert (seen["apiVersion"], seen["spec"]["replicas"]) == (f"{GROUP}/v2", 2)
        assert [item["apiVersion"] for item in (await server.get(other))["items"]] == [f"{GROUP}/v2"]
        watch = await server.watch(f"{other}?resourceVersion=0")
        assert (await watch.next())["object"]["apiVersion"] == f"{GROUP}/v2"


async def test_versions_that_were_stored_are_remembered() -> None:
    async with serving() as server:
        stored = await define(server, definition("crontabs", "CronTab", version("v1"), version("v2", storage=False)))
        await server.create(TABS, tab("a", replicas=2))
        for row in stored["spec"]["versions"]:
            row["storage"] = row["name"] == "v2"
        changed = await server.call("PUT", f"{DEFINITIONS}/crontabs.{GROUP}", stored)
        assert changed["status"]["storedVersions"] == ["v1", "v2"]
        assert (await server.get(f"{TABS}/a"))["spec"]["replicas"] == 2
        changed["spec"]["versions"] = [row for row in changed["spec"]["versions"] if row["name"] == "v2"]
        refused = await server.call("PUT", f"{DEFINITIONS}/crontabs.{GROUP}", changed, 422)
        assert 'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions' in refused["message"]


async def test_a_deprecated_version_warns() -> None:
    async with serving() as server:
        versions = [version("v1"), version("v1beta1", storage=False, deprecated=True)]
        await define(server, definition("crontabs", "CronTab", *versions))
        answer = await server.ask("GET", TABS.replace("/v1/", "/v1beta1/"))
        text = f"{GROUP}/v1beta1 CronTab is deprecated; use {GROUP}/v1 CronTab"
        assert ("Warning", f'299 - "{text}"') in answer.headers


async def test_selectable_fields_select_in_lists_and_watches() -> None:
    async with serving() as server:
        chosen = [{"jsonPath": ".spec.image"}]
        await define(server, definition("crontabs", "CronTab", version(selectableFields=chosen)))
        for name, image in (("a", "a"), ("b", "b")):
            await server.create(TABS, tab(name, image=image))
        found = await server.get(f"{TABS}?fieldSelector=spec.image=b")
        assert [item["metadata"]["name"] for item in found["items"]] == ["b"]
        watch = await server.watch(f"{TABS}?fieldSelector=spec.image=b")
        assert (await watch.next())["object"]["metadata"]["name"] == "b"
        patch = {"spec": {"image": "a"}}
        await server.call("PATCH", f"{TABS}/b", patch, content_type="application/merge-patch+json")
        assert (await watch.next())["type"] == "DELETED"
        refused = await server.call("GET", f"{TABS}?fieldSelector=spec.replicas=1", status=400)
        assert refused["message"] == "field label not supported: spec.replicas"


async def test_columns_of_the_definition_make_the_table() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    columns = [
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
        {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
    ]
    async with serving() as server:
        await define(server, definition("crontabs", "CronTab", version(additionalPrinterColumns=columns)))
        await server.create(TABS, tab("a", replicas=2))
        found = await server.get(TABS, accept=table)
        assert [(c["name"], c["type"], c["priority"]) for c in found["columnDefinitions"]] == [
            ("Name", "string", 0),
            ("Replicas", "integer", 1),
            ("Spec", "string", 0),
        ]
        assert found["rows"][0]["cells"] == ["a", 2, "* * * * *"]


async def test_rules_are_asked_at_every_write() -> None:
    spec = {**SPEC, "x-kubernetes-validations": [{"rule": "self.replicas <= 5", "message": "too many"}]}
    spec["properties"] = {
        **SPEC["properties"],
        "image": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed"}]},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    async with serving() as server:
        await define(server, definition("crontabs", "CronTab", version(schema=schema)))
        refused = await server.call("POST", TABS, tab("a", replicas=6), 422)
        assert refused["details"]["causes"] == [
            {"reason": "FieldValueInvalid", "message": "Invalid value: too many", "field": "spec"}
        ]
        await server.create(TABS, tab("a", replicas=5, image="x"))
        patch = {"spec": {"image": "y"}}
        refused = await server.call("PATCH", f"{TABS}/a", patch, 422, content_type="application/merge-patch+json")
        assert 'spec.image: Invalid value: "y": fixed' in refused["message"]
        refused = await server.call("POST", TABS, tab("b", replicas="x"), 422)
        assert refused["message"].endswith(
            '<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; '
            "correct the existing errors to complete validation]"
        )


async def test_a_definition_whose_rules_do_not_compile_is_refused() -> None:
    spec = {**SPEC, "x-kubernetes-validations": [{"rule": "self.nothing"}]}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    async with serving() as server:
        document = definition("crontabs", "CronTab", version(schema=schema))
        refused = await server.call("POST", DEFINITIONS, document, 422)
        assert "undefined field 'nothing'" in refused["message"]
        assert refused["details"]["causes"][0]["field"] == (
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
        )


async def test_a_finalizer_without_a_path_is_warned_about() -> None:
    async with serving() as server:
        await define(server, definition())
        held = tab("a")
        held["metadata"]["finalizers"] = ["example.com"]
        answer = await server.ask("POST", TABS, held)
        (warning,) = [value for name, value in answer.headers if name == "Warning"]
        assert "prefer a domain-qualified finalizer name including a path (/)" in warning


async def test_a_change_of_a_status_that_has_no_door_counts_as_a_generation() -> None:
    async with serving() as server:
        await define(server, definition())
        created = await server.create(TABS, {**tab("a"), "status": {"x": 1}})
        created["status"] = {"x": 2}
        assert (await server.call("PUT", f"{TABS}/a", created))["metadata"]["generation"] == 2


async def test_another_kind_is_refused() -> None:
    async with serving() as server:
        await define(server, definition())
        refused = await server.call("POST", TABS, {**tab("a"), "kind": "Other"}, 422)
        assert 'kind: Invalid value: "Other": must be CronTab' in refused["message"]


async def test_scale_reads_and_writes_by_the_paths_of_the_definition() -> None:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.ready"}
    async with serving() as server:
        subresources = {"status": {}, "scale": {**scale, "labelSelectorPath": ".status.selector"}}
        await define(server, definition("crontabs", "CronTab", version(subresources=subresources)))
        created = await server.create(TABS, tab("a", replicas=2))
        created["status"] = {"ready": 1, "selector": "a=b"}
        await server.call("PUT", f"{TABS}/a/status", created)
        shown = await server.get(f"{TABS}/a/scale")
        assert (shown["spec"], shown["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "a=b"})
        shown["spec"]["replicas"] = 4
        await server.call("PUT", f"{TABS}/a/scale", shown)
        assert (await server.get(f"{TABS}/a"))["spec"]["replicas"] == 4
        patch = {"spec": {"replicas": 3}}
        path = f"{TABS}/a/scale"
        assert (await server.call("PATCH", path, patch, content_type="application/merge-patch+json"))["spec"] == {
            "replicas": 3
        }
        refused = await server.call(
            "PUT", f"{TABS}/a/scale", {**shown, "metadata": {"name": "a"}, "spec": {"replicas": 99}}, 422
        )
        assert "spec.replicas in body should be less than or equal to 10" in refused["message"]


async def test_a_format_that_means_nothing_is_warned_about_once() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "nonsense"}}}
    async with serving() as server:
        document = definition("crontabs", "CronTab", version(schema={"openAPIV3Schema": schema}))
        answer = await server.ask("POST", DEFINITIONS, document)
        assert ("Warning", '299 - "unrecognized format \\"nonsense\\""') in answer.headers
        await settled(server)
        patch = {"metadata": {"labels": {"a": "b"}}}
        path = f"{DEFINITIONS}/crontabs.{GROUP}"
        again = await server.ask("PATCH", path, patch, content_type="application/merge-patch+json")
        assert again.status == 200
        assert "Warning" not in dict(again.headers)


async def test_a_definition_cannot_take_the_place_of_a_built_in_resource() -> None:
    async with serving() as server:
        document = definition("ingresses", "Ingress", group="networking.k8s.io")
        document["metadata"] = {
            "name": "ingresses.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        }
        await define(server, document)
        found = await server.get("/apis/networking.k8s.io/v1/ingresses")
        assert found["kind"] == "IngressList"
        await server.call("DELETE", f"{DEFINITIONS}/ingresses.networking.k8s.io")
        await settled(server)
        await server.call("GET", f"{DEFINITIONS}/ingresses.networking.k8s.io", status=404)
        assert (await server.get("/apis/networking.k8s.io/v1/ingresses"))["kind"] == "IngressList"


async def test_an_object_whose_spec_is_no_object_can_be_deleted() -> None:
    schema = {"type": "object", **PRESERVE}
    async with serving() as server:
        await define(server, definition("crontabs", "CronTab", version(schema={"openAPIV3Schema": schema})))
        held = {**tab("a"), "spec": True}
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await server.create(TABS, held)
        await server.call("DELETE", f"{TABS}/a")
        patch = {"metadata": {"finalizers": None}}
        await server.call("PATCH", f"{TABS}/a", patch, content_type="application/merge-patch+json")
        await server.call("GET", f"{TABS}/a", status=404)
