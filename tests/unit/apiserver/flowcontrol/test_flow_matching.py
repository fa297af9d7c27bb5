"""Which flow schema and which queues a request gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.bootstrap.flow_control import flow_schemas
from pybernetes.apiserver.flowcontrol.matching import distinguisher, hand_of, in_order, is_unlimited, matches
from pybernetes.apiserver.request import User
from pybernetes.apiserver.routing import route

EVERYBODY = ("system:authenticated",)
NODE = User("system:node:a", groups=("system:nodes", *EVERYBODY))
ACCOUNT = User("system:serviceaccount:kube-system:gc", groups=("system:serviceaccounts", *EVERYBODY))
OTHER_ACCOUNT = User("system:serviceaccount:kube-system2:gc", groups=("system:serviceaccounts", *EVERYBODY))
MANAGER = User("system:kube-controller-manager", groups=EVERYBODY)
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x"


@pytest.mark.parametrize(
    ("user", "method", "path", "schema"),
    [
        (User("admin", groups=("system:masters", *EVERYBODY)), "GET", "/api/v1/pods", "exempt"),
        (User("system:anonymous", groups=("system:unauthenticated",)), "GET", "/readyz", "probes"),
        (User("system:anonymous", groups=("system:unauthenticated",)), "GET", "/readyz/ping", "probes"),
        (User("system:anonymous", groups=("system:unauthenticated",)), "GET", "/readyzzz", "global-default"),
        (User("jane", groups=EVERYBODY), "GET", "/api/v1/namespaces/a/pods", "global-default"),
        (NODE, "PUT", "/api/v1/nodes/a/status", "system-node-high"),
        (NODE, "GET", "/api/v1/pods", "system-nodes"),
        (NODE, "PUT", LEASE, "system-node-high"),
        (ACCOUNT, "PUT", LEASE, "system-leader-election"),
        (ACCOUNT, "DELETE", LEASE, "kube-system-service-accounts"),
        (OTHER_ACCOUNT, "GET", "/api/v1/pods", "service-accounts"),
        (MANAGER, "GET", "/api/v1/pods", "kube-controller-manager"),
        (MANAGER, "PUT", LEASE, "system-leader-election"),
    ],
)
def test_bundled_schemas_sort_requests_as_upstream_does(user: User, method: str, path: str, schema: str) -> None:
    info = route(method, path)
    found = next(row for row in in_order(flow_schemas()) if matches(row, user, info))
    assert found["metadata"]["name"] == schema


def test_namespaces_of_a_rule_do_not_reach_cluster_scoped_requests() -> None:
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "*"}}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}],
    }
    schema = {"metadata": {"name": "x"}, "spec": {"rules": [rule]}}
    assert matches(schema, User("jane"), route("GET", "/api/v1/namespaces/a/pods"))
    assert not matches(schema, User("jane"), route("GET", "/api/v1/nodes"))


def test_flows_are_told_apart_by_user_or_namespace() -> None:
    info = route("GET", "/api/v1/namespaces/a/pods")
    for method, told in (("ByUser", "jane"), ("ByNamespace", "a")):
        assert distinguisher({"spec": {"distinguisherMethod": {"type": method}}}, User("jane"), info) == told
    assert distinguisher({"spec": {}}, User("jane"), info) == ""


@pytest.mark.parametrize("path", ["pods/p/log", "pods/p/exec", "pods/p/proxy", "pods/p/portforward"])
def test_requests_that_last_are_not_limited(path: str) -> None:
    assert is_unlimited(route("GET", f"/api/v1/namespaces/a/{path}"))


def test_watches_and_reads_are_limited() -> None:
    assert not is_unlimited(route("GET", "/api/v1/pods", "watch=true"))
    assert not is_unlimited(route("GET", "/api/v1/namespaces/a/pods/p"))


@given(value=st.integers(0, 2**64 - 1), queues=st.integers(1, 128), data=st.data())
def test_a_hand_is_made_of_different_queues(value: int, queues: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, min(queues, 8)))
    hand = hand_of(value, queues, size)
    assert len(set(hand)) == size
    assert all(0 <= card < queues for card in hand)
