"""What the official conformance suite expects of dynamic admission, sentence by sentence.

Each test quotes the sentence it proves. Where upstream runs the webhook in a pod behind a Service, it runs in this
process and is called by URL: for the API server only the name it verifies differs.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from integration.conftest import Kubectl, Served
from integration.test_conformance_custom_resources import definition, version
from support.webhooks import WebhookServer, allow, deny, hang, patch, webhook_server
from unit.apiserver.serving import config_map, pod

Json = dict[str, Any]
API = "/apis/admissionregistration.k8s.io/v1"
MUTATING, VALIDATING = f"{API}/mutatingwebhookconfigurations", f"{API}/validatingwebhookconfigurations"
POLICIES, POLICY_BINDINGS = f"{API}/validatingadmissionpolicies", f"{API}/validatingadmissionpolicybindings"
MUTATING_POLICIES, MUTATING_BINDINGS = f"{API}/mutatingadmissionpolicies", f"{API}/mutatingadmissionpolicybindings"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CUSTOM = "/apis/tests.example.com/v1/namespaces/default/foos"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


@dataclass
class Suite:
    """A server over TLS, its administrator, and a webhook."""

    session: aiohttp.ClientSession
    url: str
    hooks: WebhookServer

    async def call(
        self, method: str, path: str, body: Any = None, status: int = 0, kind: str = "application/json"
    ) -> Any:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind}
        async with self.session.request(method, self.url + path, data=data, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status if status else answer.status < 300, text
            return json.loads(text)

    def hook(self, path: str, *resources: str, operations: tuple[str, ...] = ("CREATE",), **more: Any) -> Json:
        rule = {"operations": list(operations), "apiGroups": ["*"], "apiVersions": ["*"], "resources": list(resources)}
        return {
            "name": f"{path.strip('/')}.k8s.io",
            "clientConfig": self.hooks.config(path),
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1", "v1beta1"],
            **more,
        }

    async def register(self, path: str, *hooks: Json, name: str = "e2e", **labels: str) -> Json:
        body = {"metadata": {"name": name, "labels": labels}, "webhooks": list(hooks)}
        found: Json = await self.call("POST", path, body, 201)
        return found

    async def define(self, document: Json) -> None:
        await self.call("POST", DEFINITIONS, document, 201)
        async with asyncio.timeout(10):
            while True:
                found = await self.call("GET", f"{DEFINITIONS}/{document['metadata']['name']}")
                states = {row["type"]: row["status"] for row in found["status"].get("conditions", ())}
                if states.get("Established") == "True":
                    return
                await asyncio.sleep(0.01)  # noqa: TID251 - a real server on real time


@pytest.fixture
async def suite(api_server: Served, tmp_path: Path) -> AsyncIterator[Suite]:
    context = ssl.create_default_context(cafile=str(api_server.ca.certificate))
    context.load_cert_chain(api_server.admin.certificate, api_server.admin.key)
    connector = aiohttp.TCPConnector(ssl=context)
    async with webhook_server(tmp_path) as hooks, aiohttp.ClientSession(connector=connector) as session:
        yield Suite(session, api_server.url, hooks)


def add(key: str) -> Json:
    return {"op": "add", "path": f"/data/{key}", "value": "yes"}


# ── webhook configurations ──


@pytest.mark.conformance("AdmissionWebhook should include webhook resources in discovery documents")
async def test_resources_are_in_discovery(suite: Suite) -> None:
    """Group, version and both webhook configuration resources appear in discovery documents."""
    groups = {group["name"]: group for group in (await suite.call("GET", "/apis"))["groups"]}
    assert "v1" in {row["version"] for row in groups["admissionregistration.k8s.io"]["versions"]}
    group = await suite.call("GET", "/apis/admissionregistration.k8s.io")
    assert {"groupVersion": "admissionregistration.k8s.io/v1", "version": "v1"} in group["versions"]
    names = {row["name"] for row in (await suite.call("GET", API))["resources"]}
    assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= names


@pytest.mark.conformance("AdmissionWebhook listing mutating webhooks should work")
async def test_listing_mutating_webhooks(suite: Suite) -> None:
    """List ten labelled configurations; ConfigMaps are mutated until a collection delete removes them."""
    suite.hooks.answers = {"/add": patch(add("mutation"))}
    for number in range(10):
        await suite.register(MUTATING, suite.hook("/add", "configmaps"), name=f"list-{number}", uid="one")
    assert len((await suite.call("GET", f"{MUTATING}?labelSelector=uid%3Done"))["items"]) == 10
    assert "mutation" in (await suite.call("POST", MAPS, config_map("a", x="1")))["data"]
    await suite.call("DELETE", f"{MUTATING}?labelSelector=uid%3Done")
    assert "mutation" not in (await suite.call("POST", MAPS, config_map("b", x="1")))["data"]


@pytest.mark.conformance("AdmissionWebhook listing validating webhooks should work")
async def test_listing_validating_webhooks(suite: Suite) -> None:
    """List ten labelled configurations; bad ConfigMaps denied until the collection delete, then accepted."""
    suite.hooks.answers = {"/deny": deny("the configmap contains unwanted key and value")}
    for number in range(10):
        await suite.register(VALIDATING, suite.hook("/deny", "configmaps"), name=f"list-{number}", uid="one")
    assert len((await suite.call("GET", f"{VALIDATING}?labelSelector=uid%3Done"))["items"]) == 10
    refused = await suite.call("POST", MAPS, config_map("a"), 400)
    assert "denied the request: the configmap contains unwanted key and value" in refused["message"]
    await suite.call("DELETE", f"{VALIDATING}?labelSelector=uid%3Done")
    await suite.call("POST", MAPS, config_map("a"), 201)


@pytest.mark.conformance("AdmissionWebhook patching/updating a mutating webhook should work")
async def test_patching_and_updating_a_mutating_webhook(suite: Suite) -> None:
    """Changing rules to drop and re-add CREATE turns ConfigMap mutation off and on shortly afterwards."""
    suite.hooks.answers = {"/add": patch(add("mutation"))}
    await suite.register(MUTATING, suite.hook("/add", "configmaps"))
    stored = await suite.call("GET", f"{MUTATING}/e2e")
    stored["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    await suite.call("PUT", f"{MUTATING}/e2e", stored)
    assert "mutation" not in (await suite.call("POST", MAPS, config_map("a", x="1")))["data"]
    operation = {"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}
    await suite.call("PATCH", f"{MUTATING}/e2e", [operation], kind=JSON_PATCH)
    assert "mutation" in (await suite.call("POST", MAPS, config_map("b", x="1")))["data"]


@pytest.mark.conformance("AdmissionWebhook patching/updating a validating webhook should work")
async def test_patching_and_updating_a_validating_webhook(suite: Suite) -> None:
    """Changing rules to drop and re-add CREATE turns denial off and on; the error text contains 'denied'."""
    suite.hooks.answers = {"/deny": deny("no")}
    await suite.register(VALIDATING, suite.hook("/deny", "configmaps"))
    assert "denied" in (await suite.call("POST", MAPS, config_map("a"), 400))["message"]
    stored = await suite.call("GET", f"{VALIDATING}/e2e")
    stored["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    await suite.call("PUT", f"{VALIDATING}/e2e", stored)
    await suite.call("POST", MAPS, config_map("a"), 201)
    operation = {"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}
    await suite.call("PATCH", f"{VALIDATING}/e2e", [operation], kind=JSON_PATCH)
    assert "denied" in (await suite.call("POST", MAPS, config_map("b"), 400))["message"]


@pytest.mark.conformance(
    "AdmissionWebhook should be able to create and update mutating webhook configurations with match conditions",
    "AdmissionWebhook should be able to create and update validating webhook configurations with match conditions",
)
@pytest.mark.parametrize("path", [MUTATING, VALIDATING])
async def test_match_conditions_are_stored_as_given(suite: Suite, path: str) -> None:
    """Store and return CEL matchConditions unchanged after create and after update."""
    first = [{"name": "expression-1", "expression": "object.metadata.namespace == 'production'"}]
    made = await suite.register(path, suite.hook("/x", "configmaps", matchConditions=first))
    assert made["webhooks"][0]["matchConditions"] == first
    assert (await suite.call("GET", f"{path}/e2e"))["webhooks"][0]["matchConditions"] == first
    second = [*first, {"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"}]
    made["webhooks"][0]["matchConditions"] = second
    assert (await suite.call("PUT", f"{path}/e2e", made))["webhooks"][0]["matchConditions"] == second


@pytest.mark.conformance(
    "AdmissionWebhook should reject mutating webhook configurations with invalid match conditions",
    "AdmissionWebhook should reject validating webhook configurations with invalid match conditions",
)
@pytest.mark.parametrize("path", [MUTATING, VALIDATING])
async def test_match_conditions_that_do_not_compile_are_refused(suite: Suite, path: str) -> None:
    """Reject configurations whose matchConditions do not compile, with the compile error text."""
    bad = [{"name": "invalid-expression-1", "expression": "... [] bad expression"}]
    body = {"metadata": {"name": "bad"}, "webhooks": [suite.hook("/x", "configmaps", matchConditions=bad)]}
    assert "compilation failed" in (await suite.call("POST", path, body, 422))["message"]


@pytest.mark.conformance(
    "AdmissionWebhook should not be able to mutate or prevent deletion of webhook configuration objects"
)
async def test_webhook_configurations_are_out_of_reach(suite: Suite) -> None:
    """Never call webhooks for webhook configuration objects, so they can be created unmodified and deleted."""
    suite.hooks.answers = {"/deny": deny("never"), "/label": patch({"op": "add", "path": "/metadata/x", "value": "y"})}
    operations = ("CREATE", "UPDATE", "DELETE")
    resources = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    await suite.register(VALIDATING, suite.hook("/deny", *resources, operations=operations))
    await suite.register(MUTATING, suite.hook("/label", *resources, operations=operations))
    for path in (VALIDATING, MUTATING):
        made = await suite.register(path, suite.hook("/deny", "nothing"), name="dummy")
        assert "x" not in made["metadata"]
        await suite.call("DELETE", f"{path}/dummy")
        await suite.call("DELETE", f"{path}/e2e")
    assert not suite.hooks.requests


# ── what webhooks decide ──


@pytest.mark.conformance("AdmissionWebhook should be able to deny pod and configmap creation")
async def test_pods_and_configmaps_are_denied(suite: Suite) -> None:
    """Deny bad pods and ConfigMaps with the webhook text; hanging webhook times out; exempt namespace bypasses."""

    async def judge(request: Json) -> Json:
        if request["object"]["metadata"]["name"] == "hangs":
            return await hang(request)
        bad = request["object"].get("data", {}).get("webhook-e2e-test") == "webhook-disallow"
        bad = bad or request["object"]["kind"] == "Pod"
        return {"allowed": not bad, "status": {"message": "the object contains unwanted value"}}

    suite.hooks.answers = {"/judge": judge}
    exempt = {"matchExpressions": [{"key": "exempt", "operator": "NotIn", "values": ["yes"]}]}
    hook = suite.hook(
        "/judge",
        "pods",
        "configmaps",
        operations=("CREATE", "UPDATE"),
        namespaceSelector=exempt,
        timeoutSeconds=1,
    )
    await suite.register(VALIDATING, hook)
    refused = await suite.call("POST", PODS, pod("disallowed"), 400)
    assert refused["message"].endswith("denied the request: the object contains unwanted value")
    assert "deadline" in (await suite.call("POST", PODS, pod("hangs"), 500))["message"]
    bad = {"webhook-e2e-test": "webhook-disallow"}
    await suite.call("POST", MAPS, config_map("bad", **bad), 400)
    await suite.call("POST", MAPS, config_map("good", **{"webhook-e2e-test": "webhook-allow"}), 201)
    await suite.call("PUT", f"{MAPS}/good", config_map("good", **bad), 400)
    await suite.call("PATCH", f"{MAPS}/good", {"data": bad}, 400, kind=MERGE)
    await suite.call("POST", "/api/v1/namespaces", {"metadata": {"name": "free", "labels": {"exempt": "yes"}}}, 201)
    await suite.call("POST", "/api/v1/namespaces/free/configmaps", config_map("bad", **bad), 201)


@pytest.mark.conformance("AdmissionWebhook should be able to deny attaching pod")
async def test_attaching_to_a_pod_is_denied(suite: Suite, kubectl: Kubectl) -> None:
    """Send CONNECT on pods/attach to the webhook; kubectl attach fails with the webhook's message before any stream."""
    suite.hooks.answers = {"/attach": deny("attaching to pod 'to-be-attached-pod' is not allowed")}
    await suite.register(VALIDATING, suite.hook("/attach", "pods/attach", operations=("CONNECT",)))
    body = pod("to-be-attached-pod")
    await suite.call("POST", PODS, body, 201)
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    await suite.call("PATCH", f"{PODS}/to-be-attached-pod/status", status, kind=MERGE)
    said = await kubectl("attach", "to-be-attached-pod", "-i", "-c=c", fails=True)
    assert "attaching to pod 'to-be-attached-pod' is not allowed" in said
    (asked,) = suite.hooks.asked("/attach")[:1]
    assert (asked["operation"], asked["object"]["kind"]) == ("CONNECT", "PodAttachOptions")
    assert asked["object"]["container"] == "c"


@pytest.mark.conformance("AdmissionWebhook should be able to deny custom resource creation, update and deletion")
async def test_custom_resources_are_denied(suite: Suite) -> None:
    """Call the webhook for custom resource create, update and delete and deny each until data changes."""

    def judge(request: Json) -> Json:
        document = request["object"] or request["oldObject"]
        bad = document["data"].get("webhook-e2e-test") == "webhook-disallow"
        return {"allowed": not bad, "status": {"message": "the custom resource contains unwanted data"}}

    suite.hooks.answers = {"/judge": judge}
    await suite.define(definition())

    def foo(value: str) -> Json:
        return {
            "apiVersion": "tests.example.com/v1",
            "kind": "Foo",
            "metadata": {"name": "a"},
            "data": {"webhook-e2e-test": value},
        }

    first = await suite.call("POST", CUSTOM, foo("webhook-disallow"), 201)
    await suite.register(VALIDATING, suite.hook("/judge", "foos", operations=("CREATE", "UPDATE", "DELETE")))
    another = {**foo("webhook-disallow"), "metadata": {"name": "b"}}
    refused = await suite.call("POST", CUSTOM, another, 400)
    assert refused["message"].endswith("the custom resource contains unwanted data")
    await suite.call("PATCH", f"{CUSTOM}/a", {"data": {"more": "x"}}, 400, kind=MERGE)
    await suite.call("DELETE", f"{CUSTOM}/a", None, 400)
    first["data"] = {"webhook-e2e-test": "webhook-allow"}
    await suite.call("PUT", f"{CUSTOM}/a", first)
    await suite.call("DELETE", f"{CUSTOM}/a")


@pytest.mark.conformance("AdmissionWebhook should deny crd creation")
async def test_definitions_are_denied(suite: Suite) -> None:
    """A webhook on customresourcedefinitions denies CRD creation with its message."""
    suite.hooks.answers = {"/crd": deny("the crd contains unwanted label")}
    await suite.register(VALIDATING, suite.hook("/crd", "customresourcedefinitions"))
    refused = await suite.call("POST", DEFINITIONS, definition(), 400)
    assert refused["message"] == 'admission webhook "crd.k8s.io" denied the request: the crd contains unwanted label'


@pytest.mark.conformance("AdmissionWebhook should honor timeout")
async def test_timeouts_are_honoured(suite: Suite) -> None:
    """Slow webhook: 1s timeout fails with Fail, passes with Ignore; longer or default 10s timeout succeeds."""

    async def slow(_: Json) -> Json:
        await asyncio.sleep(1.3)  # noqa: TID251 - real time on a real socket
        return {"allowed": True}

    suite.hooks.answers = {"/slow": slow}
    for name, more, status in (
        ("fails", {"timeoutSeconds": 1}, 500),
        ("ignores", {"timeoutSeconds": 1, "failurePolicy": "Ignore"}, 201),
        ("waits", {"timeoutSeconds": 3}, 201),
        ("waits-by-default", {}, 201),
    ):
        await suite.register(VALIDATING, suite.hook("/slow", "configmaps", **more))
        answer = await suite.call("POST", MAPS, config_map(name), status)
        if status == 500:
            assert 'slow?timeout=1s": context deadline exceeded' in answer["message"]
        await suite.call("DELETE", f"{VALIDATING}/e2e")


@pytest.mark.conformance("AdmissionWebhook should unconditionally reject operations on fail closed webhook")
async def test_a_webhook_nobody_can_trust_rejects_everything(suite: Suite) -> None:
    """An unreachable or untrusted webhook with Fail rejects the request with an internal error."""
    hook = suite.hook("/x", "configmaps", failurePolicy="Fail")
    del hook["clientConfig"]["caBundle"]
    await suite.register(VALIDATING, hook)
    refused = await suite.call("POST", MAPS, config_map("foo"), 500)
    assert refused["reason"] == "InternalError"
    assert 'failed calling webhook "x.k8s.io"' in refused["message"]


# ── what webhooks change ──


@pytest.mark.conformance("AdmissionWebhook should mutate configmap")
async def test_configmaps_are_mutated_in_order(suite: Suite) -> None:
    """Apply two mutating webhooks in order so the final ConfigMap holds both changes."""

    def second(request: Json) -> Json | Awaitable[Json]:
        return patch(add("stage-2"))(request) if "stage-1" in request["object"]["data"] else allow(request)

    suite.hooks.answers = {"/one": patch(add("stage-1")), "/two": second}
    await suite.register(MUTATING, suite.hook("/one", "configmaps"), suite.hook("/two", "configmaps"))
    made = await suite.call("POST", MAPS, config_map("a", start="yes"))
    assert made["data"] == {"start": "yes", "stage-1": "yes", "stage-2": "yes"}


@pytest.mark.conformance("AdmissionWebhook should mutate everything except 'skip-me' configmaps")
async def test_everything_but_one_is_mutated(suite: Suite) -> None:
    """CEL matchConditions skip the ConfigMap named skip-me and still mutate any other one."""
    suite.hooks.answers = {"/add": patch(add("mutated"))}
    conditions = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
    await suite.register(MUTATING, suite.hook("/add", "configmaps", matchConditions=conditions))
    assert "mutated" not in (await suite.call("POST", MAPS, config_map("skip-me", x="1")))["data"]
    assert "mutated" in (await suite.call("POST", MAPS, config_map("mutate-me", x="1")))["data"]


@pytest.mark.conformance("AdmissionWebhook should mutate pod and apply defaults after mutation")
async def test_pods_are_mutated_and_defaulted(suite: Suite) -> None:
    """Defaulting runs again after mutation: the injected init container gets terminationMessagePolicy File."""
    container = {"name": "webhook-added-init-container", "image": "webhook-added-image"}
    suite.hooks.answers = {"/init": patch({"op": "add", "path": "/spec/initContainers", "value": [container]})}
    await suite.register(MUTATING, suite.hook("/init", "pods"))
    (added,) = (await suite.call("POST", PODS, pod("webhook-to-be-mutated")))["spec"]["initContainers"]
    assert added["terminationMessagePolicy"] == "File"
    assert added["terminationMessagePath"] == "/dev/termination-log"


@pytest.mark.conformance("AdmissionWebhook should mutate custom resource")
async def test_custom_resources_are_mutated(suite: Suite) -> None:
    """JSON patches of two webhooks are applied to a custom resource."""
    suite.hooks.answers = {"/one": patch(add("stage-1")), "/two": patch(add("stage-2"))}
    await suite.define(definition())
    await suite.register(MUTATING, suite.hook("/one", "foos"), suite.hook("/two", "foos"))
    body = {"metadata": {"name": "a"}, "data": {"start": "yes"}}
    made = await suite.call("POST", CUSTOM, {"apiVersion": "tests.example.com/v1", "kind": "Foo", **body})
    assert made["data"] == {"start": "yes", "stage-1": "yes", "stage-2": "yes"}


@pytest.mark.conformance("AdmissionWebhook should mutate custom resource with pruning")
async def test_custom_resources_are_pruned_after_mutation(suite: Suite) -> None:
    """Fields a webhook adds that the schema does not know are pruned after mutation."""
    fields = {name: {"type": "string"} for name in ("start", "stage-1")}
    schema = {"type": "object", "properties": {"data": {"type": "object", "properties": fields}}}
    suite.hooks.answers = {"/one": patch(add("stage-1")), "/two": patch(add("stage-2"))}
    await suite.define(definition(versions=[version("v1", schema, storage=True)]))
    await suite.register(MUTATING, suite.hook("/one", "foos"), suite.hook("/two", "foos"))
    body = {"metadata": {"name": "a"}, "data": {"start": "yes"}}
    made = await suite.call("POST", CUSTOM, {"apiVersion": "tests.example.com/v1", "kind": "Foo", **body})
    assert made["data"] == {"start": "yes", "stage-1": "yes"}


@pytest.mark.conformance("AdmissionWebhook should mutate custom resource with different stored version")
async def test_custom_resources_are_mutated_in_either_version(suite: Suite) -> None:
    """Mutation works through either version while the stored version changes from v1 to v2."""
    suite.hooks.answers = {"/add": patch(add("mutated"))}
    await suite.define(definition(versions=[version("v1", storage=True), version("v2")]))
    hook = suite.hook("/add", "foos", operations=("CREATE", "UPDATE"))
    hook["rules"][0] |= {"apiGroups": ["tests.example.com"], "apiVersions": ["v1"]}
    await suite.register(MUTATING, hook)
    body = {"kind": "Foo", "metadata": {"name": "a"}, "data": {"start": "yes"}}
    made = await suite.call("POST", CUSTOM, {"apiVersion": "tests.example.com/v1", **body})
    assert made["data"] == {"start": "yes", "mutated": "yes"}
    operations = [
        {"op": "replace", "path": "/spec/versions/0/storage", "value": False},
        {"op": "replace", "path": "/spec/versions/1/storage", "value": True},
    ]
    await suite.call("PATCH", f"{DEFINITIONS}/foos.tests.example.com", operations, kind=JSON_PATCH)
    second = CUSTOM.replace("/v1/", "/v2/")
    emptied = {"data": {"start": "again", "mutated": None}}
    changed = await suite.call("PATCH", f"{second}/a", emptied, kind=MERGE)
    assert changed["apiVersion"] == "tests.example.com/v2"
    assert changed["data"] == {"start": "again", "mutated": "yes"}
    assert {asked["kind"]["version"] for asked in suite.hooks.asked("/add")} == {"v1"}
    assert suite.hooks.asked("/add")[-1]["requestKind"]["version"] == "v2"


# ── policies ──


def deployment(name: str, replicas: int = 1) -> Json:
    labels = {"app": "policy"}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def replica_set(name: str) -> Json:
    document = deployment(name)
    return {**document, "kind": "ReplicaSet"}


REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"
CONSTRAINTS = {
    "resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    ]
}
IN_DEFAULT = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}


async def bind(suite: Suite, path: str, bindings: str, spec: Json, **binding: Any) -> None:
    await suite.call("POST", path, {"metadata": {"name": "e2e"}, "spec": spec}, 201)
    body = {"metadata": {"name": "e2e"}, "spec": {"policyName": "e2e", "matchResources": IN_DEFAULT, **binding}}
    await suite.call("POST", bindings, body, 201)


@pytest.mark.conformance("ValidatingAdmissionPolicy should validate against a Deployment")
async def test_a_policy_validates_against_a_deployment(suite: Suite) -> None:
    """CEL validations with messageExpression deny single-replica Deployments in the labelled namespace only."""
    validations = [
        {
            "expression": "object.spec.replicas > 1",
            "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)",
        },
        {"expression": "namespaceObject.metadata.name == 'default'", "message": "namespaceObject must be default"},
    ]
    spec = {"matchConstraints": CONSTRAINTS, "validations": validations}
    await bind(suite, POLICIES, POLICY_BINDINGS, spec, validationActions=["Deny"])
    refused = await suite.call("POST", DEPLOYMENTS, deployment("one"), 422)
    assert refused["message"].endswith("denied request: wants replicas > 1, got 1")
    await suite.call("POST", DEPLOYMENTS, deployment("two", 2), 201)
    await suite.call("POST", REPLICA_SETS, replica_set("one"), 201)
    await suite.call("POST", "/api/v1/namespaces", {"metadata": {"name": "elsewhere"}}, 201)
    await suite.call("POST", DEPLOYMENTS.replace("default", "elsewhere"), deployment("one"), 201)


@pytest.mark.conformance("ValidatingAdmissionPolicy should allow expressions to refer variables.")
async def test_a_policys_expressions_refer_to_variables(suite: Suite) -> None:
    """CEL variables can refer to earlier variables; bad Deployments denied, good ones and other kinds pass."""
    spec = {
        "matchConstraints": CONSTRAINTS,
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
        ],
        "validations": [{"expression": "variables.replicas > 1"}, {"expression": "variables.oddReplicas"}],
    }
    await bind(suite, POLICIES, POLICY_BINDINGS, spec, validationActions=["Deny"])
    refused = await suite.call("POST", DEPLOYMENTS, deployment("one"), 422)
    assert "failed expression: variables.replicas > 1" in refused["message"]
    await suite.call("POST", DEPLOYMENTS, deployment("two", 2), 422)
    await suite.call("POST", DEPLOYMENTS, deployment("three", 3), 201)
    await suite.call("POST", REPLICA_SETS, replica_set("one"), 201)


@pytest.mark.conformance("MutatingAdmissionPolicy should mutate a Deployment")
async def test_a_mutating_policy_changes_a_deployment(suite: Suite) -> None:
    """CEL ApplyConfiguration mutation changes new Deployments in the bound namespace soon after binding."""
    expression = "Object{spec: Object.spec{replicas: object.spec.replicas + 4}}"
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    spec = {"matchConstraints": CONSTRAINTS, "mutations": [mutation], "reinvocationPolicy": "Never"}
    await bind(suite, MUTATING_POLICIES, MUTATING_BINDINGS, spec)
    assert (await suite.call("POST", DEPLOYMENTS, deployment("a")))["spec"]["replicas"] == 5


@pytest.mark.conformance("MutatingAdmissionPolicy should mutate a Deployment with annotations")
async def test_a_mutating_policy_adds_annotations(suite: Suite) -> None:
    """CEL mutation adds annotations through apply configuration and existing annotations stay."""
    expression = "Object{metadata: Object.metadata{annotations: {'mutated': 'true'}}}"
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    spec = {"matchConstraints": CONSTRAINTS, "mutations": [mutation], "reinvocationPolicy": "Never"}
    await bind(suite, MUTATING_POLICIES, MUTATING_BINDINGS, spec)
    body = deployment("a")
    body["metadata"]["annotations"] = {"my-annotation": "kept"}
    made = await suite.call("POST", DEPLOYMENTS, body)
    assert made["metadata"]["annotations"] == {"my-annotation": "kept", "mutated": "true"}


_MUTATION = {
    "patchType": "ApplyConfiguration",
    "applyConfiguration": {"expression": "Object{metadata: Object.metadata{labels: {'a': 'b'}}}"},
}
KINDS: dict[str, Json] = {
    POLICIES: {"matchConstraints": CONSTRAINTS, "validations": [{"expression": "true"}]},
    POLICY_BINDINGS: {"policyName": "p", "validationActions": ["Deny"]},
    MUTATING_POLICIES: {"matchConstraints": CONSTRAINTS, "mutations": [_MUTATION], "reinvocationPolicy": "Never"},
    MUTATING_BINDINGS: {"policyName": "p"},
}


@pytest.mark.conformance(
    "MutatingAdmissionPolicy should support MutatingAdmissionPolicy API operations",
    "MutatingAdmissionPolicy should support MutatingAdmissionPolicyBinding API operations",
    "ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations",
    "ValidatingAdmissionPolicy should support ValidatingAdmissionPolicyBinding API operations",
)
@pytest.mark.parametrize("path", list(KINDS))
async def test_policies_and_bindings_are_ordinary_resources(suite: Suite, path: str) -> None:
    """Full CRUD, watch and defaulting for the v1 kind; discovery."""
    plural = path.rpartition("/")[2]
    assert plural in {row["name"] for row in (await suite.call("GET", API))["resources"]}
    for number in range(3):
        body = {"metadata": {"name": f"p-{number}", "labels": {"e2e": "yes"}}, "spec": KINDS[path]}
        await suite.call("POST", path, body, 201)
    made = await suite.call("GET", f"{path}/p-0")
    if "matchConstraints" in KINDS[path]:
        assert made["spec"]["failurePolicy"] == "Fail"
        assert made["spec"]["matchConstraints"]["matchPolicy"] == "Equivalent"
    listed = await suite.call("GET", f"{path}?labelSelector=e2e%3Dyes")
    assert [row["metadata"]["name"] for row in listed["items"]] == ["p-0", "p-1", "p-2"]
    patched = {"metadata": {"annotations": {"patched": "true"}}}
    changed = await suite.call("PATCH", f"{path}/p-0", patched, kind=MERGE)
    assert changed["metadata"]["annotations"] == {"patched": "true"}
    changed["metadata"]["annotations"]["updated"] = "true"
    await suite.call("PUT", f"{path}/p-0", changed)
    version_ = listed["metadata"]["resourceVersion"]
    watching = f"{path}?watch=true&resourceVersion={version_}&timeoutSeconds=1"
    async with suite.session.get(suite.url + watching) as stream:
        lines = (await stream.text()).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["MODIFIED", "MODIFIED"]
    await suite.call("DELETE", f"{path}/p-0")
    await suite.call("GET", f"{path}/p-0", None, 404)
    await suite.call("DELETE", f"{path}?labelSelector=e2e%3Dyes")
    assert not (await suite.call("GET", f"{path}?labelSelector=e2e%3Dyes"))["items"]


@pytest.mark.conformance("ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations")
async def test_a_validating_policy_has_a_status(suite: Suite) -> None:
    """Full CRUD, watch and status."""
    await suite.call("POST", POLICIES, {"metadata": {"name": "p"}, "spec": KINDS[POLICIES]}, 201)
    status = await suite.call("GET", f"{POLICIES}/p/status")
    condition = {
        "type": "StatusUpdate",
        "status": "True",
        "reason": "E2E",
        "message": "Set from e2e test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status["status"] = {"conditions": [condition]}
    updated = await suite.call("PUT", f"{POLICIES}/p/status", status)
    assert updated["status"]["conditions"] == [condition]
    observed = {"status": {"observedGeneration": updated["metadata"]["generation"]}}
    patched = await suite.call("PATCH", f"{POLICIES}/p/status", observed, kind=MERGE)
    assert patched["status"]["observedGeneration"] == 1
    changed = await suite.call("PATCH", f"{POLICIES}/p", {"spec": {"failurePolicy": "Ignore"}}, kind=MERGE)
    assert changed["metadata"]["generation"] == 2
