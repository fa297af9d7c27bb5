import asyncio
from typing import Any

import pytest

from pybernetes.api import quota
from pybernetes.apiserver.admission.resource_quota.ledger import RESERVED_SECONDS, Ledger, kinds_of
from pybernetes.apiserver.admission.resource_quota.plugin import ResourceQuota
from pybernetes.apiserver.admission.resource_quota.status import publish
from pybernetes.apiserver.request import Document
from pybernetes.effects import VirtualClock
from pybernetes.machinery.errors import Forbidden
from support.security import Objects, meta, request

NOW = VirtualClock().now()
HIGH = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}


def pod(name: str = "a", requests: Document | None = None, limits: Document | None = None, **spec: Any) -> Document:
    resources = {"requests": requests or {}, "limits": limits or {}}
    container = {"name": "c", "image": "i", "resources": resources}
    return {"metadata": meta(name, "default"), "spec": {"containers": [container], **spec}}


@pytest.mark.parametrize(
    ("kind", "document", "counted"),
    [
        (
            ("", "pods"),
            pod(requests={"cpu": "100m", "example.com/gpu": "1"}, limits={"memory": "1Gi"}),
            {
                "count/pods": "1",
                "pods": "1",
                "cpu": "100m",
                "requests.cpu": "100m",
                "requests.example.com/gpu": "1",
                "limits.memory": "1Gi",
            },
        ),
        (("", "pods"), {**pod(), "status": {"phase": "Succeeded"}}, {"count/pods": "1"}),
        (
            ("", "services"),
            {"metadata": meta("s", "default"), "spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]}},
            {"count/services": "1", "services": "1", "services.loadbalancers": "1", "services.nodeports": "2"},
        ),
        (
            ("", "persistentvolumeclaims"),
            {
                "metadata": meta("c", "default"),
                "spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}},
            },
            {
                "count/persistentvolumeclaims": "1",
                "persistentvolumeclaims": "1",
                "requests.storage": "1Gi",
                "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
            },
        ),
        (("", "configmaps"), {"metadata": meta("m", "default")}, {"count/configmaps": "1", "configmaps": "1"}),
        (("apps", "deployments"), {"metadata": meta("d", "default")}, {"count/deployments.apps": "1"}),
    ],
)
def test_an_object_counts(kind: tuple[str, str], document: Document, counted: dict[str, str]) -> None:
    assert {name: str(amount) for name, amount in quota.usage(*kind, document, NOW).items()} == counted
    assert all(kind in kinds_of({name: 0}) for name in counted)


@pytest.mark.parametrize(
    ("spec", "document", "matches"),
    [
        ({"scopes": ["BestEffort"]}, pod(), True),
        ({"scopes": ["BestEffort"]}, pod(requests={"cpu": "1"}), False),
        ({"scopes": ["NotBestEffort", "NotTerminating"]}, pod(requests={"cpu": "1"}), True),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=5), True),
        (
            {"scopeSelector": {"matchExpressions": [HIGH]}},
            pod(priorityClassName="high"),
            True,
        ),
        ({"scopeSelector": {"matchExpressions": [HIGH]}}, pod(), False),
    ],
)
def test_a_scope_chooses_pods(spec: Document, document: Document, matches: bool) -> None:
    assert quota.matches(spec, "", "pods", document) is matches


class Cluster:
    def __init__(self, hard: dict[str, str], **spec: Any) -> None:
        self.objects = Objects()
        self.clock = VirtualClock()
        self.ledger = Ledger(self.objects, self.clock)
        self.ledger.follow()
        self.plugin = ResourceQuota(self.ledger, self.clock)
        document = {"metadata": meta("q", "default"), "spec": {"hard": hard, **spec}}
        self.objects.put("", "resourcequotas", document)

    def admit(self, document: Document, *, dry_run: bool = False) -> None:
        self.plugin.validate(request("CREATE", "pods", document, dry_run=dry_run))

    def refusal(self, document: Document) -> str:
        with pytest.raises(Forbidden) as caught:
            self.admit(document)
        return caught.value.message.partition(" is forbidden: ")[2]

    def used(self) -> Document:
        (account,) = self.ledger.accounts("default")
        found: Document = account.status()["used"]
        return found


def test_what_goes_over_the_quota_is_refused() -> None:
    cluster = Cluster({"pods": "2", "requests.cpu": "1"})
    for name in ("a", "b"):
        document = pod(name, {"cpu": "400m"})
        cluster.admit(document)
        cluster.objects.put("", "pods", document)
    assert cluster.used() == {"pods": "2", "requests.cpu": "800m"}
    assert cluster.refusal(pod("c", {"cpu": "300m"})) == (
        "exceeded quota: q, requested: pods=1,requests.cpu=300m, used: pods=2,requests.cpu=800m, "
        "limited: pods=2,requests.cpu=1"
    )
    cluster.objects.remove("", "pods", "default", "a")
    cluster.admit(pod("c", {"cpu": "300m"}))


def test_a_pod_must_say_what_is_limited() -> None:
    assert Cluster({"cpu": "1", "memory": "1Gi"}).refusal(pod()) == (
        "failed quota: q: must specify cpu for: c; memory for: c"
    )


async def test_what_is_admitted_and_not_yet_stored_counts_for_a_while() -> None:
    cluster = Cluster({"pods": "1"})
    cluster.admit(pod("dry"), dry_run=True)
    cluster.admit(pod("a"))
    assert "exceeded quota" in cluster.refusal(pod("b"))
    cluster.admit(pod("a"))  # the same write again, after a conflict
    await cluster.clock.advance(RESERVED_SECONDS + 1)
    cluster.admit(pod("b"))


def test_a_finished_pod_is_free_and_others_outside_the_scope_do_not_count() -> None:
    cluster = Cluster({"pods": "1"}, scopes=["NotTerminating"])
    cluster.objects.put("", "pods", pod("a"))
    cluster.admit(pod("job", activeDeadlineSeconds=10))
    cluster.objects.put("", "pods", {**pod("a"), "status": {"phase": "Failed"}})
    cluster.admit(pod("b"))


def test_a_quota_that_comes_later_counts_what_is_there() -> None:
    cluster = Cluster({"services": "5"})
    cluster.objects.put("", "configmaps", {"metadata": meta("m", "default")})
    late = {"metadata": meta("q", "default"), "spec": {"hard": {"configmaps": "1"}}}
    cluster.objects.put("", "resourcequotas", late)
    assert cluster.used() == {"configmaps": "1"}
    with pytest.raises(Forbidden, match="exceeded quota: q, requested: configmaps=1, used: configmaps=1"):
        cluster.plugin.validate(request("CREATE", "configmaps", {"metadata": meta("n", "default")}))


async def test_the_status_shows_what_is_used() -> None:
    cluster = Cluster({"pods": "3"})
    written: list[bytes] = []

    class Client:
        async def request(self, method: str, path: str, *, body: bytes = b"", **_: Any) -> bytes:
            assert (method, path) == ("PATCH", "/api/v1/namespaces/default/resourcequotas/q/status")
            written.append(body)
            return b""

    task = asyncio.create_task(publish(cluster.ledger, cluster.objects, Client(), cluster.clock))
    await cluster.clock.advance(1)
    cluster.objects.put("", "pods", pod("a"))
    cluster.objects.put("", "pods", pod("b"))
    await cluster.clock.advance(1)
    task.cancel()
    await asyncio.wait([task])
    assert len(written) == 2
    assert b'"used":{"pods":"2"}' in written[-1]


async def test_limits_written_into_the_status_stay_until_something_is_counted() -> None:
    cluster = Cluster({"pods": "3"})
    await cluster.ledger.wait_changed()
    (stored,) = cluster.objects.list("", "resourcequotas", "default")
    cluster.objects.put("", "resourcequotas", {**stored, "status": {"hard": {"pods": "9"}, "used": {"pods": "0"}}})
    cluster.objects.put("", "pods", pod("a"))
    (account,) = await cluster.ledger.wait_changed()
    assert account.status() == {"hard": {"pods": "3"}, "used": {"pods": "1"}}
    cluster.objects.put("", "resourcequotas", {**stored, "status": {"hard": {"pods": "9"}, "used": {"pods": "1"}}})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cluster.ledger.wait_changed(), 0)
