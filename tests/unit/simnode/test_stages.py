from datetime import UTC, datetime

import msgspec
import pytest

from pybernetes.api import core_v1, meta_v1
from pybernetes.simnode import nodes, stages
from pybernetes.simnode.config import Delays, SimConfig
from pybernetes.simnode.stages import Next, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = core_v1.ContainerStatus(name="c", image="i")
DELAYS = Delays(start=1.0, ready=2.0, complete=3.0, stop=4.0)


def pod(
    phase: str = "Pending",
    *,
    ready: bool = False,
    deleted: bool = False,
    owner: str = "",
    annotations: dict[str, str] | None = None,
    generation: int = 0,
    image: str = "i",
) -> core_v1.Pod:
    conditions = [core_v1.PodCondition(type="Ready", status="True")] if ready else []
    owners = [meta_v1.OwnerReference(kind=owner, name="o", controller=True)] if owner else []
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name="p",
            namespace="default",
            uid="u1",
            generation=generation,
            annotations=annotations or {},
            ownerReferences=owners,
            deletionTimestamp="2026-01-01T00:00:00Z" if deleted else None,
        ),
        spec=core_v1.PodSpec(nodeName="sim-node-0", containers=[core_v1.Container(name="c", image=image)]),
        status=core_v1.PodStatus(phase=phase, conditions=conditions, containerStatuses=[STARTED] if ready else []),
    )


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (pod(), Next(Step.START, 1.0)),
        (pod("Running"), Next(Step.READY, 2.0)),
        (pod("Running", ready=True), None),
        (pod("Running", ready=True, owner="ReplicaSet"), None),
        (pod("Running", ready=True, owner="Job"), Next(Step.COMPLETE, 3.0)),
        (pod("Running", ready=True, generation=2), Next(Step.FOLLOW, 0)),
        (pod("Running", ready=True, generation=2, deleted=True), Next(Step.STOP, 4.0)),
        (pod("Succeeded", owner="Job"), None),
        (pod("Running", ready=True, deleted=True), Next(Step.STOP, 4.0)),
        (pod("Failed", deleted=True), Next(Step.STOP, 4.0)),
        (pod(annotations={"simnode.pybernetes.io/start-seconds": "9.5"}), Next(Step.START, 9.5)),
        (pod(annotations={"simnode.pybernetes.io/start-seconds": "soon"}), Next(Step.START, 1.0)),
        (pod(annotations={"simnode.pybernetes.io/start-seconds": "-1"}), Next(Step.START, 1.0)),
    ],
)
def test_each_state_has_one_next_step(subject: core_v1.Pod, expected: Next | None) -> None:
    assert stages.next_step(subject, DELAYS) == expected


def test_a_changed_spec_is_observed_and_another_image_started() -> None:
    assert stages.followed_status(pod(ready=True, generation=2), NOW) == {
        "observedGeneration": 2,
        "containerStatuses": [],
    }
    (container,) = stages.followed_status(pod(ready=True, generation=3, image="j"), NOW)["containerStatuses"]
    assert (container["image"], container["restartCount"], container["ready"]) == ("j", 1, True)


def test_a_started_pod_decodes_as_running_with_its_addresses() -> None:
    status = stages.running_status(pod(), NOW, pod_ip="100.64.0.2", host_ip="100.64.0.1", ready=True)
    typed = msgspec.convert(status, core_v1.PodStatus)

    assert (typed.phase, typed.podIP, typed.hostIP) == ("Running", "100.64.0.2", "100.64.0.1")
    assert {condition.type: condition.status for condition in typed.conditions}["Ready"] == "True"
    assert typed.containerStatuses[0].ready
    assert typed.containerStatuses[0].state is not None
    assert typed.containerStatuses[0].state.running is not None


def test_a_readiness_gate_keeps_a_pod_unready_until_it_opens() -> None:
    gated = msgspec.structs.replace(
        pod(), spec=core_v1.PodSpec(readinessGates=[core_v1.PodReadinessGate(conditionType="example.com/gate")])
    )
    status = stages.running_status(gated, NOW, pod_ip="100.64.0.2", host_ip="100.64.0.1", ready=True)

    assert {row["type"]: row["status"] for row in status["conditions"]}["Ready"] == "False"


def test_pods_of_a_node_have_different_addresses_that_return() -> None:
    addresses = nodes.PodAddresses()
    first, second = addresses.take("a", 3), addresses.take("b", 3)

    assert (first, second) == ("100.64.3.2", "100.64.3.3")
    assert addresses.take("a", 3) == first
    addresses.release("a")
    assert addresses.take("c", 3) == first
    addresses.keep("d", 3, "100.64.3.4")
    assert addresses.take("e", 3) == "100.64.3.5"


def test_a_node_is_registered_ready_under_its_own_address() -> None:
    node = nodes.node(SimConfig(count=2), 1, NOW)

    assert node.name == "sim-node-1"
    assert {condition.type: condition.status for condition in node.status.conditions}["Ready"] == "True"
    assert nodes.host_ip(1) != nodes.host_ip(0)
