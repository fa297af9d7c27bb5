"""What a kubelet may do: its own Node, its own pods, and what those pods refer to.

    pods on n1 ─┬─ Secret shop/tls          n1 may read these three, and no other Secret, ConfigMap or claim
                ├─ ConfigMap shop/settings
                └─ PersistentVolumeClaim shop/data ── PersistentVolume pv-7

References are counted per node as pods come and go, so that a question is a look-up.

Follows: kubernetes plugin/pkg/auth/authorizer/node/{node_authorizer,graph,graph_populator}.go.
"""

from collections import Counter
from collections.abc import Iterator

from pybernetes.apiserver.authz.rules import Rule
from pybernetes.apiserver.interfaces import Decision
from pybernetes.apiserver.request import Document, ObjectReader, RequestInfo, User

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
LEASE_NAMESPACE = "kube-node-lease"

Reference = tuple[str, str, str]
"""Plural, namespace, name."""


def node_of(user: User) -> str:
    """The node a user is, empty for others. Follows: pkg/auth/nodeidentifier/default.go."""
    if NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name.removeprefix(NODE_PREFIX)
    return ""


def references(pod: Document) -> Iterator[Reference]:
    """Everything a kubelet must read to run `pod`, each once."""
    return iter(dict.fromkeys(_references(pod)))


def _references(pod: Document) -> Iterator[Reference]:
    namespace = pod["metadata"].get("namespace", "")
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName"):
        yield "serviceaccounts", namespace, spec["serviceAccountName"]
    for row in spec.get("imagePullSecrets") or ():
        yield "secrets", namespace, row.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from _container_references(container, namespace)
    for volume in spec.get("volumes") or ():
        yield from _volume_references(volume, namespace, pod["metadata"].get("name", ""))
    for claim in (pod.get("status") or {}).get("resourceClaimStatuses") or ():
        yield "resourceclaims", namespace, claim.get("resourceClaimName", "")
    for claim in spec.get("resourceClaims") or ():
        if claim.get("resourceClaimName"):
            yield "resourceclaims", namespace, claim["resourceClaimName"]


def _container_references(container: Document, namespace: str) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        for field, plural in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
            if field in source:
                yield plural, namespace, source[field].get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        for field, plural in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
            if field in source:
                yield plural, namespace, source[field].get("name", "")


_SECRET_REF_VOLUMES = ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")


def _volume_references(volume: Document, namespace: str, pod: str) -> Iterator[Reference]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        if "secret" in source:
            yield "secrets", namespace, source["secret"].get("secretName") or source["secret"].get("name", "")
        if "configMap" in source:
            yield "configmaps", namespace, source["configMap"].get("name", "")
    if "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", namespace, volume["persistentVolumeClaim"].get("claimName", "")
    if "ephemeral" in volume:
        yield "persistentvolumeclaims", namespace, f"{pod}-{volume['name']}"
    csi = (volume.get("csi") or {}).get("nodePublishSecretRef")
    if csi:
        yield "secrets", namespace, csi.get("name", "")
    for kind in _SECRET_REF_VOLUMES:
        secret = (volume.get(kind) or {}).get("secretRef")
        if secret:
            yield "secrets", namespace, secret.get("name", "")


class NodeGraph:
    """Which nodes run a pod that refers to an object."""

    def __init__(self) -> None:
        self._counts: dict[Reference, Counter[str]] = {}

    def pod_changed(self, old: Document | None, new: Document | None) -> None:
        old_node = _node_name(old)
        new_node = _node_name(new)
        before = set(references(old)) if old is not None and old_node else set()
        after = set(references(new)) if new is not None and new_node else set()
        if old_node == new_node and before == after:
            return
        for reference in sorted(before):
            counts = self._counts[reference]
            counts[old_node] -= 1
            if not counts[old_node]:
                del counts[old_node]
            if not counts:
                del self._counts[reference]
        for reference in sorted(after):
            self._counts.setdefault(reference, Counter())[new_node] += 1

    def refers(self, node: str, plural: str, namespace: str, name: str) -> bool:
        return node in self._counts.get((plural, namespace, name), ())


def _node_name(pod: Document | None) -> str:
    return str((pod.get("spec") or {}).get("nodeName", "")) if pod is not None else ""


def _rule(groups: str, resources: str, verbs: str) -> Rule:
    split = [frozenset(text.split()) for text in (verbs, groups, resources)]
    return Rule(split[0], frozenset("" if group == "core" else group for group in split[1]), split[2])


NODE_RULES = (
    _rule("authentication.k8s.io", "tokenreviews", "create"),
    _rule("authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", "create"),
    _rule("core", "services", "get list watch"),
    _rule("core", "nodes", "create get list watch update patch"),
    _rule("core", "nodes/status", "update patch"),
    _rule("core events.k8s.io", "events", "create update patch"),
    _rule("core", "pods", "create delete get list watch"),
    _rule("core", "pods/status", "update patch"),
    _rule("core", "pods/eviction", "create"),
    _rule("certificates.k8s.io", "certificatesigningrequests", "create get list watch"),
    _rule("storage.k8s.io", "csidrivers", "get list watch"),
    _rule("node.k8s.io", "runtimeclasses", "get list watch"),
)
"""What every node may do, whichever it is; NodeRestriction narrows the writes to its own objects."""

READS = frozenset({"get", "list", "watch"})
_BY_REFERENCE: dict[tuple[str, str], frozenset[str]] = {
    ("", "secrets"): READS,
    ("", "configmaps"): READS,
    ("", "persistentvolumeclaims"): frozenset({"get"}),
    ("resource.k8s.io", "resourceclaims"): frozenset({"get"}),
}


class NodeAuthorizer:
    """Decides for users that are nodes; has no opinion on others."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._graph = NodeGraph()

    def follow(self) -> None:
        """Learn of every pod from now on."""
        self._reader.subscribe("", "pods", self._graph.pod_changed)

    def decide(self, node: str, info: RequestInfo) -> Decision:
        """Whether `node` may. A refusal only means: not for being a node."""
        refused = f"node '{node}' cannot {info.verb} {info.resource}"
        if not info.is_resource:
            return Decision(allowed=False)
        verbs = _BY_REFERENCE.get((info.group, info.resource))
        if verbs is not None:
            return self._by_reference(node, info, verbs)
        match info.group, info.resource, info.subresource:
            case "", "persistentvolumes", "":
                return self._volume(node, info)
            case "", "serviceaccounts", "token":
                return _related(node, info.verb == "create" and self._refers(node, info))
            case "storage.k8s.io", "volumeattachments", "":
                return self._attachment(node, info)
            case "coordination.k8s.io", "leases", _:
                own = info.namespace == LEASE_NAMESPACE and (info.name == node or info.verb == "create")
                allowed = own and info.verb in {"get", "create", "update", "patch", "delete"}
                return Decision(allowed, "" if allowed else f"{refused}: only its own lease in {LEASE_NAMESPACE}")
            case "storage.k8s.io", "csinodes", "":
                allowed = (info.name == node or info.verb == "create") and info.verb != "list"
                why = "can only access CSINode with the same name as the requesting node"
                return Decision(allowed, "" if allowed else why)
            case "resource.k8s.io", "resourceslices", "":
                return Decision(_selects(info, "spec.nodeName", node) or info.name != "" or info.verb == "create")
            case "", "nodes", "" if info.verb in READS and info.name != node:
                return Decision(False, f"node '{node}' cannot read '{info.name or '*'}', only its own Node object")
            case "", "pods", "" if info.verb in {"list", "watch"} and not self._own_pods(node, info):
                return Decision(False, "can only list/watch pods with spec.nodeName field selector")
            case "", "pods", "" if info.verb == "get" and not self._own_pods(node, info):
                return _related(node, found=False)
        return Decision(any(rule.allows(info) for rule in NODE_RULES))

    def _own_pods(self, node: str, info: RequestInfo) -> bool:
        if info.name:
            pod = self._reader.get("", "pods", info.namespace, info.name)
            return pod is None or _node_name(pod) == node
        return _selects(info, "spec.nodeName", node)

    def _refers(self, node: str, info: RequestInfo) -> bool:
        return self._graph.refers(node, info.resource, info.namespace, info.name)

    def _by_reference(self, node: str, info: RequestInfo, verbs: frozenset[str]) -> Decision:
        if info.resource == "persistentvolumeclaims" and info.subresource == "status":
            verbs = frozenset({"get", "update", "patch"})
        elif info.subresource:
            return Decision(False, f"cannot {info.verb} {info.resource}/{info.subresource} as a node")
        if info.verb not in verbs:
            return Decision(False, f"can only read resources of this type ({info.resource})")
        if not info.name:
            return Decision(False, "No Object name found")
        return _related(node, self._refers(node, info))

    def _volume(self, node: str, info: RequestInfo) -> Decision:
        volume = self._reader.get("", "persistentvolumes", "", info.name) if info.verb == "get" else None
        claim = ((volume or {}).get("spec") or {}).get("claimRef") or {}
        namespace, name = claim.get("namespace", ""), claim.get("name", "")
        return _related(node, self._graph.refers(node, "persistentvolumeclaims", namespace, name))

    def _attachment(self, node: str, info: RequestInfo) -> Decision:
        found = self._reader.get("storage.k8s.io", "volumeattachments", "", info.name) if info.verb == "get" else None
        return _related(node, ((found or {}).get("spec") or {}).get("nodeName") == node)


def _related(node: str, found: bool) -> Decision:
    return Decision(found, "" if found else f"no relationship found between node '{node}' and this object")


def _selects(info: RequestInfo, field: str, value: str) -> bool:
    """The request's field selector has the term `field=value`."""
    for term in info.field_selector.split(","):
        key, equals, given = term.partition("=")
        if key.strip() == field and equals and given.removeprefix("=").strip() == value:
            return True
    return False
