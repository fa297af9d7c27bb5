"""Microseconds per step of what a write does to a document: python bench/documents.py [ROUNDS].

A request of about 1 kB, and the stored pod of about 3 kB it becomes. Read ratios, not absolutes.
"""

import sys
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from pybernetes.api import (
    decoding,
    defaults,
    field_ownership,
    field_selectors,
    normalize,
    printing,
    protobuf,
    registry,
    schema,
    strategy,
    validation,
)
from pybernetes.machinery import labels
from pybernetes.machinery.patch import merge_patch, strategic

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
PODS = next(r for r in registry.built_in() if r.plural == "pods" and not r.group)

REQUEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "generateName": "web-7d4b9c5f6-",
        "name": "web-7d4b9c5f6-abcde",
        "namespace": "default",
        "labels": {"app": "web", "pod-template-hash": "7d4b9c5f6", "tier": "front"},
        "annotations": {"example.com/checksum": "0123456789abcdef0123456789abcdef"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-7d4b9c5f6",
                "uid": "5b4f7c1e-2f4e-4e43-9b1e-0a4c6c1d9f10",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    },
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "registry.example.com/web:1.2.3",
                "args": ["--port=8080", "--verbose"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [
                    {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "LEVEL", "value": "info"},
                ],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "web"}}],
    },
}
STATUS = {
    "phase": "Running",
    "podIPs": [{"ip": "10.244.0.7"}],
    "conditions": [{"type": t, "status": "True"} for t in ("PodScheduled", "Initialized", "ContainersReady", "Ready")],
    "containerStatuses": [
        {"name": "web", "ready": True, "started": True, "state": {"running": {"startedAt": "2024-01-02T03:04:05Z"}}}
    ],
}


def stored_pod() -> dict[str, Any]:
    document = decoding.decode_body(orjson.dumps(REQUEST), "", PODS).document
    defaults.apply(document, PODS)
    strategy.prepare_create(PODS, document, NOW, "5b4f7c1e-2f4e-4e43-9b1e-0a4c6c1d9f11")
    document["status"].update(STATUS)
    return normalize.normalize(document, PODS.type_alias)


def measure(name: str, rounds: int, step: Callable[[], object]) -> float:
    # CPU time, so that other programs on the machine do not count.
    best = min(timeit.repeat(step, number=rounds, repeat=5, timer=time.process_time)) / rounds * 1e6
    print(f"{name:<44}{best:>9.2f} µs")
    return best


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    body = orjson.dumps(REQUEST)
    stored = stored_pod()
    data, binary = orjson.dumps(stored), protobuf.encode(stored)
    plain = orjson.loads(body)
    print(f"request {len(body)} bytes, stored {len(data)} bytes, protobuf {len(binary)} bytes\n")
    total = measure("decode a request (JSON, types, duplicates)", rounds, lambda: decoding.decode_body(body, "", PODS))
    measure("  of that: parse", rounds, lambda: orjson.loads(body))
    measure("  of that: types and normal form", rounds, lambda: normalize.normalize(plain, PODS.type_alias))
    spare = [normalize.normalize(orjson.loads(body), PODS.type_alias) for _ in range(rounds * 5)]
    total += measure("defaults, on a fresh document", rounds, lambda: defaults.apply(spare.pop(), PODS))
    ready = defaults.apply(normalize.normalize(plain, PODS.type_alias), PODS)
    measure("defaults, when all is there", rounds, lambda: defaults.apply(ready, PODS))
    total += measure(
        "field ownership of a new pod", rounds, lambda: field_ownership.track(PODS, "", None, ready, "bench", NOW)
    )
    total += measure("server-set fields", rounds, lambda: strategy.prepare_create(PODS, ready, NOW, "u"))
    total += measure("validation of a new pod", rounds, lambda: validation.validate_create(PODS, ready))
    print(f"{'create, all of the above':<44}{total:>9.2f} µs\n")
    entries = field_ownership.track(PODS, "", None, stored, "bench", NOW)
    live = {**stored, "metadata": {**stored["metadata"], "managedFields": entries}}
    phase = {**live, "status": {**live["status"], "phase": "Failed"}}
    measure(
        "field ownership of a status change",
        rounds,
        lambda: field_ownership.track(PODS, "status", live, phase, "kubelet", NOW),
    )
    measure("validation of an update", rounds, lambda: validation.validate_update(PODS, "", stored, stored))
    patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    pod_type = schema.type_of(PODS.type_alias)
    measure("strategic merge of a condition", rounds, lambda: strategic.apply(stored, patch, pod_type))
    measure("merge patch of a label", rounds, lambda: merge_patch.apply(stored, {"metadata": {"labels": {"a": "b"}}}))
    measure("decode a stored pod from protobuf", rounds, lambda: protobuf.decode(binary))
    measure("encode a stored pod to protobuf", rounds, lambda: protobuf.encode(stored))
    measure("table row of a pod", rounds, lambda: printing.cells(PODS, stored, NOW))
    selector = labels.parse("app=web,tier in (front,back)")
    measure("label selector of two terms", rounds, lambda: selector.matches(stored["metadata"]["labels"]))
    fields = field_selectors.parse("spec.nodeName=n1", PODS)
    measure("field selector", rounds, lambda: fields.matches(stored))


if __name__ == "__main__":
    main()
