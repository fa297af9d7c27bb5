import asyncio
from typing import Any

import pytest

from pybernetes.apiserver.admission import index, service_account
from pybernetes.apiserver.admission.chain import Chain
from pybernetes.apiserver.admission.metrics import AdmissionMetrics
from pybernetes.apiserver.admission.resource_quota.ledger import Ledger
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.request import AdmissionRequest, Document
from pybernetes.apiserver.scheme import Scheme
from pybernetes.apiserver.webhooks.client import WebhookClient
from pybernetes.effects import Chance, Ids, VirtualClock
from pybernetes.machinery.errors import Forbidden, NotFound
from support.security import ALICE, Objects, meta, request

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


class Cluster:
    def __init__(self) -> None:
        self.objects = Objects()
        self.clock = VirtualClock()
        authorizer = Authorizer(self.objects)
        authorizer.follow()
        ledger = Ledger(self.objects, self.clock)
        chance = Chance(1)
        neighbours = index.Neighbours(
            reader=self.objects,
            authorizer=authorizer,
            clock=self.clock,
            chance=chance,
            ledger=ledger,
            ids=Ids(chance),
            scheme=Scheme.built_in(),
            webhooks=WebhookClient(self.objects, self.clock, chance),
            metrics=AdmissionMetrics(),
        )
        self.chain: Chain = index.chain(neighbours)
        self.objects.put("", "namespaces", {"metadata": meta("default"), "status": {"phase": "Active"}})
        self.objects.put("", "serviceaccounts", {"metadata": meta("default", "default")})

    async def admit(self, asked: AdmissionRequest) -> Document:
        await self.chain.mutate(asked)
        await self.chain.validate(asked)
        return asked.object or {}

    async def refusal(self, asked: AdmissionRequest) -> Forbidden:
        with pytest.raises(Forbidden) as caught:
            await self.admit(asked)
        return caught.value


def pod(**spec: Any) -> Document:
    return {"metadata": meta("web", "default"), "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


# ── NamespaceLifecycle ──


async def test_nothing_is_created_where_there_is_no_namespace() -> None:
    with pytest.raises(NotFound, match='namespaces "gone" not found'):
        await Cluster().admit(request("CREATE", "configmaps", {"metadata": meta("a", "gone")}, namespace="gone"))


async def test_nothing_is_created_in_a_namespace_that_is_going_but_things_are_deleted() -> None:
    cluster = Cluster()
    cluster.objects.put("", "namespaces", {"metadata": meta("old"), "status": {"phase": "Terminating"}})
    asked = request("CREATE", "configmaps", {"metadata": meta("a", "old")}, namespace="old")
    refusal = await cluster.refusal(asked)
    assert refusal.message == (
        'configmaps "a" is forbidden: unable to create new content in namespace old because it is being terminated'
    )
    assert refusal.causes[0]["reason"] == "NamespaceTerminating"
    await cluster.admit(request("DELETE", "configmaps", old={"metadata": meta("a", "old")}, namespace="old"))


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_the_first_namespaces_stay(name: str) -> None:
    refusal = await Cluster().refusal(request("DELETE", "namespaces", name=name))
    assert refusal.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


# ── ServiceAccount ──


async def test_a_pod_finds_its_token_the_ca_and_its_namespace() -> None:
    document = await Cluster().admit(request("CREATE", "pods", pod(initContainers=[{"name": "i"}])))
    spec = document["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    token, ca, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"expirationSeconds": 3607, "path": "token"}
    assert ca["configMap"]["name"] == "kube-root-ca.crt"
    assert namespace["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == "metadata.namespace"
    for container in (*spec["containers"], *spec["initContainers"]):
        assert container["volumeMounts"] == [{"name": volume["name"], "readOnly": True, "mountPath": TOKEN_PATH}]


@pytest.mark.parametrize(
    ("pod_says", "account_says", "mounted"),
    [(None, None, True), (False, None, False), (None, False, False), (True, False, True)],
)
async def test_the_pod_decides_before_the_account(
    pod_says: bool | None, account_says: bool | None, mounted: bool
) -> None:
    cluster = Cluster()
    account: Document = {"metadata": meta("default", "default")}
    if account_says is not None:
        account["automountServiceAccountToken"] = account_says
    cluster.objects.put("", "serviceaccounts", account)
    document = pod() if pod_says is None else pod(automountServiceAccountToken=pod_says)
    found = await cluster.admit(request("CREATE", "pods", document))
    assert ("volumes" in found["spec"]) is mounted


async def test_a_container_with_a_mount_of_its_own_there_keeps_it() -> None:
    own = {"name": "own", "mountPath": TOKEN_PATH}
    document = pod(containers=[{"name": "c", "volumeMounts": [own]}], volumes=[{"name": "own", "emptyDir": {}}])
    found = await Cluster().admit(request("CREATE", "pods", document))
    assert found["spec"]["containers"][0]["volumeMounts"] == [own]
    assert len(found["spec"]["volumes"]) == 1


async def test_pull_secrets_come_from_the_account_unless_the_pod_has_some() -> None:
    cluster = Cluster()
    account = {"metadata": meta("default", "default"), "imagePullSecrets": [{"name": "hub"}]}
    cluster.objects.put("", "serviceaccounts", account)
    found = await cluster.admit(request("CREATE", "pods", pod()))
    assert found["spec"]["imagePullSecrets"] == [{"name": "hub"}]
    found = await cluster.admit(request("CREATE", "pods", pod(imagePullSecrets=[{"name": "own"}])))
    assert found["spec"]["imagePullSecrets"] == [{"name": "own"}]


async def test_an_account_that_is_being_made_is_waited_for() -> None:
    cluster = Cluster()
    asked = request("CREATE", "pods", pod(serviceAccountName="late"))
    admitted = asyncio.create_task(cluster.admit(asked))
    await cluster.clock.advance(0.35)
    cluster.objects.put("", "serviceaccounts", {"metadata": meta("late", "default")})
    await cluster.clock.advance(0.1)
    assert (await admitted)["spec"]["serviceAccountName"] == "late"


async def test_an_account_that_never_comes_is_named() -> None:
    cluster = Cluster()
    refused = asyncio.create_task(cluster.refusal(request("CREATE", "pods", pod(serviceAccountName="none"))))
    await cluster.clock.advance(service_account.LOOKUPS * service_account.LOOKUP_SECONDS + 1)
    assert (await refused).message == (
        'pods "web" is forbidden: error looking up service account default/none: serviceaccount "none" not found'
    )


# ── Priority, DefaultTolerationSeconds ──


async def test_a_pod_without_a_class_has_priority_zero_and_stays_five_minutes_on_a_lost_node() -> None:
    spec = (await Cluster().admit(request("CREATE", "pods", pod())))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [(row["key"], row["tolerationSeconds"]) for row in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


@pytest.mark.parametrize(
    ("toleration", "added"),
    [
        ({"operator": "Exists"}, 0),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}, 1),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"}, 2),
        ({"key": "other", "operator": "Exists"}, 2),
    ],
)
async def test_tolerations_are_added_for_what_the_pod_does_not_tolerate(toleration: Document, added: int) -> None:
    spec = (await Cluster().admit(request("CREATE", "pods", pod(tolerations=[toleration]))))["spec"]
    assert len(spec["tolerations"]) == 1 + added


def priority_class(name: str, value: int, **more: Any) -> Document:
    return {"metadata": meta(name), "value": value, **more}


GROUP = "scheduling.k8s.io"


async def test_the_class_decides_the_priority() -> None:
    cluster = Cluster()
    cluster.objects.put(GROUP, "priorityclasses", priority_class("high", 1000, preemptionPolicy="Never"))
    spec = (await cluster.admit(request("CREATE", "pods", pod(priorityClassName="high"))))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    cluster.objects.put(GROUP, "priorityclasses", priority_class("usual", 7, globalDefault=True))
    spec = (await cluster.admit(request("CREATE", "pods", pod())))["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (7, "usual")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        (
            {"priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; "
            "priority admission controller computed 0 from the given PriorityClass name",
        ),
        (
            {"preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; "
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
    ],
)
async def test_a_priority_of_ones_own_is_refused(spec: Document, why: str) -> None:
    refusal = await Cluster().refusal(request("CREATE", "pods", pod(**spec)))
    assert refusal.message == f'pods "web" is forbidden: {why}'


async def test_only_one_class_is_the_default() -> None:
    cluster = Cluster()
    cluster.objects.put(GROUP, "priorityclasses", priority_class("usual", 7, globalDefault=True))
    asked = request("CREATE", "priorityclasses", priority_class("x", 1, globalDefault=True), group=GROUP)
    assert "PriorityClass usual is already marked as default" in (await cluster.refusal(asked)).message


# ── nodes, storage, classes ──


async def test_a_new_node_is_not_ready() -> None:
    document = await Cluster().admit(request("CREATE", "nodes", {"metadata": meta("n1")}))
    assert document["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


def storage_class(name: str, created: str, *, default: bool = True) -> Document:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true" if default else "false"}
    return {"metadata": meta(name, creationTimestamp=created, annotations=annotations)}


async def test_a_claim_gets_the_newest_default_class_and_a_finalizer() -> None:
    cluster = Cluster()
    for row in (("old", "2026-01-01T00:00:00Z"), ("new", "2026-02-01T00:00:00Z")):
        cluster.objects.put("storage.k8s.io", "storageclasses", storage_class(*row))
    cluster.objects.put("storage.k8s.io", "storageclasses", storage_class("no", "2026-03-01T00:00:00Z", default=False))
    claim = {"metadata": meta("c", "default"), "spec": {}}
    document = await cluster.admit(request("CREATE", "persistentvolumeclaims", claim))
    assert document["spec"]["storageClassName"] == "new"
    assert document["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    claim = {"metadata": meta("c", "default"), "spec": {"storageClassName": ""}}
    document = await cluster.admit(request("CREATE", "persistentvolumeclaims", claim))
    assert document["spec"]["storageClassName"] == ""


GROWTH = [(True, False, True), (True, True, False), (False, False, False)]


@pytest.mark.parametrize(("grows", "expandable", "refused"), GROWTH)
async def test_a_claim_grows_where_its_class_lets_it(grows: bool, expandable: bool, refused: bool) -> None:
    cluster = Cluster()
    found = {**storage_class("s", "2026-01-01T00:00:00Z"), "allowVolumeExpansion": expandable}
    cluster.objects.put("storage.k8s.io", "storageclasses", found)

    def claim(size: str) -> Document:
        spec = {"storageClassName": "s", "resources": {"requests": {"storage": size}}}
        return {"metadata": meta("c", "default"), "spec": spec}

    asked = request("UPDATE", "persistentvolumeclaims", claim("2Gi" if grows else "1024Mi"), old=claim("1Gi"))
    if refused:
        assert "storageclass that provisions the pvc must support resize" in (await cluster.refusal(asked)).message
    else:
        await cluster.admit(asked)


async def test_a_runtime_class_brings_overhead_and_where_to_run() -> None:
    cluster = Cluster()
    found = {
        "metadata": meta("kata"),
        "handler": "kata",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"kata": "yes"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
    }
    cluster.objects.put("node.k8s.io", "runtimeclasses", found)
    document = pod(runtimeClassName="kata", nodeSelector={"zone": "a"})
    spec = (await cluster.admit(request("CREATE", "pods", document)))["spec"]
    assert spec["overhead"] == {"cpu": "250m"}
    assert spec["nodeSelector"] == {"zone": "a", "kata": "yes"}
    assert {"key": "kata", "operator": "Exists"} in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        ({"overhead": {"cpu": "1"}}, "pod rejected: Pod Overhead set without corresponding RuntimeClass"),
    ],
)
async def test_a_runtime_class_is_refused(spec: Document, why: str) -> None:
    assert why in (await Cluster().refusal(request("CREATE", "pods", pod(**spec)))).message


async def test_an_ingress_gets_the_default_class() -> None:
    cluster = Cluster()
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
    cluster.objects.put("networking.k8s.io", "ingressclasses", {"metadata": meta("front", annotations=annotations)})
    asked = request("CREATE", "ingresses", {"metadata": meta("i", "default")}, group="networking.k8s.io")
    assert (await cluster.admit(asked))["spec"]["ingressClassName"] == "front"


async def test_a_binding_carries_the_nodes_zone() -> None:
    cluster = Cluster()
    labels = {"topology.kubernetes.io/zone": "z1", "kubernetes.io/hostname": "n1"}
    cluster.objects.put("", "nodes", {"metadata": meta("n1", labels=labels)})
    binding = {"metadata": meta("web", "default"), "target": {"kind": "Node", "name": "n1"}}
    document = await cluster.admit(request("CREATE", "pods", binding, subresource="binding", user=ALICE))
    assert document["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z1"}
