"""Every subresource and every question of `data/resources.json`, in JSON, YAML and protobuf; status apart from spec.

`COVERED` says where each kind of subresource is tried: a row with another one fails until somebody does.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from integration.conftest import form_client
from support import wire
from support.examples import STATUS, SUBRESOURCES
from support.forms import FORMS, JSON, PROTOBUF, FormClient, missing
from support.rows import (
    APPLY,
    ASKED,
    CHANGED_AT_ONCE,
    JSON_PATCH,
    MERGE,
    NAME,
    ROWS,
    STRATEGIC,
    collection,
    place,
    sample,
    settled,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
WHOLE = "get patch update"
COVERED = {
    "status": WHOLE,
    "scale": WHOLE,
    "resize": WHOLE,
    "ephemeralcontainers": WHOLE,
    "approval": WHOLE,
    "finalize": "update",
    "binding": "create",
    "eviction": "create",
    "token": "create",
    # Streams to a node: test_pod_streams.py, test_proxy_subresources.py.
    "log": "get",
    "exec": "create get",
    "attach": "create get",
    "portforward": "create get",
    "proxy": "create delete get patch update",
}
WITH_STATUS = [name for name, row in ROWS.items() if "status" in row.subresources]
WITH_SCALE = [name for name, row in ROWS.items() if "scale" in row.subresources]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FormClient]:
    async with form_client(tmp_path_factory.mktemp("subresources")) as client:
        yield client


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.subresources])
async def test_every_verb_of_every_subresource_is_tried(name: str) -> None:
    for subresource in ROWS[name].subresources.values():
        assert " ".join(sorted(subresource.verbs)) == COVERED[subresource.name]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ASKED)
async def test_questions_are_answered_in_the_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    question = sample(resource)
    question["metadata"] = {}
    if resource.kind == "Binding":
        pod = ROWS["v1/pods"]
        await api.ok("POST", collection(pod), sample(pod), expect=201)
        try:
            question["metadata"] = {"name": NAME}
            found = await api.ok("POST", collection(resource), question, form=form, expect=201)
            assert (found["kind"], found["status"]) == ("Status", "Success")
            bound = await api.ok("GET", place(pod))
            assert bound["spec"]["nodeName"] == question["target"]["name"]
        finally:
            await api.remove(place(pod))
        return
    found = await api.ok("POST", collection(resource), question, form=form, expect=201)
    assert (found["kind"], found["apiVersion"]) == (resource.kind, resource.api_version)
    assert missing(question.get("spec", {}), found.get("spec", {})) == []
    plain = await api.ok("POST", collection(resource), question, expect=201)
    assert wire.differences(without_times(plain["status"]), without_times(found["status"])) == []


def without_times(status: Json) -> Json:
    return {key: value for key, value in status.items() if "Time" not in key}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WITH_STATUS)
async def test_status_has_a_door_of_its_own(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path, status = place(resource), STATUS[resource.kind]
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        made = await settled(api, path)
        answer = await api.send("GET", f"{path}/status", form=form)
        assert wire.differences(made, answer.document) == []
        sent = {**made, "status": status, "spec": {**sample(resource).get("spec", {})}}
        told = await api.ok("PUT", f"{path}/status", sent, form=form)
        assert missing(status, told["status"]) == []
        assert wire.differences(made.get("spec"), told.get("spec")) == []
        assert told["metadata"].get("generation") == made["metadata"].get("generation")
        if resource.kind in CHANGED_AT_ONCE:
            return  # somebody has corrected us by now
        assert wire.differences(await api.ok("GET", path), told) == []
        others = {**told, "status": {}, "metadata": {**told["metadata"], "labels": {"app": "other"}}}
        changed = await api.ok("PUT", path, others, form=form)
        assert wire.differences(told.get("status"), changed.get("status")) == []
        assert changed["metadata"]["labels"]["app"] == "other"
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WITH_STATUS)
async def test_status_takes_all_four_patches(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path, status = place(resource), STATUS[resource.kind]
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        made = told = await settled(api, path)
        declared = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": made["metadata"]["name"]},
            "status": status,
        }
        for kind, patch in (
            (MERGE, {"status": status}),
            (STRATEGIC, {"status": status}),
            (JSON_PATCH, [{"op": "add", "path": "/status", "value": status}]),
            (APPLY, declared),
        ):
            how = {"fieldManager": "tester", "force": "true"} if kind == APPLY else {}
            told = await api.ok("PATCH", f"{path}/status", patch, expect=200, form=form, content_type=kind, **how)
            assert missing(status, told["status"]) == [], kind
            assert told["metadata"].get("generation") == made["metadata"].get("generation")
        owner = next(e for e in told["metadata"]["managedFields"] if e["operation"] == "Apply")
        assert (owner["manager"], owner["subresource"]) == ("tester", "status")
        if resource.kind in CHANGED_AT_ONCE:
            return
        ignored = {"status": {}, "metadata": {"labels": {"a": "1"}}}
        changed = await api.ok("PATCH", path, ignored, content_type=MERGE, form=form)
        assert wire.differences(told["status"], changed["status"]) == []
    finally:
        await api.remove(path)


@pytest.mark.parametrize("name", WITH_STATUS)
async def test_status_is_not_taken_from_what_is_created_and_dry_runs_leave_it(api: FormClient, name: str) -> None:
    resource = ROWS[name]
    path, status = place(resource), STATUS[resource.kind]
    bare = await api.ok("POST", collection(resource), sample(resource), expect=201, dryRun="All")
    sent = {**sample(resource), "status": status}
    made = await api.ok("POST", collection(resource), sent, expect=201)
    try:
        if resource.kind == "Node":  # a kubelet tells its status as it registers
            assert missing(status, made["status"]) == []
        else:
            assert timeless(made.get("status", {})) == timeless(bare.get("status", {}))
        made = await settled(api, path)
        told = await api.ok("PUT", f"{path}/status", {**made, "status": status}, dryRun="All")
        assert missing(status, told["status"]) == []
        await api.ok("PATCH", f"{path}/status", {"status": status}, content_type=MERGE, dryRun="All")
        assert await api.ok("GET", path) == made
    finally:
        await api.remove(path)


def timeless(value: Any) -> Any:
    """Without times, which differ between two creations."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if not key.endswith("Time")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WITH_SCALE)
async def test_scale_is_read_set_and_patched_in_the_form(api: FormClient, name: str, form: str) -> None:
    resource = ROWS[name]
    path = place(resource)
    await api.ok("POST", collection(resource), sample(resource), expect=201)
    try:
        found = await api.ok("GET", f"{path}/scale", form=form)
        assert (found["apiVersion"], found["kind"], found["spec"]["replicas"]) == ("autoscaling/v1", "Scale", 2)
        assert found["status"]["selector"] == "app=web"
        told = await api.ok("PUT", f"{path}/scale", {**found, "spec": {"replicas": 5}}, form=form)
        assert told["spec"]["replicas"] == 5
        replicas = 5
        for kind in (MERGE, STRATEGIC, JSON_PATCH):
            replicas += 1
            patch: Any = {"spec": {"replicas": replicas}}
            if kind == JSON_PATCH:
                patch = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
            told = await api.ok("PATCH", f"{path}/scale", patch, content_type=kind, form=form)
            assert told["spec"]["replicas"] == replicas
        dry = {**SUBRESOURCES["scale"], "metadata": {"name": NAME}}
        how = {"content_type": APPLY, "fieldManager": "tester"}
        conflict = await api.send("PATCH", f"{path}/scale", dry, form=form, **how)
        assert (conflict.status, conflict.document["reason"]) == (409, "Conflict")
        taken = await api.ok("PATCH", f"{path}/scale", dry, expect=200, form=form, dryRun="All", force="true", **how)
        assert taken["spec"]["replicas"] == 3
        assert (await api.ok("PUT", f"{path}/scale", dry, form=form, dryRun="All"))["spec"]["replicas"] == 3
        parent = await api.ok("GET", path)
        assert parent["spec"]["replicas"] == replicas
        assert parent["metadata"]["generation"] == 5
        await api.ok("PATCH", f"{path}/scale", dry, expect=200, form=form, force="true", **how)
        parent = await api.ok("GET", path)
        owners = [e for e in parent["metadata"]["managedFields"] if "f:replicas" in e["fieldsV1"].get("f:spec", {})]
        assert [(e["manager"], e["operation"], e["subresource"]) for e in owners] == [("tester", "Apply", "scale")]
        assert (parent["spec"]["replicas"], owners[0]["apiVersion"]) == (3, resource.api_version)
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
async def test_pods_take_ephemeral_containers_resizes_bindings_and_evictions(api: FormClient, form: str) -> None:
    pods = ROWS["v1/pods"]
    path = place(pods)
    made = await api.ok("POST", collection(pods), sample(pods), expect=201)
    try:
        target = {**SUBRESOURCES["binding"], "metadata": {"name": NAME}}
        assert (await api.ok("POST", f"{path}/binding", target, form=form, expect=201))["status"] == "Success"
        debug = {"name": "debug", "image": "debug:1", "targetContainerName": "web"}
        made = await api.ok("GET", f"{path}/ephemeralcontainers", form=form)
        made["spec"]["ephemeralContainers"] = [debug]
        told = await api.ok("PUT", f"{path}/ephemeralcontainers", made, form=form)
        assert missing([debug], told["spec"]["ephemeralContainers"]) == []
        more = {"spec": {"ephemeralContainers": [{"name": "more", "image": "debug:1"}]}}
        told = await api.ok("PATCH", f"{path}/ephemeralcontainers", more, content_type=STRATEGIC, form=form)
        assert {c["name"] for c in told["spec"]["ephemeralContainers"]} == {"debug", "more"}
        made = await api.ok("GET", f"{path}/resize", form=form)
        before = made["metadata"]["generation"]
        made["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "200m"
        told = await api.ok("PUT", f"{path}/resize", made, form=form)
        assert told["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "200m"
        assert told["metadata"]["generation"] == before + 1
        less = {"spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "150m"}}}]}}
        told = await api.ok("PATCH", f"{path}/resize", less, content_type=STRATEGIC, form=form)
        assert told["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "150m"
        eviction = {**SUBRESOURCES["eviction"], "metadata": {"name": NAME}}
        answer = await api.ok("POST", f"{path}/eviction", eviction, form=form, expect=201)
        assert (answer["kind"], answer["status"]) == ("Status", "Success")
        left = await api.send("GET", path)
        assert left.status == 404 or "deletionTimestamp" in left.document["metadata"]
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
async def test_namespaces_are_finalized_and_signing_requests_approved_in_the_form(api: FormClient, form: str) -> None:
    namespaces, requests = ROWS["v1/namespaces"], ROWS["certificates.k8s.io/v1/certificatesigningrequests"]
    path = place(namespaces)
    made = await api.ok("POST", collection(namespaces), sample(namespaces), expect=201)
    told = await api.ok("PUT", f"{path}/finalize", {**made, "spec": {"finalizers": ["example.com/mine"]}}, form=form)
    assert told["spec"] == {"finalizers": ["example.com/mine"]}
    await api.remove(path)
    path = place(requests)
    await api.ok("POST", collection(requests), sample(requests), expect=201)
    try:
        made = await api.ok("GET", f"{path}/approval", form=form)
        approved = {"type": "Approved", "status": "True", "reason": "Told", "message": "m"}
        told = await api.ok("PUT", f"{path}/approval", {**made, "status": {"conditions": [approved]}}, form=form)
        assert missing([approved], told["status"]["conditions"]) == []
        patch = {"status": {"conditions": [{**approved, "message": "other"}]}}
        told = await api.ok("PATCH", f"{path}/approval", patch, content_type=MERGE, form=form)
        assert told["status"]["conditions"][0]["message"] == "other"
        plain = await api.ok("PUT", f"{path}/status", {**told, "status": {}}, form=form)
        assert plain["status"]["conditions"][0]["type"] == "Approved"
    finally:
        await api.remove(path)


@pytest.mark.parametrize("form", FORMS)
async def test_tokens_are_asked_for_in_the_form(api: FormClient, form: str) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    answer = await api.send("POST", path, SUBRESOURCES["token"], form=form)
    assert answer.status in {201, 404}, answer.document  # 404: this server has no key to sign with, and says so
    assert answer.status == 201 or "no key to sign tokens" in answer.document["message"]


@pytest.mark.parametrize("form", [JSON, PROTOBUF])
async def test_failures_come_in_the_form_too(api: FormClient, form: str) -> None:
    answer = await api.send("GET", "/api/v1/namespaces/default/pods/absent/status", form=form)
    assert (answer.status, answer.document["reason"], answer.document["code"]) == (404, "NotFound", 404)
