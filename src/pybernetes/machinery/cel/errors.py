"""What can go wrong with an expression, with cel-go's words.

    CelError
    ├── CompileError      the text: syntax or types; `issues` with places, `str()` as cel-go displays them
    ├── EvaluationError   the values: `no such key: foo`, `divide by zero`; `&&`, `||` and quantifiers may absorb it
    └── CostExceeded      the work: the budget is spent; nothing absorbs it

Follows: cel-go common/{error,errors}.go.
"""

from dataclasses import dataclass

MAX_REPORTED = 100
"""Issues kept per expression; the rest are counted. Follows: common.NewErrors."""
MAX_SNIPPET = 16384
"""A longer line is not quoted under its error. Follows: common/error.go."""


class CelError(Exception):
    """Any failure of an expression."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One complaint: `offset` in code points from the start of the text; None has no place."""

    message: str
    offset: int | None = None


class CompileError(CelError):
    """The text is no valid expression here; `issues` in reading order."""

    def __init__(self, text: str, issues: list[Issue]) -> None:
        ordered = sorted(issues, key=lambda issue: -1 if issue.offset is None else issue.offset)
        self.issues = tuple(ordered[:MAX_REPORTED])
        lines = [display(text, issue) for issue in self.issues]
        if len(issues) > MAX_REPORTED:
            lines.append(f"{len(issues) - MAX_REPORTED} more errors were truncated")
        super().__init__("\n".join(lines))


class EvaluationError(CelError):
    """The values do not allow an answer; `str()` is cel-go's message."""


class CostExceeded(CelError):
    """The budget is spent."""

    def __init__(self, message: str = "operation cancelled: actual cost limit exceeded") -> None:
        super().__init__(message)


def display(text: str, issue: Issue) -> str:
    r"""The issue with its line quoted and its column marked.

    `ERROR: <input>:1:5: undeclared reference to 'x' (in container '')\n | 1 + x\n | ....^`
    """
    if issue.offset is None:
        return f"ERROR: <input>:-1:0: {issue.message}"
    start = text.rfind("\n", 0, issue.offset) + 1
    line, column = text.count("\n", 0, issue.offset) + 1, issue.offset - start
    shown = f"ERROR: <input>:{line}:{column + 1}: {issue.message}"
    end = text.find("\n", start)
    snippet = (text[start:] if end < 0 else text[start:end]).replace("\t", " ")
    if len(snippet) > MAX_SNIPPET:
        return shown
    dots = "".join("\uff0e" if ord(char) > 127 else "." for char in snippet[:column])
    mark = "\uff3e" if column < len(snippet) and ord(snippet[column]) > 127 else "^"
    return f"{shown}\n | {snippet}\n | {dots}{mark}"


def no_such_key(key: object) -> EvaluationError:
    return EvaluationError(f"no such key: {key}")


def no_such_overload() -> EvaluationError:
    return EvaluationError("no such overload")
