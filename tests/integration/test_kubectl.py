"""The real kubectl against the API server alone: no controllers, no nodes."""

import json

from integration.conftest import Kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: demo, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
"""


async def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    assert "deployment.apps/web created" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    changed = await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 3", "replicas: 5"))
    assert "deployment.apps/web configured" in changed
    assert "configmap/settings unchanged" in changed
    shown = json.loads(await kubectl("get", "deployment", "web", "-o", "json"))
    assert shown["spec"]["replicas"] == 5


async def test_get_prints_tables_and_wide_tables(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    lines = (await kubectl("get", "deployments,configmaps")).splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["deployment.apps/web", "0/3", "0", "0"]
    assert "CONTAINERS" in await kubectl("get", "deployment", "-o", "wide")


async def test_scale_label_patch_delete(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("scale", "deployment/web", "--replicas=7")
    await kubectl("label", "deployment/web", "tier=front")
    await kubectl("annotate", "deployment/web", "note=hello")
    await kubectl("patch", "configmap", "settings", "-p", '{"data":{"size":"big"}}')
    found = json.loads(await kubectl("get", "deployment", "-l", "tier=front", "-o", "json"))
    assert [item["spec"]["replicas"] for item in found["items"]] == [7]
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.size}") == "big"
    assert 'deployment.apps "web" deleted' in await kubectl("delete", "-f", "-", stdin=DEPLOYMENT)
    assert "not found" in await kubectl("get", "deployment", "web", fails=True)


async def test_explain_diff_and_api_resources_know_the_schemas(kubectl: Kubectl) -> None:
    assert "FIELD: replicas <integer>" in await kubectl("explain", "deployment.spec.replicas")
    assert "deployments" in await kubectl("api-resources", "--api-group=apps")
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("diff", "-f", "-", stdin=DEPLOYMENT)


async def test_mistakes_are_named(kubectl: Kubectl) -> None:
    wrong = DEPLOYMENT.replace("replicas: 3", "replicas: many")
    assert "of type int32" in await kubectl("apply", "--validate=false", "-f", "-", stdin=wrong, fails=True)
    unknown = DEPLOYMENT.replace("replicas:", "replica:")
    assert 'unknown field "spec.replica"' in await kubectl("apply", "-f", "-", stdin=unknown, fails=True)


async def test_wait_returns_when_the_object_is_gone(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "a", "--from-literal=x=1")
    await kubectl("delete", "configmap", "a", "--wait=true", "--timeout=10s")


async def test_server_side_apply_tells_conflicts(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=DEPLOYMENT)
    changed = DEPLOYMENT.replace("replicas: 3", "replicas: 4")
    error = await kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=changed, fails=True)
    assert 'conflict with "one": .spec.replicas' in error
    await kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=changed)
    assert await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "4"


async def test_advice_reaches_the_terminal_and_the_object_is_stored(kubectl: Kubectl) -> None:
    surprising = DEPLOYMENT.replace("containers:", "imagePullSecrets: [{name: a}, {name: a}]\n      containers:")
    told = await kubectl("apply", "--warnings-as-errors", "-f", "-", stdin=surprising, fails=True)
    assert 'Warning: spec.template.spec.imagePullSecrets[1].name: duplicate name "a"' in told
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "-", stdin=surprising)
    slices = "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert slices in await kubectl("get", "endpoints", "--warnings-as-errors", fails=True)
