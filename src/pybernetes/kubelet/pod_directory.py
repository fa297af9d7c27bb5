"""Where the files of a pod lie on the node; the names are upstream's, so that a machine can change kubelets.

    ROOT/pods/<uid>/
      etc-hosts                                        the managed hosts file
      volumes/kubernetes.io~<plugin>/<volume>          what is mounted into containers
      volume-subpaths/<volume>/<container>/<number>    sub-paths made safe, by number of the mount in the container
      containers/<container>/<8 random characters>     termination messages

Follows: kubernetes pkg/kubelet/kubelet_getters.go; pkg/volume/util/subpath.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PodDirectory:
    """Paths of the pod `uid` below the kubelet's `root`."""

    root: Path
    uid: str

    @property
    def path(self) -> Path:
        return self.root / "pods" / self.uid

    @property
    def etc_hosts(self) -> Path:
        return self.path / "etc-hosts"

    @property
    def volumes(self) -> Path:
        return self.path / "volumes"

    @property
    def sub_paths(self) -> Path:
        return self.path / "volume-subpaths"

    def volume(self, plugin: str, name: str) -> Path:
        """The directory of one volume of a plugin (`empty-dir`, `configmap`)."""
        return self.volumes / f"kubernetes.io~{plugin}" / name

    def sub_path(self, volume: str, container: str, number: int) -> Path:
        return self.sub_paths / volume / container / str(number)

    def container(self, name: str) -> Path:
        return self.path / "containers" / name


def uids_on_disk(root: Path) -> list[str]:
    """Uids of pods that have a directory, wanted or left over."""
    try:
        return sorted(entry.name for entry in os.scandir(root / "pods") if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
