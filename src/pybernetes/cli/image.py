"""`pybernetes image load FILE.tar` and `pybernetes image build-demo`."""

import argparse
import tempfile
from pathlib import Path

from pybernetes.cli.common import add_cluster_options, load
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadOption, NotRunning
from pybernetes.cluster.images.demo import DEMO_IMAGE, build_demo
from pybernetes.cluster.images.load import load_archive
from pybernetes.cluster.state import write_private


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="load | build-demo")
    loading = commands.add_parser("load", help="import an image archive into the node")
    loading.add_argument("file", metavar="FILE.tar", help="as docker save, podman save or an OCI layout")
    demo = commands.add_parser("build-demo", help=f"make {DEMO_IMAGE} from Debian packages and load it")
    demo.add_argument("--output", metavar="FILE.tar", help="write the archive there instead of loading it")
    for command in (loading, demo):
        add_cluster_options(command)


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "build-demo" and arguments.output:
        return save_demo(Path(arguments.output))
    state, config = load(arguments)
    require_real_node(config)
    if arguments.action == "load":
        names = load_archive(state, Path(arguments.file).expanduser())
    else:
        archive = state.root / "images" / "demo.tar"
        write_private_in(archive, build_demo(archive.parent))
        names = load_archive(state, archive)
    for name in names:
        print(f"loaded {name}")
    return 0


def write_private_in(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, data)


def save_demo(output: Path) -> int:
    """Write the demo image's archive to a file of the user's."""
    if not output.parent.is_dir():
        raise BadOption(f"{output.parent} is not a directory", "name a file in an existing directory")
    with tempfile.TemporaryDirectory(prefix="pybernetes-demo-") as work:
        output.write_bytes(build_demo(Path(work)))
    print(f"wrote {DEMO_IMAGE} to {output}")
    return 0


def require_real_node(config: ClusterConfig) -> None:
    if not config.nodes:
        raise NotRunning(
            f"cluster {config.name!r} has simulated nodes only; they need no images",
            "any image name works there; for real containers: pybernetes up --nodes 1 (as root)",
        )
