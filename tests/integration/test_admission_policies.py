"""Validating- and MutatingAdmissionPolicies in a real server, without sockets."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from unit.apiserver.serving import Server, config_map, pod

Json = dict[str, Any]
API = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"


def rule(*resources: str, group: str = "apps", operations: tuple[str, ...] = ("CREATE", "UPDATE")) -> Json:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
    }


def deployment(name: str, replicas: int = 1, **annotations: str) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }


class Cluster:
    """A server whose policies are given as their specs."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def validating(self, name: str, spec: Json, status: int = 201, **binding: Any) -> Json:
        spec.setdefault("matchConstraints", {"resourceRules": [rule("deployments")]})
        body = {"metadata": {"name": name}, "spec": spec}
        found: Json = await self.server.create(f"{API}/validatingadmissionpolicies", body, status=status)
        if status == 201:
            bound = {"policyName": name, "validationActions": ["Deny"], **binding}
            row = {"metadata": {"name": f"{name}-binding"}, "spec": bound}
            await self.server.create(f"{API}/validatingadmissionpolicybindings", row, status=201)
        return found

    async def mutating(self, name: str, spec: Json, status: int = 201, **binding: Any) -> Json:
        spec.setdefault("matchConstraints", {"resourceRules": [rule("deployments")]})
        spec.setdefault("reinvocationPolicy", "Never")
        body = {"metadata": {"name": name}, "spec": spec}
        found: Json = await self.server.create(f"{API}/mutatingadmissionpolicies", body, status=status)
        if status == 201:
            row = {"metadata": {"name": f"{name}-binding"}, "spec": {"policyName": name, **binding}}
            await self.server.create(f"{API}/mutatingadmissionpolicybindings", row, status=201)
        return found


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Server(admission=None)
    await server.api.load()
    await server.api.bootstrap()
    try:
        yield Cluster(server)
    finally:
        await server.api.stop()
        await server.storage.close()


async def test_a_validation_that_does_not_hold_denies_with_its_words(cluster: Cluster) -> None:
    message = "'no more than 5, not ' + string(object.spec.replicas)"
    validation = {"expression": "object.spec.replicas <= 5", "messageExpression": message}
    await cluster.validating("limit", {"validations": [validation]})
    status = await cluster.server.create(DEPLOYMENTS, deployment("web", 6), status=422)
    said = "ValidatingAdmissionPolicy 'limit' with binding 'limit-binding' denied request: no more than 5, not 6"
    assert status["message"] == f'deployments.apps "web" is forbidden: {said}'
    assert status["reason"] == "Invalid"
    assert status["details"] == {
        "name": "web",
        "group": "apps",
        "kind": "deployments",
        "causes": [{"message": said}],
    }
    await cluster.server.create(DEPLOYMENTS, deployment("web", 5), status=201)
    scaled = {"spec": {"replicas": 9}}
    await cluster.server.call("PATCH", f"{DEPLOYMENTS}/web", scaled, content_type=MERGE, status=422)


async def test_reason_and_message_are_the_validations_own(cluster: Cluster) -> None:
    validations = [{"expression": "false", "message": "never", "reason": "Forbidden"}]
    await cluster.validating("never", {"validations": validations})
    status = await cluster.server.create(DEPLOYMENTS, deployment("web"), status=403)
    assert status["reason"] == "Forbidden"
    assert status["message"].endswith("denied request: never")


async def test_variables_are_composed_and_read_when_needed(cluster: Cluster) -> None:
    spec = {
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "odd", "expression": "variables.replicas % 2 == 1"},
            {"name": "broken", "expression": "object.spec.nothing"},
        ],
        "validations": [
            {"expression": "variables.replicas > 1"},
            {"expression": "variables.odd || variables.broken == 1"},
        ],
    }
    await cluster.validating("odd", spec)
    await cluster.server.create(DEPLOYMENTS, deployment("a", 3), status=201)
    status = await cluster.server.create(DEPLOYMENTS, deployment("b", 1), status=422)
    assert status["message"].endswith("failed expression: variables.replicas > 1")
    status = await cluster.server.create(DEPLOYMENTS, deployment("c", 2), status=422)
    assert status["message"].endswith(
        "expression 'variables.odd || variables.broken == 1' resulted in error: composited variable \"broken\" fails "
        "to evaluate: no such key: nothing"
    )


async def test_params_come_from_where_the_binding_says(cluster: Cluster) -> None:
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "object.spec.replicas <= int(params.data.max)", "message": "too many"}],
    }
    reference = {"name": "limits", "parameterNotFoundAction": "Deny"}
    await cluster.validating("limit", spec, paramRef=reference)
    status = await cluster.server.create(DEPLOYMENTS, deployment("web", 2), status=422)
    assert status["message"].endswith(
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    )
    await cluster.server.create(MAPS, config_map("limits", max="3"))
    await cluster.server.create(DEPLOYMENTS, deployment("web", 3), status=201)
    status = await cluster.server.create(DEPLOYMENTS, deployment("more", 4), status=422)
    assert status["message"].endswith("too many")


async def test_every_selected_param_counts(cluster: Cluster) -> None:
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "object.spec.replicas != int(params.data.bad)"}],
    }
    selector = {"selector": {"matchLabels": {"kind": "bad"}}, "parameterNotFoundAction": "Allow"}
    await cluster.validating("bad", spec, paramRef=selector)
    await cluster.server.create(DEPLOYMENTS, deployment("none", 1), status=201)
    for number in ("1", "2"):
        body = config_map(f"bad-{number}", bad=number)
        body["metadata"]["labels"] = {"kind": "bad"}
        await cluster.server.create(MAPS, body)
    await cluster.server.create(DEPLOYMENTS, deployment("a", 1), status=422)
    await cluster.server.create(DEPLOYMENTS, deployment("b", 2), status=422)
    await cluster.server.create(DEPLOYMENTS, deployment("c", 3), status=201)


async def test_warn_and_audit_let_the_request_pass(cluster: Cluster) -> None:
    spec = {
        "validations": [{"expression": "false", "message": "think again"}],
        "auditAnnotations": [{"key": "who", "valueExpression": "'by ' + request.userInfo.username"}],
    }
    await cluster.validating("soft", spec, validationActions=["Warn", "Audit"])
    admission: Any = cluster.server.api.core.admission
    noted: list[Json] = []
    original = admission.validate

    async def spy(request: Any) -> None:
        await original(request)
        if request.resource.plural == "deployments":  # the server writes, too
            noted.append(request.annotations)

    admission.validate = spy
    answer = await cluster.server.ask("POST", DEPLOYMENTS, deployment("web"))
    assert answer.status == 201
    text = "Validation failed for ValidatingAdmissionPolicy 'soft' with binding 'soft-binding': think again"
    assert ("Warning", f'299 - "{text}"') in answer.headers
    (annotations,) = noted
    assert annotations["soft/who"] == "by system:apiserver"
    assert '"message":"think again"' in annotations["validation.policy.admission.k8s.io/validation_failure"]


async def test_bindings_narrow_what_a_policy_matches(cluster: Cluster) -> None:
    match = {"namespaceSelector": {"matchLabels": {"strict": "yes"}}}
    await cluster.validating("never", {"validations": [{"expression": "false"}]}, matchResources=match)
    await cluster.server.create(DEPLOYMENTS, deployment("web"), status=201)
    await cluster.server.create("/api/v1/namespaces", {"metadata": {"name": "strict", "labels": {"strict": "yes"}}})
    path = DEPLOYMENTS.replace("default", "strict")
    await cluster.server.create(path, deployment("web"), status=422)


async def test_exclusions_names_and_conditions_narrow_too(cluster: Cluster) -> None:
    constraints = {
        "resourceRules": [rule("*", group="*")],
        "excludeResourceRules": [{**rule("configmaps", group=""), "resourceNames": ["spared"]}],
    }
    spec = {
        "matchConstraints": constraints,
        "matchConditions": [{"name": "only-maps", "expression": "request.resource.resource == 'configmaps'"}],
        "validations": [{"expression": "object.metadata.namespace != 'default'"}],
    }
    await cluster.validating("none", spec)
    await cluster.server.create(MAPS, config_map("spared"), status=201)
    await cluster.server.create(MAPS, config_map("other"), status=422)
    await cluster.server.create(DEPLOYMENTS, deployment("web"), status=201)


async def test_the_authorizer_and_the_namespace_can_be_asked(cluster: Cluster) -> None:
    another = "authorizer.serviceAccount('default', 'x').group('apps').resource('deployments').check('create')"
    validations = [
        {"expression": "authorizer.requestResource.check('create').allowed()"},
        {"expression": f"!{another}.allowed()"},
        {"expression": "namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'"},
        {"expression": "request.operation == 'CREATE' && !has(request.subResource) && oldObject == null"},
    ]
    await cluster.validating("asks", {"validations": validations})
    await cluster.server.create(DEPLOYMENTS, deployment("web"), status=201)


async def test_a_failing_expression_is_ignored_when_the_policy_says_so(cluster: Cluster) -> None:
    spec = {"failurePolicy": "Ignore", "validations": [{"expression": "object.spec.nothing == 1"}]}
    await cluster.validating("lenient", spec)
    await cluster.server.create(DEPLOYMENTS, deployment("web"), status=201)


async def test_expressions_that_do_not_compile_are_refused_at_creation(cluster: Cluster) -> None:
    spec = {
        "variables": [{"name": "for", "expression": "1"}],
        "validations": [{"expression": "object.spec.replicas + 1", "messageExpression": "1"}, {"expression": "foo"}],
        "auditAnnotations": [{"key": "k", "valueExpression": "1"}],
    }
    status = await cluster.validating("bad", spec, status=422)
    causes = {cause["field"]: cause["message"] for cause in status["details"]["causes"]}
    assert causes["spec.variables[0].name"].endswith("name is not a valid CEL identifier")
    assert causes["spec.validations[0].messageExpression"].endswith("must evaluate to string but got int")
    assert (
        "compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')"
        in (causes["spec.validations[1].expression"])
    )
    assert causes["spec.auditAnnotations[0].valueExpression"].endswith(
        "must evaluate to one of [string null_type] but got int"
    )


async def test_policies_do_not_apply_to_what_configures_admission(cluster: Cluster) -> None:
    constraints = {"resourceRules": [rule("*", group="*", operations=("CREATE", "DELETE"))]}
    await cluster.validating("all", {"matchConstraints": constraints, "validations": [{"expression": "false"}]})
    await cluster.server.create(MAPS, config_map("a"), status=422)
    await cluster.server.call("DELETE", f"{API}/validatingadmissionpolicies/all")
    await cluster.server.create(MAPS, config_map("a"), status=201)


# ── mutating ──


async def test_an_apply_configuration_is_merged(cluster: Cluster) -> None:
    expression = (
        "Object{metadata: Object.metadata{annotations: {'added': object.metadata.name}}, "
        "spec: Object.spec{replicas: 3, template: Object.spec.template{spec: Object.spec.template.spec{containers: "
        "[Object.spec.template.spec.containers{name: 'c', imagePullPolicy: 'Never'}]}}}}"
    )
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    await cluster.mutating("more", {"mutations": [mutation]})
    created = await cluster.server.create(DEPLOYMENTS, deployment("web", 1, kept="yes"), status=201)
    assert created["spec"]["replicas"] == 3
    assert created["metadata"]["annotations"] == {"kept": "yes", "added": "web"}
    (container,) = created["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("demo", "Never")


async def test_a_json_patch_is_applied_unless_its_test_fails(cluster: Cluster) -> None:
    expression = (
        "[JSONPatch{op: 'test', path: '/spec/replicas', value: 1}, "
        "JSONPatch{op: 'add', path: '/metadata/labels', value: {'team': variables.team}}, "
        "JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('example.com/a'), value: 'b'}]"
    )
    spec = {
        "variables": [{"name": "team", "expression": "'core'"}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    }
    await cluster.mutating("label", spec)
    created = await cluster.server.create(DEPLOYMENTS, deployment("web", 1, x="y"), status=201)
    assert created["metadata"]["labels"] == {"team": "core"}
    assert created["metadata"]["annotations"] == {"x": "y", "example.com/a": "b"}
    untouched = await cluster.server.create(DEPLOYMENTS, deployment("other", 2, x="y"), status=201)
    assert "labels" not in untouched["metadata"]


async def test_a_mutation_of_an_atomic_field_is_refused(cluster: Cluster) -> None:
    expression = "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'x': 'y'}}}}"
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    await cluster.mutating("atomic", {"mutations": [mutation]})
    status = await cluster.server.create(DEPLOYMENTS, deployment("web"), status=403)
    assert status["message"] == (
        "policy 'atomic' with binding 'atomic-binding' denied request: error applying patch: invalid "
        "ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"
    )
    assert status["reason"] == "Invalid"


async def test_types_must_fit_their_fields(cluster: Cluster) -> None:
    expression = "Object{spec: Object.status{replicas: 3}}"
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    await cluster.mutating("wrong", {"mutations": [mutation]})
    status = await cluster.server.create(DEPLOYMENTS, deployment("web"), status=403)
    assert 'type mismatch: unexpected type name "Object.status", expected "Object.spec"' in status["message"]


async def test_a_policy_is_invoked_again_after_a_later_change(cluster: Cluster) -> None:
    def adds(key: str, value: str) -> Json:
        expression = f"Object{{metadata: Object.metadata{{annotations: {{'{key}': {value}}}}}}}"
        return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}

    counted = adds("count", "string(size(object.metadata.annotations))")
    await cluster.mutating("a-counts", {"mutations": [counted], "reinvocationPolicy": "IfNeeded"})
    await cluster.mutating("b-adds", {"mutations": [adds("added", "'1'")]})
    created = await cluster.server.create(DEPLOYMENTS, deployment("web", 1, x="y"), status=201)
    assert created["metadata"]["annotations"]["count"] == "3"


async def test_mutations_that_build_the_wrong_type_are_refused_at_creation(cluster: Cluster) -> None:
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "{'a': 1}"}}
    status = await cluster.mutating("bad", {"mutations": [mutation]}, status=422)
    (cause,) = status["details"]["causes"]
    assert cause["field"] == "spec.mutations[0].applyConfiguration.expression"
    assert cause["message"].endswith("must evaluate to Object but got map(string, int)")
