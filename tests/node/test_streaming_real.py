"""exec, attach, port-forward, cp and logs with the real kubectl and the official Python client, to real containers.

Before the API server's own proxying, the test's front answers kubectl's questions about the pod and hands the streams
to the kubelet's code: what is tested is the kubelet's side of all three ways clients come.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from node.runtime import Sandbox, running_containerd, sandbox
from pybernetes.api import core_v1
from pybernetes.api.object import encode
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock
from pybernetes.kubelet.cgroups import manager as cgroups
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.server.container_logs import ContainerLogs
from pybernetes.kubelet.server.http import JSON, Exchange, HttpServer, Request
from pybernetes.kubelet.server.streaming import Streaming
from pybernetes.machinery.errors import NotFound
from pybernetes.machinery.streams.duplex import close_writer

pytestmark = pytest.mark.root

ROOT = f"/nodeio-{os.getpid()}/kubepods"


class Front:
    """As much of an API server as kubectl needs to reach one pod."""

    def __init__(self, made: Sandbox, directory: Path) -> None:
        self.sandbox = made
        self.directory = directory
        self.containers: dict[str, str] = {}
        self.websocket = True
        self._http = HttpServer(self._answer)
        self._streaming = Streaming(lambda: [self.pod()], made.runtime)
        self._logs = ContainerLogs(lambda: [self.pod()], made.runtime, SystemClock())

    def pod(self) -> core_v1.Pod:
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        document = {
            "metadata": {"name": "web", "namespace": "shop", "uid": self.sandbox.config.metadata.uid},
            "spec": {
                "containers": [
                    {"name": name, "image": "x", "stdin": True, "tty": name == "tty"} for name in self.containers
                ]
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": name, "containerID": f"containerd://{id_}", "ready": True, "state": running}
                    for name, id_ in self.containers.items()
                ],
            },
        }
        return msgspec.convert(document, core_v1.Pod)

    async def start(self) -> None:
        await self._http.start("127.0.0.1", 0, None)
        (self.directory / "config").write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
            "contexts: [{name: x, context: {cluster: x, user: x, namespace: shop}}]\n"
            f"clusters: [{{name: x, cluster: {{server: 'http://127.0.0.1:{self._http.port}'}}}}]\n"
            "users: [{name: x, user: {}}]\n"
        )

    async def stop(self) -> None:
        await self._http.stop()

    async def _answer(self, request: Request, exchange: Exchange) -> None:
        if not self.websocket and request.headers.get("upgrade", "").lower() == "websocket":
            await exchange.respond(403, b"no WebSockets here")
            return
        match request.path.strip("/").split("/"):
            case ["api"]:
                await exchange.respond(200, b'{"kind":"APIVersions","versions":["v1"]}', JSON)
            case ["apis"]:
                await exchange.respond(200, b'{"kind":"APIGroupList","apiVersion":"v1","groups":[]}', JSON)
            case ["api", "v1"]:
                pods = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
                document = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [pods]}
                await exchange.respond(200, msgspec.json.encode(document), JSON)
            case ["api", "v1", "namespaces", "shop", "pods", "web"]:
                await exchange.respond(200, encode(self.pod()), JSON)
            case ["api", "v1", "namespaces", "shop", "pods", "web", verb]:
                container = request.first("container", next(iter(self.containers)))
                if verb == "exec":
                    await self._streaming.exec(request, exchange, self.pod(), container)
                elif verb == "attach":
                    await self._streaming.attach(request, exchange, self.pod(), container)
                elif verb == "portforward":
                    query = {**request.query, "port": request.query.get("ports", [])}
                    ported = Request(request.method, request.path, query, request.headers)
                    await self._streaming.port_forward(ported, exchange, self.pod())
                else:
                    await self._logs.serve(request, exchange, "shop", "web", container)
            case _:
                raise NotFound(f"{request.path} is not served")

    async def kubectl(self, *arguments: str, stdin: bytes = b"", spdy: bool = False) -> tuple[int, bytes, bytes]:
        """Exit code, output and errors of one kubectl."""
        off = "false" if spdy else "true"
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            "--kubeconfig",
            str(self.directory / "config"),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "HOME": str(self.directory),
                "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": off,
                "KUBECTL_PORT_FORWARD_WEBSOCKETS": off,
            },
        )
        try:
            async with asyncio.timeout(30):
                output, errors = await process.communicate(stdin)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return process.returncode, output, errors


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateDirectory]:
    with running_containerd(tmp_path_factory.mktemp("containerd")) as made:
        yield made


@pytest.fixture
async def front(state: StateDirectory, tmp_path: Path) -> AsyncIterator[Front]:
    manager = CgroupManager(cgroups.detect(), ROOT, node_memory_bytes=1 << 30)
    manager.start()
    uid = f"uid-{tmp_path.name}"
    parent = manager.ensure(msgspec.convert({"metadata": {"uid": uid}}, core_v1.Pod))
    async with sandbox(state, uid, parent, tmp_path / "logs") as made:
        front = Front(made, tmp_path)
        front.containers["main"] = await made.start("main", "sh", "-c", "echo hello; exec sleep 600")
        await front.start()
        yield front
        await front.stop()
    manager.remove(uid)
    manager.destroy()


BOTH = pytest.mark.parametrize("spdy", [False, True], ids=["over WebSocket", "over SPDY"])


@BOTH
async def test_exec_gives_output_errors_and_exit_code(front: Front, spdy: bool) -> None:
    code, output, errors = await front.kubectl(
        "exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7", spdy=spdy
    )
    assert output == b"out\n", errors
    assert errors.startswith(b"err\n")
    assert b"command terminated with exit code 7" in errors
    assert code == 7


@BOTH
async def test_exec_passes_input_to_its_end(front: Front, spdy: bool) -> None:
    data = os.urandom(1 << 20)
    code, output, errors = await front.kubectl("exec", "-i", "web", "--", "cat", stdin=data, spdy=spdy)
    assert (code, errors) == (0, b"")
    assert output == data


async def test_kubectl_falls_back_to_spdy_where_websockets_are_refused(front: Front) -> None:
    front.websocket = False
    code, output, _ = await front.kubectl("exec", "-i", "web", "--", "cat", stdin=b"over SPDY")
    assert (code, output) == (0, b"over SPDY")


async def test_exec_of_a_missing_program_says_so(front: Front) -> None:
    code, _, errors = await front.kubectl("exec", "web", "--", "nonesuch")
    assert code != 0
    assert b"nonesuch" in errors


async def test_exec_into_no_container_says_so(front: Front) -> None:
    del front.containers["main"]
    front.containers["gone"] = "x"
    code, _, errors = await front.kubectl("exec", "web", "--", "true")
    assert code != 0
    assert b'container not found ("gone")' in errors


@BOTH
async def test_cp_carries_files_both_ways(front: Front, tmp_path: Path, spdy: bool) -> None:
    (tmp_path / "up").write_bytes(os.urandom(300_000))
    code, _, errors = await front.kubectl("cp", str(tmp_path / "up"), "web:/up", spdy=spdy)
    assert code == 0, errors
    code, _, errors = await front.kubectl("cp", "web:/up", str(tmp_path / "down"), spdy=spdy)
    assert code == 0, errors
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()


@BOTH
async def test_attach_joins_the_first_process(front: Front, spdy: bool) -> None:
    front.containers["echo"] = await front.sandbox.start("echo", "sh", "-c", "read x; echo got $x", stdin=True)
    code, output, errors = await front.kubectl("attach", "-i", "web", "-c", "echo", stdin=b"it\n", spdy=spdy)
    assert code == 0, errors
    assert b"got it" in output


@BOTH
async def test_a_terminal_has_one_output_and_a_size(front: Front, spdy: bool) -> None:
    # kubectl has no terminal here, so it asks for none; the command line tool `script` gives it one.
    inner = f"kubectl --kubeconfig {front.directory}/config exec -it web -- sh -c 'sleep 1; stty size; id -u; exit 3'"
    process = await asyncio.create_subprocess_exec(
        "script",
        "-qec",
        f"stty rows 33 cols 77; {inner}",
        "/dev/null",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false" if spdy else "true"},
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert b"33 77" in output, output
    assert process.returncode == 3


@BOTH
async def test_port_forward_carries_connections(front: Front, spdy: bool) -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)  # the pod is on the node's network
    port = server.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "kubectl",
        "--kubeconfig",
        str(front.directory / "config"),
        "port-forward",
        "web",
        f":{port}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false" if spdy else "true"},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
            assert line.startswith("Forwarding from 127.0.0.1:"), line
            local = int(line.split(":")[1].split(" ")[0])
            data = os.urandom(500_000)
            for _ in range(3):
                assert await _through(local, data) == data
            assert await asyncio.gather(*(_through(local, data) for _ in range(5))) == [data] * 5
    finally:
        process.terminate()
        await process.communicate()
        server.close()
        await asyncio.sleep(0.2)  # noqa: TID251 - the echoing connections end


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        await close_writer(writer)


async def _through(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.readexactly(len(data)))
    writer.write(data)
    await writer.drain()
    got = await reading
    await close_writer(writer)
    return got


async def test_logs_follow_and_end_with_the_container(front: Front) -> None:
    front.containers["talk"] = await front.sandbox.start(
        "talk", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"
    )
    code, output, errors = await front.kubectl("logs", "-f", "web", "-c", "talk")
    assert (code, output) == (0, b"1\n2\n3\n"), errors
    code, output, _ = await front.kubectl("logs", "web", "-c", "talk", "--tail=1", "--timestamps")
    assert output.endswith(b"Z 3\n")


async def test_the_python_client_runs_commands(front: Front) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    from kubernetes.stream import stream

    def run() -> tuple[str, str, int]:
        client = kubernetes.config.new_client_from_config(str(front.directory / "config"))
        command = stream(
            kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_exec,
            "web",
            "shop",
            command=["sh", "-c", "read x; echo out $x; echo err >&2; exit 4"],
            stderr=True,
            stdin=True,
            stdout=True,
            tty=False,
            _preload_content=False,
        )
        try:
            command.write_stdin("it\n")
            command.run_forever(timeout=10)
            return command.read_stdout(), command.read_stderr(), command.returncode
        finally:
            command.sock.shutdown()  # its own `close` leaves the socket open when the server closed first
            client.close()

    assert await asyncio.to_thread(run) == ("out it\n", "err\n", 4)
