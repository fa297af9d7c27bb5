"""Unknown and duplicate fields of every resource in every form; generations of every kind that counts them.

Everything here is a dry run but the counting, so that hundreds of writes leave nothing behind.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from integration.conftest import form_client
from support.forms import JSON, PROTOBUF, YAML, FormClient, write
from support.rows import APPLY, JSON_PATCH, MERGE, ROWS, STORED, STRATEGIC, collection, place, sample, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
DRY = {"dryRun": "All"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FormClient]:
    async with form_client(tmp_path_factory.mktemp("strictness")) as client:
        yield client


def twice(document: Json, form: str) -> bytes:
    """The body with `kind` standing twice, and a field no kind has."""
    body = write({**document, "noSuchField": 1}, form)
    if form == JSON:
        return body[:-1] + f',"kind":"{document["kind"]}"}}'.encode()
    return body + f"kind: {document['kind']}\n".encode()


def warned(headers: Any) -> list[str]:
    return [text for text in headers.getall("Warning", []) if "field" in text or "already set" in text]


@pytest.mark.parametrize("form", [JSON, YAML])
@pytest.mark.parametrize("name", STORED)
async def test_strange_fields_are_ignored_warned_of_or_refused(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    body = twice(sample(resource), form)
    repeated = 'duplicate field "kind"' if form == JSON else 'key "kind" already set in map'
    quoted = repeated.replace('"', '\\"')
    ignored = await api.send_bytes("POST", collection(resource), body, form, fieldValidation="Ignore", **DRY)
    assert (ignored.status, warned(ignored.headers)) == (201, [])
    assert "noSuchField" not in ignored.document
    told = await api.send_bytes("POST", collection(resource), body, form, fieldValidation="Warn", **DRY)
    assert told.status == 201
    assert sorted("noSuchField" in text for text in warned(told.headers)) == [False, True]
    assert any(quoted in text for text in warned(told.headers)), warned(told.headers)
    refused = await api.send_bytes("POST", collection(resource), body, form, fieldValidation="Strict", **DRY)
    assert refused.status == 400
    assert "strict decoding error: " in refused.document["message"]
    assert 'unknown field "noSuchField"' in refused.document["message"]
    assert repeated in refused.document["message"]


@pytest.mark.parametrize("name", STORED)
async def test_protobuf_has_no_strange_fields(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    strict = {"fieldValidation": "Strict", **DRY}
    answer = await api.send("POST", collection(resource), sample(resource), form=PROTOBUF, **strict)
    assert (answer.status, warned(answer.headers)) == (201, [])


@pytest.mark.parametrize("name", STORED)
async def test_versions_on_their_way_out_say_so_in_every_answer(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    for answer in (
        await api.send("GET", collection(resource)),
        await api.send("POST", collection(resource), sample(resource), **DRY),
        await api.send("GET", f"{collection(resource)}/absent"),
    ):
        assert farewells(answer.headers) == ([f'299 - "{resource.deprecation}"'] if resource.deprecation else [])


def farewells(headers: Any) -> list[str]:
    return [text for text in headers.getall("Warning", []) if " is deprecated in v1." in text]


async def test_field_validation_has_three_values(api: FormClient) -> None:
    resource = ROWS["v1/configmaps"]
    answer = await api.send("POST", collection(resource), sample(resource), fieldValidation="Loud", **DRY)
    assert (answer.status, answer.document["reason"]) == (422, "Invalid")


PATCHES = [
    (MERGE, b'{"data":{"a":"2","a":"3"},"nothing":1}', ['duplicate field "data.a"', 'unknown field "nothing"']),
    (STRATEGIC, b'{"data":{"a":"2","a":"3"},"nothing":1}', ['duplicate field "data.a"', 'unknown field "nothing"']),
    (
        JSON_PATCH,
        b'[{"op":"add","path":"/data/a","value":"3","why":"x"},{"op":"add","op":"add","path":"/nothing","value":1}]',
        [
            'json patch unknown field "[0].why"',
            'json patch duplicate field "[1].op"',
            'unknown field "nothing"',
        ],
    ),
]


@pytest.mark.parametrize(("kind", "body", "complaints"), PATCHES, ids=[row[0] for row in PATCHES])
async def test_patches_are_read_strictly_too(api: FormClient, kind: str, body: bytes, complaints: list[str]) -> None:
    resource = ROWS["v1/configmaps"]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        ignored = await api.send_bytes("PATCH", path, body, kind, fieldValidation="Ignore", **DRY)
        assert (ignored.status, warned(ignored.headers)) == (200, [])
        assert ignored.document["data"]["a"] == "3"
        told = await api.send_bytes("PATCH", path, body, kind, **DRY)
        expected = ['299 - "' + text.replace('"', '\\"') + '"' for text in complaints]
        assert (told.status, warned(told.headers)) == (200, expected)
        refused = await api.send_bytes("PATCH", path, body, kind, fieldValidation="Strict", **DRY)
        assert (refused.status, refused.document["reason"]) == (422, "Invalid")
        (cause,) = refused.document["details"]["causes"]
        assert cause["field"] == "patch"
        assert cause["message"].endswith(f"strict decoding error: {', '.join(complaints)}")
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", [JSON, YAML])
async def test_declarations_may_not_say_a_thing_twice(api: FormClient, form: str) -> None:
    resource = ROWS["v1/configmaps"]
    lines = 'apiVersion: v1\nkind: ConfigMap\ndata:\n  a: "1"\n  a: "2"\n'
    body = lines.encode() if form == YAML else b'{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","a":"2"}}'
    how = {"fieldManager": "tester", **DRY}
    refused = await api.send_bytes("PATCH", place(resource), body, APPLY, fieldValidation="Strict", **how)
    assert refused.status == 400
    assert refused.document["message"].startswith("error strict decoding YAML: ")
    assert 'key "a" already set in map' in refused.document["message"]
    told = await api.send_bytes("PATCH", place(resource), body, APPLY, **how)
    assert told.status == 201
    assert len(warned(told.headers)) == 1
    ignored = await api.send_bytes("PATCH", place(resource), body, APPLY, fieldValidation="Ignore", **how)
    assert (ignored.status, warned(ignored.headers)) == (201, [])


SPEC_CHANGES: dict[str, Json] = {
    "Pod": {"spec": {"activeDeadlineSeconds": 99}},
    "PodTemplate": {"template": {"metadata": {"labels": {"more": "1"}}}},
    "ReplicationController": {"spec": {"replicas": 3}},
    "MutatingAdmissionPolicy": {"spec": {"failurePolicy": "Ignore"}},
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "other"}},
    "MutatingWebhookConfiguration": {"webhooks": []},
    "ValidatingAdmissionPolicy": {"spec": {"failurePolicy": "Ignore"}},
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "other"}},
    "ValidatingWebhookConfiguration": {"webhooks": []},
    "CustomResourceDefinition": {"spec": {"names": {"shortNames": ["th"]}}},
    "DaemonSet": {"spec": {"minReadySeconds": 5}},
    "Deployment": {"spec": {"replicas": 3}},
    "ReplicaSet": {"spec": {"replicas": 3}},
    "StatefulSet": {"spec": {"replicas": 3}},
    "CronJob": {"spec": {"suspend": True}},
    "Job": {"spec": {"suspend": True}},
    "EndpointSlice": {"ports": [{"port": 81, "protocol": "TCP"}]},
    "FlowSchema": {"spec": {"matchingPrecedence": 8999}},
    "PriorityLevelConfiguration": {"spec": {"limited": {"nominalConcurrencyShares": 6}}},
    "IngressClass": {"spec": {"parameters": {"kind": "K", "name": "n", "apiGroup": "example.com"}}},
    "Ingress": {"spec": {"ingressClassName": "other"}},
    "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": {"app": "other"}}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 2}},
    "DeviceClass": {"spec": {"extendedResourceName": "example.com/gpu"}},
    "ResourceSlice": {"spec": {"pool": {"generation": 2}}},
    "DeviceTaintRule": {"spec": {"taint": {"value": "x"}}},
    "CSIDriver": {"spec": {"podInfoOnMount": True}},
    "PriorityClass": {"description": "other"},
}
"""Kinds whose generation is counted, and a change of each that is allowed."""
UNCOUNTED_CHANGES = {"PriorityClass": 1, "CSIDriver": 1}
"""Generations after the change where upstream's strategy counts otherwise: never again, or from nothing."""


@pytest.mark.parametrize("name", STORED)
async def test_generations_count_changes_of_the_specification_only(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        made = await settled(api, path)
        started = made["metadata"].get("generation", 0)
        if resource.kind not in SPEC_CHANGES:
            assert "generation" not in made["metadata"]
            return
        labelled = await api.ok("PATCH", path, {"metadata": {"annotations": {"a": "1"}}}, content_type=MERGE)
        assert labelled["metadata"].get("generation", 0) == started
        changed = await api.ok("PATCH", path, SPEC_CHANGES[resource.kind], content_type=MERGE)
        expected = UNCOUNTED_CHANGES.get(resource.kind, started + 1)
        assert changed["metadata"]["generation"] == expected
        again = await api.ok("PATCH", path, SPEC_CHANGES[resource.kind], content_type=MERGE)
        assert again["metadata"]["generation"] == expected
        forged = {"metadata": {"generation": 77, "uid": changed["metadata"]["uid"]}}
        kept = await api.ok("PATCH", path, forged, content_type=MERGE)
        assert kept["metadata"]["generation"] == expected
    finally:
        await api.remove(path)
