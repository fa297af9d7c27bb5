"""Fuzz the API server: `make fuzz-api`. Ends with 1 when something was found."""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.fuzzing.campaign import campaign


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--quiet", action="store_true", help="tell findings at the end only")
    options = arguments.parse_args()
    tell = (lambda _: None) if options.quiet else (lambda text: print(text, flush=True))
    report = asyncio.run(campaign(options.requests, options.seed, tell=tell))
    for finding in report.findings:
        print(finding)
    print(report.summary())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
