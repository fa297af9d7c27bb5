from typing import Any

import pytest

from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.authz.escalation import check_write
from pybernetes.apiserver.authz.reviews import review_access, review_rules
from pybernetes.apiserver.authz.rules import Rule
from pybernetes.apiserver.request import Document, RequestInfo, User
from pybernetes.machinery.errors import Forbidden, Invalid, NotFound
from support.security import Objects, meta, request

RBAC = "rbac.authorization.k8s.io"
BOB = User("bob", groups=("team", "system:authenticated"))


def ask(verb: str = "get", resource: str = "pods", namespace: str = "shop", **more: Any) -> RequestInfo:
    resource, _, subresource = resource.partition("/")
    return RequestInfo(
        verb, "", is_resource=True, resource=resource, subresource=subresource, namespace=namespace, **more
    )


def rule(verbs: str, resources: str, groups: str = "core", names: str = "") -> Document:
    found: Document = {
        "verbs": verbs.split(),
        "resources": resources.split(),
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
    }
    if names:
        found["resourceNames"] = names.split()
    return found


class Cluster:
    def __init__(self) -> None:
        self.objects = Objects()
        self.authorizer = Authorizer(self.objects)
        self.authorizer.follow()

    def role(self, name: str, *rules: Document, namespace: str = "", **more: Any) -> None:
        plural = "roles" if namespace else "clusterroles"
        self.objects.put(RBAC, plural, {"metadata": meta(name, namespace, **more), "rules": list(rules)})

    def bind(self, name: str, role: str, *subjects: Document, namespace: str = "", kind: str = "ClusterRole") -> None:
        binding = {
            "metadata": meta(name, namespace),
            "subjects": list(subjects),
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        }
        self.objects.put(RBAC, "rolebindings" if namespace else "clusterrolebindings", binding)

    def allows(self, user: User, info: RequestInfo) -> bool:
        return self.authorizer.authorize(user, info).allowed


def user(name: str) -> Document:
    return {"kind": "User", "name": name}


@pytest.mark.parametrize(
    ("granted", "info", "allowed"),
    [
        (rule("get", "pods"), ask(), True),
        (rule("get", "pods"), ask("list"), False),
        (rule("*", "*", "*"), ask("delete", "deployments/scale"), True),
        (rule("get", "pods"), ask(resource="pods/log"), False),
        (rule("get", "pods/log"), ask(resource="pods/log"), True),
        (rule("get", "*/scale", "*"), ask(resource="deployments/scale"), True),
        (rule("get", "pods", "apps"), ask(), False),
        (rule("get", "pods", names="web"), ask(name="web"), True),
        (rule("get list", "pods", names="web"), ask("list"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}, RequestInfo("get", "/healthz/etcd"), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}, RequestInfo("get", "/healthz"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["*"]}, RequestInfo("post", "/x"), False),
    ],
)
def test_a_rule_allows_what_it_names(granted: Document, info: RequestInfo, allowed: bool) -> None:
    assert Rule.of(granted).allows(info) is allowed


def test_a_cluster_role_bound_in_a_namespace_holds_there_only_and_says_why() -> None:
    cluster = Cluster()
    cluster.role("viewer", rule("get", "pods"))
    cluster.bind("team", "viewer", {"kind": "Group", "name": "team"}, namespace="shop")
    decision = cluster.authorizer.authorize(BOB, ask())
    assert decision.allowed
    assert decision.reason == 'RBAC: allowed by RoleBinding "shop/team" of ClusterRole "viewer" to Group "team"'
    assert not cluster.allows(BOB, ask(namespace="other"))
    assert not cluster.allows(BOB, ask(namespace=""))


def test_a_service_account_is_bound_by_its_namespace_and_name() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get", "pods"), namespace="shop")
    account = {"kind": "ServiceAccount", "name": "ci", "namespace": "tools"}
    cluster.bind("b", "r", account, namespace="shop", kind="Role")
    assert cluster.allows(User("system:serviceaccount:tools:ci"), ask())
    assert not cluster.allows(User("system:serviceaccount:shop:ci"), ask())


def test_a_decision_follows_changes_at_once() -> None:
    cluster = Cluster()
    cluster.bind("b", "late", user("bob"))
    refused = cluster.authorizer.authorize(BOB, ask())
    assert refused.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "late" not found'
    cluster.role("late", rule("get", "pods"))
    assert cluster.allows(BOB, ask())
    cluster.objects.remove(RBAC, "clusterrolebindings", "", "b")
    assert not cluster.allows(BOB, ask())


def test_an_aggregated_role_is_the_union_of_what_its_selectors_choose() -> None:
    cluster = Cluster()
    selector = {"matchLabels": {"to-admin": "true"}}
    aggregated = {"metadata": meta("admin"), "aggregationRule": {"clusterRoleSelectors": [selector]}}
    cluster.objects.put(RBAC, "clusterroles", aggregated)
    cluster.bind("b", "admin", user("bob"))
    assert not cluster.allows(BOB, ask())
    cluster.role("part", rule("get", "pods"), labels={"to-admin": "true"})
    assert cluster.allows(BOB, ask())


def test_masters_may_everything() -> None:
    assert Cluster().allows(User("x", groups=("system:masters",)), ask("delete", "nodes", ""))


def test_a_decision_among_ten_thousand_bindings_looks_at_the_askers_own_only() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get", "pods"))
    for number in range(10_000):
        cluster.bind(f"b{number}", "r", user(f"u{number}"), namespace=f"ns{number % 100}")
    asker = User("u7", groups=("system:authenticated",))
    assert cluster.allows(asker, ask(namespace="ns7"))
    assert len(list(cluster.authorizer.index.grants(asker, "ns7"))) == 1


# ── nodes ──

NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))


def pod(name: str, node: str, **spec: Any) -> Document:
    return {"metadata": meta(name, "shop"), "spec": {"nodeName": node, "serviceAccountName": "web", **spec}}


VOLUMES = [
    {"name": "a", "secret": {"secretName": "tls"}},
    {"name": "b", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
    {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
]


@pytest.mark.parametrize(
    ("info", "allowed"),
    [
        (ask(resource="secrets", name="tls"), True),
        (ask("watch", "configmaps", name="kube-root-ca.crt"), True),
        (ask(resource="secrets", name="other"), False),
        (ask("list", "secrets"), False),
        (ask("update", "configmaps", name="kube-root-ca.crt"), False),
        (ask(resource="persistentvolumeclaims", name="data"), True),
        (ask(resource="persistentvolumes", namespace="", name="pv"), True),
        (ask("create", "serviceaccounts/token", name="web"), True),
        (ask("create", "serviceaccounts/token", name="default"), False),
        (ask("list", field_selector="spec.nodeName=n1", namespace=""), True),
        (ask("list", namespace=""), False),
        (ask(name="p1"), True),
        (ask(name="p2"), False),
        (ask("patch", "pods/status", name="p1"), True),
        (ask(resource="nodes", namespace="", name="n1"), True),
        (ask("list", "nodes", ""), False),
        (ask("patch", "nodes/status", "", name="n1"), True),
        (ask("update", "leases", "kube-node-lease", group="coordination.k8s.io", name="n1"), True),
        (ask("update", "leases", "kube-node-lease", group="coordination.k8s.io", name="n2"), False),
        (ask("delete", "deployments", group="apps"), False),
    ],
)
def test_a_node_may_what_its_pods_need(info: RequestInfo, allowed: bool) -> None:
    cluster = Cluster()
    cluster.objects.put("", "pods", pod("p1", "n1", volumes=VOLUMES))
    cluster.objects.put("", "pods", pod("p2", "n2"))
    claimed = {"metadata": meta("pv"), "spec": {"claimRef": {"namespace": "shop", "name": "data"}}}
    cluster.objects.put("", "persistentvolumes", claimed)
    assert cluster.allows(NODE, info) is allowed


def test_a_node_may_no_longer_read_what_its_last_pod_referred_to() -> None:
    cluster = Cluster()
    for name in ("a", "b"):
        cluster.objects.put("", "pods", pod(name, "n1", volumes=VOLUMES))
    cluster.objects.remove("", "pods", "shop", "a")
    assert cluster.allows(NODE, ask(resource="secrets", name="tls"))
    cluster.objects.remove("", "pods", "shop", "b")
    decision = cluster.authorizer.authorize(NODE, ask(resource="secrets", name="tls"))
    assert decision.reason == "no relationship found between node 'n1' and this object"


# ── reviews ──


def test_an_access_review_answers_for_whom_it_names() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get", "pods"))
    cluster.bind("b", "r", user("bob"), namespace="shop")
    spec = {"user": "bob", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "shop"}}
    status = review_access({"spec": spec}, cluster.authorizer, NODE, "SubjectAccessReview")["status"]
    assert status["allowed"] is True
    status = review_access({"spec": spec}, cluster.authorizer, NODE, "SelfSubjectAccessReview")["status"]
    assert status["allowed"] is False


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"resourceAttributes": {}, "nonResourceAttributes": {}, "user": "x"}, "spec.nonResourceAttributes"),
        ({"user": "x"}, "spec.resourceAttributes"),
        ({"resourceAttributes": {}}, "spec.user"),
    ],
)
def test_an_access_review_must_ask_one_question_about_somebody(spec: Document, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        review_access({"spec": spec}, Cluster().authorizer, NODE, "SubjectAccessReview")
    assert [cause["field"] for cause in caught.value.causes] == [field]


def test_a_rules_review_lists_what_the_asker_holds() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get", "pods"), {"verbs": ["get"], "nonResourceURLs": ["/version"]})
    cluster.bind("b", "r", user("bob"))
    status = review_rules({"spec": {"namespace": "shop"}}, cluster.authorizer, BOB)["status"]
    assert status["resourceRules"] == [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    assert status["nonResourceRules"] == [{"verbs": ["get"], "nonResourceURLs": ["/version"]}]
    assert status["incomplete"] is False


# ── escalation ──


def grant(*rules: Document, name: str = "new") -> Document:
    return {"metadata": meta(name, "shop"), "rules": list(rules)}


def test_nobody_grants_more_than_they_hold() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get list", "pods"))
    cluster.bind("b", "r", user("bob"), namespace="shop")
    fine = request("CREATE", "roles", grant(rule("get", "pods")), group=RBAC, user=BOB, namespace="shop")
    check_write(fine, cluster.authorizer)
    more = grant(rule("get delete create", "pods secrets"))
    with pytest.raises(Forbidden) as caught:
        check_write(request("CREATE", "roles", more, group=RBAC, user=BOB, namespace="shop"), cluster.authorizer)
    assert caught.value.message == (
        'roles.rbac.authorization.k8s.io "new" is forbidden: user "bob" (groups=["team" "system:authenticated"])'
        " is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "create"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete" "create"]}'
    )


def test_the_verbs_escalate_and_bind_lift_the_check() -> None:
    cluster = Cluster()
    cluster.role("r", rule("escalate bind", "roles", RBAC))
    cluster.bind("b", "r", user("bob"), namespace="shop")
    document = grant(rule("*", "*", "*"))
    check_write(request("CREATE", "roles", document, group=RBAC, user=BOB, namespace="shop"), cluster.authorizer)


def test_a_role_can_be_bound_by_those_who_hold_its_rules() -> None:
    cluster = Cluster()
    cluster.role("r", rule("get", "pods"))
    cluster.role("all", rule("*", "*", "*"))
    cluster.bind("b", "r", user("bob"))
    for role, error in (("r", None), ("all", Forbidden), ("none", NotFound)):
        reference = {"kind": "ClusterRole", "name": role}
        binding = {"metadata": meta("x", "shop"), "subjects": [user("eve")], "roleRef": reference}
        asked = request("CREATE", "rolebindings", binding, group=RBAC, user=BOB, namespace="shop")
        if error is None:
            check_write(asked, cluster.authorizer)
        else:
            with pytest.raises(error):
                check_write(asked, cluster.authorizer)
