"""`pybernetes status`: exit code 0 when the API server is ready, 1 when it is not."""

import argparse
import json

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.status import Report, report
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the answer")


def run(arguments: argparse.Namespace) -> int:
    state, config = load(arguments)
    found = report(state, config, SystemClock())
    print(json.dumps(found.document(), indent=2) if arguments.output == "json" else text(found))
    return 0 if found.ready else 1


def text(found: Report) -> str:
    """The report for people."""
    word = "ready" if found.ready else "running, not ready" if found.running else "stopped"
    lines = [f"cluster     {found.name}: {word}", f"API server  {found.server}", f"state       {found.data_dir}"]
    if found.ready:
        ready = sum(found.nodes.values())
        lines.append(f"nodes       {ready} of {len(found.nodes)} Ready")
    if found.processes:
        lines.append(f"\n{'COMPONENT':<12} {'PID':>7} {'UPTIME':>8} {'RESTARTS':>8} {'MEMORY':>9}  WHAT IT DOES")
        for row in found.processes:
            pid, up = (str(row.pid), duration(row.uptime_seconds)) if row.running else ("-", "stopped")
            memory = f"{row.memory_bytes / 2**20:.0f} MiB" if row.running else "-"
            lines.append(f"{row.name:<12} {pid:>7} {up:>8} {row.restarts:>8} {memory:>9}  {row.what}")
    if not found.running:
        lines.append("\nStart it with: pybernetes up")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Two units at most, as kubectl prints ages: `45s`, `3m20s`, `5h`, `12d`."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60}s"
    if whole < 3 * 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h" if whole < 48 * 3600 else f"{whole // 86400}d"
