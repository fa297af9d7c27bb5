"""One valid object of every built-in kind, rich enough that changing any part of it means something.

`example(resource, name)` gives the object, `STATUS` what its controller would say of it. The round trip of every
resource (`tests/integration/test_round_trips.py`) keeps the tables complete and every row acceptable to the server.
"""

from typing import Any

from pybernetes.api.registry import Resource

Json = dict[str, Any]

LABELS = {"app": "web"}
SELECTOR = {"matchLabels": LABELS}
POD_SPEC: Json = {
    "containers": [
        {
            "name": "web",
            "image": "web:1",
            "command": ["serve"],
            "args": ["--port", "80"],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "b"}}},
            ],
            "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
        }
    ],
    "initContainers": [{"name": "init", "image": "init:1"}],
    "volumes": [
        {"name": "data", "emptyDir": {}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "settings"}}]}},
    ],
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "special", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"labelSelector": SELECTOR, "topologyKey": "zone"}}
            ]
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": SELECTOR}
    ],
}
TEMPLATE: Json = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
FINITE_TEMPLATE: Json = {"metadata": {"labels": LABELS}, "spec": {**POD_SPEC, "restartPolicy": "Never"}}
CLAIM_SPEC: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
JOB_SPEC: Json = {"parallelism": 1, "completions": 2, "template": FINITE_TEMPLATE}
WEBHOOK: Json = {
    "name": "hook.example.com",
    "clientConfig": {"service": {"namespace": "default", "name": "absent", "path": "/x"}},
    "rules": [{"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "resources": ["*"], "operations": ["CREATE"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
MATCH: Json = {"resourceRules": WEBHOOK["rules"]}
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
DEVICE_REQUEST: Json = {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]}
SUBJECTS = [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]
ACCESS: Json = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
SIGNING_REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISU1IRUNBUUF3RHpFTk1Bc0dBMVVFQXd3RVpuVjZlakJaTUJN"
    "R0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSApBMElBQkhtUzZNUXNjbmQvSGlOYiszbjROQUxTaytselhhamoxeVN4RnN6bDFvbzVI"
    "RWpIUjlhdFNGRW9aMjhQCmc2S2tKaG1MU0tGRHhjUlNFcTBZNk8rNzVPbWdBREFLQmdncWhrak9QUVFEQWdOSEFEQkVBaUE1eDlB"
    "T3pxMm8KVDBSbXdzUFJDbWNRcHBkUEg4NHRaNmJqQitvc2VFREc5UUlnTW9Bc2JVbXZkbS9TMVRHUkh1aEwxZ0ZCNG5sTApLTnVH"
    "ZWs3MkRoODhmMXc9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo="
)

TRUST_ANCHOR = """\
-----BEGIN CERTIFICATE-----
MIIBGjCBwqADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAXQwIBcNMjQw
MTAxMDAwMDAwWhgPMjEyNDAxMDEwMDAwMDBaMAwxCjAIBgNVBAMMAXQwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAARa0b1hpLPDnzZI0LcQz9j7QOWT9hL75wnRRdGZ
fNFVsb1eZgWbefjFFo3XN3Z/PIAaGUzGnA/dn16fL4XZM4w8oxMwETAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIGnh2IurXwKSxJUarbJQkYlioh+0
b112uK3GuB7NcU/3AiBYJlPkDMS+SlYmqpfFf4dN/waMPn9geYHWcFrbNtxsXA==
-----END CERTIFICATE-----
"""
"""A certificate authority that signed itself, good for a hundred years."""

CORE: dict[str, Json] = {
    "Binding": {"target": {"kind": "Node", "name": "n1"}},
    "ConfigMap": {"data": {"a": "1"}, "binaryData": {"b": "AAEC"}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    "Event": {
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "x"},
        "reason": "Tested",
        "message": "m",
        "type": "Normal",
    },
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}},
    "Namespace": {},
    "Node": {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "4"}}},
    "PersistentVolumeClaim": {"spec": CLAIM_SPEC},
    "PersistentVolume": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    },
    "Pod": {"spec": POD_SPEC},
    "PodTemplate": {"template": TEMPLATE},
    "ReplicationController": {"spec": {"replicas": 2, "selector": LABELS, "template": TEMPLATE}},
    "ResourceQuota": {"spec": {"hard": {"pods": "900"}}},
    "Secret": {"data": {"a": "YQ=="}, "type": "Opaque"},
    "ServiceAccount": {"secrets": [{"name": "s"}], "imagePullSecrets": [{"name": "p"}]},
    "Service": {
        "spec": {
            "type": "LoadBalancer",
            "selector": LABELS,
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        }
    },
}

OTHERS: dict[str, Json] = {
    "MutatingAdmissionPolicy": {
        "spec": {
            "matchConstraints": MATCH,
            "reinvocationPolicy": "Never",
            "failurePolicy": "Fail",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": 'Object{metadata: Object.metadata{labels: {"a": "b"}}}'},
                }
            ],
        }
    },
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "absent"}},
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingAdmissionPolicy": {
        "spec": {"matchConstraints": MATCH, "validations": [{"expression": "object.metadata.name != 'x'"}]}
    },
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "absent", "validationActions": ["Deny"]}},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "CustomResourceDefinition": {
        "metadata": {"name": "things.fuzz.example.com"},
        "spec": {
            "group": "fuzz.example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {"size": {"type": "integer", "minimum": 0, "default": 1}},
                                }
                            },
                        }
                    },
                }
            ],
        },
    },
    "APIService": {
        "metadata": {"name": "v1.absent.example.com"},
        "spec": {
            "group": "absent.example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": "default", "name": "absent"},
            "insecureSkipTLSVerify": True,
        },
    },
    "ControllerRevision": {"revision": 1, "data": {"a": [1, {"b": None}]}},
    "DaemonSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "Deployment": {"spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE}},
    "ReplicaSet": {"spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE}},
    "StatefulSet": {
        "spec": {
            "replicas": 2,
            "selector": SELECTOR,
            "serviceName": "web",
            "template": TEMPLATE,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM_SPEC}],
        }
    },
    "SelfSubjectReview": {},
    "TokenReview": {"spec": {"token": "nonsense"}},
    "LocalSubjectAccessReview": {"spec": {**ACCESS, "user": "eve"}},
    "SelfSubjectAccessReview": {"spec": ACCESS},
    "SelfSubjectRulesReview": {"spec": {"namespace": "default"}},
    "SubjectAccessReview": {"spec": {**ACCESS, "user": "eve"}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 3,
        }
    },
    "CronJob": {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": JOB_SPEC}}},
    "Job": {"spec": JOB_SPEC},
    "CertificateSigningRequest": {
        "spec": {"request": SIGNING_REQUEST, "signerName": "example.com/signer", "usages": ["client auth"]}
    },
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}},
    "EndpointSlice": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    },
    "Event": {
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/tester",
        "reportingInstance": "t-1",
        "action": "Testing",
        "reason": "Tested",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "x"},
        "note": "n",
    },
    "FlowSchema": {
        "spec": {
            "priorityLevelConfiguration": {"name": "global-default"},
            "matchingPrecedence": 9000,
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "eve"}}],
                    "resourceRules": [
                        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["default"]}
                    ],
                }
            ],
        }
    },
    "PriorityLevelConfiguration": {
        "spec": {
            "type": "Limited",
            "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}},
        }
    },
    "IngressClass": {"spec": {"controller": "example.com/ingress"}},
    "Ingress": {
        "spec": {
            "rules": [
                {
                    "host": "a.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        }
    },
    "IPAddress": {
        "metadata": {"name": "192.168.1.5"},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}},
    },
    "NetworkPolicy": {
        "spec": {
            "podSelector": SELECTOR,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": SELECTOR}], "ports": [{"port": 80, "protocol": "TCP"}]}],
        }
    },
    "ServiceCIDR": {"spec": {"cidrs": ["10.200.0.0/24"]}},
    "RuntimeClass": {"handler": "runc", "overhead": {"podFixed": {"cpu": "10m"}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "ClusterRoleBinding": {
        "subjects": SUBJECTS,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    },
    "ClusterRole": {"rules": RULES},
    "RoleBinding": {
        "subjects": SUBJECTS,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    },
    "Role": {"rules": RULES},
    "DeviceClass": {"spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.example.com'"}}]}},
    "ResourceClaim": {"spec": {"devices": DEVICE_REQUEST}},
    "ResourceClaimTemplate": {"spec": {"spec": {"devices": DEVICE_REQUEST}}},
    "ResourceSlice": {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "n1",
            "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
            "devices": [
                {"name": "gpu-0", "attributes": {"model": {"string": "x"}}, "capacity": {"memory": {"value": "8Gi"}}}
            ],
        }
    },
    "PriorityClass": {"value": 1000, "description": "d"},
    "CSIDriver": {"spec": {"attachRequired": False}},
    "CSINode": {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n1", "topologyKeys": ["zone"]}]}},
    "CSIStorageCapacity": {"storageClassName": "fast", "capacity": "1Gi"},
    "StorageClass": {"provisioner": "example.com/disk", "parameters": {"type": "fast"}},
    "VolumeAttachment": {
        "spec": {"attacher": "d.example.com", "nodeName": "n1", "source": {"persistentVolumeName": "v"}}
    },
    "VolumeAttributesClass": {"driverName": "d.example.com", "parameters": {"iops": "1"}},
}

FLAT_DEVICES: Json = {"requests": [{"name": "gpu", "deviceClassName": "gpu.example.com", "count": 2}]}
OTHER_SHAPES: dict[tuple[str, str], Json] = {
    ("resource.k8s.io/v1beta1", "ResourceClaim"): {"spec": {"devices": FLAT_DEVICES}},
    ("resource.k8s.io/v1beta1", "ResourceClaimTemplate"): {"spec": {"spec": {"devices": FLAT_DEVICES}}},
    ("resource.k8s.io/v1beta1", "ResourceSlice"): {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "n1",
            "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
            "devices": [
                {
                    "name": "gpu-0",
                    "basic": {"attributes": {"model": {"string": "x"}}, "capacity": {"memory": {"value": "8Gi"}}},
                }
            ],
        }
    },
}
"""Versions whose fields lie elsewhere than in the stored one."""

EARLY_VERSIONS: dict[str, Json] = {
    "ClusterTrustBundle": {"spec": {"trustBundle": TRUST_ANCHOR}},
    "PodCertificateRequest": {
        "spec": {
            "signerName": "example.com/signer",
            "podName": "p",
            "podUID": "pod-uid",
            "serviceAccountName": "default",
            "serviceAccountUID": "account-uid",
            "nodeName": "n1",
            "nodeUID": "node-uid",
            "maxExpirationSeconds": 86400,
            "stubPKCS10Request": SIGNING_REQUEST,
        }
    },
    "LeaseCandidate": {
        "spec": {
            "leaseName": "l",
            "binaryVersion": "1.36.0",
            "emulationVersion": "1.35.0",
            "strategy": "OldestEmulationVersion",
        }
    },
    "StorageVersion": {"metadata": {"name": "example.com.things"}, "spec": {}},
    "DeviceTaintRule": {
        "spec": {
            "deviceSelector": {"driver": "gpu.example.com"},
            "taint": {"key": "example.com/a", "effect": "NoExecute"},
        }
    },
    "ResourcePoolStatusRequest": {"spec": {"driver": "gpu.example.com"}},
    "PodGroup": {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}},
    "Workload": {"spec": {"podGroupTemplates": [{"name": "g", "schedulingPolicy": {"gang": {"minCount": 2}}}]}},
    "StorageVersionMigration": {"spec": {"resource": {"group": "apps", "resource": "deployments"}}},
}
"""Kinds that are served only in alpha and beta versions, which are off by default."""

NOON = "2026-01-01T12:00:00Z"
CONDITION: Json = {"type": "Tested", "status": "True", "lastTransitionTime": NOON, "reason": "Told", "message": "m"}
CONDITIONS: Json = {"conditions": [CONDITION]}

STATUS: dict[str, Json] = {
    "Namespace": {"phase": "Active", **CONDITIONS},
    "Node": {"conditions": [{**CONDITION, "lastHeartbeatTime": NOON}], "capacity": {"cpu": "8", "memory": "1500Mi"}},
    "PersistentVolumeClaim": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}},
    "PersistentVolume": {"phase": "Available", "lastPhaseTransitionTime": NOON},
    "Pod": {"phase": "Running", "conditions": [CONDITION], "podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}]},
    "ReplicationController": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 1},
    "ResourceQuota": {"hard": {"pods": "900"}, "used": {"pods": "3"}},
    "Service": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}]}, **CONDITIONS},
    "ValidatingAdmissionPolicy": {"observedGeneration": 1, **CONDITIONS},
    "CustomResourceDefinition": CONDITIONS,
    "APIService": CONDITIONS,
    "DaemonSet": {"currentNumberScheduled": 1, "numberMisscheduled": 0, "desiredNumberScheduled": 1, "numberReady": 1},
    "Deployment": {"replicas": 2, "readyReplicas": 1, "conditions": [{**CONDITION, "lastUpdateTime": NOON}]},
    "ReplicaSet": {"replicas": 2, "readyReplicas": 1, **CONDITIONS},
    "StatefulSet": {"replicas": 2, "readyReplicas": 1, "currentRevision": "web-1", **CONDITIONS},
    "HorizontalPodAutoscaler": {"currentReplicas": 1, "desiredReplicas": 2, "lastScaleTime": NOON},
    "CronJob": {"lastScheduleTime": NOON, "active": [{"kind": "Job", "name": "web-1", "namespace": "default"}]},
    "Job": {"startTime": NOON, "active": 1, "ready": 1, "uncountedTerminatedPods": {"succeeded": ["a"]}},
    "CertificateSigningRequest": {"conditions": [{**CONDITION, "lastUpdateTime": NOON}]},
    "PodCertificateRequest": {
        "conditions": [{**CONDITION, "type": "Denied"}],
    },
    "FlowSchema": CONDITIONS,
    "PriorityLevelConfiguration": CONDITIONS,
    "StorageVersion": {
        "storageVersions": [
            {"apiServerID": "a", "encodingVersion": "v1", "decodableVersions": ["v1"], "servedVersions": ["v1"]}
        ],
        "commonEncodingVersion": "v1",
    },
    "Ingress": {
        "loadBalancer": {"ingress": [{"hostname": "a.example.com", "ports": [{"port": 80, "protocol": "TCP"}]}]}
    },
    "ServiceCIDR": CONDITIONS,
    "PodDisruptionBudget": {
        "observedGeneration": 1,
        "disruptionsAllowed": 1,
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
        "disruptedPods": {"web-1": NOON},
        **CONDITIONS,
    },
    "ResourceClaim": {
        "allocation": {
            "devices": {"results": [{"request": "gpu", "driver": "gpu.example.com", "pool": "n1", "device": "gpu-0"}]}
        },
        "reservedFor": [{"resource": "pods", "name": "web-1", "uid": "pod-uid"}],
    },
    "DeviceTaintRule": CONDITIONS,
    "ResourcePoolStatusRequest": {"poolCount": 0, **CONDITIONS},
    "PodGroup": CONDITIONS,
    "VolumeAttachment": {"attached": True, "attachmentMetadata": {"device": "/dev/x"}},
    "StorageVersionMigration": {"resourceVersion": "7", **CONDITIONS},
}
"""What a controller would tell of the example of that kind."""

SUBRESOURCES: dict[str, Json] = {
    "scale": {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}},
    "eviction": {"apiVersion": "policy/v1", "kind": "Eviction"},
    "binding": {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n1"}},
    "token": {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["x"], "expirationSeconds": 600},
    },
}
"""Bodies of the doors that take another kind than their parent's."""


def example(resource: Resource, name: str) -> Json | None:
    """A fresh valid object; None where the kind has no row (it is never sent: ComponentStatus)."""
    table = OTHERS if resource.group else CORE
    row = OTHER_SHAPES.get((resource.api_version, resource.kind)) or table.get(resource.kind)
    row = row if row is not None else EARLY_VERSIONS.get(resource.kind)
    if row is None:
        return None
    fixed = row.get("metadata", {})
    metadata = {"name": name, "labels": dict(LABELS), **fixed}
    return {"apiVersion": resource.api_version, "kind": resource.kind, **row, "metadata": metadata}
