"""Rows of access, certificates, admission, flow control and devices.

Follows: pkg/printers/internalversion/printers.go; kube-aggregator pkg/registry/apiservice/strategy.go.
"""

from datetime import datetime
from typing import Any

from pybernetes.api.cells import text

Json = dict[str, Any]


def binding(document: Json, now: datetime) -> list[Any]:
    """RoleBinding and ClusterRoleBinding."""
    reference = document.get("roleRef") or {}
    users, groups, accounts = [], [], []
    for subject in document.get("subjects") or ():
        name = subject.get("name", "")
        match subject.get("kind"):
            case "User":
                users.append(name)
            case "Group":
                groups.append(name)
            case "ServiceAccount":
                namespace = subject.get("namespace")
                accounts.append(f"{namespace}/{name}" if namespace else name)
            case _:
                continue
    return [
        text.name(document),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        text.age(document, now),
        ", ".join(users),
        ", ".join(groups),
        ", ".join(accounts),
    ]


def signing_request(document: Json, now: datetime) -> list[Any]:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    word = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    word += ",Failed" * ("Failed" in types) + ",Issued" * bool(status.get("certificate"))
    seconds = spec.get("expirationSeconds")
    return [
        text.name(document),
        text.age(document, now),
        spec.get("signerName") or text.NONE,
        spec.get("username", ""),
        text.NONE if seconds is None else text.human_duration(seconds),
        word,
    ]


def trust_bundle(document: Json, _now: datetime) -> list[Any]:
    return [text.name(document), (document.get("spec") or {}).get("signerName") or text.NONE]


def webhooks(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), len(document.get("webhooks") or ()), text.age(document, now)]


def _policy(document: Json, now: datetime, rules: str) -> list[Any]:
    spec = document.get("spec") or {}
    kind = spec.get("paramKind")
    shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else text.UNSET
    return [text.name(document), len(spec.get(rules) or ()), shown, text.age(document, now)]


def validating_policy(document: Json, now: datetime) -> list[Any]:
    return _policy(document, now, "validations")


def mutating_policy(document: Json, now: datetime) -> list[Any]:
    return _policy(document, now, "mutations")


def policy_binding(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    reference = spec.get("paramRef")
    shown = text.UNSET
    if reference is not None:
        namespace = f"{reference['namespace']}/" if reference.get("namespace") else ""
        if reference.get("name"):
            shown = f"{namespace}{reference['name']}"
        elif "selector" in reference:
            shown = f"{namespace or '*/'}{text.selector(reference['selector'])}"
    return [text.name(document), spec.get("policyName", ""), shown, text.age(document, now)]


def flow_schema(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    method = (spec.get("distinguisherMethod") or {}).get("type") or text.NONE
    dangling = text.condition(document, "Dangling")
    return [
        text.name(document),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence", 0),
        method,
        text.age(document, now),
        "?" if dangling is None else dangling.get("status", "?"),
    ]


def priority_level(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    limits = spec.get("limited") or spec.get("exempt") or {}
    queuing = (limits.get("limitResponse") or {}).get("queuing") or {}
    return [
        text.name(document),
        spec.get("type", ""),
        limits.get("nominalConcurrencyShares", text.NONE),
        queuing.get("queues", text.NONE),
        queuing.get("handSize", text.NONE),
        queuing.get("queueLengthLimit", text.NONE),
        text.age(document, now),
    ]


def storage_version(document: Json, now: datetime) -> list[Any]:
    status = document.get("status") or {}
    versions = [f"{v.get('apiServerID')}={v.get('encodingVersion')}" for v in status.get("storageVersions") or ()]
    return [
        text.name(document),
        status.get("commonEncodingVersion") or text.UNSET,
        text.cut_list(versions),
        text.age(document, now),
    ]


def migration(document: Json, _now: datetime) -> list[Any]:
    resource = (document.get("spec") or {}).get("resource") or {}
    shown = ".".join(part for part in (resource.get("resource", ""), resource.get("group", "")) if part)
    for word in ("Succeeded", "Failed", "Running"):
        if text.is_true(document, word):
            return [text.name(document), shown, word]
    return [text.name(document), shown, "Pending"]


def api_service(document: Json, now: datetime) -> list[Any]:
    service = (document.get("spec") or {}).get("service")
    available = text.condition(document, "Available") or {}
    shown = available.get("status", "Unknown")
    if shown != "True" and available.get("reason"):
        shown = f"{shown} ({available['reason']})"
    where = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    return [text.name(document), where, shown, text.age(document, now)]


def resource_claim(document: Json, now: datetime) -> list[Any]:
    status = document.get("status") or {}
    words = ["deleted"] * ("deletionTimestamp" in (document.get("metadata") or {}))
    if "allocation" not in status:
        words += ["pending"] * (not words)
    else:
        words.append("allocated")
    words += ["reserved"] * bool(status.get("reservedFor"))
    return [text.name(document), ",".join(words), text.age(document, now)]


def resource_slice(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    pool = spec.get("pool") or {}
    return [
        text.name(document),
        spec.get("nodeName") or text.UNSET,
        spec.get("driver", ""),
        pool.get("name", ""),
        text.age(document, now),
    ]


def taint_rule(document: Json, now: datetime) -> list[Any]:
    taint = (document.get("spec") or {}).get("taint") or {}
    return [
        text.name(document),
        taint.get("key", ""),
        taint.get("value", ""),
        taint.get("effect", ""),
        text.since(taint.get("timeAdded"), now),
        text.age(document, now),
    ]


def pod_certificate_request(document: Json, _now: datetime) -> list[Any]:
    """Who asks which signer, and how far it is."""
    spec = document.get("spec") or {}
    words = ("Issued", "Denied", "Failed")
    done = (word for word in words if (text.condition(document, word) or {}).get("status") == "True")
    annotations = spec.get("unverifiedUserAnnotations") or {}
    return [
        text.name(document),
        spec.get("podName", ""),
        spec.get("serviceAccountName", ""),
        spec.get("nodeName", ""),
        spec.get("signerName", ""),
        next(done, "Pending"),
        ",".join(f"{key}={value}" for key, value in sorted(annotations.items())) or text.NONE,
    ]


def pool_status_request(document: Json, now: datetime) -> list[Any]:
    """The sums over all pools that were found; nothing is known before the status is there."""
    status = document.get("status")
    driver = (document.get("spec") or {}).get("driver", "")
    if status is None:
        return [text.name(document), driver, *[text.UNKNOWN] * 4, text.UNKNOWN, 0, "Pending", text.UNKNOWN]
    pools = status.get("pools") or ()
    fields = ("totalDevices", "availableDevices", "allocatedDevices", "unavailableDevices")
    sums = [str(sum(pool.get(field) or 0 for pool in pools)) for field in fields]
    errors = sum("validationError" in pool for pool in pools)
    complete = text.condition(document, "Complete") or {}
    failed = (text.condition(document, "Failed") or {}).get("status") == "True"
    word = "Failed" if failed else "Complete" if complete.get("status") == "True" else "Pending"
    completed = text.since(complete.get("lastTransitionTime"), now)
    return [text.name(document), driver, *sums, str(errors), status.get("poolCount", len(pools)), word, completed]
