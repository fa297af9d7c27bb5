"""`/healthz`, `/livez`, `/readyz` and `/version`: is the server well, and which one is it.

    /readyz                 ok
    /readyz?verbose         [+]ping ok … readyz check passed
    /readyz?exclude=etcd    all checks but one
    /readyz/etcd            one check

Follows: apiserver pkg/server/healthz/healthz.go; component-base version.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from pybernetes import KUBERNETES_VERSION
from pybernetes.apiserver.published import Published

Check = Callable[[], str]
"""Empty when all is well, else why not; the reason goes to the log, never to the client."""

ENDPOINTS = ("healthz", "livez", "readyz")
TEXT = "text/plain; charset=utf-8"


def version_document() -> bytes:
    """The body of `/version`."""
    minor = KUBERNETES_VERSION.split(".")[1]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return orjson.dumps(
        {
            "major": "1",
            "minor": minor,
            "emulationMajor": "1",
            "emulationMinor": minor,
            "minCompatibilityMajor": "1",
            "minCompatibilityMinor": str(int(minor) - 1),
            "gitVersion": KUBERNETES_VERSION,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z",
            "goVersion": f"none (Python {platform.python_version()})",
            "compiler": platform.python_implementation(),
            "platform": f"{platform.system().lower()}/{machine}",
        },
        option=orjson.OPT_INDENT_2,
    )


@dataclass(slots=True)
class Health:
    """Named checks behind the three endpoints, in the order they were added."""

    checks: dict[str, dict[str, Check]] = field(default_factory=lambda: {name: {"ping": str} for name in ENDPOINTS})

    def add(self, name: str, check: Check, endpoints: Sequence[str] = ENDPOINTS) -> None:
        """Ask `check` from now on, at the given endpoints."""
        for endpoint in endpoints:
            self.checks[endpoint][name] = check

    def answer(self, path: str, query: Mapping[str, str], excluded: Sequence[str] = ()) -> Published | None:
        """The answer at `path`; `excluded` are all values of the query parameter `exclude`."""
        endpoint, _, single = path.strip("/").partition("/")
        checks = self.checks.get(endpoint)
        if checks is None or (single and single not in checks):
            return None
        excluded = excluded or [query["exclude"]] if "exclude" in query else excluded
        chosen = {single: checks[single]} if single else checks
        return report(endpoint, chosen, verbose="verbose" in query and not single, excluded=excluded)


def report(endpoint: str, checks: Mapping[str, Check], *, verbose: bool, excluded: Sequence[str] = ()) -> Published:
    """200 `ok` when every check that is not excluded passes, else 500 with one line per check."""
    lines = []
    failed = False
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
            continue
        why = check()
        failed = failed or bool(why)
        lines.append(f"[-]{name} failed: reason withheld" if why else f"[+]{name} ok")
    unknown = [name for name in excluded if name not in checks]
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private"}
    if not failed and not verbose:
        return Published(b"ok", TEXT, headers=headers)
    lines.append(f"{endpoint} check {'failed' if failed else 'passed'}")
    return Published("".join(f"{line}\n" for line in lines).encode(), TEXT, 500 if failed else 200, headers=headers)
