"""Volumes, claims and classes of volumes as objects; what protects them is a controller's."""

from typing import Any

import pytest

from integration.conformance.suite import CLOCK, STRATEGIC, Json, Suite, made, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/volumeattributesclasses"
CONDITION = {
    "type": "StatusUpdate",
    "status": "True",
    "reason": "E2E",
    "message": "Set from e2e test",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


def volume(suite: Suite, **more: Any) -> Json:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "storageClassName": suite.namespace,
        "csi": {"driver": "e2e-driver", "volumeHandle": "e2e"},
        "persistentVolumeReclaimPolicy": "Retain",
    }
    return made(f"pv-{suite.namespace}", {"e2e": suite.namespace}, spec={**spec, **more})


def claim(suite: Suite) -> Json:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": suite.namespace,
    }
    return made("pvc", {"e2e": suite.namespace}, spec=spec)


@pytest.mark.conformance("PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC")
async def test_the_life_of_a_volume_and_a_claim(suite: Suite) -> None:
    claims, selected = suite.core("persistentvolumeclaims"), {"labelSelector": f"e2e={suite.namespace}"}
    name = f"pv-{suite.namespace}"
    await suite.create(VOLUMES, volume(suite))
    await suite.create(claims, claim(suite))
    assert await suite.names(VOLUMES, **selected) == [name]
    assert await suite.names(claims, **selected) == ["pvc"]
    for path in (f"{VOLUMES}/{name}", f"{claims}/pvc"):
        patched = await suite.patch(path, {"metadata": {"labels": {"patched": "yes"}}}, STRATEGIC)
        assert (await suite.get(path))["metadata"]["labels"] == patched["metadata"]["labels"]
        found = await suite.get(path)
        found["metadata"]["labels"]["updated"] = "yes"
        assert (await suite.update(path, found))["metadata"]["labels"]["updated"] == "yes"
        await suite.delete(path)
        await suite.gone(path)
    await suite.create(VOLUMES, volume(suite))
    await suite.create(claims, claim(suite))
    assert await suite.names("/api/v1/persistentvolumeclaims", **selected) == ["pvc"]
    await suite.delete(claims, **selected)
    await suite.empty(claims, **selected)
    await suite.delete(VOLUMES, **selected)
    await suite.empty(VOLUMES, **selected)


@pytest.mark.conformance("PersistentVolumes CSI Conformance should apply changes to a pv/pvc status")
async def test_status_of_a_volume_and_a_claim_is_written(suite: Suite) -> None:
    claims, name = suite.core("persistentvolumeclaims"), f"pv-{suite.namespace}"
    await suite.create(VOLUMES, volume(suite))
    await suite.create(claims, claim(suite))
    path = f"{claims}/pvc"
    patched = await suite.patch(f"{path}/status", {"status": {"conditions": [CONDITION]}}, STRATEGIC)
    assert patched["status"]["conditions"] == [CONDITION]
    status = await suite.get(f"{path}/status")
    status["status"]["conditions"].append({**CONDITION, "type": "Another"})
    updated = await suite.update(f"{path}/status", status)
    assert [row["type"] for row in updated["status"]["conditions"]] == ["StatusUpdate", "Another"]
    path = f"{VOLUMES}/{name}"
    text = {"message": "StatusPatched", "reason": "E2E patched"}
    assert (await suite.patch(f"{path}/status", {"status": text}))["status"].items() >= text.items()
    status = await suite.get(f"{path}/status")
    status["status"]["reason"] = "E2E updated"
    assert (await suite.update(f"{path}/status", status))["status"]["reason"] == "E2E updated"
    await suite.delete(path)
    await suite.gone(path)


@pytest.mark.conformance("VolumeAttributesClass should run through the lifecycle of a VolumeAttributesClass")
async def test_the_life_of_an_attributes_class(suite: Suite) -> None:
    label, selected = {"e2e": suite.namespace}, {"labelSelector": f"e2e={suite.namespace}"}
    fields = {"driverName": "e2e-driver", "parameters": {"iops": "100"}}
    path = f"{CLASSES}/vac-{suite.namespace}"
    await suite.create(CLASSES, made(f"vac-{suite.namespace}", label, **fields))
    assert await suite.names(CLASSES, **selected) == [f"vac-{suite.namespace}"]
    await suite.patch(path, {"metadata": {"labels": {"patched": "yes"}}})
    found = await suite.get(path)
    found["metadata"]["labels"]["updated"] = "yes"
    assert (await suite.update(path, found))["metadata"]["labels"]["updated"] == "yes"
    await suite.delete(path)
    await suite.gone(path)
    await suite.create(CLASSES, made(f"vac-{suite.namespace}", label, **fields))
    await suite.delete(CLASSES, **selected)
    await suite.empty(CLASSES, **selected)


async def test_a_claim_outlives_its_deletion_while_a_pod_uses_it(suite: Suite) -> None:
    path, pods = suite.core("persistentvolumeclaims", "pvc"), suite.core("pods")
    await suite.create(suite.core("persistentvolumeclaims"), claim(suite))
    node = (await suite.names("/api/v1/nodes"))[0]
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "pvc"}}]
    await suite.create(pods, pod("user", volumes=volumes, nodeName=node))
    await suite.delete(path)
    await CLOCK.sleep(0.2)
    assert "deletionTimestamp" in (await suite.get(path))["metadata"]
    await suite.delete(f"{pods}/user", gracePeriodSeconds=0)
    await suite.gone(path)
