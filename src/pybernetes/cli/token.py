"""`pybernetes token create`."""

import argparse

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster import tokens
from pybernetes.cluster.api import Api
from pybernetes.cluster.errors import NotRunning
from pybernetes.effects import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="create")
    create = commands.add_parser("create", help="make a bootstrap token and print it")
    create.add_argument("token", nargs="?", metavar="TOKEN", help="abcdef.0123456789abcdef (default: random)")
    create.add_argument("--ttl", default="24h", metavar="T", help="how long it is good for; 0 for ever (default: 24h)")
    create.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    create.add_argument(
        "--groups", default=",".join(tokens.DEFAULT_GROUPS), metavar="G,…", help="groups its bearers belong to"
    )
    add_cluster_options(create)


def run(arguments: argparse.Namespace) -> int:
    state, config = load(arguments)
    life = tokens.parse_ttl(arguments.ttl)
    token = arguments.token or tokens.generate()
    expires = SystemClock().now() + life if life else None
    document = tokens.secret(token, expires, arguments.description, arguments.groups.split(","))
    api = Api(state, config)
    try:
        api.request("POST", "/api/v1/namespaces/kube-system/secrets", document)
    except OSError as error:
        raise NotRunning(f"the API server does not answer: {error}", "start the cluster with: pybernetes up") from error
    finally:
        api.close()
    print(token)
    return 0
