"""`pybernetes down`."""

import argparse

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.down import down
from pybernetes.cluster.progress import Lines
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    clock = SystemClock()
    progress = Lines(clock)
    state, config = load(arguments)
    with state.lock(clock):
        if not down(state, config, progress, clock):
            progress.note(f"Cluster {config.name!r} is not running.")
    return 0
