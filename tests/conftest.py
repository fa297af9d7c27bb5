"""What every test run shares: layers in their order, and a clear word about what this machine cannot run."""

import os
import shutil
import sys
from collections import Counter

import pytest
from hypothesis import settings

# Generated examples repeat from run to run, so that a failure is the change's own; `make fuzz` draws new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

LAYERS = ("unit", "contract", "integration", "node", "chaos")
NODE_PROGRAMS = ("containerd", "runc", "ctr", "nft", "conntrack", "catatonit", "ip", "nsenter")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

left_out: Counter[str] = Counter()
outcomes: dict[str, Counter[str]] = {}


def why_no_root_tests() -> str:
    """Why tests of a real node cannot run here; empty when they can."""
    if sys.platform != "linux":
        return "they need Linux"
    if os.geteuid() != 0:
        return "they need root: sudo make test"
    missing = [name for name in NODE_PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:{SBIN}") is None]
    return f"programs are missing: {' '.join(missing)} (scripts/node-packages installs them)" if missing else ""


def layer(item: pytest.Item) -> str:
    parts = item.path.parts
    return next((name for name in LAYERS if name in parts), "")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Layers in order (files and tests within keep their random one); tests this machine cannot run are left out."""
    items.sort(key=lambda item: LAYERS.index(layer(item)) if layer(item) in LAYERS else -1)
    reason = why_no_root_tests()
    kubectl = "" if shutil.which("kubectl") else "kubectl is not installed"
    kept, dropped = [], []
    for item in items:
        why = reason if item.get_closest_marker("root") else ""
        if item.get_closest_marker("kubectl"):
            why = why or kubectl
        if why:
            left_out[f"{layer(item)}: {why}"] += 1
            dropped.append(item)
        else:
            kept.append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        name = next((name for name in LAYERS if f"/{name}/" in f"/{report.nodeid}"), "other")
        outcomes.setdefault(name, Counter())[report.outcome] += 1


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line per layer, and one per reason why something was left out."""
    if not outcomes or set(outcomes) <= {"unit"}:
        return
    terminalreporter.section("layers")
    for name, counts in outcomes.items():
        terminalreporter.line(f"{name:<12} " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    for reason, number in left_out.items():
        terminalreporter.line(f"left out     {number} tests of {reason}")
    if not left_out:
        terminalreporter.line("left out     nothing")
