"""Drives an API server over TLS with a few fixed workloads: one process, one epoll loop, raw HTTP/1.1.

The generator shares the machine with the server, so it is as lean as Python gets: requests are prepared bytes, answers
are only searched for their end.
"""

import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NAMESPACE = "bench"
MARK = b'"type":"MODIFIED"'


@dataclass(frozen=True)
class Target:
    port: int
    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(str(self.certificate), str(self.key))
        return context


@dataclass
class Result:
    operations: int = 0
    errors: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_error: str = ""

    @property
    def per_second(self) -> float:
        return self.operations / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


def request(method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if body:
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


HEAD_BYTES = 65536
"""Kept of an answer: its head and whatever came with it. Of the rest only the length counts."""


class Connection:
    """One TLS connection; `received` is the beginning of the answer that comes in."""

    def __init__(self, target: Target, context: ssl.SSLContext) -> None:
        raw = socket.create_connection(("127.0.0.1", target.port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.socket.setblocking(False)
        self.received = bytearray()
        self.length = 0
        self.needed = -1
        self.status = 0
        self.sent_at = 0.0
        self.tail = b""

    def send(self, data: bytes) -> None:
        self.received.clear()
        self.length = 0
        self.needed = -1
        self.sent_at = time.perf_counter()
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                select.select([], [self.socket], [], 1)

    def read(self, buffer: bytearray) -> bool:
        """Take what has arrived; whether the answer is complete."""
        while True:
            try:
                count = self.socket.recv_into(buffer)
            except ssl.SSLWantReadError:
                return self._complete()
            if not count:
                raise ConnectionError("the server closed the connection")
            self.length += count
            if self.needed <= 0 or self.length <= HEAD_BYTES:
                self.received += memoryview(buffer)[:count]
                if self.needed < 0:
                    self._read_head()

    def _read_head(self) -> None:
        data = self.received
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            self.status = int(data[9:12])
            head = bytes(data[:end]).lower()
            at = head.find(b"content-length:")
            self.needed = 0 if at < 0 else end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])

    def _complete(self) -> bool:
        if self.needed > 0:
            return self.length >= self.needed
        return self.needed == 0 and self.received.endswith(b"0\r\n\r\n")

    def ask(self, data: bytes) -> bytes:
        """One request, waiting for its answer."""
        self.send(data)
        buffer = bytearray(1 << 18)
        while not self.read(buffer):
            select.select([self.socket], [], [], 5)
        return bytes(self.received)


def drive(target: Target, requests: Iterator[bytes], *, concurrency: int, seconds: float) -> Result:
    """Keep `concurrency` requests in flight for `seconds`."""
    context = target.context()
    connections = [Connection(target, context) for _ in range(concurrency)]
    by_number = {connection.socket.fileno(): connection for connection in connections}
    poll = select.epoll()
    result = Result()
    buffer = bytearray(1 << 18)
    began = time.perf_counter()
    for connection in connections:
        poll.register(connection.socket, select.EPOLLIN)
        connection.send(next(requests))
    deadline = began + seconds
    busy = len(connections)
    while busy:
        for number, _ in poll.poll(5):
            connection = by_number[number]
            if not connection.read(buffer):
                continue
            now = time.perf_counter()
            result.operations += 1
            result.latencies.append(now - connection.sent_at)
            if connection.status >= 300:
                result.errors += 1
                result.first_error = result.first_error or bytes(connection.received[-300:]).decode(errors="replace")
            if now < deadline:
                connection.send(next(requests))
            else:
                busy -= 1
    result.seconds = time.perf_counter() - began
    for connection in connections:
        connection.socket.close()
    poll.close()
    return result


def pod(name: str, namespace: str, containers_count: int = 2) -> bytes:
    """A pod of about 2.5 kB as clients post it, 6 kB as stored, or 4 kB with one container; nobody schedules it."""
    containers = [
        {
            "name": f"c{number}",
            "image": "registry.example.com/team/application:1.2.3",
            "command": ["/bin/server", "--listen=:8080", "--log-level=info"],
            "env": [{"name": f"SETTING_{index}", "value": f"value-{index:04}"} for index in range(12)],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
        }
        for number in range(containers_count)
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": "bench", "tier": "backend", "version": "v1"},
            "annotations": {f"example.com/note-{index}": "x" * 60 for index in range(4)},
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": containers,
            "volumes": [{"name": "config", "configMap": {"name": "settings"}}],
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def setup(target: Target, pods: int) -> None:
    """The namespaces, and `pods` pods in the first."""
    connection = Connection(target, target.context())
    for name in (NAMESPACE, f"{NAMESPACE}-post", f"{NAMESPACE}-watch"):
        body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).encode()
        connection.ask(request("POST", "/api/v1/namespaces", body))
        account = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}).encode()
        connection.ask(request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account))
    for number in range(pods):
        connection.ask(request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod(f"fill-{number:06}", NAMESPACE, 1)))
        if connection.status not in (201, 409):
            raise SystemExit(f"cannot make pods: {bytes(connection.received[-400:]).decode(errors='replace')}")
    connection.socket.close()


def forever(data: bytes) -> Iterator[bytes]:
    while True:
        yield data


def posts(stamp: str) -> Iterator[bytes]:
    path, number = f"/api/v1/namespaces/{NAMESPACE}-post/pods", 0
    whole = request("POST", path, pod("name-00000000", f"{NAMESPACE}-post"))
    while True:
        number += 1
        yield whole.replace(b"name-00000000", f"{stamp}-{number:0{12 - len(stamp)}}".encode())


def get(target: Target, seconds: float) -> Result:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/fill-000000"
    return drive(target, forever(request("GET", path)), concurrency=16, seconds=seconds)


def list_pods(target: Target, seconds: float) -> Result:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    return drive(target, forever(request("GET", path)), concurrency=4, seconds=seconds)


def post(target: Target, seconds: float) -> Result:
    return drive(target, posts(f"p{int(time.time()) % 10000}"), concurrency=64, seconds=seconds)


def patches() -> Iterator[bytes]:
    """One label of each of many pods in turn, to a value it has not had."""
    number = 0
    while True:
        number += 1
        body = b'{"metadata":{"labels":{"round":"%d"}}}' % number
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/fill-{number % PATCHED:06}"
        yield request("PATCH", path, body, "application/merge-patch+json")


PATCHED = 500


def patch(target: Target, seconds: float) -> Result:
    return drive(target, patches(), concurrency=64, seconds=seconds)


def fan_out(target: Target, *, watchers: int, events: int) -> Result:
    """`events` patches of one pod, each seen by `watchers` streams; operations are events delivered."""
    context = target.context()
    writer = Connection(target, context)
    namespace = f"{NAMESPACE}-watch"
    writer.ask(request("POST", f"/api/v1/namespaces/{namespace}/pods", pod("watched", namespace)))
    path = f"/api/v1/namespaces/{namespace}/pods/watched"
    version = json.loads(writer.ask(request("GET", path)).split(b"\r\n\r\n", 1)[1])["metadata"]["resourceVersion"]
    stream = request("GET", f"/api/v1/namespaces/{namespace}/pods?watch=1&resourceVersion={version}")
    streams = [Connection(target, context) for _ in range(watchers)]
    poll = select.epoll()
    by_number = {}
    for connection in streams:
        connection.send(stream)
        poll.register(connection.socket, select.EPOLLIN)
        by_number[connection.socket.fileno()] = connection
    poll.register(writer.socket, select.EPOLLIN)
    time.sleep(1.0)
    result = Result()
    buffer = bytearray(1 << 16)
    expected, written = watchers * events, 0
    sent: list[float] = []
    seen: dict[int, int] = dict.fromkeys(by_number, 0)

    def write() -> None:
        nonlocal written
        body = json.dumps({"metadata": {"labels": {"round": str(written)}}}).encode()
        sent.append(time.perf_counter())
        writer.send(request("PATCH", path, body, "application/merge-patch+json"))
        written += 1

    began = time.perf_counter()
    write()
    while result.operations < expected and time.perf_counter() - began < 120:
        for number, _ in poll.poll(1):
            if number == writer.socket.fileno():
                if writer.read(buffer) and written < events:
                    write()
                continue
            connection = by_number[number]
            fresh = receive(connection, buffer)
            now = time.perf_counter()
            for _ in range(fresh):
                result.latencies.append(now - sent[seen[number]])
                seen[number] += 1
            result.operations += fresh
    result.seconds = time.perf_counter() - began
    result.errors = expected - result.operations
    for connection in [*streams, writer]:
        connection.socket.close()
    poll.close()
    return result


def receive(connection: Connection, buffer: bytearray) -> int:
    """How many events have arrived on a stream."""
    count = 0
    while True:
        try:
            size = connection.socket.recv_into(buffer)
        except ssl.SSLWantReadError:
            return count
        if not size:
            raise ConnectionError("a watch ended early")
        data = connection.tail + bytes(buffer[:size])
        count += data.count(MARK)
        last = data.rfind(MARK)
        connection.tail = data[max(last + len(MARK), len(data) - len(MARK) + 1) :]
