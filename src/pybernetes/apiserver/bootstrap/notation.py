"""RBAC in short lines, and the objects they stand for.

    get,list,watch  core  pods,services              resources of the core group
    update          apps,batch  */status             of several groups
    get             core  configmaps  [cluster-info] by name, in brackets
    get             url  /healthz,/livez             paths
    get             apps deployments+scale+status    deployments,deployments/scale,deployments/status
    get             core pods,                       a comma at the end: the line goes on
                    services

`read` stands for get,list,watch, `change` for create,delete,deletecollection,patch,update, `events` for the rule every
controller needs to report what it did.
"""

import re
from typing import Any

RBAC = "rbac.authorization.k8s.io"
Json = dict[str, Any]

LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_VERBS = {"read": "get,list,watch", "change": "create,delete,deletecollection,patch,update"}
_EVENTS = "create,patch,update core,events.k8s.io events"


def rule(line: str) -> Json:
    """The PolicyRule a line stands for."""
    words = (_EVENTS if line.strip() == "events" else line).split()
    verbs = sorted(",".join(_VERBS.get(verb, verb) for verb in words[0].split(",")).split(","))
    if words[1] == "url":
        return {"nonResourceURLs": words[2].split(","), "verbs": verbs}
    found: Json = {
        "apiGroups": ["" if group == "core" else group for group in words[1].split(",")],
        "resources": _resources(words[2]),
        "verbs": verbs,
    }
    if len(words) > 3:
        found["resourceNames"] = words[3].strip("[]").split(",")
    return found


def _resources(text: str) -> list[str]:
    found = []
    for term in text.split(","):
        plural, *subresources = term.split("+")
        found += [plural, *(f"{plural}/{subresource}" for subresource in subresources)]
    return found


def rules(text: str) -> list[Json]:
    """The rules of some lines."""
    lines = re.sub(r",\s+", ",", text).splitlines()
    return [rule(line) for line in lines if line.strip()]


def _metadata(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Json:
    metadata: Json = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    return {**metadata, "labels": {**LABELS, **(labels or {})}, "annotations": {AUTOUPDATE: "true"}}


def cluster_role(name: str, text: str, labels: dict[str, str] | None = None) -> Json:
    kind = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole"}
    return {**kind, "metadata": _metadata(name, labels=labels), "rules": rules(text)}


def aggregated_role(name: str, label: str, labels: dict[str, str] | None = None) -> Json:
    """A ClusterRole that is the union of those with a label."""
    return {
        **cluster_role(name, "", labels),
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]},
    }


def role(namespace: str, name: str, text: str) -> Json:
    kind = {"apiVersion": f"{RBAC}/v1", "kind": "Role"}
    return {**kind, "metadata": _metadata(name, namespace), "rules": rules(text)}


def subject(text: str) -> Json:
    """`User:x`, `Group:x`, `ServiceAccount:namespace/x`."""
    kind, _, name = text.partition(":")
    if kind == "ServiceAccount":
        namespace, _, name = name.partition("/")
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"apiGroup": RBAC, "kind": kind, "name": name}


def binding(name: str, role_name: str, *subjects: str, namespace: str = "", role_kind: str = "ClusterRole") -> Json:
    """A RoleBinding in a namespace, a ClusterRoleBinding without one."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role_name},
        "subjects": [subject(text) for text in subjects],
    }
