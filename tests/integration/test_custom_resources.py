"""Custom resources with the real kubectl: define, wait, explain, apply, get, scale, delete."""

import json

from integration.conftest import Kubectl

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: A table of jobs.
        properties:
          spec:
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, description: When to run., pattern: '^(\\S+\\s*){5}$'}
              image: {type: string, default: busybox}
              replicas: {type: integer, minimum: 0, maximum: 10}
              port: {x-kubernetes-int-or-string: true}
              sides:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, weight: {type: integer}}
          status:
            type: object
            properties:
              replicas: {type: integer}
              selector: {type: string}
    subresources:
      status: {}
      scale:
        specReplicasPath: .spec.replicas
        statusReplicasPath: .status.replicas
        labelSelectorPath: .status.selector
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
"""

SCALE = "/apis/stable.example.com/v1/namespaces/default/crontabs/mine/scale"

TAB = """
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: mine}
spec: {cronSpec: '* * * * */5', replicas: 2, port: http}
"""


async def define(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=CRD)
    await kubectl("wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=10s")


async def test_a_definition_serves_its_kind_to_kubectl(kubectl: Kubectl) -> None:
    await define(kubectl)
    resources = await kubectl("api-resources", "--api-group=stable.example.com")
    assert "crontabs   ct           stable.example.com/v1   true         CronTab" in resources
    assert "created" in await kubectl("apply", "-f", "-", stdin=TAB)
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=TAB)
    assert "configured" in await kubectl("apply", "-f", "-", stdin=TAB.replace("replicas: 2", "replicas: 3"))
    lines = (await kubectl("get", "ct")).splitlines()
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert lines[1].split()[:7] == ["mine", "*", "*", "*", "*", "*/5", "3"]
    assert (await kubectl("get", "ct", "-o", "wide")).splitlines()[0].split()[3] == "IMAGE"
    assert "crontab.stable.example.com/mine" in await kubectl("get", "all", "-o", "name")


async def test_kubectl_explains_a_custom_resource(kubectl: Kubectl) -> None:
    await define(kubectl)
    told = await kubectl("explain", "crontabs.spec")
    assert "KIND:       CronTab" in told
    assert "cronSpec\t<string> -required-" in told
    assert "When to run." in told
    assert "A table of jobs." in await kubectl("explain", "crontab")
    assert "FIELD: name <string>" in await kubectl("explain", "crontabs.metadata.name")


async def test_kubectl_is_told_what_is_wrong(kubectl: Kubectl) -> None:
    await define(kubectl)
    wrong = await kubectl("apply", "-f", "-", stdin=TAB.replace("replicas: 2", "replicas: 20"), fails=True)
    assert "spec.replicas in body should be less than or equal to 10" in wrong
    missing = await kubectl("create", "-f", "-", stdin=TAB.replace("cronSpec", "cronSpek"), fails=True)
    assert 'unknown field "spec.cronSpek"' in missing
    missing = await kubectl("create", "-f", "-", "--validate=false", stdin=TAB.replace("cronSpec", "x"), fails=True)
    assert "spec.cronSpec: Required value" in missing


async def test_appliers_conflict_over_fields_of_a_custom_resource(kubectl: Kubectl) -> None:
    await define(kubectl)
    sides = TAB.replace("port: http", "port: http, sides: [{name: a, weight: 1}]")
    await kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=sides)
    other = sides.replace("weight: 1", "weight: 2")
    refused = await kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=other, fails=True)
    assert 'conflict with "one": .spec.sides[name="a"].weight' in refused
    await kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=other)
    stored = json.loads(await kubectl("get", "ct", "mine", "-o", "json"))
    assert stored["spec"]["sides"] == [{"name": "a", "weight": 2}]


async def test_kubectl_scales_a_custom_resource(kubectl: Kubectl) -> None:
    await define(kubectl)
    await kubectl("apply", "-f", "-", stdin=TAB)
    assert "scaled" in await kubectl("scale", "crontab/mine", "--replicas=5", "--current-replicas=2")
    shown = json.loads(await kubectl("get", "--raw", SCALE))
    assert shown["spec"] == {"replicas": 5}
    patched = await kubectl(
        "patch",
        "ct",
        "mine",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"replicas":4,"selector":"a=b"}}',
    )
    assert "patched" in patched
    shown = json.loads(await kubectl("get", "--raw", SCALE))
    assert shown["status"] == {"replicas": 4, "selector": "a=b"}


async def test_deleting_a_definition_deletes_its_objects(kubectl: Kubectl) -> None:
    await define(kubectl)
    await kubectl("apply", "-f", "-", stdin=TAB)
    await kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=20s")
    assert "could not find the requested resource" in await kubectl("get", "crontabs", fails=True)
    await define(kubectl)
    assert await kubectl("get", "ct", "-o", "name") == ""
