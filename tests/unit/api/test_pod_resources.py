from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1, pod_resources


def container(name: str = "c", restart: str | None = None, **resources: Any) -> dict[str, Any]:
    return {"name": name, "restartPolicy": restart, "resources": resources}


def pod(*containers: dict[str, Any], **spec: Any) -> core_v1.Pod:
    return msgspec.convert({"spec": {"containers": list(containers), **spec}}, core_v1.Pod)


SMALL: dict[str, Any] = {"requests": {"cpu": "100m"}}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(pod(container(), container()), {}, id="nothing asked for"),
        pytest.param(pod(container(**SMALL), container(**SMALL)), {"cpu": "200m"}, id="containers add up"),
        pytest.param(
            pod(container(**SMALL), container(**SMALL), initContainers=[container(requests={"cpu": "500m"})]),
            {"cpu": "500m"},
            id="a larger init container decides",
        ),
        pytest.param(
            pod(
                container(**SMALL),
                container(**SMALL),
                initContainers=[
                    container(restart="Always", requests={"cpu": "50m"}),
                    container(requests={"cpu": "500m"}),
                ],
            ),
            {"cpu": "550m"},
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param(
            pod(container(**SMALL), initContainers=[container(restart="Always", requests={"cpu": "50m"})]),
            {"cpu": "150m"},
            id="a sidecar adds up",
        ),
        pytest.param(
            pod(container(**SMALL), overhead={"cpu": "10m", "memory": "1Mi"}),
            {"cpu": "110m", "memory": "1Mi"},
            id="overhead is added",
        ),
        pytest.param(
            pod(container(**SMALL), resources={"requests": {"cpu": "1"}}), {"cpu": "1"}, id="the pod's own word counts"
        ),
    ],
)
def test_a_pod_asks_for(subject: core_v1.Pod, expected: dict[str, str]) -> None:
    assert {name: str(amount) for name, amount in pod_resources.requests(subject).items()} == expected


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(pod(container()), "BestEffort", id="nothing said"),
        pytest.param(pod(container(requests={"cpu": "0"})), "BestEffort", id="zero is nothing"),
        pytest.param(pod(container(requests={"ephemeral-storage": "1Gi"})), "BestEffort", id="storage does not count"),
        pytest.param(pod(container(limits=BOTH)), "Guaranteed", id="limits alone are requests too"),
        pytest.param(pod(container(limits=BOTH, requests=BOTH)), "Guaranteed", id="requests equal limits"),
        pytest.param(
            pod(container(limits=BOTH, requests={"cpu": "1000m", "memory": "1024Mi"})), "Guaranteed", id="by value"
        ),
        pytest.param(pod(container(limits=BOTH, requests={"cpu": "500m"})), "Burstable", id="a smaller request"),
        pytest.param(pod(container(limits={"cpu": "1"})), "Burstable", id="memory is not limited"),
        pytest.param(pod(container(limits=BOTH), container()), "Burstable", id="one container says nothing"),
        pytest.param(pod(container(limits=BOTH), initContainers=[container()]), "Burstable", id="init counts too"),
        pytest.param(pod(container(), resources={"limits": BOTH}), "Guaranteed", id="only the pod's word counts"),
    ],
)
def test_quality_of_service_follows_from_requests_and_limits(subject: core_v1.Pod, expected: str) -> None:
    assert pod_resources.qos_class(subject) == expected


def test_the_class_the_api_server_recorded_is_kept_through_a_resize() -> None:
    recorded = msgspec.structs.replace(pod(container(limits=BOTH)), status=core_v1.PodStatus(qosClass="Burstable"))
    assert pod_resources.qos_class(recorded) == "Burstable"
