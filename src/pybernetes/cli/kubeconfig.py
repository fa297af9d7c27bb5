"""`pybernetes kubeconfig`: the administrator's kubeconfig on stdout."""

import argparse

import yaml

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.kubeconfigs import document


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    state, config = load(arguments)
    print(yaml.safe_dump(document(config, state.pki, "admin"), sort_keys=False), end="")
    return 0
