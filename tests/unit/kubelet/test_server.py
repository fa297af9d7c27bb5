import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import msgspec
import pytest

from pybernetes.api import authentication_v1, authorization_v1, core_v1
from pybernetes.api.object import Object
from pybernetes.client.interface import Unreachable
from pybernetes.effects import VirtualClock
from pybernetes.kubelet.cgroups.manager import CgroupManager
from pybernetes.kubelet.cgroups.v2 import V2Driver
from pybernetes.kubelet.cri import api_pb2 as cri
from pybernetes.kubelet.cri.interface import ExecResult
from pybernetes.kubelet.server import lookup
from pybernetes.kubelet.server.access import Access, subresources, user_of_certificate
from pybernetes.kubelet.server.http import Request, parse_head
from pybernetes.kubelet.server.server import KubeletServer
from pybernetes.kubelet.server.stats import parse_net_dev
from pybernetes.kubelet.server.streaming import wanted_streams
from pybernetes.machinery.errors import BadRequest, Forbidden, ServiceUnavailable, Unauthorized

if TYPE_CHECKING:
    from pybernetes.client.interface import Client
    from pybernetes.kubelet.cri.interface import RuntimeService

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def pod(name: str = "web", state: dict[str, Any] | None = None, **status: Any) -> core_v1.Pod:
    document = {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "main", "containerID": "containerd://c1", "state": state or RUNNING, **status}
            ],
        },
    }
    return msgspec.convert(document, core_v1.Pod)


class FakeRuntime:
    """One running container whose log is a file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.commands: list[list[str]] = []

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        return cri.ContainerStatus(id=container_id, log_path=str(self.log), state=cri.CONTAINER_RUNNING)

    async def list_containers(self, *, pod_uid: str = "") -> list[cri.Container]:
        labels = {lookup.CONTAINER_NAME_LABEL: "main"}
        return [cri.Container(id="c1", labels=labels, state=cri.CONTAINER_RUNNING)] if pod_uid == "uid-web" else []

    async def exec_sync(self, _container: str, command: list[str], _timeout: int = 0) -> ExecResult:
        self.commands.append(command)
        return ExecResult(0 if command[0] == "true" else 1, b"out", b"err")


class Node:
    def __init__(self, server: KubeletServer, runtime: FakeRuntime, session: aiohttp.ClientSession) -> None:
        self.server, self.runtime, self.session = server, runtime, session

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        async with self.session.request(method, f"http://127.0.0.1:{self.server.port}{path}", **more) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    runtime = FakeRuntime(tmp_path / "0.log")
    runtime.log.write_bytes(b"2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stderr F two\n")
    waiting = pod("waits", {"waiting": {"reason": "ImagePullBackOff"}})
    server = KubeletServer(
        lambda: [pod(), waiting],
        cast("RuntimeService", runtime),
        CgroupManager(V2Driver(tmp_path), "/lab/kubepods", node_memory_bytes=1 << 30),
        VirtualClock(),
        None,
        node_name="n1",
        root=tmp_path,
    )
    await server.start("127.0.0.1", 0, None)
    async with aiohttp.ClientSession() as session:
        yield Node(server, runtime, session)
    await server.stop()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        pytest.param("/healthz", 200, "ok", id="health"),
        pytest.param("/containerLogs/shop/web/main", 200, "one\ntwo\n", id="a log"),
        pytest.param("/containerLogs/shop/web/main?tailLines=1", 200, "two\n", id="its last line"),
        pytest.param("/containerLogs/shop/web/main?stream=Stdout", 200, "one\n", id="one stream of it"),
        pytest.param("/containerLogs/shop/none/main", 404, 'pod "none" does not exist', id="no such pod"),
        pytest.param(
            "/containerLogs/shop/web/none", 404, 'container "none" not found in pod "web"', id="no such container"
        ),
        pytest.param(
            "/containerLogs/shop/web/main?previous=true",
            400,
            'previous terminated container "main" in pod "web" not found',
            id="nothing ran before",
        ),
        pytest.param(
            "/containerLogs/shop/waits/main",
            400,
            'container "main" in pod "waits" is waiting to start: trying and failing to pull image',
            id="not started",
        ),
        pytest.param(
            "/containerLogs/shop/web/main?tailLines=-1",
            400,
            'tailLines: Invalid value: "-1": must be a whole number, at least 0',
            id="a senseless number",
        ),
        pytest.param("/nowhere", 404, "404 page not found\n", id="no such path"),
        pytest.param(
            "/exec/shop/web/main?command=true&output=1",
            400,
            "unable to upgrade: missing upgrade headers in request: ask for SPDY/3.1 or websocket",
            id="exec without upgrade",
        ),
    ],
)
async def test_answers(node: Node, path: str, status: int, text: str) -> None:
    assert await node.ask(path) == (status, text)


async def test_lists_its_pods(node: Node) -> None:
    status, text = await node.ask("/pods")
    document = json.loads(text)
    assert (status, document["kind"]) == (200, "PodList")
    assert [item["metadata"]["name"] for item in document["items"]] == ["web", "waits"]
    assert document["items"][0]["kind"] == "Pod"


async def test_runs_a_command_to_its_end(node: Node) -> None:
    assert await node.ask("/run/shop/web/main?cmd=true+x", "POST") == (200, "outerr")
    assert await node.ask("/run/shop/web/main?cmd=false", "POST") == (500, "outerr")
    assert node.runtime.commands == [["true", "x"], ["false"]]
    assert (await node.ask("/run/shop/web/main?cmd=true"))[0] == 405


async def test_metrics_are_in_prometheus_format(node: Node) -> None:
    status, text = await node.ask("/metrics")
    assert status == 200
    assert "# TYPE kubelet_running_pods gauge\nkubelet_running_pods 2\n" in text
    assert 'kubelet_node_name{node="n1"} 1\n' in text
    assert (await node.ask("/metrics/resource"))[1].count("# TYPE") == 8


async def test_one_connection_serves_many_requests_and_refuses_what_is_no_http(node: Node) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.server.port)
    for _ in range(2):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(2) == b"ok"
    writer.write(b"HELLO\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request")
    writer.close()
    await writer.wait_closed()


def test_heads_are_parsed() -> None:
    lines = [
        "POST /exec/a?command=x HTTP/1.1",
        "Host: h",
        "X-A: 1",
        "X-A: 2",
        "Upgrade: SPDY/3.1",
        "Connection: Upgrade",
    ]
    data = "\r\n".join([*lines, "", ""]).encode()
    method, url, headers, _ = parse_head(data)
    assert (method, url, headers["x-a"], headers["upgrade"]) == ("POST", "/exec/a?command=x", "1, 2", "SPDY/3.1")


@pytest.mark.parametrize(
    ("container", "previous", "expected"),
    [
        ({"state": RUNNING}, False, "c1"),
        ({"state": {"terminated": {"exitCode": 1, "containerID": "containerd://c1"}}}, False, "c1"),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://c0"}},
            },
            False,
            "c0",
        ),
        ({"lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://c0"}}}, True, "c0"),
    ],
)
def test_the_log_of_the_right_container_is_read(container: dict[str, Any], previous: bool, expected: str) -> None:
    assert lookup.logged_container(pod(**container), "main", previous=previous) == expected


def test_streams_are_named_as_here_or_as_at_the_api_server() -> None:
    def wanted(**query: str) -> Any:
        return wanted_streams(Request("POST", "/", {name: [value] for name, value in query.items()}, {}))

    assert wanted(input="1", output="1", tty="1") == wanted(stdin="true", stdout="true", stderr="true", tty="true")
    with pytest.raises(BadRequest, match="at least 1 of stdin, stdout, stderr"):
        wanted(tty="1")


def test_interfaces_are_read() -> None:
    text = "Inter-| x\n face | y\n    lo: 1 0 0 0 0 0 0 0 1 0\n  eth0: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n"
    assert parse_net_dev(text) == (("eth0", 10, 20),)


class Reviewer:
    """An API server that knows one token and one permission."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reachable = True

    async def create(self, value: Object) -> Object:
        if not self.reachable:
            raise Unreachable("refused")
        if isinstance(value, authentication_v1.TokenReview):
            self.asked.append("token")
            user = authentication_v1.UserInfo(username="collector", groups=["g"])
            good = value.spec.token == "good"
            status = authentication_v1.TokenReviewStatus(authenticated=good, user=user)
            return msgspec.structs.replace(value, status=status)
        assert isinstance(value, authorization_v1.SubjectAccessReview)
        attributes = value.spec.resourceAttributes
        assert attributes is not None
        self.asked.append(attributes.subresource)
        allowed = (value.spec.user, attributes.subresource, attributes.name) == ("collector", "metrics", "n1")
        return msgspec.structs.replace(value, status=authorization_v1.SubjectAccessReviewStatus(allowed=allowed))


def certificate(name: str, *groups: str) -> dict[str, Any]:
    return {"subject": ((("commonName", name),), *((("organizationName", group),) for group in groups))}


def request(path: str, *, token: str = "", cert: dict[str, Any] | None = None) -> Request:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Request("GET", path, {}, headers, b"", cert or {})


async def test_the_api_server_may_do_everything_without_being_asked() -> None:
    reviewer = Reviewer()
    access = Access(cast("Client", reviewer), VirtualClock(), "n1")
    user = await access.check(request("/exec/a/b/c", cert=certificate("api", "kubeadm:cluster-admins")))
    assert user.name == "api"
    assert reviewer.asked == []


async def test_nobody_is_refused_and_others_are_reviewed_once_in_a_while() -> None:
    reviewer, clock = Reviewer(), VirtualClock()
    access = Access(cast("Client", reviewer), clock, "n1")
    with pytest.raises(Unauthorized):
        await access.check(request("/metrics"))
    with pytest.raises(Unauthorized):
        await access.check(request("/metrics", token="bad"))
    reviewer.asked.clear()
    for _ in range(2):
        await access.check(request("/metrics/resource", token="good"))
    assert reviewer.asked == ["token", "metrics"]
    with pytest.raises(Forbidden, match=r"Forbidden \(user=collector, verb=get, resource=nodes, subresource\(s\)="):
        await access.check(request("/pods", token="good"))
    assert reviewer.asked[2:] == ["pods", "proxy"]
    await clock.advance(121)
    await access.check(request("/metrics", token="good"))
    assert reviewer.asked[4:] == ["token"]


async def test_while_the_api_server_is_away_nobody_new_comes_in() -> None:
    reviewer = Reviewer()
    reviewer.reachable = False
    access = Access(cast("Client", reviewer), VirtualClock(), "n1")
    with pytest.raises(ServiceUnavailable):
        await access.check(request("/metrics", token="good"))


def test_paths_stand_for_subresources_of_nodes() -> None:
    assert subresources("/stats/summary") == ["stats"]
    assert subresources("/metrics/cadvisor") == ["metrics"]
    assert subresources("/healthz") == ["healthz", "proxy"]
    assert subresources("/exec/a/b/c") == ["proxy"]
    assert subresources("/metricsx") == ["proxy"]
    assert user_of_certificate({}) is None
