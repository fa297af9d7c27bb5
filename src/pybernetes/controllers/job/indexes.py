"""Sets of completion indexes as status writes them: `1,3-5,7`.

Follows: kubernetes 1.36 pkg/controller/job/indexed_job_utils.go, orderedIntervals.
"""

from collections.abc import Iterable


def parse(text: str | None, limit: int) -> set[int]:
    """The indexes below `limit`; what cannot be read is left out."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            found.update(range(int(first), min(int(last or first), limit - 1) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """Ordered; three and more in a row, and two, become a range."""
    parts: list[str] = []
    start = last = -1
    for index in [*sorted(set(indexes)), None]:
        if index is not None and index == last + 1 and start >= 0:
            last = index
            continue
        if start >= 0:
            parts.append(str(start) if start == last else f"{start}{',' if last == start + 1 else '-'}{last}")
        if index is not None:
            start = last = index
    return ",".join(parts)
