"""The one process that keeps the others alive: starts them, restarts what crashes, rotates their logs, stops them.

It is small on purpose (no event loop, nothing but the standard library): it must outlive what it watches. When it
dies itself, its children go on, one of them starts it again (`parenthood`), and the new one adopts them: each
component's identity lies in the state directory. The rules of restarting are in `supervision`.
"""

import logging
import os
import resource
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pybernetes.cluster import supervision
from pybernetes.cluster.components import STOP_ORDER, Component, environment
from pybernetes.cluster.identity import ProcessIdentity, identify, load, save
from pybernetes.cluster.logfiles import rotate
from pybernetes.cluster.state import StateDirectory, try_lock
from pybernetes.cluster.supervision import Record
from pybernetes.effects import SystemClock

log = logging.getLogger("pybernetes.supervisor")

HOUSEKEEPING_SECONDS = 10.0
"""Between looks at the sizes of the log files."""
PIDFD = hasattr(os, "pidfd_open")
"""Linux tells by a descriptor when a process ends; elsewhere we look."""
POLL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ComponentStatus(msgspec.Struct, frozen=True):
    """What `pybernetes status` shows of one component."""

    name: str
    pid: int
    running: bool
    restarts: int


class Child:
    """A running component and the descriptor that becomes readable when it ends."""

    def __init__(self, identity: ProcessIdentity, process: subprocess.Popen[bytes] | None) -> None:
        self.identity = identity
        self.process = process
        self.pidfd = os.pidfd_open(identity.pid) if PIDFD else -1

    def ended(self) -> bool:
        """Whether it has ended, where no descriptor tells."""
        return self.process.poll() is not None if self.process else not self.identity.alive

    def reap(self) -> str:
        """How it ended. An adopted one is not our child: its code is unknown."""
        if PIDFD:
            os.close(self.pidfd)
        if self.process is None:
            return "unknown"
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else str(code)


class Supervisor:
    """See the module. `run` returns when it was told to stop and everything has ended."""

    def __init__(
        self,
        components: Sequence[Component],
        state: StateDirectory,
        clock: SystemClock,
        *,
        before_last: Callable[[], None] = lambda: None,
    ) -> None:
        self.components = {component.name: component for component in components}
        self.state = state
        self.clock = clock
        self.before_last = before_last
        """Called while stopping, when only the last component of STOP_ORDER still runs."""
        self.records = {name: Record() for name in self.components}
        self.children: dict[str, Child] = {}
        self.poll = select.poll()
        self._lock = -1
        self._wakeup = -1
        self._stopping = False

    def run(self) -> bool:
        """Supervise until SIGTERM; False when another supervisor already does."""
        self._lock = os.open(self.state.run / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not try_lock(self._lock):
            return False
        self._listen_to_signals()
        save(self.state.run / "supervisor.json", identify(os.getpid()))
        for name in self.components:
            self._adopt(name)
        log.info("supervising components=%s", ",".join(self.components))
        last_look = self.clock.monotonic()
        while not self._stopping:
            now = self.clock.monotonic()
            self._start_due(now)
            if now - last_look >= HOUSEKEEPING_SECONDS:
                last_look = now
                self._rotate_logs()
            self._wait(self._next_event(now, last_look))
        self.stop()
        (self.state.run / "supervisor.json").unlink(missing_ok=True)
        return True

    def stop(self) -> None:
        """End every component, clients before servers, the runtime last."""
        order = [name for name in STOP_ORDER if name in self.components]
        for name in order:
            if name == STOP_ORDER[-1]:
                self.before_last()
            self._stop_one(name)
        log.info("everything stopped")

    def _listen_to_signals(self) -> None:
        self._wakeup, writer = os.pipe()
        for descriptor in (self._wakeup, writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.poll.register(self._wakeup, select.POLLIN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal that started us may close
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)

    def _on_stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _adopt(self, name: str) -> None:
        """Take over a component that an earlier supervisor started and that still runs."""
        identity = load(self.components[name].identity)
        if identity is not None and identity.alive:
            self._watch(name, Child(identity, None))
            log.info("adopted component=%s pid=%d", name, identity.pid)

    def _start_due(self, now: float) -> None:
        for name, record in self.records.items():
            if not record.running and record.start_at <= now:
                self._start(name)

    def _start(self, name: str) -> None:
        component = self.components[name]
        now = self.clock.monotonic()
        try:
            process = spawn(component)
        except OSError as error:
            log.error("cannot start component=%s error=%s", name, error)  # noqa: TRY400  # the text says it all
            self.records[name] = supervision.exited(supervision.started(self.records[name], now), now)
            return
        identity = identify(process.pid)
        save(component.identity, identity)
        self._watch(name, Child(identity, process))
        log.info("started component=%s pid=%d", name, process.pid)

    def _watch(self, name: str, child: Child) -> None:
        self.children[name] = child
        if PIDFD:
            self.poll.register(child.pidfd, select.POLLIN)
        self.records[name] = supervision.started(self.records[name], self.clock.monotonic())
        self._publish()

    def _next_event(self, now: float, last_look: float) -> float:
        """Seconds until something is due without any process having ended."""
        due = [record.start_at for record in self.records.values() if not record.running]
        return max(0.0, min([*due, last_look + HOUSEKEEPING_SECONDS]) - now)

    def _wait(self, seconds: float) -> None:
        """Return after `seconds`, a signal, or the end of a component, which is recorded."""
        limit = seconds if PIDFD else min(seconds, POLL_SECONDS)
        ready = {descriptor for descriptor, _ in self.poll.poll(limit * 1000)}
        if self._wakeup in ready:
            os.read(self._wakeup, 512)
        for name, child in list(self.children.items()):
            if child.pidfd in ready if PIDFD else child.ended():
                self._ended(name)

    def _ended(self, name: str) -> None:
        child = self.children.pop(name)
        if PIDFD:
            self.poll.unregister(child.pidfd)
        how = child.reap()
        self.records[name] = supervision.exited(self.records[name], self.clock.monotonic())
        if not self._stopping:
            delay = supervision.restart_delay(self.records[name].failures)
            log.warning("ended component=%s status=%s restart_in=%.2fs", name, how, delay)
        self._publish()

    def _stop_one(self, name: str) -> None:
        child = self.children.get(name)
        if child is not None:
            child.identity.signal(signal.SIGTERM)
            deadline = self.clock.monotonic() + self.components[name].stop_seconds
            while name in self.children:
                remaining = deadline - self.clock.monotonic()
                if remaining <= 0:
                    log.warning("killing component=%s stop_seconds=%s", name, self.components[name].stop_seconds)
                    child.identity.signal(signal.SIGKILL)
                    remaining = 1.0
                self._wait(remaining)
        self.components[name].identity.unlink(missing_ok=True)

    def _rotate_logs(self) -> None:
        for path in [component.log for component in self.components.values()] + [self.state.logs / "supervisor.log"]:
            rotate(path)

    def _publish(self) -> None:
        """Write what `status` shows."""
        rows = [
            ComponentStatus(
                name, self.children[name].identity.pid if name in self.children else 0, record.running, record.restarts
            )
            for name, record in self.records.items()
        ]
        path = self.state.run / "status.json"
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(rows))
        temporary.replace(path)


def spawn(component: Component) -> subprocess.Popen[bytes]:
    """Start a component in a session of its own, so that no terminal's signals reach it; output goes to its log."""

    def raise_open_files() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = component.open_files if hard == resource.RLIM_INFINITY else min(component.open_files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    handle = os.open(component.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            component.command,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env=environment(component),
            cwd="/",
            start_new_session=True,
            preexec_fn=raise_open_files if component.open_files else None,  # noqa: PLW1509  # no threads here
        )
    finally:
        os.close(handle)


def running_supervisor(run: Path) -> ProcessIdentity | None:
    """The supervisor of the cluster whose `run` directory this is, if it is alive."""
    identity = load(run / "supervisor.json")
    return identity if identity is not None and identity.alive else None


def statuses(run: Path) -> list[ComponentStatus]:
    """What the supervisor last wrote; empty when there never was one."""
    try:
        return msgspec.json.decode((run / "status.json").read_bytes(), type=list[ComponentStatus])
    except (FileNotFoundError, msgspec.MsgspecError):
        return []
