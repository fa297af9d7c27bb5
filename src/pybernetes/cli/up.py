"""`pybernetes up`."""

import argparse
from pathlib import Path

from pybernetes.cli.common import add_cluster_options, state_directory
from pybernetes.cluster.errors import BadOption
from pybernetes.cluster.progress import Lines
from pybernetes.cluster.up import UpOptions, up
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    add_cluster_options(parser)
    parser.add_argument("--nodes", type=int, metavar="K", help="real nodes here, 0 or 1 (default: 1 if it can)")
    parser.add_argument("--simulated-nodes", type=int, metavar="K", help="nodes without containers (default: 0)")
    parser.add_argument("--port", type=int, metavar="P", help="of the API server on 127.0.0.1 (default: 6443)")
    parser.add_argument("--storage", metavar="S", help="sqlite (default) or memory")
    parser.add_argument("--kubeconfig", metavar="F", help="file that gets the context (default: as kubectl)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.kubeconfig == "":
        raise BadOption("--kubeconfig is empty", "name a file")
    clock = SystemClock()
    progress = Lines(clock)
    settings = {name: getattr(arguments, name) for name in ("nodes", "simulated_nodes", "port", "storage")}
    kubeconfig = Path(arguments.kubeconfig).expanduser().absolute() if arguments.kubeconfig else None
    options = UpOptions(arguments.name, settings, kubeconfig)
    config = up(state_directory(arguments), options, progress, clock)
    progress.note(f"Ready after {progress.elapsed_seconds:.1f}s.  Try: kubectl --context {config.name} get nodes")
    return 0
