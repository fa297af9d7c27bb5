"""Server-side apply and field ownership with the real kubectl: no controllers, no nodes."""

import json

from integration.conftest import Kubectl

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, size: big}
"""


async def test_apply_creates_changes_and_removes(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert "configmap/settings serverside-applied" in await kubectl(*apply, stdin=CONFIG)
    await kubectl(*apply, stdin=CONFIG.replace(", size: big", ""))
    found = json.loads(await kubectl("get", "cm", "settings", "-o", "json", "--show-managed-fields"))
    assert found["data"] == {"color": "blue"}
    (entry,) = found["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kubectl", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:color": {}}}


async def test_fields_of_others_conflict_until_forced(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG)
    await kubectl("patch", "cm", "settings", "-p", '{"data":{"color":"red"}}', "--field-manager=painter")
    refused = await kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG, fails=True)
    assert 'conflict with "painter" using v1: .data.color' in refused
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=CONFIG)
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.color}") == "blue"


async def test_an_equal_apply_keeps_the_version(kubectl: Kubectl) -> None:
    version = ("get", "cm", "settings", "-o", "jsonpath={.metadata.resourceVersion}")
    await kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG)
    before = await kubectl(*version)
    await kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG)
    assert await kubectl(*version) == before


async def test_what_a_schema_does_not_declare_is_refused(kubectl: Kubectl) -> None:
    refused = await kubectl(
        "apply", "--server-side", "--validate=false", "-f", "-", stdin=CONFIG + "foo: 1\n", fails=True
    )
    assert ".foo: field not declared in schema" in refused


async def test_a_client_side_applier_may_move_to_the_server(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=CONFIG)
    await kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG.replace("blue", "green"))
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.color}") == "green"


async def test_strict_validation_names_every_unknown_field(kubectl: Kubectl) -> None:
    body = CONFIG + "foo: 1\nbar: 2\n"
    refused = await kubectl("create", "--validate=strict", "-f", "-", stdin=body, fails=True)
    assert 'strict decoding error: unknown field "bar", unknown field "foo"' in refused


async def test_an_invalid_object_is_told_field_by_field(kubectl: Kubectl) -> None:
    pod = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"C"}]}}'
    refused = await kubectl("create", "-f", "-", stdin=pod, fails=True)
    assert 'The Pod "p" is invalid:' in refused
    assert "spec.containers[0].image: Required value" in refused
