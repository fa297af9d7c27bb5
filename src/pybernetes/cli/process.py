"""One process of a cluster; started by the supervisor."""

import argparse
from pathlib import Path

from pybernetes.cluster.logsetup import configure_logging
from pybernetes.cluster.processes import MAINS
from pybernetes.cluster.processes import run as run_process
from pybernetes.cluster.state import StateDirectory


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", choices=sorted(MAINS))
    parser.add_argument("--data-dir", required=True)


def run(arguments: argparse.Namespace) -> int:
    configure_logging()
    return run_process(arguments.process, StateDirectory(Path(arguments.data_dir)))
