"""More of the real kubectl against the API server alone: output forms, dry runs, waiting, replacing, watching."""

import json

from integration.conftest import Kubectl

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: blue}
"""


async def test_output_is_shaped_by_columns_paths_and_order(kubectl: Kubectl) -> None:
    for name, value in (("a", "2"), ("b", "1")):
        await kubectl("create", "configmap", name, f"--from-literal=x={value}")
    rows = await kubectl("get", "cm", "a", "b", "-o", "custom-columns=N:.metadata.name,X:.data.x", "--sort-by=.data.x")
    assert [line.split() for line in rows.splitlines()] == [["N", "X"], ["b", "1"], ["a", "2"]]
    assert await kubectl("get", "cm", "-o", "jsonpath={.items[*].data.x}", "--field-selector=metadata.name=a") == "2"
    assert (await kubectl("get", "cm", "a", "-o", "name")).strip() == "configmap/a"


async def test_a_dry_run_at_the_server_stores_nothing(kubectl: Kubectl) -> None:
    told = await kubectl("create", "--dry-run=server", "-f", "-", stdin=CONFIG)
    assert "configmap/settings created (server dry run)" in told
    assert "not found" in await kubectl("get", "cm", "settings", fails=True)


async def test_diff_shows_what_apply_would_change(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=CONFIG)
    await kubectl("diff", "-f", "-", stdin=CONFIG)
    await kubectl("diff", "-f", "-", stdin=CONFIG.replace("blue", "red"), fails=True)
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.color}") == "blue"


async def test_replace_and_force_replace(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONFIG)
    uid = ("get", "cm", "settings", "-o", "jsonpath={.metadata.uid}")
    first = await kubectl(*uid)
    assert "configmap/settings replaced" in await kubectl("replace", "-f", "-", stdin=CONFIG.replace("blue", "red"))
    assert await kubectl(*uid) == first
    await kubectl("replace", "--force", "-f", "-", stdin=CONFIG)
    assert await kubectl(*uid) != first


async def test_labels_and_annotations_come_and_go(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONFIG)
    refused = await kubectl("label", "cm", "settings", "app=other", fails=True)
    assert "already has a value (web), and --overwrite is false" in refused
    await kubectl("label", "cm", "settings", "app=other", "--overwrite")
    await kubectl("label", "cm", "settings", "app-")
    await kubectl("annotate", "cm", "settings", "note=one")
    found = json.loads(await kubectl("get", "cm", "settings", "-o", "json"))["metadata"]
    assert ("labels" in found, found["annotations"]) == (False, {"note": "one"})


async def test_wait_sees_a_condition_of_the_path(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONFIG)
    told = await kubectl("wait", "cm/settings", "--for=jsonpath={.data.color}=blue", "--timeout=10s")
    assert "configmap/settings condition met" in told


async def test_what_a_selector_chooses_is_deleted(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONFIG)
    told = await kubectl("delete", "cm", "-l", "app=web", "--cascade=background")
    assert 'configmap "settings" deleted' in told


async def test_a_watch_prints_what_there_is_until_its_time_is_over(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONFIG)
    shown = await kubectl("get", "cm", "settings", "-w", "--output-watch-events", "--request-timeout=1s")
    assert shown.splitlines()[1].split()[:2] == ["ADDED", "settings"]


async def test_resources_are_found_by_short_name_category_and_verb(kubectl: Kubectl) -> None:
    listed = await kubectl("api-resources", "--no-headers", "--categories=all", "-o", "name")
    assert {"pods", "services", "deployments.apps", "jobs.batch"} <= set(listed.split())
    assert "storage.k8s.io/v1" in (await kubectl("api-versions")).split()
    allowed = await kubectl("auth", "can-i", "delete", "deploy")
    assert allowed.strip() == "yes"
