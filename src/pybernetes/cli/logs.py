"""`pybernetes logs COMPONENT`."""

import argparse
import sys
from pathlib import Path

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.components import ALIASES, SUPERVISOR, plan
from pybernetes.cluster.errors import BadOption
from pybernetes.cluster.logfiles import read_new, tail
from pybernetes.effects import SystemClock

POLL_SECONDS = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)
    parser.add_argument("component", metavar="COMPONENT", help="supervisor, apiserver, control, node, containerd …")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    parser.add_argument("--tail", type=int, default=-1, metavar="LINES", help="only the last lines (default: all)")


def run(arguments: argparse.Namespace) -> int:
    state, config = load(arguments)
    known = [SUPERVISOR, *(component.name for component in plan(config, state))]
    name = ALIASES.get(arguments.component, arguments.component)
    if name not in known:
        raise BadOption(f"this cluster has no component {arguments.component!r}", f"it has: {', '.join(known)}")
    path = state.logs / f"{name}.log"
    if not path.exists():
        raise BadOption(f"{name} has not written anything yet", "start the cluster with: pybernetes up")
    size = path.stat().st_size
    emit(tail(path, arguments.tail))
    if arguments.follow:
        follow(path, size, SystemClock())
    return 0


def follow(path: Path, position: int, clock: SystemClock) -> None:
    """Print what is appended, until interrupted."""
    while True:
        data, position = read_new(path, position)
        emit(data)
        clock.pause(POLL_SECONDS)


def emit(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
