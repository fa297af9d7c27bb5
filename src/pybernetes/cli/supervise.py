"""The supervisor process; started by `up`."""

import argparse
import logging
import subprocess
import sys
from pathlib import Path

from pybernetes.cluster.components import plan, python
from pybernetes.cluster.logsetup import configure_logging
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import Supervisor
from pybernetes.effects import SystemClock

STOP_PODS_SECONDS = 60

log = logging.getLogger("pybernetes.supervisor")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", required=True)


def run(arguments: argparse.Namespace) -> int:
    configure_logging()
    state = StateDirectory(Path(arguments.data_dir))
    config = state.load_config()

    def stop_pods() -> None:
        command = [*python(), "process", "stop-pods", "--data-dir", str(state.root)]
        try:
            subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=STOP_PODS_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("pods did not stop in time, they are killed seconds=%d", STOP_PODS_SECONDS)

    supervisor = Supervisor(plan(config, state), state, SystemClock(), before_last=stop_pods)
    if not supervisor.run():
        print("another supervisor is at work", file=sys.stderr)
    return 0
