"""One good object per kind, and what is said when one thing in it is changed.

The tables name type, field and detail of each complaint, as the causes of the 422 do. Kinds that are never stored
(reviews, bindings) have no row.
"""

from typing import Any, Final

import orjson
import pytest

from pybernetes.api import defaults, normalize, registry, validation
from pybernetes.machinery.field_errors import FieldError
from unit.api.validation.builders import make, resource

Json = dict[str, Any]
Complaint = tuple[str, str, str]

REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"
UNSUPPORTED, DUPLICATE, NOT_FOUND = "FieldValueNotSupported", "FieldValueDuplicate", "FieldValueNotFound"

C: Final[Json] = {"name": "c", "image": "i"}
TEMPLATE: Final[Json] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [C]}}
WORKLOAD: Final[Json] = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ONCE: Final[Json] = {"metadata": {}, "spec": {"containers": [C], "restartPolicy": "Never"}}
ONE_NODE: Final[Json] = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In"}]}]}
DEVICES: Final[Json] = {
    "requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}],
    "constraints": [{"requests": ["r"], "matchAttribute": "example.com/model"}],
    "config": [{"requests": ["r"], "opaque": {"driver": "example.com", "parameters": {"a": 1}}}],
}
RULES: Final = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}]
WEBHOOK: Final[Json] = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://a.example.com/x"},
    "rules": RULES,
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}

GOOD: Final[dict[tuple[str, str], Json]] = {
    ("Pod", ""): {"spec": {"containers": [C]}},
    ("PodTemplate", ""): {"template": TEMPLATE},
    ("ReplicationController", ""): {"spec": {"selector": {"a": "b"}, "template": TEMPLATE}},
    ("Service", ""): {"spec": {"ports": [{"port": 80}]}},
    ("Endpoints", ""): {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    ("ConfigMap", ""): {"data": {"a": "b"}},
    ("Secret", ""): {"data": {"a": "Yg=="}},
    ("ServiceAccount", ""): {},
    ("Namespace", ""): {},
    ("Node", ""): {"spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"]}},
    ("Event", ""): {"involvedObject": {"namespace": "n", "name": "p"}},
    ("LimitRange", ""): {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    ("ResourceQuota", ""): {"spec": {"hard": {"pods": "1"}}},
    ("PersistentVolume", ""): {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    ("PersistentVolumeClaim", ""): {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    ("Deployment", "apps"): {"spec": WORKLOAD},
    ("ReplicaSet", "apps"): {"spec": WORKLOAD},
    ("DaemonSet", "apps"): {"spec": WORKLOAD},
    ("StatefulSet", "apps"): {"spec": {**WORKLOAD, "serviceName": "s"}},
    ("ControllerRevision", "apps"): {"data": {"a": 1}, "revision": 1},
    ("Job", "batch"): {"spec": {"template": ONCE}},
    ("CronJob", "batch"): {"spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}},
    ("HorizontalPodAutoscaler", "autoscaling"): {
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}
    },
    ("PodDisruptionBudget", "policy"): {"spec": {"minAvailable": 1}},
    ("Role", "rbac.authorization.k8s.io"): {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ("ClusterRole", "rbac.authorization.k8s.io"): {
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    },
    ("RoleBinding", "rbac.authorization.k8s.io"): {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}],
    },
    ("ClusterRoleBinding", "rbac.authorization.k8s.io"): {
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
    },
    ("Ingress", "networking.k8s.io"): {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    ("IngressClass", "networking.k8s.io"): {"spec": {"controller": "example.com/c"}},
    ("NetworkPolicy", "networking.k8s.io"): {"spec": {"podSelector": {}}},
    ("IPAddress", "networking.k8s.io"): {
        "metadata": {"name": "10.0.0.1"},
        "spec": {"parentRef": {"resource": "services", "name": "s", "namespace": "n"}},
    },
    ("ServiceCIDR", "networking.k8s.io"): {"spec": {"cidrs": ["10.0.0.0/24"]}},
    ("EndpointSlice", "discovery.k8s.io"): {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 80}],
    },
    ("StorageClass", "storage.k8s.io"): {"provisioner": "example.com/x"},
    ("VolumeAttributesClass", "storage.k8s.io"): {"driverName": "example.com", "parameters": {"a": "b"}},
    ("VolumeAttachment", "storage.k8s.io"): {
        "spec": {"attacher": "example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
    ("CSIDriver", "storage.k8s.io"): {"spec": {}},
    ("CSINode", "storage.k8s.io"): {"spec": {"drivers": [{"name": "example.com", "nodeID": "x"}]}},
    ("CSIStorageCapacity", "storage.k8s.io"): {"storageClassName": "c"},
    ("PriorityClass", "scheduling.k8s.io"): {"value": 5},
    ("Workload", "scheduling.k8s.io"): {
        "spec": {"podGroupTemplates": [{"name": "g", "schedulingPolicy": {"gang": {"minCount": 2}}}]}
    },
    ("PodGroup", "scheduling.k8s.io"): {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}},
    ("RuntimeClass", "node.k8s.io"): {"handler": "runc"},
    ("Lease", "coordination.k8s.io"): {"spec": {"leaseDurationSeconds": 5}},
    ("LeaseCandidate", "coordination.k8s.io"): {
        "spec": {
            "leaseName": "l",
            "binaryVersion": "1.36.0",
            "emulationVersion": "1.35.0",
            "strategy": "OldestEmulationVersion",
        }
    },
    ("StorageVersionMigration", "storagemigration.k8s.io"): {
        "spec": {"resource": {"group": "apps", "resource": "deployments"}}
    },
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"): {"webhooks": [WEBHOOK]},
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io"): {"webhooks": [WEBHOOK]},
    ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io"): {
        "spec": {"matchConstraints": {"resourceRules": RULES}, "validations": [{"expression": "true"}]}
    },
    ("ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io"): {
        "spec": {"policyName": "p", "validationActions": ["Deny"]}
    },
    ("FlowSchema", "flowcontrol.apiserver.k8s.io"): {
        "spec": {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 5}
    },
    ("PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io"): {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    ("APIService", "apiregistration.k8s.io"): {
        "metadata": {"name": "v1.example.com"},
        "spec": {"group": "example.com", "version": "v1", "groupPriorityMinimum": 5, "versionPriority": 5},
    },
    ("ResourceClaim", "resource.k8s.io"): {"spec": {"devices": DEVICES}},
    ("ResourceClaimTemplate", "resource.k8s.io"): {"spec": {"spec": {"devices": DEVICES}}},
    ("DeviceClass", "resource.k8s.io"): {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    ("ResourceSlice", "resource.k8s.io"): {
        "spec": {
            "driver": "example.com",
            "nodeName": "n",
            "pool": {"name": "p", "resourceSliceCount": 1},
            "devices": [{"name": "d", "attributes": {"model": {"string": "x"}, "v": {"version": "1.2.3-rc.1"}}}],
        }
    },
    ("DeviceTaintRule", "resource.k8s.io"): {"spec": {"taint": {"key": "a", "effect": "NoExecute"}}},
}

KINDS: Final = pytest.mark.parametrize(("kind", "group"), list(GOOD))


def fresh(document: Json) -> Json:
    """The document once more, read from its bytes."""
    again: Json = orjson.loads(orjson.dumps(document))
    return again


def changed(document: Json, changes: Json) -> Json:
    """A copy with other values at dotted paths; numbers are list positions, None removes."""
    result = fresh(document)
    for path, value in changes.items():
        place: Any = result
        *way, last = path.split("|")
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        key: Any = int(last) if isinstance(place, list) else last
        if value is None:
            del place[key]
        else:
            place[key] = value
    return result


def causes(errors: list[FieldError]) -> list[Complaint]:
    return [(error.type, error.field, error.detail) for error in errors]


@KINDS
def test_the_good_object_is_accepted(kind: str, group: str) -> None:
    what = resource(kind, group)
    assert causes(validation.validate_create(what, make(what, GOOD[kind, group]))) == []


@KINDS
def test_an_accepted_object_is_accepted_again_unchanged(kind: str, group: str) -> None:
    what = resource(kind, group)
    stored = make(what, GOOD[kind, group])
    assert causes(validation.validate_update(what, "", fresh(stored), stored)) == []


@KINDS
def test_defaults_and_normal_form_change_nothing_the_second_time(kind: str, group: str) -> None:
    what = resource(kind, group)
    stored = make(what, GOOD[kind, group])
    again = defaults.apply(normalize.normalize(fresh(stored), what.type_alias), what)
    assert again == stored


_REVIEWS: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
_METADATA_ONLY: Final = frozenset(
    {
        "ClusterTrustBundle",
        "PodCertificateRequest",
        "ResourcePoolStatusRequest",
        "StorageVersion",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "CertificateSigningRequest",
        "CustomResourceDefinition",
        "ComponentStatus",
        "Binding",
    }
)
"""Kinds without a row here: tested where their rules are, or with rules for metadata alone."""


def test_every_stored_kind_has_a_good_object_or_a_reason() -> None:
    known = {kind for kind, _ in GOOD} | _METADATA_ONLY
    stored = {r.kind for r in registry.built_in() if r.group not in _REVIEWS}
    assert stored - known == set()


GPU: Final = "spec|devices|requests|0|exactly"
SELECTOR_FIELD: Final = "spec.devices.requests[0].exactly.selectors[0].cel"
ROWS: Final[list[tuple[str, str, Json, list[Complaint]]]] = [
    (
        "LeaseCandidate",
        "coordination.k8s.io",
        {"spec|emulationVersion": "1.37.0"},
        [(INVALID, "spec.binaryVersion", "must be greater than or equal to `emulationVersion`")],
    ),
    (
        "StorageVersionMigration",
        "storagemigration.k8s.io",
        {"spec|resource": {}},
        [(REQUIRED, "spec.resource.resource", "resource is required")],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {"spec|devices|requests|0|name": "A"},
        [
            (INVALID, "spec.devices.requests[0].name", "*RFC 1123 label*"),
            (INVALID, "spec.devices.constraints[0].requests[0]", "must be the name of a request*"),
            (INVALID, "spec.devices.config[0].requests[0]", "must be the name of a request*"),
        ],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {f"{GPU}|deviceClassName": None},
        [
            (REQUIRED, "spec.devices.requests[0].exactly.deviceClassName", ""),
        ],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {GPU: None},
        [
            (REQUIRED, "spec.devices.requests[0]", "exactly one of `exactly` or `firstAvailable` is required"),
        ],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {f"{GPU}|allocationMode": "All", f"{GPU}|count": 2},
        [
            (INVALID, "spec.devices.requests[0].exactly.count", "must not be specified when allocationMode is 'All'"),
        ],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {f"{GPU}|allocationMode": "Some"},
        [
            (UNSUPPORTED, "spec.devices.requests[0].exactly.allocationMode", 'supported values: "All", "ExactCount"'),
        ],
    ),
    ("ResourceClaim", "resource.k8s.io", {f"{GPU}|selectors": [{}]}, [(REQUIRED, SELECTOR_FIELD, "")]),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {"spec|devices|constraints|0|matchAttribute": "model"},
        [
            (
                INVALID,
                "spec.devices.constraints[0].matchAttribute",
                "a fully qualified name must be a domain and a name separated by a slash",
            ),
        ],
    ),
    (
        "ResourceClaim",
        "resource.k8s.io",
        {"spec|devices|config|0|opaque|parameters": "x"},
        [
            (INVALID, "spec.devices.config[0].opaque.parameters", "must be a valid JSON object"),
        ],
    ),
    (
        "ResourceClaimTemplate",
        "resource.k8s.io",
        {"spec|spec|devices|requests|0|exactly|count": -1},
        [
            (INVALID, "spec.spec.devices.requests[0].exactly.count", "must be greater than zero"),
        ],
    ),
    (
        "DeviceClass",
        "resource.k8s.io",
        {"spec|extendedResourceName": "cpu"},
        [
            (INVALID, "spec.extendedResourceName", "must be a valid extended resource name"),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|allNodes": True},
        [
            (
                INVALID,
                "spec",
                "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, "
                "but multiple fields are set",
            ),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|devices|0|attributes|v": {"version": "1"}},
        [
            (
                INVALID,
                "spec.devices[0].attributes[v].version",
                "must be a string compatible with semver.org spec 2.0.0",
            ),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|devices|0|attributes|v": {"int": 1, "string": "x"}},
        [
            (INVALID, "spec.devices[0].attributes[v]", "exactly one value must be specified"),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|devices": [{"name": "d"}, {"name": "d"}]},
        [
            (DUPLICATE, "spec.devices[1]", ""),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|pool|resourceSliceCount": 0},
        [
            (INVALID, "spec.pool.resourceSliceCount", "must be greater than zero"),
        ],
    ),
    (
        "DeviceTaintRule",
        "resource.k8s.io",
        {"spec|taint|effect": "Never"},
        [
            (UNSUPPORTED, "spec.taint.effect", 'supported values: "NoExecute", "NoSchedule", "None"'),
        ],
    ),
    (
        "Workload",
        "scheduling.k8s.io",
        {"spec|podGroupTemplates": []},
        [
            (REQUIRED, "spec.podGroupTemplates", "must have at least one item"),
        ],
    ),
    (
        "Workload",
        "scheduling.k8s.io",
        {"spec|podGroupTemplates|0|schedulingPolicy": {}},
        [
            (INVALID, "spec.podGroupTemplates[0].schedulingPolicy", "must specify one of: `basic`, `gang`"),
        ],
    ),
    (
        "PodGroup",
        "scheduling.k8s.io",
        {"spec|schedulingPolicy|gang|minCount": -1},
        [
            (INVALID, "spec.schedulingPolicy.gang.minCount", "must be greater than zero"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|resourceClaims": [{"name": "a"}]},
        [
            (
                INVALID,
                "spec.resourceClaims[0]",
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|containers|0|resources": {"claims": [{"name": "a"}]}},
        [
            (
                NOT_FOUND,
                "spec.containers[0].resources.claims[0]",
                "must be one of the names in pod.spec.resourceClaims which is empty",
            ),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|resources": {"requests": {"cpu": "1"}}, "spec|containers|0|resources": {"requests": {"cpu": "1500m"}}},
        [
            (
                INVALID,
                "spec.resources.requests[cpu]",
                "must be greater than or equal to aggregate container requests of 1500m",
            ),
        ],
    ),
    (
        "Pod",
        "",
        {
            "spec|resources": {"limits": {"cpu": "1"}},
            "spec|containers|0|resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}},
        },
        [
            (INVALID, "spec.resources.containers[0][cpu].limits", "must be less than or equal to pod limits of 1"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|containers|0|resources": {"limits": {"hugepages-2Mi": "2Mi"}}},
        [
            (FORBIDDEN, "spec.containers[0].resources", "HugePages require cpu or memory"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|os": {"name": "windows"}, "spec|hostPID": True, "spec|securityContext": {"runAsUser": 1}},
        [
            (FORBIDDEN, "spec.hostPID", "cannot be set for a windows pod"),
            (FORBIDDEN, "spec.securityContext.runAsUser", "cannot be set for a windows pod"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|os": {"name": "linux"}, "spec|securityContext": {"windowsOptions": {"runAsUserName": "u"}}},
        [
            (FORBIDDEN, "spec.securityContext.windowsOptions", "windows options cannot be set for a linux pod"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|securityContext": {"windowsOptions": {"hostProcess": True}}},
        [
            (INVALID, "spec.hostNetwork", "hostNetwork must be true if pod contains any hostProcess containers"),
        ],
    ),
    (
        "Pod",
        "",
        {"spec|containers|0|securityContext": {"windowsOptions": {"runAsUserName": ""}}},
        [
            (
                INVALID,
                "spec.containers[0].securityContext.windowsOptions.runAsUserName",
                "runAsUserName cannot be an empty string",
            ),
        ],
    ),
]


def fits(found: Complaint, expected: Complaint) -> bool:
    """Equal, but for details that are quoted in part: `*` at an end leaves that end open."""
    pattern, detail = expected[2], found[2]
    if found[:2] != expected[:2]:
        return False
    if pattern.startswith("*"):
        return pattern.strip("*") in detail
    return detail.startswith(pattern[:-1]) if pattern.endswith("*") else detail == pattern


@pytest.mark.parametrize(("kind", "group", "changes", "expected"), ROWS)
def test_one_change_gives_these_complaints(kind: str, group: str, changes: Json, expected: list[Complaint]) -> None:
    what = resource(kind, group)
    found = causes(validation.validate_create(what, make(what, changed(GOOD[kind, group], changes))))
    assert len(found) == len(expected), found
    assert all(fits(*pair) for pair in zip(found, expected, strict=True)), found


FIXED: Final[list[tuple[str, str, Json, list[Complaint]]]] = [
    ("ResourceClaim", "resource.k8s.io", {f"{GPU}|count": 2}, [(INVALID, "spec", "field is immutable")]),
    (
        "ResourceClaimTemplate",
        "resource.k8s.io",
        {"spec|spec|devices|requests|0|exactly|count": 2},
        [
            (INVALID, "spec", "field is immutable"),
        ],
    ),
    (
        "ResourceSlice",
        "resource.k8s.io",
        {"spec|driver": "other.example.com"},
        [
            (INVALID, "spec.driver", "field is immutable"),
        ],
    ),
    (
        "Workload",
        "scheduling.k8s.io",
        {"spec|podGroupTemplates|0|name": "h"},
        [
            (INVALID, "spec.podGroupTemplates", "field is immutable"),
        ],
    ),
    ("PriorityClass", "scheduling.k8s.io", {"value": 6}, [(FORBIDDEN, "value", "may not be changed in an update.")]),
    ("RuntimeClass", "node.k8s.io", {"handler": "kata"}, [(INVALID, "handler", "field is immutable")]),
    (
        "Deployment",
        "apps",
        {"spec|selector|matchLabels": {"a": "b", "c": "d"}, "spec|template|metadata|labels": {"a": "b", "c": "d"}},
        [
            (INVALID, "spec.selector", "field is immutable"),
        ],
    ),
    (
        "Node",
        "",
        {"spec|podCIDR": "10.1.0.0/24", "spec|podCIDRs": ["10.1.0.0/24"]},
        [
            (FORBIDDEN, "spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'),
        ],
    ),
]


@pytest.mark.parametrize(("kind", "group", "changes", "expected"), FIXED)
def test_fixed_fields_stay(kind: str, group: str, changes: Json, expected: list[Complaint]) -> None:
    what = resource(kind, group)
    stored = make(what, GOOD[kind, group])
    assert causes(validation.validate_update(what, "", changed(stored, changes), stored)) == expected


def test_an_allocation_is_written_once_and_needed_for_reservations() -> None:
    what = resource("ResourceClaim", "resource.k8s.io")
    stored = make(what, GOOD["ResourceClaim", "resource.k8s.io"])
    user = {"resource": "pods", "name": "p", "uid": "u"}
    reserved = {**stored, "status": {"reservedFor": [user]}}
    assert causes(validation.validate_update(what, "status", reserved, stored)) == [
        (FORBIDDEN, "status.reservedFor", "may not be specified when `allocated` is not set")
    ]
    result = {"request": "r", "driver": "example.com", "pool": "p", "device": "d"}
    allocated = {**stored, "status": {"allocation": {"devices": {"results": [result]}}, "reservedFor": [user]}}
    assert causes(validation.validate_update(what, "status", allocated, stored)) == []
    other = changed(allocated, {"status|allocation|devices|results|0|device": "e"})
    assert causes(validation.validate_update(what, "status", other, allocated)) == [
        (INVALID, "status.allocation", "field is immutable")
    ]


def test_an_address_stored_in_an_old_form_stays_acceptable_and_a_new_one_does_not() -> None:
    what = resource("Service")
    old_form = {"spec|externalIPs": ["010.1.1.1"], "spec|externalTrafficPolicy": "Cluster"}
    stored = changed(make(what, GOOD["Service", ""]), old_form)
    assert causes(validation.validate_update(what, "", fresh(stored), stored)) == []
    other = changed(stored, {"spec|externalIPs": ["010.1.1.1", "010.1.1.2"]})
    assert causes(validation.validate_update(what, "", other, stored)) == [
        (INVALID, "spec.externalIPs[1]", "must not have leading 0s")
    ]


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        ("x", {"trustBundle": ""}, [(INVALID, "spec.trustBundle", "at least one trust anchor must be provided")]),
        (
            "a:b",
            {"trustBundle": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
            [
                (
                    INVALID,
                    "metadata.name",
                    'ClusterTrustBundle without signer name must not have ":" in its name',
                ),
                (INVALID, "spec.trustBundle", "entry 0 does not parse as X.509"),
                (INVALID, "spec.trustBundle", "at least one trust anchor must be provided"),
            ],
        ),
        (
            "x",
            {"signerName": "example.com/s", "trustBundle": "-----BEGIN KEY-----\nAAAA\n-----END KEY-----"},
            [
                (
                    INVALID,
                    "metadata.name",
                    "ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:",
                ),
                (INVALID, "spec.trustBundle", "entry 0 has bad block type: KEY"),
                (INVALID, "spec.trustBundle", "at least one trust anchor must be provided"),
            ],
        ),
    ],
)
def test_trust_bundles_tell_their_signer_and_hold_authorities(name: str, spec: Json, expected: list[Complaint]) -> None:
    what = resource("ClusterTrustBundle", "certificates.k8s.io")
    document = make(what, {"metadata": {"name": name}, "spec": spec})
    assert causes(validation.validate_create(what, document)) == expected
