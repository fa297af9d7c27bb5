from typing import Any

import orjson
import pytest

from pybernetes.api.registry import built_in
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.bootstrap import cluster_roles, controller_roles, flow_control, notation
from pybernetes.apiserver.bootstrap.reconcile import Bootstrap, Settings, everything, merge_binding, merge_role
from pybernetes.apiserver.request import Document, RequestInfo, User
from pybernetes.effects import VirtualClock
from support.security import Objects

SETTINGS = Settings("10.96.0.1", "10.96.0.0/12", "192.0.2.1", 6443)
PLURALS = {(r.api_version, r.kind): (r.group, r.plural) for r in built_in()}


class Server:
    """Stores what is posted, as an API server without checks."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.asked: list[str] = []

    async def request(self, method: str, path: str, *, body: bytes = b"", **_: Any) -> bytes:
        self.asked.append(f"{method} {path}")
        if method == "PATCH":
            found = self.objects.get("networking.k8s.io", "servicecidrs", "", "kubernetes")
            assert found is not None
            self.objects.put("networking.k8s.io", "servicecidrs", {**found, **orjson.loads(body)})
        else:
            document = orjson.loads(body)
            self.objects.put(*PLURALS[document["apiVersion"], document["kind"]], document)
        return b""

    async def bootstrap(self) -> int:
        bootstrap = Bootstrap(self.objects, self, VirtualClock())
        await bootstrap.run(SETTINGS)
        return bootstrap.written


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("get core pods", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}),
        (
            "read apps deployments+scale,replicasets",
            {
                "apiGroups": ["apps"],
                "resources": ["deployments", "deployments/scale", "replicasets"],
                "verbs": ["get", "list", "watch"],
            },
        ),
        (
            "get core configmaps [a,b]",
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["a", "b"]},
        ),
        ("get url /healthz,/livez", {"nonResourceURLs": ["/healthz", "/livez"], "verbs": ["get"]}),
    ],
)
def test_a_line_stands_for_a_rule(line: str, rule: Document) -> None:
    assert notation.rule(line) == rule


def test_every_binding_finds_its_role() -> None:
    roles = {row["metadata"]["name"] for row in (*cluster_roles.roles(), *controller_roles.roles())}
    bound = {row["roleRef"]["name"] for row in (*cluster_roles.bindings(), *controller_roles.bindings())}
    assert bound <= roles


def test_every_flow_schema_finds_its_priority_level() -> None:
    levels = {row["metadata"]["name"] for row in flow_control.priority_levels()}
    assert {row["spec"]["priorityLevelConfiguration"]["name"] for row in flow_control.flow_schemas()} <= levels


async def test_a_new_cluster_gets_everything_and_a_second_start_writes_nothing() -> None:
    server = Server()
    assert await server.bootstrap() == sum(len(stage) for stage in everything(SETTINGS)) + 1
    assert server.asked[0].endswith("/namespaces")
    assert await server.bootstrap() == 0
    assert server.objects.get("", "services", "default", "kubernetes") is not None


async def test_what_was_deleted_comes_back_and_the_address_follows_the_server() -> None:
    server = Server()
    await server.bootstrap()
    server.objects.remove("rbac.authorization.k8s.io", "clusterroles", "", "view")
    bootstrap = Bootstrap(server.objects, server, VirtualClock())
    await bootstrap.run(Settings("10.96.0.1", "10.96.0.0/12", "192.0.2.9", 6443))
    assert bootstrap.written == 3
    endpoints = server.objects.get("", "endpoints", "default", "kubernetes")
    assert endpoints is not None
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "192.0.2.9"}]


def test_a_role_keeps_what_it_was_given_and_gets_back_what_it_lost() -> None:
    wanted = notation.cluster_role("r", "get core pods\nlist core nodes")
    existing = notation.cluster_role("r", "get core secrets\nget core pods")
    changed = merge_role(wanted, existing)
    assert changed is not None
    assert changed["rules"] == [*existing["rules"], notation.rule("list core nodes")]
    assert merge_role(wanted, changed) is None


def test_whoever_switches_autoupdate_off_is_left_alone() -> None:
    wanted = notation.cluster_role("r", "get core pods")
    existing = notation.cluster_role("r", "")
    existing["metadata"]["annotations"][notation.AUTOUPDATE] = "false"
    assert merge_role(wanted, existing) is None


def test_a_binding_gets_back_its_subjects() -> None:
    wanted = notation.binding("b", "r", "User:a", "ServiceAccount:ns/b")
    existing = notation.binding("b", "r", "User:other")
    changed = merge_binding(wanted, existing)
    assert changed is not None
    assert [row["name"] for row in changed["subjects"]] == ["other", "a", "b"]


def info(verb: str, resource: str, group: str = "", namespace: str = "shop", name: str = "") -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo(verb, "", True, group, "v1", plural, subresource, namespace, name)


@pytest.mark.parametrize(
    ("user", "asked", "allowed"),
    [
        (User("system:kube-scheduler"), info("create", "pods/binding"), True),
        (User("system:kube-scheduler"), info("delete", "nodes", namespace=""), False),
        (User("system:kube-controller-manager"), info("create", "replicasets", "apps"), True),
        (User("system:kube-controller-manager"), info("update", "deployments/status", "apps"), True),
        (User("system:serviceaccount:kube-system:job-controller"), info("create", "pods"), True),
        (User("system:serviceaccount:kube-system:job-controller"), info("create", "secrets"), False),
        (User("system:kube-proxy"), info("watch", "endpointslices", "discovery.k8s.io", ""), True),
        (User("x", groups=("system:authenticated",)), RequestInfo("get", "/openapi/v3"), True),
        (User("x", groups=("system:authenticated",)), info("list", "pods"), False),
        (User("system:anonymous", groups=("system:unauthenticated",)), RequestInfo("get", "/version"), True),
        (User("system:anonymous", groups=("system:unauthenticated",)), RequestInfo("get", "/apis"), False),
        (User("x", groups=("kubeadm:cluster-admins",)), info("delete", "nodes", namespace=""), True),
    ],
)
async def test_the_bootstrap_roles_let_components_work(user: User, asked: RequestInfo, allowed: bool) -> None:
    server = Server()
    await server.bootstrap()
    authorizer = Authorizer(server.objects)
    authorizer.follow()
    assert authorizer.authorize(user, asked).allowed is allowed


async def test_admin_includes_edit_and_edit_includes_view() -> None:
    server = Server()
    await server.bootstrap()
    binding = notation.binding("b", "admin", "User:ann", namespace="shop")
    server.objects.put("rbac.authorization.k8s.io", "rolebindings", binding)
    authorizer = Authorizer(server.objects)
    authorizer.follow()
    for verb, resource in (("create", "rolebindings"), ("delete", "pods"), ("get", "pods/log")):
        group = "rbac.authorization.k8s.io" if resource == "rolebindings" else ""
        assert authorizer.authorize(User("ann"), info(verb, resource, group)).allowed
    assert not authorizer.authorize(User("ann"), info("update", "resourcequotas")).allowed
