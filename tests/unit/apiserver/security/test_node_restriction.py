from dataclasses import replace
from typing import Any

import pytest

from pybernetes.apiserver.admission.node_restriction import NodeRestriction, may_label
from pybernetes.apiserver.request import AdmissionRequest, Document, User
from pybernetes.machinery.errors import Forbidden
from support.security import ALICE, Objects, meta, request

NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))
MIRROR = {"kubernetes.io/config.mirror": "x"}


def plugin() -> NodeRestriction:
    objects = Objects()
    for name, node in (("mine", "n1"), ("theirs", "n2")):
        objects.put("", "pods", pod(name, node))
    return NodeRestriction(objects)


def pod(name: str, node: str, spec: Document | None = None, **metadata: Any) -> Document:
    return {"metadata": meta(name, "default", **metadata), "spec": {"nodeName": node, **(spec or {})}}


def node(name: str, labels: Document | None = None, taints: list[Document] | None = None) -> Document:
    return {"metadata": meta(name, labels=labels or {}), "spec": {"taints": taints or []}}


def token(pod_name: str, uid: str = "") -> Document:
    return {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": uid}}}


REFUSED: dict[str, tuple[AdmissionRequest, str]] = {
    "an ordinary pod": (request("CREATE", "pods", pod("x", "n1"), user=NODE), "can only create mirror pods"),
    "a mirror pod elsewhere": (
        request("CREATE", "pods", pod("x", "n2", annotations=MIRROR), user=NODE),
        "can only create pods with spec.nodeName set to itself",
    ),
    "a mirror pod with a secret": (
        request(
            "CREATE",
            "pods",
            pod("x", "n1", {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, annotations=MIRROR),
            user=NODE,
        ),
        "can not create pods that reference secrets",
    ),
    "deleting another node's pod": (
        request("DELETE", "pods", name="theirs", user=NODE),
        "can only delete pods with spec.nodeName set to itself",
    ),
    "the status of another node's pod": (
        request("UPDATE", "pods", pod("theirs", "n2"), old=pod("theirs", "n2"), subresource="status", user=NODE),
        "can only update pod status for pods with spec.nodeName set to itself",
    ),
    "labels through status": (
        request(
            "UPDATE",
            "pods",
            pod("mine", "n1", labels={"a": "b"}),
            old=pod("mine", "n1"),
            subresource="status",
            user=NODE,
        ),
        "cannot update labels through pod status",
    ),
    "another node": (
        request("UPDATE", "nodes", node("n2"), old=node("n2"), user=NODE),
        'node "n1" is not allowed to modify node "n2"',
    ),
    "taking its taints away": (
        request("UPDATE", "nodes", node("n1"), old=node("n1", taints=[{"key": "a"}]), user=NODE),
        "is not allowed to modify taints",
    ),
    "calling itself something it is not": (
        request(
            "CREATE",
            "nodes",
            node("n1", {"node-restriction.kubernetes.io/a": "b", "topology.k8s.io/x": "y"}),
            user=NODE,
        ),
        "is not allowed to set the following labels: node-restriction.kubernetes.io/a, topology.k8s.io/x",
    ),
    "a lease elsewhere": (
        request("CREATE", "leases", {"metadata": meta("n1", "default")}, group="coordination.k8s.io", user=NODE),
        'can only access leases in the "kube-node-lease" system namespace',
    ),
    "a token of a pod elsewhere": (
        request("CREATE", "serviceaccounts", token("theirs", "uid-theirs"), subresource="token", user=NODE),
        "node requested token bound to a pod scheduled on a different node",
    ),
    "a token for nobody": (
        request("CREATE", "serviceaccounts", {"spec": {}}, subresource="token", user=NODE),
        "node requested token not bound to a pod",
    ),
    "evicting another node's pod": (
        request("CREATE", "pods", {"metadata": meta("theirs", "default")}, subresource="eviction", user=NODE),
        "can only evict pods with spec.nodeName set to itself",
    ),
}


@pytest.mark.parametrize(("asked", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_node_is_refused(asked: AdmissionRequest, why: str) -> None:
    with pytest.raises(Forbidden) as caught:
        plugin().mutate(asked)
    assert why in caught.value.message


@pytest.mark.parametrize("asked", [row[0] for row in REFUSED.values()], ids=REFUSED.keys())
def test_others_are_not_restricted(asked: AdmissionRequest) -> None:
    plugin().mutate(replace(asked, user=ALICE))


def test_a_node_writes_what_is_its_own() -> None:
    own = {"kubernetes.io/hostname": "n1", "node.kubernetes.io/x": "y", "team": "a"}
    for asked in (
        request("CREATE", "nodes", node("n1", own, [{"key": "a", "effect": "NoSchedule"}]), user=NODE),
        request("CREATE", "pods", pod("x", "n1", annotations=MIRROR), user=NODE),
        request("DELETE", "pods", name="mine", user=NODE),
        request("UPDATE", "pods", pod("mine", "n1"), old=pod("mine", "n1"), subresource="status", user=NODE),
        request("CREATE", "serviceaccounts", token("mine", "uid-mine"), subresource="token", user=NODE),
    ):
        plugin().mutate(asked)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("team", True),
        ("example.com/team", True),
        ("kubernetes.io/os", True),
        ("kubelet.kubernetes.io/x", True),
        ("a.node.kubernetes.io/x", True),
        ("node-role.kubernetes.io/control-plane", False),
        ("node-restriction.kubernetes.io/x", False),
        ("a.node-restriction.kubernetes.io/x", False),
        ("k8s.io/x", False),
    ],
)
def test_a_node_may_set_a_label(key: str, allowed: bool) -> None:
    assert may_label(key) is allowed
