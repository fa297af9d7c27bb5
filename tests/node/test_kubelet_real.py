"""Pods on a real containerd, with real processes, cgroups and networks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from node.kubelet_node import (
    FOREVER,
    Containerd,
    RealNode,
    ended,
    is_ready,
    real_containerd,
    real_node,
    shell,
    waiting,
)
from pybernetes.api import core_v1, meta_v1

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def runtime() -> Iterator[Containerd]:
    with real_containerd(Path("/var/lib/pybernetes-tests/kubelet")) as one:
        yield one


@pytest_asyncio.fixture
async def node(runtime: Containerd) -> AsyncIterator[RealNode]:
    async with real_node(runtime) as one:
        yield one


def exec_probe(command: str, **more: int) -> core_v1.Probe:
    return core_v1.Probe(exec=core_v1.ExecAction(command=["sh", "-c", command]), **more)  # type: ignore[arg-type]


async def test_a_pod_runs_and_its_ports_answer(node: RealNode) -> None:
    probe = core_v1.Probe(httpGet=core_v1.HTTPGetAction(path="/index.html", port="web"), periodSeconds=1)
    await node.create(
        "web",
        containers=[
            shell(
                "echo hi > /www/index.html; exec httpd -f -p 8080 -h /www",
                ports=[core_v1.ContainerPort(name="web", containerPort=8080)],
                readinessProbe=probe,
            )
        ],
    )
    pod = await node.until("web", is_ready)
    reader, writer = await asyncio.open_connection(pod.status.podIP, 8080)
    writer.write(b"GET /index.html HTTP/1.0\r\n\r\n")
    assert b"hi" in await reader.read()
    writer.close()


async def test_init_containers_hand_over_files_by_a_shared_volume(node: RealNode) -> None:
    mount = core_v1.VolumeMount(name="data", mountPath="/data")
    await node.create(
        "init",
        restartPolicy="Never",
        volumes=[core_v1.Volume(name="data", emptyDir=core_v1.EmptyDirVolumeSource())],
        initContainers=[
            shell("echo one >> /data/x", "one", volumeMounts=[mount]),
            shell("echo two >> /data/x", "two", volumeMounts=[mount]),
        ],
        containers=[shell("cat /data/x; cat /data/x > /dev/termination-log", volumeMounts=[mount])],
    )
    pod = await node.until("init", lambda one: one.status.phase == "Succeeded")
    assert node.log("init") == "one\ntwo\n"
    end = ended(pod)
    assert end is not None
    assert (end.reason, end.message) == ("Completed", "one\ntwo\n")


async def test_a_sidecar_runs_beside_and_ends_last(node: RealNode) -> None:
    mount = core_v1.VolumeMount(name="data", mountPath="/data")
    await node.create(
        "side",
        restartPolicy="Never",
        volumes=[core_v1.Volume(name="data", emptyDir=core_v1.EmptyDirVolumeSource())],
        initContainers=[
            shell(
                "trap 'test -e /data/done && echo last; exit 0' TERM; touch /data/up; while true; do sleep 0.1; done",
                "side",
                restartPolicy="Always",
                volumeMounts=[mount],
                startupProbe=exec_probe("test -e /data/up", periodSeconds=1),
            )
        ],
        containers=[shell("test -e /data/up && sleep 1 && touch /data/done", volumeMounts=[mount])],
    )
    await node.until("side", lambda one: one.status.phase == "Succeeded")
    assert node.log("side", "side") == "last\n"


async def test_a_crashing_container_is_restarted_and_then_backed_off(node: RealNode) -> None:
    await node.create("crash", containers=[shell("echo started; exit 3")])
    pod = await node.until("crash", lambda one: waiting(one) == "CrashLoopBackOff")
    status = pod.status.containerStatuses[0]
    assert status.restartCount == 1
    end = ended(pod)
    assert end is not None
    assert (end.exitCode, end.reason) == (3, "Error")
    assert node.log("crash", restart=1) == "started\n"


async def test_an_image_nobody_has_ends_in_image_pull_back_off(node: RealNode) -> None:
    await node.create("pull", containers=[shell("true", image="127.0.0.1:1/nothing:1", imagePullPolicy="Always")])
    await node.until("pull", lambda one: waiting(one) == "ErrImagePull")
    pod = await node.until("pull", lambda one: waiting(one) == "ImagePullBackOff")
    state = pod.status.containerStatuses[0].state.waiting
    assert state is not None
    assert state.message.startswith('Back-off pulling image "127.0.0.1:1/nothing:1": ErrImagePull: rpc error: code = ')


async def test_a_command_that_does_not_exist_is_a_run_container_error(node: RealNode) -> None:
    await node.create("nope", containers=[shell("", command=["/nope"])])
    pod = await node.until("nope", lambda one: waiting(one) in ("RunContainerError", "CrashLoopBackOff"))
    await node.until_true(lambda: any("/nope" in one for one in node.events("Failed")))
    end = ended(pod)
    assert end is not None
    assert (end.exitCode, end.reason) == (128, "StartError")


async def test_too_much_memory_is_told_as_oom_killed(node: RealNode) -> None:
    limits = core_v1.ResourceRequirements(limits={"memory": "16Mi"})
    await node.create(
        "oom",
        restartPolicy="Never",
        containers=[shell("exec dd if=/dev/zero of=/dev/null bs=64M count=5", resources=limits)],
    )
    pod = await node.until("oom", lambda one: one.status.phase == "Failed")
    end = ended(pod)
    assert end is not None
    assert (end.exitCode, end.reason) == (137, "OOMKilled")


async def test_a_failing_liveness_probe_restarts_the_container(node: RealNode) -> None:
    await node.create(
        "live",
        containers=[
            shell(
                f"touch /tmp/ok; (sleep 1.5; rm /tmp/ok) & {FOREVER}",
                livenessProbe=exec_probe("test -e /tmp/ok", periodSeconds=1, failureThreshold=1),
            )
        ],
    )
    await node.until("live", lambda one: one.status.containerStatuses[0:1] and _restarts(one) >= 1)
    await node.until_true(lambda: node.events("Killing"))
    assert node.events("Killing")[0] == "Killing: Container c failed liveness probe, will be restarted"


def _restarts(pod: core_v1.Pod) -> int:
    return pod.status.containerStatuses[0].restartCount


async def test_hooks_run_and_the_signal_comes_after_pre_stop(node: RealNode, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    host = core_v1.Volume(name="h", hostPath=core_v1.HostPathVolumeSource(path=str(tmp_path)))
    handler = core_v1.LifecycleHandler
    lifecycle = core_v1.Lifecycle(
        postStart=handler(exec=core_v1.ExecAction(command=["sh", "-c", "echo post >> /h/log"])),
        preStop=handler(exec=core_v1.ExecAction(command=["sh", "-c", "sleep 0.5; echo pre >> /h/log"])),
    )
    script = "trap 'echo term >> /h/log; exit 0' TERM; while true; do sleep 0.1; done"
    mounts = [core_v1.VolumeMount(name="h", mountPath="/h")]
    await node.create("hooks", volumes=[host], containers=[shell(script, lifecycle=lifecycle, volumeMounts=mounts)])
    await node.until("hooks", is_ready)
    await node.delete("hooks")
    await node.gone("hooks")
    assert (tmp_path / "log").read_text() == "post\npre\nterm\n"


async def test_a_container_that_ignores_term_is_killed_at_the_end_of_its_grace(node: RealNode) -> None:
    deaf = shell("trap '' TERM; while true; do sleep 1; done")
    await node.create("deaf", terminationGracePeriodSeconds=2, containers=[deaf])
    await node.until("deaf", is_ready)
    await node.delete("deaf")
    await node.gone("deaf", 8)


@pytest.mark.conformance(
    "Variable Expansion should allow substituting values in a container's args",
    "Kubelet when scheduling a read only busybox container should not write to root filesystem",
    "Security Context should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup",
)
async def test_environment_command_expansion_and_security_context_arrive(node: RealNode) -> None:
    await node.client.create(
        core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="cfg", namespace="default"), data={"COLOR": "blue"})
    )
    context = core_v1.SecurityContext(
        runAsUser=1234,
        runAsGroup=2345,
        readOnlyRootFilesystem=True,
        allowPrivilegeEscalation=False,
        capabilities=core_v1.Capabilities(drop=["ALL"]),
    )
    field = core_v1.EnvVarSource(fieldRef=core_v1.ObjectFieldSelector(fieldPath="status.podIP"))
    await node.create(
        "env",
        restartPolicy="Never",
        containers=[
            shell(
                "",
                command=["sh", "-c"],
                args=["echo $(GREETING) $COLOR $IP; id -u; id -g; touch /x 2>/dev/null || echo read-only"],
                env=[
                    core_v1.EnvVar(name="GREETING", value="hello $(COLOR)"),
                    core_v1.EnvVar(name="IP", valueFrom=field),
                ],
                envFrom=[core_v1.EnvFromSource(configMapRef=core_v1.ConfigMapEnvSource(name="cfg"))],
                securityContext=context,
            )
        ],
    )
    pod = await node.until("env", lambda one: one.status.phase == "Succeeded")
    lines = node.log("env").splitlines()
    assert lines[0] == f"hello blue blue {pod.status.podIP}"
    assert lines[1:3] == ["1234", "2345"]
    assert lines[-1] == "read-only"


async def test_an_image_that_runs_as_root_is_refused_when_it_must_not(node: RealNode) -> None:
    context = core_v1.SecurityContext(runAsNonRoot=True)
    await node.create("root", containers=[shell(FOREVER, securityContext=context)])
    pod = await node.until("root", lambda one: waiting(one) == "CreateContainerConfigError")
    state = pod.status.containerStatuses[0].state.waiting
    assert state is not None
    assert state.message.startswith("container has runAsNonRoot and image will run as root (pod: ")


async def test_a_host_network_pod_has_the_nodes_address(node: RealNode) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await node.create("host", hostNetwork=True, containers=[shell(f"exec httpd -f -p 127.0.0.1:{port} -h /")])
    pod = await node.until("host", is_ready)
    assert pod.status.podIP == pod.status.hostIP == "10.251.7.254"


async def test_a_shared_process_namespace_and_an_ephemeral_container(node: RealNode) -> None:
    await node.create("share", shareProcessNamespace=True, containers=[shell(FOREVER)])
    pod = await node.until("share", is_ready)
    debug = {
        "spec": {
            "ephemeralContainers": [
                {
                    "name": "debug",
                    "image": pod.spec.containers[0].image,
                    "command": ["sh", "-c", "ps | grep -q 'while true' && echo seen"],
                    "terminationMessagePath": "/dev/termination-log",
                }
            ]
        }
    }
    await node.client.patch(core_v1.Pod, "share", "default", patch=debug, subresource="ephemeralcontainers")
    await node.until(
        "share",
        lambda one: (
            one.status.ephemeralContainerStatuses
            and one.status.ephemeralContainerStatuses[0].state.terminated is not None
        ),
    )
    assert node.log("share", "debug") == "seen\n"


@pytest.mark.conformance(
    "Container Runtime blackbox test on terminated container should report "
    "termination message from log output if TerminationMessagePolicy FallbackToLogsOnError is set",
)
async def test_the_log_is_the_message_when_a_failed_container_left_none(node: RealNode) -> None:
    container = shell("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    await node.create("words", restartPolicy="Never", containers=[container])
    pod = await node.until("words", lambda one: one.status.phase == "Failed")
    end = ended(pod)
    assert end is not None
    assert end.message == "last words\n"


async def test_a_kubelet_that_crashed_adopts_what_runs(node: RealNode, runtime: Containerd) -> None:
    await node.create("keep", containers=[shell(FOREVER)])
    before = await node.until("keep", is_ready)
    containers = sorted(runtime.containers())
    await node.crash()
    node.start()
    await asyncio.sleep(3)  # noqa: TID251  (a real kubelet in real time)
    after = await node.until("keep", is_ready)
    assert sorted(runtime.containers()) == containers
    assert after.status.containerStatuses[0].containerID == before.status.containerStatuses[0].containerID
    assert after.status.conditions == before.status.conditions


async def test_pods_outlive_a_crash_of_the_runtime(node: RealNode, runtime: Containerd) -> None:
    await node.create("outlive", containers=[shell(FOREVER)])
    before = await node.until("outlive", is_ready)
    runtime.kill()
    await asyncio.sleep(1)  # noqa: TID251  (the kubelet notices that nobody answers)
    runtime.start()
    await node.create("another", containers=[shell(FOREVER)])
    await node.until("another", is_ready)
    after = await node.pod("outlive")
    assert after.status.containerStatuses == before.status.containerStatuses


async def test_a_dead_pause_process_means_a_new_sandbox(node: RealNode, runtime: Containerd) -> None:
    await node.create("pause", containers=[shell(FOREVER)])
    before = await node.until("pause", is_ready)
    own = before.status.containerStatuses[0].containerID.removeprefix("containerd://")
    sandbox = next(one for one in runtime.containers() if one != own)
    runtime.ctr("tasks", "kill", "-s", "SIGKILL", sandbox)
    await node.until("pause", lambda one: is_ready(one) and one.status.podIP != before.status.podIP)
    assert len(runtime.containers()) <= 3


async def test_thirty_pods_at_once_come_up_and_leave_nothing(node: RealNode, runtime: Containerd) -> None:
    names = [f"many-{number}" for number in range(30)]
    for name in names:
        await node.create(name, containers=[shell(FOREVER)])
    for name in names:
        await node.until(name, is_ready, 60)
    for name in names:
        await node.delete(name)
    for name in names:
        await node.gone(name, 60)
    assert not runtime.containers()
    assert not list((node.config.root_dir / "pods").iterdir())
    assert not list(node.config.pod_logs_dir.iterdir())
