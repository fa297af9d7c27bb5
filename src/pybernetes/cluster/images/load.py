"""Images into the real node: imported by containerd's own client into the namespace its CRI plugin looks at."""

import subprocess
from pathlib import Path

from pybernetes.cluster.errors import BadImage, NotRunning
from pybernetes.cluster.images.check import SAVE_HINT, images_in
from pybernetes.cluster.images.packages import last_line
from pybernetes.cluster.state import StateDirectory

NAMESPACE = "k8s.io"
IMPORT_SECONDS = 600


def load_archive(state: StateDirectory, path: Path) -> list[str]:
    """Import every image of an archive; their names.

    Raises:
        BadImage: the archive cannot be imported; the node is as before.
        NotRunning: there is no container runtime to import it into.
    """
    names = images_in(path)
    if not state.containerd_socket.exists():
        raise NotRunning("the cluster has no running node that could hold an image", "start it with: pybernetes up")
    done = _ctr(state, "images", "import", str(path))
    if done.returncode:
        raise BadImage(f"{path} cannot be imported: {last_line(done.stderr)}", SAVE_HINT)
    return names


def present(state: StateDirectory, name: str) -> bool:
    """Whether the node has an image of this name."""
    done = _ctr(state, "images", "list", "--quiet", f"name=={name}")
    return done.returncode == 0 and name in done.stdout.split()


def reachable(state: StateDirectory) -> bool:
    """Whether the runtime answers."""
    return state.containerd_socket.exists() and _ctr(state, "version").returncode == 0


def _ctr(state: StateDirectory, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ctr", "--address", str(state.containerd_socket), "--namespace", NAMESPACE, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
    )
