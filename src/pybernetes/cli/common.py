"""Options that every command about a cluster has."""

import argparse
from pathlib import Path

from pybernetes.cluster.config import DEFAULT_NAME, ClusterConfig, check_name
from pybernetes.cluster.errors import BadOption
from pybernetes.cluster.state import StateDirectory, default_data_dir


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="N", help=f"the cluster's name (default: {DEFAULT_NAME})")
    parser.add_argument(
        "--data-dir", metavar="D", help="its state directory (default: /var/lib/pybernetes/N as root, else XDG data)"
    )


def state_directory(arguments: argparse.Namespace) -> StateDirectory:
    """The state directory the options mean.

    Raises:
        BadOption: the name is not one.
    """
    name = check_name(arguments.name or DEFAULT_NAME)
    if arguments.data_dir == "":
        raise BadOption("--data-dir is empty", "name a directory")
    return StateDirectory(Path(arguments.data_dir).expanduser() if arguments.data_dir else default_data_dir(name))


def load(arguments: argparse.Namespace) -> tuple[StateDirectory, ClusterConfig]:
    """The cluster the options mean.

    Raises:
        NotRunning: there is none.
        BadOption: the directory holds a cluster of another name.
    """
    state = state_directory(arguments)
    config = state.load_config()
    check_same_name(arguments.name, config)
    return state, config


def check_same_name(name: str | None, config: ClusterConfig) -> None:
    if name and name != config.name:
        raise BadOption(
            f"the state directory holds cluster {config.name!r}, not {name!r}",
            f"use --name {config.name}, or another --data-dir",
        )
