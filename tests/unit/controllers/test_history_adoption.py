import pytest

from pybernetes.api import apps_v1, meta_v1
from support.objects import selector, template, with_meta
from support.world import World

SPEC = {"selector": selector(), "template": template()}
META = meta_v1.ObjectMeta(name="web", namespace="default")


@pytest.mark.parametrize(
    ("controller", "owner"),
    [
        ("daemonset-controller", apps_v1.DaemonSet(metadata=META, spec=apps_v1.DaemonSetSpec(**SPEC))),  # type: ignore[arg-type]
        ("statefulset-controller", apps_v1.StatefulSet(metadata=META, spec=apps_v1.StatefulSetSpec(**SPEC))),  # type: ignore[arg-type]
    ],
)
async def test_an_orphaned_revision_is_adopted_instead_of_made_again(
    controller: str, owner: apps_v1.DaemonSet | apps_v1.StatefulSet
) -> None:
    async with World(controller).started() as world:
        made = await world.client.create(owner)
        await world.settle()
        (revision,) = await world.all(apps_v1.ControllerRevision)
        await world.client.update(with_meta(revision, ownerReferences=[]))
        await world.settle()
        world.manager.controllers[0].queue.add("default/web")
        await world.settle()
        (adopted,) = await world.all(apps_v1.ControllerRevision)
        assert adopted.metadata.uid == revision.metadata.uid
        assert [owner.uid for owner in adopted.metadata.ownerReferences] == [made.metadata.uid]
