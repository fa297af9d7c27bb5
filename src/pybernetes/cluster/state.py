"""The state directory of a cluster: what lies where, which layout version it has, and who may change it.

VERSION           layout version; another one is refused, never guessed at
cluster.json      settings (`config`)
pki/              keys and certificates, 0600                    kubeconfigs/   one per component
store/            the database                                   logs/          one file per component, rotated
run/              locks, process identities, sockets             containerd/ cni/ kubelet/   the real node
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pybernetes.cluster import config as configs
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadState, ClusterError, NotRunning
from pybernetes.effects import SystemClock

LAYOUT = "1"
"""Raised when an older program could not work with what a newer one wrote."""
ROOT_BASE = Path("/var/lib/pybernetes")
LOCK_WAIT_SECONDS = 120.0
LOCK_POLL_SECONDS = 0.05


def default_data_dir(name: str) -> Path:
    """Where a cluster of this name lives unless told otherwise."""
    if os.geteuid() == 0:
        return ROOT_BASE / name
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else Path("~/.local/share").expanduser()
    return base / "pybernetes" / name


class StateDirectory:
    """One cluster's directory. Nothing is created before `create`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.version_file = self.root / "VERSION"
        self.config_file = self.root / "cluster.json"
        self.pki = self.root / "pki"
        self.kubeconfigs = self.root / "kubeconfigs"
        self.store = self.root / "store"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.containerd = self.root / "containerd"
        self.cni = self.root / "cni"
        self.kubelet = self.root / "kubelet"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.kubeconfigs / "admin.conf"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    def exists(self) -> bool:
        """Whether there is a cluster here.

        Raises:
            BadState: there is something, but it is no cluster of this version.
        """
        try:
            version = self.version_file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            if self.root.is_dir() and any(entry.name != "run" for entry in self.root.iterdir()):
                raise BadState(
                    f"{self.root} is not empty and holds no cluster",
                    "name an empty or new directory with --data-dir, or remove what is there",
                ) from None
            return False
        except NotADirectoryError:
            raise BadState(f"{self.root} is not a directory", "name a directory with --data-dir") from None
        except PermissionError:
            raise BadState(
                f"{self.root} belongs to another user", "run the command as that user, or choose another --data-dir"
            ) from None
        if version != LAYOUT:
            raise BadState(
                f"{self.root} has state layout {version[:40]!r}, this pybernetes knows {LAYOUT!r}",
                "use the pybernetes that made it, or another --data-dir; nothing was changed",
            )
        return True

    def create(self, config: ClusterConfig) -> None:
        """Make the directories, private to the user, and write settings; VERSION comes last, so that a half made
        directory is no cluster."""  # noqa: D205, D209
        try:
            for path in (self.root, self.pki, self.kubeconfigs, self.store, self.run, self.logs):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadState(f"cannot make {self.root}: {error.strerror}", "choose another --data-dir") from error
        self.save_config(config)
        write_private(self.version_file, f"{LAYOUT}\n".encode())

    def load_config(self) -> ClusterConfig:
        """The settings of the cluster here.

        Raises:
            NotRunning: there is no cluster.
            BadState: it cannot be used.
        """
        if not self.exists():
            raise NotRunning(f"there is no cluster in {self.root}", "make one with: pybernetes up")
        try:
            return configs.decode(self.config_file.read_bytes())
        except FileNotFoundError:
            raise BadState(
                f"{self.config_file} is missing", "start anew with: pybernetes delete, then pybernetes up"
            ) from None

    def save_config(self, config: ClusterConfig) -> None:
        write_private(self.config_file, configs.encode(config))

    @contextlib.contextmanager
    def lock(self, clock: SystemClock) -> Iterator[None]:
        """Hold the right to change this cluster; waits for another command that is at work.

        Raises:
            ClusterError: the other one takes longer than two minutes.
        """
        try:
            self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadState(f"cannot write to {self.root}: {error.strerror}", "choose another --data-dir") from error
        try:
            deadline = clock.monotonic() + LOCK_WAIT_SECONDS
            while not try_lock(handle):
                if clock.monotonic() > deadline:
                    raise ClusterError(
                        f"another pybernetes command has been at work on {self.root} for two minutes",
                        "wait until it ends, then try again",
                    )
                clock.pause(LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Remove the directory and its parent if that is then empty and ours.

        Whatever is still mounted inside must have been unmounted before: nothing on other file systems is followed.
        """
        shutil.rmtree(self.root)
        if self.root.parent.name == "pybernetes":
            with contextlib.suppress(OSError):
                self.root.parent.rmdir()


def try_lock(handle: int) -> bool:
    """Take the exclusive lock on an open file; whether it was free. The kernel releases it when the holder dies."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
