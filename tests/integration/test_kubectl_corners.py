"""Less travelled commands of the real kubectl, against the API server alone."""

from integration.conftest import Kubectl


async def create(kubectl: Kubectl, name: str, value: str = "1") -> None:
    await kubectl("create", "configmap", name, f"--from-literal=x={value}")


async def test_a_server_side_dry_run_stores_nothing(kubectl: Kubectl) -> None:
    printed = await kubectl("create", "configmap", "dry", "--from-literal=x=1", "--dry-run=server")
    assert printed == "configmap/dry created (server dry run)\n"
    assert "not found" in await kubectl("get", "configmap", "dry", fails=True)


async def test_wait_for_a_jsonpath_returns_when_it_holds_and_times_out_when_not(kubectl: Kubectl) -> None:
    await create(kubectl, "w")
    await kubectl("wait", "configmap/w", "--for=jsonpath={.data.x}=1", "--timeout=5s")
    error = await kubectl("wait", "configmap/w", "--for=jsonpath={.data.x}=2", "--timeout=1s", fails=True)
    assert "timed out" in error


async def test_get_sorts_and_prints_custom_columns(kubectl: Kubectl) -> None:
    await create(kubectl, "a", "2")
    await create(kubectl, "b", "1")
    columns = "custom-columns=NAME:.metadata.name,X:.data.x"
    printed = await kubectl("get", "configmap", "a", "b", "--sort-by=.data.x", "-o", columns)
    assert [line.split() for line in printed.splitlines()] == [["NAME", "X"], ["b", "1"], ["a", "2"]]


async def test_replace_by_force_makes_a_new_object(kubectl: Kubectl) -> None:
    await create(kubectl, "r")
    before = await kubectl("get", "configmap", "r", "-o", "jsonpath={.metadata.uid}")
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata: {x: '2'}\n"
    await kubectl("replace", "--force", "-f", "-", stdin=manifest)
    after = await kubectl("get", "configmap", "r", "-o", "jsonpath={.metadata.uid} {.data.x}")
    assert after.endswith(" 2")
    assert not after.startswith(before)


async def test_explain_recursive_knows_several_kinds(kubectl: Kubectl) -> None:
    for kind, field in (("pod", "containerPort"), ("deployment", "maxSurge"), ("networkpolicy", "ipBlock")):
        assert field in await kubectl("explain", kind, "--recursive")


async def test_auth_says_who_asks_and_what_is_allowed(kubectl: Kubectl) -> None:
    who = await kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert who == "admin"
    assert "*.*" in await kubectl("auth", "can-i", "--list")
