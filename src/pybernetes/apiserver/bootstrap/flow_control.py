"""The priority levels and flow schemas that every cluster has.

Follows: apiserver pkg/apis/flowcontrol/bootstrap/default.go.
"""

from typing import Any

Json = dict[str, Any]

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
MANDATORY = frozenset({"exempt", "catch-all"})
"""Names of the levels and schemas that are always there, as they are here."""

_LEVELS: list[tuple[str, int, int, tuple[int, int, int] | None]] = [
    ("system", 30, 33, (64, 6, 50)),
    ("node-high", 40, 25, (64, 6, 50)),
    ("leader-election", 10, 0, (16, 4, 50)),
    ("workload-high", 40, 50, (128, 6, 50)),
    ("workload-low", 100, 90, (128, 6, 50)),
    ("global-default", 20, 50, (128, 6, 50)),
    ("catch-all", 5, 0, None),
]
"""Name, concurrency shares, lendable percent; queues, hand size and length limit, or None to reject at once."""


def _metadata(name: str) -> Json:
    return {"name": name, "annotations": {AUTOUPDATE: "true"}}


def priority_levels() -> list[Json]:
    kind = {"apiVersion": API_VERSION, "kind": "PriorityLevelConfiguration"}
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    found = [{**kind, "metadata": _metadata("exempt"), "spec": exempt}]
    for name, shares, lendable, queuing in _LEVELS:
        response: Json = {"type": "Reject"}
        if queuing is not None:
            queues, hand_size, limit = queuing
            rows = {"queues": queues, "handSize": hand_size, "queueLengthLimit": limit}
            response = {"type": "Queue", "queuing": rows}
        limited = {"nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response}
        found.append({**kind, "metadata": _metadata(name), "spec": {"type": "Limited", "limited": limited}})
    return found


def _subject(text: str) -> Json:
    """`user:x`, `group:x`, `account:namespace/x`."""
    kind, _, name = text.partition(":")
    if kind == "account":
        namespace, _, name = name.partition("/")
        return {"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": namespace}}
    return {"kind": "Group", "group": {"name": name}} if kind == "group" else {"kind": "User", "user": {"name": name}}


def _resources(
    verbs: str, groups: str = "*", resources: str = "*", namespaces: str = "*", *, cluster: bool = True
) -> Json:
    found: Json = {
        "verbs": verbs.split(","),
        "apiGroups": ["" if group == "core" else group for group in groups.split(",")],
        "resources": resources.split(","),
    }
    if cluster:
        found["clusterScope"] = True
    if namespaces:
        found["namespaces"] = namespaces.split(",")
    return found


_ALL = [_resources("*")]
_ALL_PATHS = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguisher: str,
    subjects: list[str],
    resources: list[Json],
    paths: list[Json] | None = None,
) -> Json:
    rule: Json = {"subjects": [_subject(text) for text in subjects]}
    if resources:
        rule["resourceRules"] = resources
    if paths:
        rule["nonResourceRules"] = paths
    spec: Json = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule]}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    return {"apiVersion": API_VERSION, "kind": "FlowSchema", "metadata": _metadata(name), "spec": spec}


def flow_schemas() -> list[Json]:
    everybody = ["group:system:unauthenticated", "group:system:authenticated"]
    manager, scheduler = "user:system:kube-controller-manager", "user:system:kube-scheduler"
    nodes = [
        _resources("*", "core", "nodes,nodes/status"),
        _resources("*", "coordination.k8s.io", "leases", cluster=False),
    ]
    probes = [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]
    leases = [_resources("get,create,update", "coordination.k8s.io", "leases", cluster=False)]
    electing = [manager, scheduler, "account:kube-system/*"]
    return [
        _schema("exempt", "exempt", 1, "", ["group:system:masters"], _ALL, _ALL_PATHS),
        _schema("probes", "exempt", 2, "", everybody, [], probes),
        _schema("system-leader-election", "leader-election", 100, "ByUser", electing, leases),
        _schema("system-node-high", "node-high", 400, "ByUser", ["group:system:nodes"], nodes),
        _schema("system-nodes", "system", 500, "ByUser", ["group:system:nodes"], _ALL, _ALL_PATHS),
        _schema("kube-controller-manager", "workload-high", 800, "ByNamespace", [manager], _ALL, _ALL_PATHS),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", [scheduler], _ALL, _ALL_PATHS),
        _schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            ["account:kube-system/*"],
            _ALL,
            _ALL_PATHS,
        ),
        _schema("service-accounts", "workload-low", 9000, "ByUser", ["group:system:serviceaccounts"], _ALL, _ALL_PATHS),
        _schema("global-default", "global-default", 9900, "ByUser", everybody, _ALL, _ALL_PATHS),
        _schema("catch-all", "catch-all", 10000, "ByUser", everybody, _ALL, _ALL_PATHS),
    ]
