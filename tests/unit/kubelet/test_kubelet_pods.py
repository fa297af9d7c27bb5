"""Whole lives of pods on a fake runtime, on virtual time."""

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from pybernetes.api import core_v1, meta_v1
from pybernetes.client.interface import PatchType
from pybernetes.kubelet.cri import api_pb2 as api
from pybernetes.kubelet.cri.errors import RuntimeFailure
from pybernetes.kubelet.cri.interface import ExecResult
from support.kubelet_node import Node, container
from support.kubelet_node import node as kubelet_node


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with kubelet_node(tmp_path) as one:
        yield one


async def test_a_pod_becomes_running_and_ready(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    assert node.status().phase == "Running"
    assert node.status().podIP.startswith("10.244.")
    assert node.container().state.running is not None
    assert node.container().ready
    assert node.container().started
    assert {one.observedGeneration for one in node.status().conditions} == {1}
    await node.until(lambda: node.events("Started"))
    assert node.events("Created") == ["Created: Container created"]


async def test_init_containers_run_one_by_one_before_the_main_ones(node: Node) -> None:
    await node.create(initContainers=[container("one"), container("two")])
    await node.until(lambda: node.container("one").state.running is not None)
    assert node.runtime.count("create_container") == 1
    assert node.condition("Initialized").message == "containers with incomplete status: [one two]"
    assert node.waiting() == "PodInitializing"
    node.runtime.exit(node.runtime.container("one").id)
    await node.until(lambda: node.container("two").state.running is not None)
    assert node.runtime.count("create_container") == 2
    node.runtime.exit(node.runtime.container("two").id)
    await node.until(node.is_ready)
    assert node.condition("Initialized").status == "True"


async def test_a_sidecar_stays_and_does_not_hold_up_the_end(node: Node) -> None:
    await node.create(initContainers=[container("side", restartPolicy="Always")], restartPolicy="Never")
    await node.until(node.is_ready)
    node.runtime.exit(node.runtime.container("c").id)
    await node.until(lambda: node.status().phase == "Succeeded")
    assert node.runtime.container("side", running=False).state == api.CONTAINER_EXITED


async def test_sidecars_end_after_the_main_container_in_reverse_order(node: Node) -> None:
    await node.create(initContainers=[container(name, restartPolicy="Always") for name in ("s1", "s2")])
    await node.until(node.is_ready)
    node.runtime.calls.clear()
    await node.client.delete(core_v1.Pod, "web", "default")
    await node.until(lambda: node.pod() is None)
    stops = [call for call in node.runtime.calls if call.startswith("stop_container")]
    assert stops == ["stop_container c", "stop_container s2", "stop_container s1"]


async def test_a_crashing_container_waits_ten_seconds_before_its_second_restart(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    node.runtime.exit(node.runtime.container("c").id, 1)
    await node.until(lambda: node.container().restartCount == 1 and node.container().state.running is not None)
    node.runtime.exit(node.runtime.container("c").id, 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    uid = node.pod().metadata.uid  # type: ignore[union-attr]
    waiting = node.container().state.waiting
    assert waiting is not None
    assert waiting.message == f"back-off 10s restarting failed container=c pod=web_default({uid})"
    assert node.container().lastState.terminated is not None
    assert node.status().phase == "Running"
    await node.pass_time(8)
    assert node.waiting() == "CrashLoopBackOff"
    await node.until(lambda: node.container().restartCount == 2 and node.container().state.running is not None, 5)
    assert node.events("BackOff") == [f"BackOff: Back-off restarting failed container c in pod web_default({uid})"]


async def test_a_pod_that_never_restarts_fails_with_its_container(node: Node) -> None:
    await node.create(restartPolicy="Never")
    await node.until(node.is_ready)
    node.runtime.exit(node.runtime.container("c").id, 3, message="out of luck")
    await node.until(lambda: node.status().phase == "Failed")
    ended = node.container().state.terminated
    assert ended is not None
    assert (ended.exitCode, ended.reason, ended.message) == (3, "Error", "out of luck")
    assert node.condition("Ready").reason == "PodFailed"
    await node.until(lambda: node.volumes.torn_down)
    assert node.runtime.count("create_container") == 1


async def test_on_failure_does_not_restart_what_succeeded(node: Node) -> None:
    await node.create(restartPolicy="OnFailure", containers=[container("a"), container("b")])
    await node.until(node.is_ready)
    node.runtime.exit(node.runtime.container("a").id, 0)
    node.runtime.exit(node.runtime.container("b").id, 1)
    await node.until(lambda: node.container("b").restartCount == 1 and node.container("b").state.running is not None)
    assert node.container("a").restartCount == 0
    node.runtime.exit(node.runtime.container("b").id, 0)
    await node.until(lambda: node.status().phase == "Succeeded")
    assert node.condition("Ready").reason == "PodCompleted"


async def test_a_deleted_pod_leaves_nothing_behind(node: Node) -> None:
    made = await node.create()
    await node.until(node.is_ready)
    await node.client.delete(core_v1.Pod, "web", "default")
    await node.until(lambda: node.pod() is None)
    assert not node.runtime.containers
    assert not node.runtime.sandboxes
    assert not node.cgroups.uids
    assert made.metadata.uid in node.volumes.torn_down
    assert not list((node.root / "logs").iterdir())
    assert not list((node.root / "kubelet" / "pods").iterdir())
    assert node.events("Killing") == ["Killing: Stopping container c"]


async def test_a_container_that_ignores_its_signal_is_killed_after_the_grace_period(node: Node) -> None:
    node.runtime.ignores_term.add("c")
    await node.create(terminationGracePeriodSeconds=20)
    await node.until(node.is_ready)
    await node.client.delete(core_v1.Pod, "web", "default")
    await node.pass_time(18)
    assert node.pod() is not None
    await node.until(lambda: node.pod() is None, 5)


async def test_a_pre_stop_hook_runs_inside_the_grace_period(node: Node) -> None:
    hook = core_v1.Lifecycle(preStop=core_v1.LifecycleHandler(sleep=core_v1.SleepAction(seconds=5)))
    await node.create(containers=[container(lifecycle=hook)], terminationGracePeriodSeconds=20)
    await node.until(node.is_ready)
    await node.client.delete(core_v1.Pod, "web", "default")
    await node.pass_time(4)
    assert node.runtime.count("stop_container") == 0
    await node.until(lambda: node.pod() is None, 5)


async def test_a_failing_post_start_hook_kills_the_container(node: Node) -> None:
    node.runtime.on_exec = lambda _name, _command: ExecResult(1, b"", b"no")
    hook = core_v1.Lifecycle(postStart=core_v1.LifecycleHandler(exec=core_v1.ExecAction(command=["x"])))
    await node.create(containers=[container(lifecycle=hook)])
    await node.until(lambda: node.events("FailedPostStartHook"))
    await node.until(lambda: node.runtime.count("stop_container"))


async def test_an_image_that_is_not_there_is_pulled_again_after_a_back_off(node: Node) -> None:
    await node.create(containers=[container(image="registry.test/app:2")])
    await node.until(lambda: node.waiting() == "ErrImagePull")
    await node.until(lambda: node.waiting() == "ImagePullBackOff")
    waiting = node.container().state.waiting
    assert waiting is not None
    assert waiting.message.startswith('Back-off pulling image "registry.test/app:2": ErrImagePull: rpc error: code = ')
    node.runtime.registry.add("registry.test/app:2")
    await node.until(node.is_ready, 30)
    await node.until(lambda: "Pulled: Successfully pulled image" in node.events("Pulled")[0])
    assert node.runtime.count("pull_image") == 2


async def test_a_bad_image_name_says_so(node: Node) -> None:
    await node.create(containers=[container(image="NOT A NAME")])
    await node.until(lambda: node.waiting() == "InvalidImageName")


async def test_never_pulling_an_absent_image_says_so(node: Node) -> None:
    await node.create(containers=[container(image="registry.test/app:2", imagePullPolicy="Never")])
    await node.until(lambda: node.waiting() == "ErrImageNeverPull")
    assert node.runtime.count("pull_image") == 0


async def test_a_missing_config_map_is_a_config_error_that_mends_itself(node: Node) -> None:
    reference = core_v1.EnvFromSource(configMapRef=core_v1.ConfigMapEnvSource(name="settings"))
    await node.create(containers=[container(envFrom=[reference])])
    await node.until(lambda: node.waiting() == "CreateContainerConfigError")
    waiting = node.container().state.waiting
    assert waiting is not None
    assert waiting.message == 'configmap "settings" not found'
    made = core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="settings", namespace="default"), data={"A": "1"})
    await node.client.create(made)
    await node.until(node.is_ready, 5)
    envs = {one.key: one.value for one in next(iter(node.runtime.configs.values())).envs}
    assert envs["A"] == b"1"


async def test_a_container_that_cannot_start_is_told_with_the_runtimes_words(node: Node) -> None:
    node.runtime.fail_next("start_container", RuntimeFailure("Unknown", 'exec: "nope": not found'))
    await node.create()
    await node.until(lambda: node.waiting() == "RunContainerError")
    waiting = node.container().state.waiting
    assert waiting is not None
    assert waiting.message == 'exec: "nope": not found'
    assert 'Failed: Error: exec: "nope": not found' in node.events("Failed")
    await node.until(node.is_ready, 40)


async def test_volumes_that_fail_keep_the_pod_pending_with_an_event(node: Node) -> None:
    node.volumes.problem = 'MountVolume.SetUp failed for volume "v"'
    await node.create()
    await node.until(lambda: node.events("FailedMount"))
    assert node.waiting() == "ContainerCreating"
    assert node.runtime.count("run_pod_sandbox") == 0
    node.volumes.problem = ""
    await node.until(node.is_ready, 10)


async def test_a_dead_sandbox_is_replaced_and_its_init_containers_run_again(node: Node) -> None:
    await node.create(initContainers=[container("init")])
    await node.until(lambda: node.container("init").state.running is not None)
    node.runtime.exit(node.runtime.container("init").id)
    await node.until(node.is_ready)
    first = node.status().podIP
    node.runtime.kill_sandbox(next(iter(node.runtime.sandboxes)))
    await node.until(lambda: node.runtime.count("run_pod_sandbox") == 2)
    await node.until(lambda: node.runtime.running("init"))
    node.runtime.exit(node.runtime.container("init").id)
    await node.until(node.is_ready)
    assert node.status().podIP != first
    assert node.events("SandboxChanged") == ["SandboxChanged: Pod sandbox changed, it will be killed and re-created."]


async def test_a_sandbox_that_fails_is_tried_again_under_another_attempt(node: Node) -> None:
    node.runtime.fail_next("run_pod_sandbox", RuntimeFailure("Unknown", "no network"))
    await node.create()
    await node.until(lambda: node.events("FailedCreatePodSandBox"))
    await node.until(node.is_ready, 30)
    assert [one.metadata.attempt for one in node.runtime.sandboxes.values()] == [1]


async def test_a_failed_liveness_probe_restarts_the_container(node: Node) -> None:
    healthy = [True]
    node.runtime.on_exec = lambda _name, _command: ExecResult(0 if healthy[0] else 1, b"sick", b"")
    probe = core_v1.Probe(exec=core_v1.ExecAction(command=["check"]), periodSeconds=1, failureThreshold=3)
    await node.create(containers=[container(livenessProbe=probe)])
    await node.until(node.is_ready)
    await node.pass_time(20)
    assert node.container().restartCount == 0
    healthy[0] = False
    await node.until(lambda: node.events("Killing"))
    healthy[0] = True
    await node.until(lambda: node.container().restartCount == 1 and node.is_ready(), 20)
    assert node.events("Killing") == ["Killing: Container c failed liveness probe, will be restarted"]
    assert "Unhealthy: Liveness probe failed: sick" in node.events("Unhealthy")


async def test_a_readiness_probe_only_changes_ready(node: Node) -> None:
    ready = [False]
    node.runtime.on_exec = lambda _name, _command: ExecResult(0 if ready[0] else 1, b"", b"")
    probe = core_v1.Probe(exec=core_v1.ExecAction(command=["check"]), periodSeconds=1)
    await node.create(containers=[container(readinessProbe=probe)])
    await node.until(lambda: node.status().phase == "Running")
    await node.pass_time(15)
    assert not node.is_ready()
    assert node.condition("Ready").message == "containers with unready status: [c]"
    ready[0] = True
    await node.until(node.is_ready, 5)
    ready[0] = False
    await node.until(lambda: not node.is_ready(), 10)
    assert node.container().restartCount == 0


async def test_a_startup_probe_holds_back_the_others(node: Node) -> None:
    started = [False]
    asked: list[str] = []

    def on_exec(_name: str, command: object) -> ExecResult:
        asked.append(str(command))
        return ExecResult(0 if started[0] else 1, b"", b"")

    node.runtime.on_exec = on_exec
    startup = core_v1.Probe(exec=core_v1.ExecAction(command=["startup"]), periodSeconds=1, failureThreshold=60)
    liveness = core_v1.Probe(exec=core_v1.ExecAction(command=["liveness"]), periodSeconds=1, failureThreshold=1)
    await node.create(containers=[container(startupProbe=startup, livenessProbe=liveness)])
    await node.until(lambda: len(asked) > 3)
    assert set(asked) == {"['startup']"}
    assert node.container().started is False
    assert not node.is_ready()
    started[0] = True
    await node.until(node.is_ready, 5)
    await node.until(lambda: "['liveness']" in asked, 5)


async def test_a_deadline_ends_the_pod(node: Node) -> None:
    await node.create(activeDeadlineSeconds=30)
    await node.until(node.is_ready)
    await node.until(lambda: node.status().phase == "Failed", 40)
    assert node.status().reason == "DeadlineExceeded"
    assert node.status().message == "Pod was active on the node longer than the specified deadline"


async def test_a_pod_that_does_not_fit_is_rejected(node: Node) -> None:
    asking = core_v1.ResourceRequirements(requests={"cpu": "1000"})
    await node.create(containers=[container(resources=asking)])
    await node.until(lambda: node.status().phase == "Failed")
    assert node.status().reason == "OutOfcpu"
    assert node.status().message.startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: "
    )
    assert node.runtime.count("run_pod_sandbox") == 0


async def test_two_pods_cannot_have_one_host_port(node: Node) -> None:
    port = core_v1.ContainerPort(containerPort=80, hostPort=8080)
    await node.create("a", containers=[container(ports=[port])])
    await node.until(lambda: node.is_ready("a"))
    await node.create("b", containers=[container(ports=[port])])
    await node.until(lambda: node.status("b").phase == "Failed")
    assert node.status("b").reason == "NodePorts"


async def test_a_restarted_kubelet_adopts_what_runs(node: Node) -> None:
    probe = core_v1.Probe(exec=core_v1.ExecAction(command=["check"]), periodSeconds=5)
    await node.create(containers=[container(readinessProbe=probe)], initContainers=[container("init")])
    await node.until(lambda: node.container("init").state.running is not None)
    node.runtime.exit(node.runtime.container("init").id)
    await node.until(node.is_ready)
    before = node.container().containerID
    node.runtime.calls.clear()
    await node.restart()
    await node.until(node.kubelet.pods.workers)
    await node.pass_time(90)
    assert node.is_ready()
    assert node.container().containerID == before
    assert node.container().restartCount == 0
    assert node.runtime.count("create_container") == 0
    assert node.condition("Ready").lastTransitionTime is not None


async def test_a_pod_deleted_while_the_kubelet_was_away_is_ended(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    await node.stop()
    node.client.remove_now(core_v1.Pod, "default/web")
    node.kubelet = node._new_kubelet()
    await node.start()
    await node.until(lambda: not node.runtime.sandboxes)
    assert not node.runtime.containers
    assert not node.cgroups.uids


async def test_a_container_that_ended_while_the_kubelet_was_away_is_restarted_once(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    await node.stop()
    node.runtime.exit(node.runtime.container("c").id, 7)
    node.kubelet = node._new_kubelet()
    await node.start()
    await node.until(lambda: node.container().restartCount == 1 and node.is_ready())
    last = node.container().lastState.terminated
    assert last is not None
    assert last.exitCode == 7


async def test_a_changed_image_restarts_the_container(node: Node) -> None:
    node.runtime.add_image("localhost/app:2")
    await node.create()
    await node.until(node.is_ready)
    patch = {"spec": {"containers": [{"name": "c", "image": "localhost/app:2"}]}}
    await node.client.patch(core_v1.Pod, "web", "default", patch=patch, patch_type=PatchType.STRATEGIC)
    await node.until(lambda: node.container().restartCount == 1 and node.is_ready())
    assert node.container().image == "localhost/app:2"
    assert node.status().observedGeneration == 2
    assert node.events("Killing") == ["Killing: Container c definition changed, will be restarted"]


def _has_restarted(node: Node, times: int) -> bool:
    return node.container().restartCount == times and node.is_ready()


async def test_dead_instances_are_removed_but_the_last(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    for restarts in (1, 2, 3):
        node.runtime.exit(node.runtime.container("c").id, 1)
        restarted = functools.partial(_has_restarted, node, restarts)
        await node.until(restarted, 60)
    await node.until(lambda: len(node.runtime.containers) == 2)


async def test_readiness_gates_hold_back_ready(node: Node) -> None:
    await node.create(readinessGates=[core_v1.PodReadinessGate(conditionType="example.com/gate")])
    await node.until(lambda: node.condition("ContainersReady").status == "True")
    assert node.condition("Ready").reason == "ReadinessGatesNotReady"
    patch = {"status": {"conditions": [{"type": "example.com/gate", "status": "True"}]}}
    await node.client.patch(
        core_v1.Pod, "web", "default", patch=patch, patch_type=PatchType.STRATEGIC, subresource="status"
    )
    await node.until(node.is_ready)


async def test_the_node_registers_with_what_it_has(node: Node) -> None:
    await node.until(lambda: ("", "nodes", "", "n1") in node.client.documents)
    await node.until(lambda: ("coordination.k8s.io", "leases", "kube-node-lease", "n1") in node.client.documents)
    found = await node.client.get(core_v1.Node, "n1")
    assert found.metadata.labels["kubernetes.io/hostname"] == "n1"
    await node.until(lambda: "True" in node_ready(node))
    assert {one.type for one in found.status.conditions} == {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}
    assert found.status.addresses[0].address == "192.168.0.1"


def node_ready(node: Node) -> list[str]:
    document = node.client.documents.get(("", "nodes", "", "n1"), {"status": {"conditions": []}})
    conditions = document["status"]["conditions"]
    return [one["status"] for one in conditions if one["type"] == "Ready"]


async def test_a_node_whose_runtime_is_away_for_long_is_not_ready(node: Node) -> None:
    await node.until(lambda: "True" in node_ready(node))
    node.runtime.away = True
    await node.pass_time(25)
    assert node_ready(node) == ["True"]
    await node.until(lambda: "False" in node_ready(node), 20)
    node.runtime.away = False
    await node.until(lambda: "True" in node_ready(node))


async def test_a_short_absence_of_the_runtime_changes_no_pod(node: Node) -> None:
    await node.create()
    await node.until(node.is_ready)
    before = node.status()
    node.runtime.away = True
    await node.pass_time(20)
    node.runtime.away = False
    await node.pass_time(60)
    assert node.status() == before
    assert node.runtime.count("create_container") == 1
