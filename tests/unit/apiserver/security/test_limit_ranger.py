from typing import Any

import pytest

from pybernetes.apiserver.admission.limit_ranger import LimitRanger
from pybernetes.apiserver.request import Document
from pybernetes.machinery.errors import Forbidden
from support.security import Objects, meta, request


def ranger(*limits: Document) -> LimitRanger:
    objects = Objects()
    objects.put("", "limitranges", {"metadata": meta("r", "default"), "spec": {"limits": list(limits)}})
    return LimitRanger(objects)


def pod(requests: Document | None = None, limits: Document | None = None, **more: Any) -> Document:
    resources = {"requests": requests or {}, "limits": limits or {}}
    container = {"name": "c", "image": "i", "resources": resources}
    return {"metadata": meta("web", "default"), "spec": {"containers": [container], **more}}


def test_a_container_that_says_nothing_gets_the_defaults() -> None:
    document = pod({"cpu": "20m"})
    plugin = ranger({"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}})
    plugin.mutate(request("CREATE", "pods", document))
    resources = document["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "20m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    note = document["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert note == "LimitRanger plugin set: cpu, memory limit for container c"


@pytest.mark.parametrize(
    ("limit", "requests", "limits", "message"),
    [
        (
            {"type": "Container", "min": {"cpu": "50m"}},
            {"cpu": "10m"},
            {},
            "minimum cpu usage per Container is 50m, but request is 10m",
        ),
        (
            {"type": "Pod", "max": {"memory": "1Gi"}},
            {},
            {"memory": "2Gi"},
            "maximum memory usage per Pod is 1Gi, but limit is 2Gi",
        ),
        (
            {"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}},
            {},
            {},
            "[minimum memory usage per Container is 1Mi.  No request is specified, "
            "maximum cpu usage per Container is 1.  No limit is specified]",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            {"cpu": "100m"},
            {"cpu": "300m"},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
    ],
)
def test_a_pod_outside_the_limits_is_refused(
    limit: Document, requests: Document, limits: Document, message: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        ranger(limit).validate(request("CREATE", "pods", pod(requests, limits)))
    assert caught.value.message == f'pods "web" is forbidden: {message}'


def test_a_pod_within_the_limits_is_admitted() -> None:
    limit = {"type": "Container", "min": {"cpu": "10m"}, "max": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "10"}}
    ranger(limit).validate(request("CREATE", "pods", pod({"cpu": "100m"}, {"cpu": "1000m"})))


def test_a_claim_outside_the_limits_is_refused() -> None:
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    claim = {"metadata": meta("c", "default"), "spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(Forbidden, match="maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"):
        ranger(limit).validate(request("CREATE", "persistentvolumeclaims", claim))
