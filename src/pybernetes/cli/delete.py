"""`pybernetes delete`."""

import argparse

from pybernetes.cli.common import add_cluster_options, check_same_name, state_directory
from pybernetes.cluster.delete import delete
from pybernetes.cluster.progress import Lines
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    clock = SystemClock()
    progress = Lines(clock)
    state = state_directory(arguments)
    if not state.exists():
        progress.note(f"There is no cluster in {state.root}; nothing to delete.")
        return 0
    with state.lock(clock):
        config = state.load_config()
        check_same_name(arguments.name, config)
        delete(state, config, progress, clock)
    return 0
