"""Webhooks on real TLS sockets, asked by a real server about requests of real clients."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.webhooks import WebhookServer, allow, deny, hang, patch, webhook_server
from unit.apiserver.serving import JSON, Server, config_map, pod

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
MERGE = "application/merge-patch+json"


@dataclass
class Cluster:
    """A server and a webhook, and how to introduce them to each other."""

    server: Server
    hooks: WebhookServer

    async def register(self, kind: str, *webhooks: Json, name: str = "test") -> Json:
        plural = f"{kind.lower()}webhookconfigurations"
        body = {"metadata": {"name": name}, "webhooks": list(webhooks)}
        found: Json = await self.server.create(f"{HOOKS}/{plural}", body, status=201)
        return found

    def hook(self, path: str, *resources: str, operations: tuple[str, ...] = ("CREATE",), **more: Any) -> Json:
        """A webhook at a path of the webhook server, for resources of any group."""
        rule = {"operations": list(operations), "apiGroups": ["*"], "apiVersions": ["*"], "resources": list(resources)}
        return {
            "name": f"{path.strip('/').replace('/', '-')}.example.com",
            "clientConfig": self.hooks.config(path),
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    server = Server(admission=None)
    async with webhook_server(tmp_path) as hooks:
        await server.api.load()
        await server.api.bootstrap()
        account = {"metadata": {"name": "default"}}
        await server.create("/api/v1/namespaces/default/serviceaccounts", account)
        try:
            yield Cluster(server, hooks)
        finally:
            await server.api.stop()
            await server.storage.close()


async def test_a_denial_carries_the_webhooks_status(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/deny": deny("no maps today", code=403, reason="Forbidden")}
    await cluster.register("Validating", cluster.hook("/deny", "configmaps"))
    status = await cluster.server.create(MAPS, config_map("a"), status=403)
    assert status["message"] == 'admission webhook "deny.example.com" denied the request: no maps today'
    assert (status["reason"], status["status"]) == ("Forbidden", "Failure")
    await cluster.server.get(f"{MAPS}/a", status=404)


async def test_a_denial_without_a_word_is_a_400_without_a_reason(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/deny": lambda _: {"allowed": False}}
    await cluster.register("Validating", cluster.hook("/deny", "configmaps"))
    status = await cluster.server.create(MAPS, config_map("a"), status=400)
    assert status["message"] == 'admission webhook "deny.example.com" denied the request without explanation'
    assert "reason" not in status


async def test_the_review_is_upstreams(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/see": allow}
    await cluster.register("Validating", cluster.hook("/see", "configmaps", operations=("CREATE", "UPDATE", "DELETE")))
    created = await cluster.server.create(f"{MAPS}?fieldManager=tests", config_map("a", x="1"))
    await cluster.server.call("PATCH", f"{MAPS}/a", {"data": {"x": "2"}}, content_type=MERGE)
    await cluster.server.call("DELETE", f"{MAPS}/a?propagationPolicy=Background")
    create, update, delete = cluster.hooks.asked("/see")
    uid, shown = create.pop("uid"), create.pop("object")
    assert len(uid) == 36
    assert shown["metadata"]["namespace"] == "default"
    assert shown["data"] == {"x": "1"}
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    assert create == {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "system:apiserver", "groups": ["system:masters"]},
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "tests"},
    }
    version = created["metadata"]["resourceVersion"]
    assert update["oldObject"]["metadata"]["resourceVersion"] == version
    assert (update["oldObject"]["data"], update["object"]["data"]) == ({"x": "1"}, {"x": "2"})
    assert update["options"]["kind"] == "UpdateOptions"
    assert delete["object"] is None
    assert delete["oldObject"]["data"] == {"x": "2"}
    assert delete["options"] == {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "propagationPolicy": "Background",
    }
    assert {row["query"] for row in cluster.hooks.requests} == {"timeout=10s"}
    assert len(cluster.hooks.connections) == 1


async def test_mutations_are_made_in_order_of_names_and_defaulted(cluster: Cluster) -> None:
    container = {"name": "added", "image": "i"}
    cluster.hooks.answers = {
        "/b": patch({"op": "add", "path": "/metadata/labels/order", "value": "b"}),
        "/a": patch(
            {"op": "add", "path": "/metadata/labels", "value": {"order": "a"}},
            {"op": "add", "path": "/spec/initContainers", "value": [container]},
        ),
    }
    await cluster.register("Mutating", cluster.hook("/b", "pods"), name="b")
    await cluster.register("Mutating", cluster.hook("/a", "pods"), name="a")
    created = await cluster.server.create(PODS, pod("web"))
    assert created["metadata"]["labels"] == {"order": "b"}
    (added,) = created["spec"]["initContainers"]
    assert added["terminationMessagePolicy"] == "File"
    assert added["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


async def test_a_webhook_is_asked_again_when_a_later_one_changed_something(cluster: Cluster) -> None:
    cluster.hooks.answers = {
        "/first": patch({"op": "add", "path": "/data/first", "value": "1"}),
        "/second": patch({"op": "add", "path": "/data/second", "value": "2"}),
    }
    await cluster.register(
        "Mutating",
        cluster.hook("/first", "configmaps", reinvocationPolicy="IfNeeded"),
        cluster.hook("/second", "configmaps"),
    )
    await cluster.server.create(MAPS, config_map("a", x="1"))
    seen = [sorted(asked["object"]["data"]) for asked in cluster.hooks.asked("/first")]
    assert seen == [["x"], ["first", "second", "x"]]
    assert len(cluster.hooks.asked("/second")) == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            lambda _: {"raw": (404, b"nothing")},
            'failed calling webhook "x.example.com": failed to call webhook: the server could not find the requested '
            "resource",
        ),
        (
            lambda _: {"raw": (200, b'{"response": null}')},
            'failed calling webhook "x.example.com": received invalid webhook response: webhook response was absent',
        ),
        (
            lambda _: {"allowed": True, "uid": "other"},
            'failed calling webhook "x.example.com": received invalid webhook response: expected response.uid="',
        ),
        (
            lambda _: {"allowed": True, "patch": "e30="},
            'failed calling webhook "x.example.com": received invalid webhook response: validating webhook may not '
            "return response.patch",
        ),
    ],
)
async def test_an_answer_that_is_none_is_an_internal_error_or_ignored(cluster: Cluster, answer: Any, text: str) -> None:
    cluster.hooks.answers = {"/x": answer}
    await cluster.register("Validating", cluster.hook("/x", "configmaps"))
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    assert status["message"].startswith(f"Internal error occurred: {text}")
    assert status["reason"] == "InternalError"
    ignoring = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    await cluster.server.call(
        "PATCH",
        f"{HOOKS}/validatingwebhookconfigurations/test",
        ignoring,
        content_type="application/json-patch+json",
    )
    await cluster.server.create(MAPS, config_map("a"), status=201)


async def test_nobody_listening_and_nobody_trusted_say_so(cluster: Cluster) -> None:
    nobody = {**cluster.hook("/x", "configmaps"), "clientConfig": {"url": "https://127.0.0.1:1/x"}}
    stranger = {**cluster.hook("/y", "secrets"), "clientConfig": {"url": cluster.hooks.config("/y")["url"]}}
    await cluster.register("Validating", nobody, stranger)
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    assert status["message"] == (
        'Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: Post '
        '"https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused'
    )
    secret = {"metadata": {"name": "s"}}
    status = await cluster.server.create("/api/v1/namespaces/default/secrets", secret, status=500)
    assert status["message"].endswith(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    )


async def test_a_service_is_reached_by_its_endpoints_under_its_name(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/deny": deny("by service")}
    config = {
        "service": {"namespace": "default", "name": "hooks", "path": "/deny"},
        "caBundle": cluster.hooks.ca_bundle,
    }
    await cluster.register("Validating", {**cluster.hook("/deny", "configmaps"), "clientConfig": config})
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    asked = 'Post "https://hooks.default.svc:443/deny?timeout=10s"'
    assert status["message"].endswith(f'{asked}: service "hooks" not found')
    service = {"metadata": {"name": "hooks"}, "spec": {"ports": [{"port": 443}]}}
    await cluster.server.create("/api/v1/namespaces/default/services", service)
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    assert status["message"].endswith('no endpoints available for service "hooks"')
    # Written past validation, which rightly refuses endpoints on this machine itself.
    ports = [{"name": "", "port": cluster.hooks.port, "protocol": "TCP"}]
    document = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "hooks-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "hooks"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": ports,
    }
    await cluster.server.storage.put("/registry/endpointslices/default/hooks-1", orjson.dumps(document))
    status = await cluster.server.create(MAPS, config_map("a"), status=400)
    assert status["message"] == 'admission webhook "deny.example.com" denied the request: by service'


async def test_a_slow_webhook_fails_at_its_timeout(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/slow": hang}
    await cluster.register("Validating", cluster.hook("/slow", "configmaps", timeoutSeconds=1))
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    assert status["message"].endswith('/slow?timeout=1s": context deadline exceeded')


async def test_side_effects_forbid_dry_runs(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": allow}
    hook = cluster.hook("/x", "configmaps")
    await cluster.register("Validating", hook)
    await cluster.server.create(f"{MAPS}?dryRun=All", config_map("a"), status=201)
    assert [asked["dryRun"] for asked in cluster.hooks.asked("/x")] == [True]
    stored = await cluster.server.get(f"{HOOKS}/validatingwebhookconfigurations/test")
    # Only old v1beta1 configurations may say `Some`: written past validation.
    stored["webhooks"][0]["sideEffects"] = "Some"
    await cluster.server.storage.put("/registry/validatingwebhookconfigurations/test", orjson.dumps(stored))
    status = await cluster.server.create(f"{MAPS}?dryRun=All", config_map("a"), status=400)
    assert status["message"] == 'admission webhook "x.example.com" does not support dry run'


async def test_namespaces_and_objects_are_selected_by_labels(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/ns": deny("selected"), "/object": deny("selected")}
    exempt = {"matchExpressions": [{"key": "exempt", "operator": "DoesNotExist"}]}
    await cluster.register(
        "Validating",
        cluster.hook("/ns", "configmaps", namespaceSelector=exempt),
        cluster.hook("/object", "secrets", objectSelector={"matchLabels": {"checked": "yes"}}),
    )
    await cluster.server.create("/api/v1/namespaces", {"metadata": {"name": "free", "labels": {"exempt": "1"}}})
    await cluster.server.create(MAPS, config_map("a"), status=400)
    await cluster.server.create("/api/v1/namespaces/free/configmaps", config_map("a"), status=201)
    secrets = "/api/v1/namespaces/default/secrets"
    await cluster.server.create(secrets, {"metadata": {"name": "a"}}, status=201)
    await cluster.server.create(secrets, {"metadata": {"name": "b", "labels": {"checked": "yes"}}}, status=400)


async def test_equivalents_are_sent_in_the_version_the_rule_names(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/v2": allow, "/exact": allow}
    rule = {"operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "resources": ["*"]}
    await cluster.register(
        "Validating",
        {**cluster.hook("/v2"), "rules": [rule]},
        {**cluster.hook("/exact"), "rules": [rule], "matchPolicy": "Exact"},
    )
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 50,
    }
    path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    await cluster.server.create(path, {"metadata": {"name": "web"}, "spec": spec}, status=201)
    (asked,) = cluster.hooks.asked("/v2")
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v2", "v1")
    assert asked["object"]["apiVersion"] == "autoscaling/v2"
    assert asked["object"]["spec"]["metrics"][0]["resource"]["name"] == "cpu"
    assert not cluster.hooks.asked("/exact")


async def test_subresources_show_their_own_kinds(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/see": allow}
    operations = ("CREATE", "UPDATE", "CONNECT")
    await cluster.register("Mutating", cluster.hook("/see", "*/*", operations=operations))
    await cluster.server.create(PODS, pod("web"))
    await cluster.server.call("PATCH", f"{PODS}/web/status", {"status": {"phase": "Running"}}, content_type=MERGE)
    target = {"target": {"kind": "Node", "name": "n1"}}
    await cluster.server.create(f"{PODS}/web/binding", target, status=201)
    await cluster.server.ask("GET", f"{PODS}/web/exec?command=ls&stdout=true")
    await cluster.server.create(f"{PODS}/web/eviction", {"kind": "Eviction", "apiVersion": "policy/v1"}, status=201)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
    deployment = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    apps = "/apis/apps/v1/namespaces/default/deployments"
    await cluster.server.create(apps, deployment, status=201)
    scaled = await cluster.server.call("PATCH", f"{apps}/web/scale", {"spec": {"replicas": 3}}, content_type=MERGE)
    assert scaled["spec"]["replicas"] == 3
    seen = {
        asked["subResource"]: (asked["operation"], asked["object"]["kind"], asked["object"].get("apiVersion"))
        for asked in cluster.hooks.asked("/see")
        # The server itself tells of its flow schemas through their status.
        if asked.get("subResource") and asked["resource"]["group"] != "flowcontrol.apiserver.k8s.io"
    }
    assert seen == {
        "status": ("UPDATE", "Pod", "v1"),
        "binding": ("CREATE", "Binding", "v1"),
        "exec": ("CONNECT", "PodExecOptions", "v1"),
        "eviction": ("CREATE", "Eviction", "policy/v1"),
        "scale": ("UPDATE", "Scale", "autoscaling/v1"),
    }


async def test_a_mutation_of_a_scale_reaches_the_workload(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/cap": patch({"op": "replace", "path": "/spec/replicas", "value": 2})}
    await cluster.register("Mutating", cluster.hook("/cap", "deployments/scale", operations=("UPDATE",)))
    apps = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await cluster.server.create(apps, {"metadata": {"name": "web"}, "spec": spec}, status=201)
    scaled = await cluster.server.call("PATCH", f"{apps}/web/scale", {"spec": {"replicas": 9}}, content_type=MERGE)
    assert scaled["spec"]["replicas"] == 2
    assert (await cluster.server.get(f"{apps}/web"))["spec"]["replicas"] == 2


async def test_collections_are_deleted_object_by_object(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/see": allow}
    await cluster.register("Validating", cluster.hook("/see", "configmaps", operations=("DELETE",)))
    before = await cluster.server.get(MAPS)
    for name in ("a", "b"):
        await cluster.server.create(MAPS, config_map(name))
    await cluster.server.call("DELETE", MAPS)
    names = {asked["oldObject"]["metadata"]["name"] for asked in cluster.hooks.asked("/see")}
    assert names == {"a", "b"} | {item["metadata"]["name"] for item in before["items"]}


async def test_a_patch_must_leave_an_object_of_its_kind(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": patch({"op": "replace", "path": "/kind", "value": "Secret"})}
    await cluster.register("Mutating", cluster.hook("/x", "configmaps"))
    status = await cluster.server.create(MAPS, config_map("a"), status=500)
    assert "admission must not change the kind" in status["message"]
    cluster.hooks.answers["/x"] = patch({"op": "replace", "path": "/data/missing/deep", "value": "1"})
    assert (await cluster.server.create(MAPS, config_map("a"), status=500))["reason"] == "InternalError"
    cluster.hooks.answers["/x"] = patch({"op": "add", "path": "/metadata/labels", "value": {"bad key!": "1"}})
    assert (await cluster.server.create(MAPS, config_map("a"), status=422))["reason"] == "Invalid"


async def test_broken_managed_fields_are_put_back_with_a_warning(cluster: Cluster) -> None:
    breaking = {"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "?"}
    cluster.hooks.answers = {"/x": patch(breaking)}
    await cluster.register("Mutating", cluster.hook("/x", "configmaps"))
    answer = await cluster.server.ask("POST", MAPS, config_map("a", x="1"))
    assert orjson.loads(answer.data)["metadata"]["managedFields"][0]["operation"] == "Update"
    warnings = [value for name, value in answer.headers if name == "Warning"]
    assert any(".metadata.managedFields was in an invalid state after admission" in text for text in warnings)


async def test_warnings_become_headers_and_metrics_count(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/warn": lambda _: {"allowed": True, "warnings": ["mind the gap"]}}
    await cluster.register("Validating", cluster.hook("/warn", "configmaps"))
    answer = await cluster.server.ask("POST", MAPS, config_map("a"), headers={"accept": JSON})
    assert ("Warning", '299 - "mind the gap"') in answer.headers
    text = cluster.server.api.core.metrics.text()
    assert (
        'apiserver_admission_webhook_request_total{name="warn.example.com",type="validating",operation="CREATE",'
        'code="200",rejected="false"} 1'
    ) in text


async def test_webhooks_in_v1beta1_get_their_own_review(cluster: Cluster) -> None:
    text = base64.b64encode(b'[{"op":"add","path":"/data/y","value":"2"}]').decode()
    cluster.hooks.answers = {"/old": lambda _: {"allowed": True, "patch": text}}
    hook = cluster.hook("/old", "configmaps", admissionReviewVersions=["v1beta1", "v1"])
    await cluster.register("Mutating", hook)
    created = await cluster.server.create(MAPS, config_map("a", x="1"))
    assert created["data"] == {"x": "1", "y": "2"}
    assert cluster.hooks.requests[0]["apiVersion"] == "admission.k8s.io/v1beta1"


async def test_without_webhooks_nothing_is_asked(cluster: Cluster) -> None:
    chain: Any = cluster.server.api.core.admission
    await cluster.server.create(MAPS, config_map("a"))
    steps = chain._steps["", "configmaps", "", "CREATE"]
    assert not any("Webhook" in type(step.__self__).__name__ for part in steps for step in part)


async def test_match_conditions_decide_who_is_asked(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": patch({"op": "add", "path": "/data/seen", "value": "1"})}
    conditions = [
        {"name": "not-skip-me", "expression": 'object.metadata.name != "skip-me"'},
        {"name": "may", "expression": "authorizer.group('').resource('pods').check('list').allowed()"},
    ]
    await cluster.register("Mutating", cluster.hook("/x", "configmaps", matchConditions=conditions))
    assert "seen" in (await cluster.server.create(MAPS, config_map("a", x="1")))["data"]
    assert "seen" not in (await cluster.server.create(MAPS, config_map("skip-me", x="1")))["data"]


async def test_match_conditions_that_fail_refuse_the_request(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": allow}
    conditions = [{"name": "broken", "expression": "object.spec.missing == 1"}]
    await cluster.register("Validating", cluster.hook("/x", "configmaps", matchConditions=conditions))
    status = await cluster.server.create(MAPS, config_map("a"), status=403)
    assert status["message"] == (
        "configmaps \"a\" is forbidden: expression 'object.spec.missing == 1' resulted in error: no such key: spec"
    )
    assert not cluster.hooks.requests


async def test_match_conditions_that_do_not_compile_are_refused(cluster: Cluster) -> None:
    conditions = [{"name": "bad", "expression": "... [] bad expression"}]
    hook = cluster.hook("/x", "configmaps", matchConditions=conditions)
    body = {"metadata": {"name": "bad"}, "webhooks": [hook]}
    status = await cluster.server.create(f"{HOOKS}/validatingwebhookconfigurations", body, status=422)
    (cause,) = status["details"]["causes"]
    assert cause["field"] == "webhooks[0].matchConditions[0].expression"
    assert 'Invalid value: "... [] bad expression": compilation failed: ERROR: <input>:1:' in cause["message"]


async def test_an_object_stays_in_its_namespace(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": patch({"op": "replace", "path": "/metadata/namespace", "value": "kube-system"})}
    await cluster.register("Mutating", cluster.hook("/x", "configmaps"))
    status = await cluster.server.create(MAPS, config_map("a"), status=400)
    assert status["message"].startswith("the namespace of the provided object does not match")


async def test_an_eviction_is_asked_about_once(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/see": allow}
    await cluster.register("Validating", cluster.hook("/see", "pods", "pods/*", operations=("CREATE", "DELETE")))
    await cluster.server.create(PODS, pod("web"))
    await cluster.server.create(f"{PODS}/web/eviction", {"kind": "Eviction", "apiVersion": "policy/v1"}, status=201)
    seen = [(asked["operation"], asked.get("subResource")) for asked in cluster.hooks.asked("/see")]
    assert seen == [("CREATE", None), ("CREATE", "eviction")]


async def test_connections_to_services_are_asked_about_before_anything_else(cluster: Cluster) -> None:
    cluster.hooks.answers = {"/x": deny("not through here")}
    await cluster.register("Validating", cluster.hook("/x", "services/proxy", operations=("CONNECT",)))
    path = "/api/v1/namespaces/default/services/nobody/proxy/index.html"
    status = await cluster.server.call("GET", path, status=400)
    assert status["message"].endswith("not through here")
    (asked,) = cluster.hooks.asked("/x")
    assert asked["object"] == {"apiVersion": "v1", "kind": "ServiceProxyOptions", "path": "index.html"}
