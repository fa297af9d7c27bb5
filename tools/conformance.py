"""Write docs/conformance.md from the marks of the tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.conformance import TABLE, catalogue, claims, table

if __name__ == "__main__":
    TABLE.write_text(table(catalogue(), claims()))
