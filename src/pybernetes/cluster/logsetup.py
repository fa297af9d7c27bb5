"""How our processes log: one line per event on stderr, which the supervisor has led into a file."""

import logging
import sys
from datetime import UTC, datetime


class LineFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z INFO pybernetes.scheduler text`."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # logging's name
        """The moment of the event in UTC, with milliseconds."""
        del datefmt
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"


def configure_logging(verbosity: int = 0) -> None:
    """Send events from INFO on (from DEBUG on with `verbosity` 4 and more, as klog's -v) to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbosity >= 4 else logging.INFO)
