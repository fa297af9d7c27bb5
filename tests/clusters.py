"""A cluster under test, driven as a user drives it: the `pybernetes` command and kubectl."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pybernetes.effects import SystemClock

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLE = REPOSITORY / "examples" / "web.yaml"
CLOCK = SystemClock()
POLL_SECONDS = 0.1
NOISE = 4.0
"""How much slower than its target a start may be here, on machines with other work; `make bench` tells the figure."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Failed(AssertionError):
    """A command ended with another exit code than expected; the text is its output."""


class Cluster:
    """One cluster; `user` runs every command as an ordinary user (uid)."""

    def __init__(
        self, name: str, root: Path, *, user: int | None = None, python: str = sys.executable, path: str = ""
    ) -> None:
        self.name, self.root, self.user = name, root, user
        self.python, self.path = python, path or str(REPOSITORY / "src")
        self.port = free_port()
        self.kubeconfig = root.parent / f"{name}.kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.root.parent)
        path = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return {
            **kept,
            "PATH": path,
            "HOME": home,
            "PYTHONPATH": self.path,
            "KUBECONFIG": str(self.kubeconfig),
            "PYTHONWARNINGS": "default",
        }

    def run(
        self, *command: str, code: int | None = 0, seconds: float = 120, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; `code` None accepts any exit code."""
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=self.environment,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user is not None else None,
            cwd="/",
        )
        if code is not None and done.returncode != code:
            raise Failed(f"{' '.join(command)} → {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
        return done

    def pybernetes(
        self, command: str, *arguments: str, code: int | None = 0, seconds: float = 180
    ) -> subprocess.CompletedProcess[str]:
        words = command.split()
        options = ("--name", self.name, "--data-dir", str(self.root))
        return self.run(self.python, "-m", "pybernetes", *words, *options, *arguments, code=code, seconds=seconds)

    def up(self, *arguments: str, seconds: float = 180) -> float:
        """Bring it up; the seconds that took."""
        began = CLOCK.monotonic()
        self.pybernetes(
            "up", "--port", str(self.port), "--kubeconfig", str(self.kubeconfig), *arguments, seconds=seconds
        )
        return CLOCK.monotonic() - began

    def delete(self) -> None:
        self.pybernetes("delete")

    def kubectl(self, *arguments: str, code: int | None = 0, seconds: float = 120, text: str | None = None) -> str:
        """What kubectl prints (both streams, the one after the other)."""
        done = self.run("kubectl", "--context", self.name, *arguments, code=code, seconds=seconds, text=text)
        return done.stdout + done.stderr

    def get(self, *arguments: str) -> Any:
        """The decoded answer of `kubectl get … -o json`."""
        done = self.run("kubectl", "--context", self.name, "get", *arguments, "-o", "json")
        return json.loads(done.stdout)

    def pods(self, selector: str = "app=web", namespace: str = "default") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("pods", "-l", selector, "-n", namespace)["items"]
        return items

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", text=manifest)

    def processes(self) -> dict[str, dict[str, Any]]:
        """Component → what `status` says of its process."""
        report = json.loads(self.pybernetes("status", "--output", "json", code=None).stdout)
        return {row["name"]: row for row in report["processes"]}

    def exec(self, pod: str, *command: str, code: int | None = 0) -> str:
        return self.kubectl("exec", pod, "--", *command, code=code)


def wait(what: str, seconds: float, holds: Callable[[], object]) -> Any:
    """The first true value of `holds`; failing commands count as not yet.

    Raises:
        AssertionError: it did not come true in time; with the last failure.
    """
    deadline = CLOCK.monotonic() + seconds
    last: object = None
    while CLOCK.monotonic() < deadline:
        try:
            value = holds()
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            last = error
        else:
            if value:
                return value
            last = value
        CLOCK.pause(POLL_SECONDS)
    raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}; last: {last}")


def is_ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(row["type"] == "Ready" and row["status"] == "True" for row in pod["status"].get("conditions", ()))


def restarts(pod: Mapping[str, Any]) -> int:
    return sum(row["restartCount"] for row in pod["status"].get("containerStatuses", ()))


def fetch(url: str, seconds: float = 3.0) -> str:
    """The body of a GET; an empty text when it fails."""
    done = subprocess.run(["curl", "-sS", "-m", str(seconds), url], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def left_behind(before: dict[str, set[str]], after: dict[str, set[str]], cluster: Cluster) -> dict[str, set[str]]:
    """What is there now and was not before. Where other clusters come and go meanwhile, only what names ours counts."""
    new = {kind: after[kind] - before[kind] for kind in after}
    others = [line for line in before["processes"] | after["processes"] if "supervise" in line]
    if any(str(cluster.root) not in line for line in others):
        marks = (cluster.name, str(cluster.root))
        new = {kind: {item for item in items if any(mark in item for mark in marks)} for kind, items in new.items()}
    return {kind: items for kind, items in new.items() if items}


def running_commands() -> set[str]:
    """The command lines of all processes. The dead that init has yet to bury have none."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
            found.add((directory / "cmdline").read_text(errors="replace").replace("\0", " ").strip())
    return found - {""}


def machine_footprint() -> dict[str, set[str]]:
    """What a cluster could leave behind on this machine, by kind."""

    def output(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    cgroups = {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir() and "pybernetes" in str(path)}
    return {
        "processes": {
            line for line in running_commands() if re.search(r"pybernetes (process|supervise)|containerd", line)
        },
        "mounts": {line.split(" ")[4] for line in mounts},
        "network namespaces": set(output("ip", "netns", "list").split()),
        "interfaces": {row["ifname"] for row in json.loads(output("ip", "-json", "link") or "[]")},
        "addresses": {
            f"{row['ifname']} {info['local']}"
            for row in json.loads(output("ip", "-json", "address") or "[]")
            for info in row.get("addr_info", ())
        },
        "routes": {line.strip() for line in output("ip", "route").splitlines()},
        "nft tables": set(output("nft", "list", "tables").splitlines()),
        "cgroups": cgroups,
        "loop devices": set(output("losetup", "-a").splitlines()),
        "files": {
            str(path)
            for directory in ("/run/containerd/s", "/var/lib/cni/results")
            for path in (Path(directory).iterdir() if Path(directory).is_dir() else ())
        },
        "sysctls": {f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in ("net/ipv4/ip_forward",)},
    }
