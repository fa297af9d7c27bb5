from datetime import UTC, datetime

from pybernetes.apiserver.resources.component_statuses import complaint
from unit.apiserver.serving import serving

NOW = datetime(2026, 1, 1, 12, 0, 20, tzinfo=UTC)
STATUSES = "/api/v1/componentstatuses"


def lease(renewed: str) -> dict[str, object]:
    return {"spec": {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": renewed}}


def test_a_component_is_well_while_its_lease_is_renewed() -> None:
    assert complaint("kube-scheduler", lease("2026-01-01T12:00:10.000000Z"), NOW) == ""
    assert "last renewed" in complaint("kube-scheduler", lease("2026-01-01T12:00:00.000000Z"), NOW)
    assert "nobody holds" in complaint("kube-scheduler", None, NOW)


async def test_every_component_is_listed_and_found_by_name() -> None:
    async with serving() as server:
        listed = await server.get(STATUSES)
        assert listed["kind"] == "ComponentStatusList"
        assert [item["metadata"]["name"] for item in listed["items"]] == ["controller-manager", "scheduler", "etcd-0"]
        store = await server.get(f"{STATUSES}/etcd-0")
        assert store["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
        await server.get(f"{STATUSES}/nothing", status=404)


async def test_a_table_shows_how_every_component_is() -> None:
    async with serving() as server:
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        table = await server.get(STATUSES, headers={"accept": accept})
        assert [row["cells"][:2] for row in table["rows"]] == [
            ["controller-manager", "Unhealthy"],
            ["scheduler", "Unhealthy"],
            ["etcd-0", "Healthy"],
        ]
