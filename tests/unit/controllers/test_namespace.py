from pybernetes.api import apps_v1, core_v1, meta_v1
from support.objects import deployment, replica_set, template, with_meta, with_spec
from support.world import World

NAMESPACE = core_v1.Namespace(
    metadata=meta_v1.ObjectMeta(name="doomed"), spec=core_v1.NamespaceSpec(finalizers=["kubernetes"])
)


async def test_an_emptied_namespace_goes_with_all_its_content() -> None:
    async with World("namespace-controller").started() as world:
        await world.client.create(NAMESPACE)
        await world.client.create(with_meta(deployment(), namespace="doomed"))
        await world.client.create(with_meta(replica_set(), namespace="doomed"))
        await world.client.create(with_meta(replica_set(), namespace="spared"))
        await world.client.delete(core_v1.Namespace, "doomed")
        await world.settle(3)
        assert [n.name for n in await world.all(core_v1.Namespace)] == []
        assert await world.all(apps_v1.Deployment) == []
        assert [s.namespace for s in await world.all(apps_v1.ReplicaSet)] == ["spared"]


async def test_pods_go_first_and_the_rest_waits_for_them() -> None:
    async with World("namespace-controller").started() as world:
        await world.client.create(NAMESPACE)
        pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", namespace="doomed"), spec=template().spec)
        made = await world.client.create(pod)
        await world.client.update(with_spec(made, nodeName="n1"))
        await world.client.create(with_meta(deployment(), namespace="doomed"))
        await world.client.delete(core_v1.Namespace, "doomed")
        await world.settle(1)
        assert len(await world.all(apps_v1.Deployment)) == 1
        conditions = {c.type: c for c in (await world.client.get(core_v1.Namespace, "doomed")).status.conditions}
        remaining = conditions["NamespaceContentRemaining"]
        assert (remaining.status, remaining.reason) == ("True", "SomeResourcesRemain")
        assert remaining.message == "Some resources are remaining: pods. has 1 resource instances"
        assert conditions["NamespaceDeletionContentFailure"].reason == "ContentDeleted"
        await world.finish_deletions()
        await world.settle(2)
        assert await world.all(core_v1.Namespace) == []


async def test_content_with_a_finalizer_is_named_until_the_finalizer_goes() -> None:
    async with World("namespace-controller").started() as world:
        await world.client.create(NAMESPACE)
        held = core_v1.ConfigMap(
            metadata=meta_v1.ObjectMeta(name="held", namespace="doomed", finalizers=["example.com/hold"])
        )
        await world.client.create(held)
        await world.client.delete(core_v1.Namespace, "doomed")
        await world.settle(3)
        conditions = {c.type: c for c in (await world.client.get(core_v1.Namespace, "doomed")).status.conditions}
        assert conditions["NamespaceFinalizersRemaining"].message == (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        )
        value = await world.one(core_v1.ConfigMap, "held", "doomed")
        await world.client.update(with_meta(value, finalizers=[]))
        await world.settle(20)
        assert await world.all(core_v1.Namespace) == []


async def test_every_namespace_gets_its_default_account_and_the_root_certificate() -> None:
    async with World(
        "serviceaccount-controller", "root-ca-certificate-publisher-controller", root_ca="PEM"
    ).started() as world:
        await world.client.create(with_meta(NAMESPACE, name="team"))
        await world.settle()
        assert (await world.one(core_v1.ServiceAccount, "default", "team")).name == "default"
        published = await world.one(core_v1.ConfigMap, "kube-root-ca.crt", "team")
        assert published.data == {"ca.crt": "PEM"}
        await world.client.delete(core_v1.ServiceAccount, "default", "team")
        await world.client.delete(core_v1.ConfigMap, "kube-root-ca.crt", "team")
        await world.settle()
        assert len(await world.all(core_v1.ServiceAccount)) == 1
        assert len(await world.all(core_v1.ConfigMap)) == 1
