"""Resources whose rows ask for every API operation: discovery, create, get, list, watch, patch, update, delete,
deletecollection, and their status where they have one.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from integration.conformance.suite import APPLY, JSON_PATCH, MERGE, STRATEGIC, Json, Suite, causes, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIME = "2026-01-02T03:04:05Z"
MICRO_TIME = "2026-01-02T03:04:05.678901Z"
CONDITION = {
    "type": "StatusUpdate",
    "status": "True",
    "reason": "E2E",
    "message": "Set from e2e test",
    "lastTransitionTime": TIME,
}


@dataclass(frozen=True)
class Kind:
    """One resource: where it is, an object's own fields, and what its status may say."""

    group: str
    plural: str
    fields: Json
    version: str = "v1"
    namespaced: bool = False
    status: Json = field(default_factory=dict)
    """A status to write; empty: the resource has none."""
    names: tuple[str, ...] = ("e2e-a", "e2e-b", "e2e-c")
    update: Json = field(default_factory=dict)
    """A merge patch of fields beyond metadata that may change."""

    @property
    def home(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, suite: Suite) -> str:
        return f"{self.home}/namespaces/{suite.namespace}/{self.plural}" if self.namespaced else self.everywhere

    @property
    def everywhere(self) -> str:
        return f"{self.home}/{self.plural}"


POD_TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "busybox"}], "restartPolicy": "OnFailure"}}
SELECTOR = {"cel": {"expression": "device.driver == 'dra.example.com'"}}
REQUESTS = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "class"}}]}}

KINDS = [
    pytest.param(
        Kind(
            "flowcontrol.apiserver.k8s.io",
            "flowschemas",
            {
                "spec": {
                    "matchingPrecedence": 10000,
                    "priorityLevelConfiguration": {"name": "global-default"},
                    "distinguisherMethod": {"type": "ByUser"},
                    "rules": [
                        {
                            "subjects": [{"kind": "User", "user": {"name": "example-e2e-non-existent-user"}}],
                            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                        }
                    ],
                }
            },
            status={"conditions": [CONDITION]},
            update={"spec": {"matchingPrecedence": 9999}},
        ),
        marks=pytest.mark.conformance("API priority and fairness should support FlowSchema API operations"),
        id="flowschemas",
    ),
    pytest.param(
        Kind(
            "flowcontrol.apiserver.k8s.io",
            "prioritylevelconfigurations",
            {
                "spec": {
                    "type": "Limited",
                    "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}},
                }
            },
            status={"conditions": [CONDITION]},
            update={"spec": {"limited": {"nominalConcurrencyShares": 4}}},
        ),
        marks=pytest.mark.conformance(
            "API priority and fairness should support PriorityLevelConfiguration API operations"
        ),
        id="prioritylevelconfigurations",
    ),
    pytest.param(
        Kind(
            "batch",
            "cronjobs",
            {"spec": {"schedule": "* */1 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": POD_TEMPLATE}}}},
            namespaced=True,
            status={"lastScheduleTime": TIME},
            update={"spec": {"concurrencyPolicy": "Forbid"}},
        ),
        marks=pytest.mark.conformance("CronJob should support CronJob API operations"),
        id="cronjobs",
    ),
    pytest.param(
        Kind(
            "networking.k8s.io",
            "ingresses",
            {"spec": {"defaultBackend": {"service": {"name": "default-backend", "port": {"number": 80}}}}},
            namespaced=True,
            status={"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}},
            update={"spec": {"rules": [{"host": "bar.example.com"}]}},
        ),
        marks=pytest.mark.conformance("Ingress API should support creating Ingress API operations"),
        id="ingresses",
    ),
    pytest.param(
        Kind("networking.k8s.io", "ingressclasses", {"spec": {"controller": "example.com/controller"}}),
        marks=pytest.mark.conformance("IngressClass API should support creating IngressClass API operations"),
        id="ingressclasses",
    ),
    pytest.param(
        Kind(
            "discovery.k8s.io",
            "endpointslices",
            {
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}],
                "ports": [{"name": "http", "port": 80}],
            },
            namespaced=True,
            update={"endpoints": [{"addresses": ["1.2.3.4"]}]},
        ),
        marks=pytest.mark.conformance("EndpointSlice should support creating EndpointSlice API operations"),
        id="endpointslices",
    ),
    pytest.param(
        Kind("node.k8s.io", "runtimeclasses", {"handler": "e2e-handler"}),
        marks=pytest.mark.conformance("RuntimeClass should support RuntimeClasses API operations"),
        id="runtimeclasses",
    ),
    pytest.param(
        Kind(
            "networking.k8s.io",
            "ipaddresses",
            {"spec": {"parentRef": {"resource": "services", "name": "test", "namespace": "default"}}},
            names=("192.168.7.1", "2001:db8::ffff", "192.168.7.3"),
        ),
        marks=pytest.mark.conformance("ServiceCIDR and IPAddress API should support IPAddress API operations"),
        id="ipaddresses",
    ),
    pytest.param(
        Kind(
            "storage.k8s.io",
            "csidrivers",
            {"spec": {"attachRequired": False}},
            update={"spec": {"podInfoOnMount": True}},
        ),
        marks=pytest.mark.conformance("CSIInlineVolumes should run through the lifecycle of a CSIDriver"),
        id="csidrivers",
    ),
    pytest.param(
        Kind("storage.k8s.io", "csinodes", {"spec": {"drivers": []}}),
        marks=pytest.mark.conformance("CSINodes CSI Conformance should run through the lifecycle of a csinode"),
        id="csinodes",
    ),
    pytest.param(
        Kind(
            "storage.k8s.io",
            "csistoragecapacities",
            {"storageClassName": "some-class", "capacity": "1Gi"},
            namespaced=True,
            update={"capacity": "2Gi"},
        ),
        marks=pytest.mark.conformance("CSIStorageCapacity should support CSIStorageCapacities API operations"),
        id="csistoragecapacities",
    ),
    pytest.param(
        Kind(
            "storage.k8s.io",
            "storageclasses",
            {"provisioner": "e2e-fake-provisioner"},
            update={"allowVolumeExpansion": True},
        ),
        marks=pytest.mark.conformance(
            "StorageClasses CSI Conformance should run through the lifecycle of a StorageClass"
        ),
        id="storageclasses",
    ),
    pytest.param(
        Kind(
            "storage.k8s.io",
            "volumeattachments",
            {"spec": {"attacher": "e2e-fake", "nodeName": "e2e-node", "source": {"persistentVolumeName": "pv"}}},
            status={"attached": True, "detachError": {"message": "E2E", "time": TIME}},
        ),
        marks=pytest.mark.conformance(
            "VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment",
            "VolumeAttachment Conformance should apply changes to a volumeattachment status",
        ),
        id="volumeattachments",
    ),
    pytest.param(
        Kind(
            "resource.k8s.io",
            "deviceclasses",
            {"spec": {"selectors": [SELECTOR]}},
            update={"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
        ),
        marks=pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 DeviceClass"),
        id="deviceclasses",
    ),
    pytest.param(
        Kind(
            "resource.k8s.io",
            "resourceclaims",
            {"spec": REQUESTS},
            namespaced=True,
            status={"allocation": {}},
        ),
        marks=pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 ResourceClaim"),
        id="resourceclaims",
    ),
    pytest.param(
        Kind("resource.k8s.io", "resourceclaimtemplates", {"spec": {"spec": REQUESTS}}, namespaced=True),
        marks=pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate"),
        id="resourceclaimtemplates",
    ),
    pytest.param(
        Kind(
            "resource.k8s.io",
            "resourceslices",
            {
                "spec": {
                    "driver": "dra.example.com",
                    "nodeName": "e2e-node",
                    "pool": {"name": "pool", "resourceSliceCount": 1},
                    "devices": [{"name": "device-0"}],
                }
            },
            update={"spec": {"devices": [{"name": "device-1"}]}},
        ),
        marks=pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 ResourceSlice"),
        id="resourceslices",
    ),
    pytest.param(
        Kind(
            "",
            "configmaps",
            {"data": {"valueName": "value"}},
            namespaced=True,
            update={"data": {"valueName": "value1"}},
        ),
        marks=pytest.mark.conformance(
            "ConfigMap should run through a ConfigMap lifecycle", "ConfigMap should update ConfigMap successfully"
        ),
        id="configmaps",
    ),
    pytest.param(
        Kind("", "secrets", {"data": {"key": "dmFsdWU="}}, namespaced=True, update={"data": {"key": "dmFsdWUtMQ=="}}),
        marks=pytest.mark.conformance("Secrets should patch a secret"),
        id="secrets",
    ),
    pytest.param(
        Kind(
            "",
            "podtemplates",
            {"template": POD_TEMPLATE},
            namespaced=True,
            update={"template": {"metadata": {"labels": {"app": "updated"}}}},
        ),
        marks=pytest.mark.conformance(
            "PodTemplates should delete a collection of pod templates",
            "PodTemplates should replace a pod template",
            "PodTemplates should run the lifecycle of PodTemplates",
        ),
        id="podtemplates",
    ),
    pytest.param(
        Kind(
            "",
            "serviceaccounts",
            {"automountServiceAccountToken": True},
            namespaced=True,
            update={"automountServiceAccountToken": False},
        ),
        marks=pytest.mark.conformance(
            "ServiceAccounts should run through the lifecycle of a ServiceAccount",
            "ServiceAccounts should update a ServiceAccount",
        ),
        id="serviceaccounts",
    ),
    pytest.param(
        Kind(
            "",
            "endpoints",
            {"subsets": [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80}]}]},
            namespaced=True,
            update={"subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}]},
        ),
        marks=pytest.mark.conformance("Endpoints should test the lifecycle of an Endpoint"),
        id="endpoints",
    ),
    pytest.param(
        Kind(
            "",
            "limitranges",
            {"spec": {"limits": [{"type": "Container", "max": {"cpu": "500m"}}]}},
            namespaced=True,
            update={"spec": {"limits": [{"type": "Container", "max": {"cpu": "300m"}}]}},
        ),
        marks=pytest.mark.conformance("LimitRange should list, patch and delete a LimitRange by collection"),
        id="limitranges",
    ),
    pytest.param(
        Kind(
            "coordination.k8s.io",
            "leases",
            {
                "spec": {
                    "holderIdentity": "holder",
                    "leaseDurationSeconds": 30,
                    "renewTime": "2026-01-02T03:04:05.678901Z",
                }
            },
            namespaced=True,
            update={"spec": {"holderIdentity": "holder2", "leaseTransitions": 1}},
        ),
        marks=pytest.mark.conformance("Lease lease API should be available"),
        id="leases",
    ),
    pytest.param(
        Kind(
            "policy",
            "poddisruptionbudgets",
            {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"foo": "bar"}}}},
            namespaced=True,
            update={"spec": {"minAvailable": 2}},
        ),
        marks=pytest.mark.conformance(
            "DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection "
            "of PodDisruptionBudgets",
            "DisruptionController should create a PodDisruptionBudget",
        ),
        id="poddisruptionbudgets",
    ),
]


def identity(document: Json) -> Json:
    return {key: document[key] for key in ("apiVersion", "kind")}


def matches(found: Any, wanted: Any) -> bool:
    """Whether `found` has all that `wanted` says; lists are compared element by element, conditions by their type."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(matches(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if wanted == [CONDITION]:  # controllers may add theirs
            found = [row for row in found if row["type"] == CONDITION["type"]]
        return len(found) == len(wanted) and all(map(matches, found, wanted))
    return bool(found == wanted)


def annotations(document: Json) -> Json:
    found: Json = document["metadata"].get("annotations") or {}
    return found


async def changed(suite: Suite, path: str, change: Json) -> Json:
    """The object after a PUT of what it is with the change; read again while controllers write it, too."""
    while True:
        current = await suite.get(path)
        for part, fields in change.items():
            for name, value in fields.items():
                old = current.setdefault(part, {}).get(name)
                current[part][name] = {**old, **value} if isinstance(old, dict) else value
        answer = await suite.raw("PUT", path, current)
        if answer.status != 409:
            assert answer.status == 200, answer.text
            found: Json = answer.document
            return found


async def is_discovered(suite: Suite, kind: Kind) -> None:
    if kind.group:
        groups = {row["name"]: row for row in (await suite.get("/apis"))["groups"]}
        assert kind.version in {row["version"] for row in groups[kind.group]["versions"]}
        assert (await suite.get(f"/apis/{kind.group}"))["name"] == kind.group
    resources = {row["name"]: row for row in (await suite.get(kind.home))["resources"]}
    assert resources[kind.plural]["namespaced"] is kind.namespaced
    assert (f"{kind.plural}/status" in resources) >= bool(kind.status)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_operation_works(suite: Suite, kind: Kind) -> None:
    await is_discovered(suite, kind)
    path, label = kind.path(suite), {"e2e-test": suite.namespace}
    selected = {"labelSelector": f"e2e-test={suite.namespace}"}
    first, second, third = kind.names

    created = await suite.create(path, made(first, label, **kind.fields))
    for name in (second, third):
        await suite.create(path, made(name, label, **kind.fields))
    assert matches(created, kind.fields)
    assert matches(await suite.get(f"{path}/{first}"), kind.fields)
    listed = await suite.get(path, **selected)
    assert [item["metadata"]["name"] for item in listed["items"]] == sorted(kind.names)
    assert sorted(await suite.names(kind.everywhere, **selected)) == sorted(kind.names)

    async with (
        suite.watch(path, listed, **selected) as events,
        suite.watch(kind.everywhere, listed, **selected) as all_events,
    ):
        patched = await suite.patch(f"{path}/{first}", {"metadata": {"annotations": {"patched": "true"}}}, MERGE)
        assert patched["metadata"]["annotations"]["patched"] == "true"
        assert int(patched["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
        for watch in (events, all_events):
            seen = await watch.until("MODIFIED", lambda found: "patched" in annotations(found))
            assert seen["metadata"]["name"] == first

        updated = await changed(suite, f"{path}/{first}", {"metadata": {"annotations": {"updated": "true"}}})
        assert annotations(updated).items() >= {"patched": "true", "updated": "true"}.items()
        seen = await events.until("MODIFIED", lambda found: "updated" in annotations(found))
        assert seen["metadata"]["name"] == first

        if kind.update:
            assert matches(await suite.patch(f"{path}/{first}", kind.update), kind.update)
            assert matches(await suite.get(f"{path}/{first}"), kind.update)
        label_patch = {"metadata": {"labels": {"patched": "strategic"}}}
        assert matches(await suite.patch(f"{path}/{first}", label_patch, STRATEGIC), label_patch)
        operation = [{"op": "add", "path": "/metadata/labels/json", "value": "patch"}]
        assert matches(
            await suite.patch(f"{path}/{first}", operation, JSON_PATCH), {"metadata": {"labels": {"json": "patch"}}}
        )
        applied = {**identity(created), "metadata": {"name": first, "labels": {"applied": "yes"}}}
        assert matches(
            await suite.patch(f"{path}/{first}", applied, APPLY, fieldManager="e2e"),
            {"metadata": {"labels": {"applied": "yes"}}},
        )
        if kind.status:
            await status_is_written_alone(suite, kind, f"{path}/{second}")

        await suite.delete(f"{path}/{first}")
        await suite.gone(f"{path}/{first}")
        for watch in (events, all_events):
            assert (await watch.until("DELETED"))["metadata"]["name"] == first
    assert await suite.names(path, **selected) == sorted([second, third])
    await suite.delete(path, **selected)
    await suite.empty(path, **selected)


async def status_is_written_alone(suite: Suite, kind: Kind, path: str) -> None:
    before = await suite.get(f"{path}/status")
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": kind.status}
    patched = await suite.patch(f"{path}/status", patch)
    assert matches(patched["status"], kind.status)
    updated = await changed(suite, f"{path}/status", {"status": kind.status})
    assert matches(updated["status"], kind.status)
    after = await suite.get(path)
    assert matches(after["status"], kind.status)
    assert after.get("spec") == before.get("spec")
    assert after["metadata"]["annotations"]["patchedstatus"] == "true"


@pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 DeviceClass")
async def test_a_selector_of_devices_must_compile(suite: Suite) -> None:
    selector = {"cel": {"expression": "device.driverName == 'x'"}}
    path = "/apis/resource.k8s.io/v1/deviceclasses"
    refused = await suite.ask("POST", path, made("bad", spec={"selectors": [selector]}), 422)
    complaints = causes(refused)
    assert list(complaints) == ["spec.selectors[0].cel.expression"]
    assert "undefined field 'driverName'" in complaints["spec.selectors[0].cel.expression"]


@pytest.mark.conformance("API priority and fairness should support PriorityLevelConfiguration API operations")
async def test_the_bundled_levels_and_schemas_exist(suite: Suite) -> None:
    home = "/apis/flowcontrol.apiserver.k8s.io/v1"
    levels = set(await suite.names(f"{home}/prioritylevelconfigurations"))
    assert levels >= {"exempt", "catch-all", "system", "node-high", "leader-election", "workload-high", "workload-low"}
    assert set(await suite.names(f"{home}/flowschemas")) >= {"exempt", "probes", "system-nodes", "catch-all"}


@pytest.mark.conformance("CRUD Tests resource.k8s.io/v1 ResourceSlice")
async def test_slices_are_selected_by_driver_and_node(suite: Suite) -> None:
    path, driver = "/apis/resource.k8s.io/v1/resourceslices", f"{suite.namespace}.example.com"
    for node in ("a", "b"):
        pool = {"name": node, "resourceSliceCount": 1}
        spec = {"driver": driver, "nodeName": node, "pool": pool, "devices": [{"name": "d"}]}
        await suite.create(path, made(f"{suite.namespace}-{node}", spec=spec))
    assert len(await suite.names(path, fieldSelector=f"spec.driver={driver}")) == 2
    chosen = f"spec.driver={driver},spec.nodeName=b"
    assert await suite.names(path, fieldSelector=chosen) == [f"{suite.namespace}-b"]
    await suite.delete(path, fieldSelector=f"spec.driver={driver}")
    assert await suite.names(path, fieldSelector=f"spec.driver={driver}") == []
