"""What `make bench` prints: time to ready, idle memory and CPU of every process, and what the API server carries.

    time to ready     a new cluster, the same one stopped and started again; real nodes as root, else simulated
    idle              every process of the running cluster, resident memory and CPU over a while
    API server        alone with its store on TLS, the generator on the same machine: GET, LIST, POST, watch fan-out

Figures are of this machine at this moment, which the first line describes: compare only what one run prints.
`--quick` measures briefly.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import loadgen
from pybernetes.cluster import pki, preflight
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.state import StateDirectory
from pybernetes.effects import SystemClock

SOURCE = Path(__file__).resolve().parent.parent / "src"
TARGETS = {"GET": 25_000, "LIST of 1,000": 250, "POST": 4_000, "PATCH": 4_000, "watch fan-out": 45_000}
COPY_MIB = 64
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def pybernetes(*words: str) -> float:
    """Run a command; the seconds it took."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pybernetes", *words], capture_output=True, text=True, check=False, env=environment()
    )
    if done.returncode:
        raise SystemExit(f"pybernetes {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident, and resident without what is shared with others (proportional)."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    share = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
    return resident, share


def machine() -> str:
    """What the machine gives at this moment: neighbours share its memory bus, and what moves much memory feels it."""
    block = os.urandom(COPY_MIB << 20)
    target = bytearray(block)
    began = time.perf_counter()
    target[:] = block
    copied = COPY_MIB / 1024 / (time.perf_counter() - began)
    began = time.perf_counter()
    sum(range(5_000_000))
    return f"copies {copied:.1f} GiB/s, adds 5 million numbers in {(time.perf_counter() - began) * 1000:.0f} ms"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def time_to_ready(directory: Path, *, real: bool, idle_seconds: float) -> None:
    """Bring a cluster up twice, then look at its processes while nothing happens."""
    kind = "1 real node" if real else "50 simulated nodes"
    nodes = ("--nodes", "1") if real else ("--simulated-nodes", "50")
    common = ("--name", "bench", "--data-dir", str(directory / "cluster"))
    options = (*nodes, "--port", str(free_port()), "--kubeconfig", str(directory / "kubeconfig"))
    try:
        first = pybernetes("up", *common, *options)
        pybernetes("down", *common)
        again = pybernetes("up", *common)
        print(f"\nTime to ready, {kind}:   new {first:.2f} s   stopped, state kept {again:.2f} s")
        idle(common, idle_seconds, real=real)
    finally:
        pybernetes("delete", *common)


def idle(common: tuple[str, ...], seconds: float, *, real: bool) -> None:
    time.sleep(min(seconds, 10))
    done = subprocess.run(
        [sys.executable, "-m", "pybernetes", "status", *common, "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    processes = {row["name"]: row["pid"] for row in json.loads(done.stdout)["processes"]}
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    time.sleep(seconds)
    print(f"\nIdle, {'1 real node' if real else '50 simulated nodes'}, over {seconds:.0f} s:")
    print(f"  {'process':<12} {'resident':>10} {'proportional':>13} {'CPU':>8}")
    total = [0.0, 0.0, 0.0]
    plane = [0.0, 0.0, 0.0]
    for name, pid in processes.items():
        share = (cpu_seconds(pid) - before[name]) / seconds * 100
        row = [*memory_mib(pid), share]
        total = [a + b for a, b in zip(total, row, strict=True)]
        if name in ("supervisor", "apiserver", "control"):
            plane = [a + b for a, b in zip(plane, row, strict=True)]
        print(f"  {name:<12} {row[0]:>6.0f} MiB {row[1]:>9.0f} MiB {row[2]:>6.1f} %")
    print(f"  {'all':<12} {total[0]:>6.0f} MiB {total[1]:>9.0f} MiB {total[2]:>6.1f} %")
    print(f"  control plane (supervisor, API server, control loops): {plane[0]:.0f} MiB resident, {plane[2]:.1f} %")
    print("  target: at most 200 MiB and 3 % of a core")


def api_server(directory: Path, seconds: float, *, watchers: int, events: int) -> None:
    """The API server alone on a durable store."""
    config = ClusterConfig(name="bench", port=free_port(), simulated_nodes=1, node_name="bench")
    state = StateDirectory(directory / "apiserver")
    state.create(config)
    pki.ensure(state.pki, config, SystemClock().now(), machine_name="bench")
    target = loadgen.Target(config.port, state.pki / "ca.crt", state.pki / "admin.crt", state.pki / "admin.key")
    log = (state.logs / "apiserver.log").open("ab")
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "pybernetes", "process", "apiserver", "--data-dir", str(state.root)],
        stdout=log,
        stderr=log,
        env=environment(),
    )
    try:
        wait_ready(target, server)
        print(f"\nAPI server alone with SQLite, TLS, ready after {time.perf_counter() - began:.2f} s:")
        loadgen.setup(target, 1000)
        print(f"  {'workload':<16} {'per second':>11} {'p50':>10} {'p99':>10} {'CPU per op':>11} {'target':>9}")
        runs = {
            "GET": lambda: loadgen.get(target, seconds),
            "LIST of 1,000": lambda: loadgen.list_pods(target, seconds),
            "POST": lambda: loadgen.post(target, seconds),
            "PATCH": lambda: loadgen.patch(target, seconds),
            "watch fan-out": lambda: loadgen.fan_out(target, watchers=watchers, events=events),
        }
        for name, measure in runs.items():
            time.sleep(1)
            before = cpu_seconds(server.pid)
            result = measure()
            cost = (cpu_seconds(server.pid) - before) / max(1, result.operations) * 1e6
            print(
                f"  {name:<16} {result.per_second:>11,.0f} {result.percentile_ms(0.5):>7.2f} ms"
                f" {result.percentile_ms(0.99):>7.2f} ms {cost:>8.0f} µs {TARGETS[name]:>9,}"
                + (f"   {result.errors} errors: {result.first_error[-200:]}" if result.errors else "")
            )
        print(f"  resident after that: {memory_mib(server.pid)[0]:.0f} MiB; the machine {machine()}")
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def wait_ready(target: loadgen.Target, server: subprocess.Popen[bytes]) -> None:
    while True:
        if server.poll() is not None:
            raise SystemExit("the API server ended; its log is in the data directory")
        try:
            connection = loadgen.Connection(target, target.context())
            connection.ask(loadgen.request("GET", "/readyz"))
            connection.socket.close()
        except OSError:
            time.sleep(0.02)
            continue
        if connection.status == 200:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="measure briefly: a look, not a result")
    parser.add_argument("--only", choices=("up", "api"), help="only one of the parts")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seconds, idle_seconds = (1.0, 3.0) if arguments.quick else (5.0, 20.0)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d %H:%M')}; {machine()}")
    base = Path("/var/lib/pybernetes-bench") if os.geteuid() == 0 else None
    if base:
        base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="b-", dir=base) as name:
        directory = Path(name)
        if arguments.only != "api":
            real = not preflight.real_node(StateDirectory(directory / "cluster"))
            if real:
                time_to_ready(directory, real=True, idle_seconds=idle_seconds)
            time_to_ready(directory, real=False, idle_seconds=idle_seconds)
        if arguments.only != "up":
            watchers, events = (100, 20) if arguments.quick else (1000, 100)
            api_server(directory, seconds, watchers=watchers, events=events)
    if base:
        base.rmdir()


if __name__ == "__main__":
    main()
