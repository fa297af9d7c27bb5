"""The `pybernetes` command: finds the module of the subcommand, and prints what goes wrong with what to do about it.

Each subcommand is a module with `configure(parser)` and `run(arguments) -> exit code`; only the one that was asked for
is imported.
"""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from pybernetes import __version__
from pybernetes.cluster.errors import ClusterError

COMMANDS = {
    "up": "start a cluster, or bring it back; returns when it is ready",
    "down": "stop the cluster and its containers; its state stays",
    "status": "what runs, since when, and how much it takes",
    "delete": "stop the cluster and remove every trace of it",
    "logs": "what a component wrote",
    "kubeconfig": "print the administrator's kubeconfig",
    "image": "load images into the node, or make the demo image",
    "snapshot": "save everything the API server stores, or restore it",
    "token": "create tokens with which others may join",
    "apiserver": "run the API server alone",
    "scheduler": "run the scheduler alone, against any API server",
    "kubelet": "run the kubelet alone, against any API server",
    "proxy": "run the service proxy alone, against any API server",
    "dns": "run cluster DNS alone, against any API server",
}
MODULES = {"apiserver": "component", "scheduler": "component"}
MODULES |= {"kubelet": "component", "proxy": "component", "dns": "component"}
HIDDEN = {"process": "one process of a cluster", "supervise": "the supervisor of a cluster"}
"""What the supervisor runs; not for people."""

USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if words else USAGE_ERROR
    if words[0] in ("--version", "version"):
        print(f"pybernetes {__version__}")
        return 0
    name = words[0]
    if name not in COMMANDS and name not in HIDDEN:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean: pybernetes {near[0]}" if near else "pybernetes --help lists the commands"
        return complain(f"unknown command {name!r}", hint, USAGE_ERROR)
    module = importlib.import_module(f"pybernetes.cli.{MODULES.get(name, name)}")
    summary = COMMANDS.get(name) or HIDDEN[name]
    parser = argparse.ArgumentParser(prog=f"pybernetes {name}", description=summary, allow_abbrev=False)
    parser.set_defaults(command=name)
    module.configure(parser)
    try:
        return int(module.run(parser.parse_args(words[1:])))
    except ClusterError as error:
        return complain(error.problem, error.hint)
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def complain(problem: str, hint: str = "", code: int = 1) -> int:
    """Say what is wrong, and what helps, on stderr."""
    print(f"error: {problem}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)
    return code


def overview() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "Kubernetes on this machine.\n\n"
        f"usage: pybernetes COMMAND [options]\n\n{rows}\n\n"
        "pybernetes COMMAND --help explains its options."
    )


if __name__ == "__main__":
    sys.exit(main())
