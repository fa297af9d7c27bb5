"""A machine of network namespaces for tests: a node with a pod bridge, pods on it, and a client outside.

client 198.51.100.2 ── 198.51.100.1 node 10.244.0.1 ── bridge ── pod-1 10.244.0.11 … pod-N
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

NODE_IP = "198.51.100.1"
CLIENT_IP = "198.51.100.2"
GATEWAY = "10.244.0.1"

SERVER = """
import socket, sys, threading
name = sys.argv[1].encode()
tcp = socket.create_server(("0.0.0.0", 8080), backlog=64)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", 8080))
def answer_udp():
    while True:
        _, peer = udp.recvfrom(100)
        udp.sendto(name + b" " + peer[0].encode(), peer)
threading.Thread(target=answer_udp, daemon=True).start()
print("ready", flush=True)
while True:
    connection, peer = tcp.accept()
    connection.sendall(name + b" " + peer[0].encode())
    connection.close()
"""

CLIENT = """
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    if kind == "tcp":
        with socket.create_connection((host, port), timeout=3) as c:
            print(c.recv(100).decode())
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.settimeout(3); c.connect((host, port)); c.send(b"x"); print(c.recv(100).decode())
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("timeout")
except OSError as error:
    print("error", error)
"""


def sh(command: str) -> str:
    return subprocess.run(["sh", "-ec", command], check=True, capture_output=True, text=True).stdout


@dataclass
class Network:
    """Use as a context manager; everything it made goes at the end, also when a test fails."""

    pods: int = 3
    prefix: str = field(default_factory=lambda: f"pybt{os.getpid()}")
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def namespace(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def __enter__(self) -> Self:
        node, client = self.namespace("node"), self.namespace("client")
        try:
            for name in ("node", "client", *(f"pod-{n}" for n in range(1, self.pods + 1))):
                sh(f"ip netns add {self.namespace(name)}; ip -n {self.namespace(name)} link set lo up")
            sh(f"""
                ip -n {node} link add outside type veth peer name eth0 netns {client}
                ip -n {node} addr add {NODE_IP}/24 dev outside; ip -n {node} link set outside up
                ip -n {client} addr add {CLIENT_IP}/24 dev eth0; ip -n {client} link set eth0 up
                ip -n {client} route add default via {NODE_IP}
                ip -n {node} route add default via {CLIENT_IP}
                ip -n {node} link add cni0 type bridge; ip -n {node} addr add {GATEWAY}/24 dev cni0
                ip -n {node} link set cni0 up
                nsenter --net=/run/netns/{node} sysctl -qw net.ipv4.ip_forward=1
                nsenter --net=/run/netns/{node} sysctl -qw net.bridge.bridge-nf-call-iptables=1
            """)
            for number in range(1, self.pods + 1):
                self.add_pod(number)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def add_pod(self, number: int) -> None:
        node, pod = self.namespace("node"), self.namespace(f"pod-{number}")
        sh(f"""
            ip -n {node} link add veth{number} type veth peer name eth0 netns {pod}
            ip -n {node} link set veth{number} master cni0 up
            bridge -n {node} link set dev veth{number} hairpin on
            ip -n {pod} addr add {self.pod_ip(number)}/24 dev eth0; ip -n {pod} link set eth0 up
            ip -n {pod} route add default via {GATEWAY}
        """)
        command = ["nsenter", f"--net=/run/netns/{pod}", sys.executable, "-c", SERVER, f"pod-{number}"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline().strip() == "ready"

    @staticmethod
    def pod_ip(number: int) -> str:
        return f"10.244.0.{10 + number}"

    def nft(self, text: str) -> None:
        command = ["nsenter", f"--net=/run/netns/{self.namespace('node')}", "nft", "-f", "-"]
        subprocess.run(command, input=text, text=True, check=True)

    def ask(self, source: str, host: str, port: int, kind: str = "tcp") -> str:
        """What a connection from namespace `source` is answered: `pod-1 10.244.0.12`, refused or timeout."""
        command = ["nsenter", f"--net=/run/netns/{self.namespace(source)}", sys.executable, "-c", CLIENT]
        done = subprocess.run([*command, kind, host, str(port)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def ask_timed(self, source: str, host: str, port: int) -> tuple[str, float]:
        start = time.perf_counter()
        return self.ask(source, host, port), time.perf_counter() - start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.kill()
            server.wait()
            if server.stdout:
                server.stdout.close()
        for name in ("node", "client", *(f"pod-{n}" for n in range(1, self.pods + 1))):
            subprocess.run(["ip", "netns", "del", self.namespace(name)], check=False, capture_output=True)
