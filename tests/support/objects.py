"""Objects for tests: good ones, in which a test changes what it is about."""

from typing import Any, TypeVar

import msgspec
import orjson

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.api.object import Object, decode

T = TypeVar("T", bound=Object)


def made(kind: type[T], document: dict[str, Any]) -> T:
    """The typed object of a manifest."""
    return decode(kind, orjson.dumps(document))


def template(image: str = "web:1", **labels: str) -> core_v1.PodTemplateSpec:
    return core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels or {"app": "web"}),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="web", image=image)]),
    )


def selector(**labels: str) -> meta_v1.LabelSelector:
    return meta_v1.LabelSelector(matchLabels=labels or {"app": "web"})


def replica_set(name: str = "web", replicas: int = 3, **spec: Any) -> apps_v1.ReplicaSet:
    return apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.ReplicaSetSpec(replicas=replicas, selector=selector(), template=template(), **spec),
    )


def deployment(name: str = "web", replicas: int = 3, image: str = "web:1", **spec: Any) -> apps_v1.Deployment:
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.DeploymentSpec(replicas=replicas, selector=selector(), template=template(image), **spec),
    )


def node(name: str, **labels: str) -> core_v1.Node:
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **labels}),
        status=core_v1.NodeStatus(conditions=[core_v1.NodeCondition(type="Ready", status="True")]),
    )


def with_meta(value: T, **changes: Any) -> T:
    return msgspec.structs.replace(value, metadata=msgspec.structs.replace(value.metadata, **changes))


def with_spec(value: T, **changes: Any) -> T:
    return msgspec.structs.replace(value, spec=msgspec.structs.replace(value.spec, **changes))  # type: ignore[attr-defined]


def with_status(value: T, **changes: Any) -> T:
    return msgspec.structs.replace(value, status=msgspec.structs.replace(value.status, **changes))  # type: ignore[attr-defined]
