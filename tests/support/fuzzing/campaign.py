"""A fuzzing campaign: one server, one seed, so many requests, and a report.

    make fuzz-api ARGS="--requests 200000 --seed 1"

The requests of a seed do not depend on the answers, so a finding repeats with `--seed S --requests N`, where N is its
number. Everything runs in one process: memory that grows is the server's, and a server that does not come back from
a request takes the watchdog with it, which prints where it hangs.
"""

import asyncio
import faulthandler
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.api.registry import Resource
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import Chance, Clock, SystemClock
from pybernetes.machinery.errors import StatusError
from pybernetes.storage.memory import open_memory
from support.fuzzing.attempts import AttemptMaker, served_resources
from support.fuzzing.judge import complaint, complaints_about_store
from support.fuzzing.wire import Hung, Wire

SWEEP_REQUESTS = 1000
"""So often the store is checked, and what was made is deleted: full quotas would stop what comes after."""
WATCHDOG_SECONDS = 60
TOKEN = "fuzz"
MAX_FINDINGS = 200
COMPACTED_SWEEPS = 5
"""History is forgotten this often, as a long-lived server does."""


Tell = Callable[[str], None]
"""Where progress goes."""


def silence(_: str) -> None:
    pass


@dataclass(slots=True)
class Report:
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    slowest: str = ""
    seconds: float = 0.0
    checked_objects: int = 0

    def summary(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"requests={self.requests} findings={len(self.findings)} seconds={self.seconds:.0f} "
            f"peak_rss_mib={peak_rss_mib()} checked_objects={self.checked_objects}\n"
            f"statuses {statuses}\nslowest {self.slowest_seconds:.2f}s {self.slowest[:200]}"
        )


def peak_rss_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Campaign:
    """Requests of one seed against one server."""

    def __init__(self, server: ApiServer, seed: int, clock: Clock) -> None:
        self._server = server
        self._maker = AttemptMaker(Chance(seed))
        self._clock = clock
        self._wire = Wire(server.port, TOKEN)
        self._sweeps = 0
        self.report = Report()

    async def run(self, requests: int, *, tell: Tell = silence) -> Report:
        started = self._clock.monotonic()
        await self._prepare()
        for number in range(1, requests + 1):
            await self._one(number, tell=tell)
            if number % SWEEP_REQUESTS == 0 or number == requests:
                await self._sweep(number)
                tell(f"requests={number} rss_mib={peak_rss_mib()} findings={len(self.report.findings)}")
            if len(self.report.findings) >= MAX_FINDINGS:
                break
        self._wire.close()
        self.report.seconds = self._clock.monotonic() - started
        return self.report

    async def _one(self, number: int, *, tell: Tell) -> None:
        report = self.report
        attempt = self._maker.next()
        before = self._clock.monotonic()
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
        try:
            reply = await self._wire.ask(attempt.method, attempt.target, attempt.headers, attempt.body)
            seconds = self._clock.monotonic() - before
            wrong = complaint(attempt, reply, seconds)
            report.statuses[reply.status] += 1
            if seconds > report.slowest_seconds:
                report.slowest_seconds, report.slowest = seconds, str(attempt)
        except (Hung, AssertionError, ValueError, asyncio.IncompleteReadError) as error:
            self._wire.close()
            wrong = f"{type(error).__name__}: {error}"
        finally:
            faulthandler.cancel_dump_traceback_later()
        report.requests += 1
        if wrong:
            report.findings.append(f"#{number} {wrong}\n    {attempt}")
            tell(report.findings[-1])

    # ── what it works in ──

    async def _prepare(self) -> None:
        for path, name in (("namespaces", "fuzz"), *((f"namespaces/{ns}/serviceaccounts", "default") for ns in NS)):
            await self._quietly("POST", f"/api/v1/{path}", b'{"metadata":{"name":"%s"}}' % name.encode())

    async def _sweep(self, number: int) -> None:
        server = self._server
        storage, scheme = server.storage, server.core.scheme
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS * 5, exit=True)
        found = await complaints_about_store(storage, scheme)
        self.report.findings += [f"#{number} {text}" for text in found]
        self.report.checked_objects += len((await storage.range("/registry/")).entries)
        for what in served_resources():
            if "deletecollection" in what.verbs and what.kind not in KEPT and (what.schema or not what.type_alias):
                await self._empty(what)
        await self._prepare()
        self._sweeps += 1
        if self._sweeps % COMPACTED_SWEEPS == 0:
            await storage.compact(storage.revision)
        faulthandler.cancel_dump_traceback_later()

    async def _empty(self, what: Resource) -> None:
        root = f"/apis/{what.group}/{what.version}" if what.group else f"/api/{what.version}"
        for place in [f"/namespaces/{ns}" for ns in NS] if what.namespaced else [""]:
            for name in ("x0", "x1", "x2"):
                path = f"{root}{place}/{what.plural}/{name}"
                if not await self._quietly("DELETE", f"{path}?gracePeriodSeconds=0"):
                    continue
                await self._quietly("PATCH", path, b'{"metadata":{"finalizers":null}}', "application/merge-patch+json")
            if place:
                await self._quietly("DELETE", f"{root}{place}/{what.plural}?gracePeriodSeconds=0")

    async def _quietly(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bool:
        """Ask in the process, as the server's own client; whether that succeeded."""
        path, _, query = path.partition("?")
        try:
            await self._server.client().request(
                method, f"{path}?{query}" if query else path, body=body, content_type=content_type
            )
        except StatusError:
            return False
        return True


NS = ("default", "fuzz")
KEPT = frozenset({"FlowSchema", "PriorityLevelConfiguration", "ClusterRole", "ClusterRoleBinding", "APIService"})


async def campaign(requests: int, seed: int, *, tell: Tell = silence) -> Report:
    """Start a server of its own, run the requests of the seed against it, and stop it."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.csv"
        tokens.write_text(f'{TOKEN},fuzzer,fuzzer,"system:masters"\n')
        storage = open_memory(clock)
        server = ApiServer(Config(port=0, token_auth_file=str(tokens)), storage)
        await server.start()
        try:
            return await Campaign(server, seed, clock).run(requests, tell=tell)
        finally:
            await server.stop()
            await storage.close()
