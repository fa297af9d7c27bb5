"""The components alone: `pybernetes scheduler --kubeconfig F` takes the place of kube-scheduler in any cluster.

Flags have upstream's names where upstream has the flag; `components` says what each becomes.
"""

import argparse
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pybernetes.cli.components import COMPONENTS
from pybernetes.client.connection import Connection
from pybernetes.client.kubeconfig import KubeconfigError, load
from pybernetes.cluster import service
from pybernetes.cluster.errors import BadOption
from pybernetes.cluster.logsetup import configure_logging
from pybernetes.effects import Chance, SystemClock

Lead = Callable[[], Coroutine[Any, Any, None]]


def configure(parser: argparse.ArgumentParser) -> None:
    name = str(parser.get_default("command"))
    if name != "apiserver":
        parser.add_argument("--kubeconfig", required=True, metavar="F", help="where the API server is, and who we are")
    parser.add_argument("-v", "--v", dest="verbosity", type=int, default=0, metavar="N", help="4 and more: debug")
    if name in LEADERS:
        parser.add_argument(
            "--leader-elect",
            type=boolean,
            nargs="?",
            const=True,
            default=True,
            metavar="true|false",
            help="act only while holding the lease, so that several may run (default: true)",
        )
        parser.add_argument("--leader-elect-resource-namespace", default="kube-system", help="of the lease")
    COMPONENTS[name].configure(parser)


LEADERS = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
"""Component → name of the lease its leader holds."""


def run(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.verbosity)
    component = COMPONENTS[arguments.command]
    if arguments.command == "apiserver":
        return service.run(component.run(None, arguments))
    try:
        connection = load(Path(arguments.kubeconfig).expanduser(), user_agent=f"pybernetes/{arguments.command}")
    except KubeconfigError as error:
        raise BadOption(str(error), "see: pybernetes kubeconfig") from error
    return service.run(_with_client(connection, arguments))


async def _with_client(connection: Connection, arguments: argparse.Namespace) -> None:
    from pybernetes.client.rest import RestClient

    component = COMPONENTS[arguments.command]
    async with RestClient(connection) as client:

        async def work() -> None:
            await component.run(client, arguments)

        if arguments.command in LEADERS and arguments.leader_elect:
            await _as_leader(client, arguments, work)
        else:
            await work()


async def _as_leader(client: Any, arguments: argparse.Namespace, work: Lead) -> None:
    import socket

    from pybernetes.client.leader_election import LeaderElector

    chance = Chance()
    identity = f"{socket.gethostname()}_{chance.name_suffix(10)}"
    elector = LeaderElector(
        client,
        arguments.leader_elect_resource_namespace,
        LEADERS[arguments.command],
        identity,
        SystemClock(),
        chance,
    )
    await elector.run(work)


def boolean(text: str) -> bool:
    """Go's spelling of a flag's value: `true`, `false`, `1`, `0`, `t`, `f`.

    Raises:
        argparse.ArgumentTypeError: it is none of them.
    """
    lowered = text.lower()
    if lowered in ("true", "t", "1"):
        return True
    if lowered in ("false", "f", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
