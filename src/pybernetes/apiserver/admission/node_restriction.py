"""A kubelet writes its own Node, its own pods' status, its own lease, and nothing of others.

Follows: kubernetes plugin/pkg/admission/noderestriction/admission.go; kubelet/pkg/apis/well_known_labels.go.
"""

from typing import Any, ClassVar

from pybernetes.apiserver.admission.plugin import (
    CREATE,
    DELETE,
    UPDATE,
    Kinds,
    Plugin,
    annotations_of,
    deny,
    metadata_of,
    spec_of,
)
from pybernetes.apiserver.admission.service_account import MIRROR_ANNOTATION
from pybernetes.apiserver.authz.node import LEASE_NAMESPACE, node_of, references
from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader

OWN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.kubernetes.io/region",
        "failure-domain.kubernetes.io/zone",
    }
)
"""Labels of the kubernetes.io domains that a kubelet may set on its Node."""
OWN_LABEL_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
OWN_PODS = "pods with spec.nodeName set to itself"
RESTRICTED_DOMAIN = "node-restriction.kubernetes.io"


class NodeRestriction(Plugin):
    NAME = "NodeRestriction"
    KINDS: ClassVar[Kinds | None] = frozenset(
        {
            ("", "pods"),
            ("", "nodes"),
            ("", "persistentvolumeclaims"),
            ("", "serviceaccounts"),
            ("coordination.k8s.io", "leases"),
            ("storage.k8s.io", "csinodes"),
            ("resource.k8s.io", "resourceslices"),
        }
    )
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE, DELETE})
    SUBRESOURCES = None

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def mutate(self, request: AdmissionRequest) -> None:
        """Refuse early, before anything is filled in."""
        node = node_of(request.user)
        if not node:
            return
        match request.resource.plural, request.subresource:
            case "pods", "":
                self._pod(request, node)
            case "pods", "status":
                self._pod_status(request, node)
            case "pods", "eviction":
                self._eviction(request, node)
            case "nodes", _:
                _node(request, node)
            case "serviceaccounts", "token":
                self._token(request, node)
            case "leases", _:
                _lease(request, node)
            case "csinodes", _:
                if (request.name or metadata_of(request.object).get("name")) != node:
                    raise deny(request, "can only access CSINode with the same name as the requesting node")
            case "resourceslices", _:
                owner = spec_of(request).get("nodeName") if request.object is not None else None
                owner = owner if owner is not None else ((request.old or {}).get("spec") or {}).get("nodeName")
                if owner != node:
                    raise deny(request, "can only create ResourceSlice with the same NodeName as the requesting node")
            case _:
                return

    def _pod(self, request: AdmissionRequest, node: str) -> None:
        if request.operation == CREATE:
            _mirror_pod(request, node)
        elif request.operation == DELETE:
            pod = self._reader.get("", "pods", request.namespace, request.name) or request.old
            if pod is not None and pod.get("spec", {}).get("nodeName") != node:
                raise deny(request, f'node "{node}" can only delete {OWN_PODS}')
        else:
            raise deny(request, f'node "{node}" can only create and delete mirror pods')

    def _pod_status(self, request: AdmissionRequest, node: str) -> None:
        old = request.old or {}
        if (old.get("spec") or {}).get("nodeName") != node:
            raise deny(request, f'node "{node}" can only update pod status for {OWN_PODS}')
        if metadata_of(old).get("labels", {}) != metadata_of(request.object).get("labels", {}):
            raise deny(request, f'node "{node}" cannot update labels through pod status')

    def _eviction(self, request: AdmissionRequest, node: str) -> None:
        name = request.name or metadata_of(request.object).get("name", "")
        pod = self._reader.get("", "pods", request.namespace, name)
        if pod is not None and (pod.get("spec") or {}).get("nodeName") != node:
            raise deny(request, f"node {node} can only evict {OWN_PODS}")

    def _token(self, request: AdmissionRequest, node: str) -> None:
        bound = ((request.object or {}).get("spec") or {}).get("boundObjectRef")
        if not bound or bound.get("apiVersion") != "v1" or bound.get("kind") != "Pod" or not bound.get("name"):
            raise deny(request, "node requested token not bound to a pod")
        if not bound.get("uid"):
            raise deny(request, "node requested token with a pod binding without a uid")
        pod = self._reader.get("", "pods", request.namespace, bound["name"])
        if pod is None:
            return  # answered with the pod's absence when the token is made
        if bound["uid"] != pod["metadata"].get("uid"):
            why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record"
            raise deny(request, why)
        if (pod.get("spec") or {}).get("nodeName") != node:
            raise deny(request, "node requested token bound to a pod scheduled on a different node")


def _mirror_pod(request: AdmissionRequest, node: str) -> None:
    if MIRROR_ANNOTATION not in annotations_of(request.object):
        why = f'pod does not have "{MIRROR_ANNOTATION}" annotation, node "{node}" can only create mirror pods'
        raise deny(request, why)
    spec = spec_of(request)
    if spec.get("nodeName") != node:
        raise deny(request, f'node "{node}" can only create {OWN_PODS}')
    owners: list[Document] = metadata_of(request.object).get("ownerReferences") or []
    if len(owners) > 1 or any(owner.get("kind") != "Node" or owner.get("name") != node for owner in owners):
        raise deny(request, f'node "{node}" can only create pods with an owner reference set to itself')
    words = {"serviceaccounts": "a service account", "secrets": "secrets", "configmaps": "configmaps"}
    for plural, _, _ in references(request.object or {}):
        raise deny(request, f'node "{node}" can not create pods that reference {words.get(plural, plural)}')


def _node(request: AdmissionRequest, node: str) -> None:
    name = request.name or metadata_of(request.object).get("name", "")
    if name != node:
        raise deny(request, f'node "{node}" is not allowed to modify node "{name}"')
    if request.object is None:
        return
    new, old = metadata_of(request.object), metadata_of(request.old)
    changed = modified_labels(new.get("labels") or {}, old.get("labels") or {})
    forbidden = sorted(key for key in changed if not may_label(key))
    if forbidden:
        verb = "set the following" if request.operation == CREATE else "modify"
        raise deny(request, f"is not allowed to {verb} labels: {', '.join(forbidden)}")
    if request.operation == CREATE:
        if new.get("ownerReferences"):
            raise deny(request, f'node "{node}" is not allowed to set owner references on its Node')
        return
    spec, before = spec_of(request), (request.old or {}).get("spec") or {}
    if (spec.get("taints") or []) != (before.get("taints") or []) and not request.subresource:
        raise deny(request, f'node "{node}" is not allowed to modify taints')
    if (new.get("ownerReferences") or []) != (old.get("ownerReferences") or []):
        raise deny(request, f'node "{node}" is not allowed to modify owner references')


def modified_labels(new: dict[str, Any], old: dict[str, Any]) -> set[str]:
    """Keys that were added, removed or changed."""
    return {key for key in {*new, *old} if new.get(key) != old.get(key)}


def may_label(key: str) -> bool:
    """Whether a kubelet may change a label of its Node."""
    domain, slash, _ = key.partition("/")
    if not slash:
        return True
    if _within(domain, (RESTRICTED_DOMAIN,)):
        return False
    if not _within(domain, ("kubernetes.io", "k8s.io")):
        return True
    return key in OWN_LABELS or _within(domain, OWN_LABEL_DOMAINS)


def _within(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _lease(request: AdmissionRequest, node: str) -> None:
    if request.namespace != LEASE_NAMESPACE:
        why = f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
        raise deny(request, why)
    if (request.name or metadata_of(request.object).get("name")) != node:
        raise deny(request, "can only access node lease with the same name as the requesting node")
