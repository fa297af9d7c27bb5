"""`pybernetes snapshot save|restore FILE`."""

import argparse
from pathlib import Path

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.snapshot import restore, save
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="save | restore")
    for name, summary in (("save", "write everything that is stored to FILE"), ("restore", "go back to FILE")):
        command = commands.add_parser(name, help=summary)
        command.add_argument("file", metavar="FILE")
        add_cluster_options(command)


def run(arguments: argparse.Namespace) -> int:
    state, config = load(arguments)
    file = Path(arguments.file).expanduser().absolute()
    with state.lock(SystemClock()):
        if arguments.action == "save":
            print(f"saved {save(state, config, file)} objects to {file}")
        else:
            print(f"restored {restore(state, config, file)} objects; start the cluster with: pybernetes up")
    return 0
