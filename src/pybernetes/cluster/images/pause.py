"""The pause image: one static program that holds a pod's namespaces and reaps orphans."""

from pathlib import Path

from pybernetes.cluster.containerd import PAUSE_IMAGE
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.images.build import File, Runtime, archive
from pybernetes.cluster.preflight import find_program


def build_pause() -> bytes:
    """The archive of the pause image, from Debian's static catatonit.

    Raises:
        ClusterError: it is not installed.
    """
    program = find_program("catatonit")
    if program is None:
        raise ClusterError("catatonit is missing, pods need it", "install it: apt-get install catatonit")
    content = Path(program).resolve().read_bytes()
    return archive(PAUSE_IMAGE, [File("catatonit", content, 0o755)], Runtime(entrypoint=("/catatonit", "-P")))
