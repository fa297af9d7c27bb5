"""Which test proves which row of the official conformance suite: a table made from the tests' own marks.

`tests/conformance.tsv` lists the rows of the suite, with what each expects in our words and, where no test can prove
it here, why. A test claims rows by `@pytest.mark.conformance("Watchers should …")`: the title without what stands in
brackets. `docs/conformance.md` is written from both by `tools/conformance.py`; a unit test compares.
"""

import ast
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
CATALOGUE = TESTS / "conformance.tsv"
TABLE = TESTS.parent / "docs" / "conformance.md"
MARK = "conformance"
CONTAINERS = "needs containers"
NO_TEST = "no test yet"

_TAG = re.compile(r"\s*\[[^\]]*\]\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """One test of the official suite."""

    area: str
    title: str
    sentence: str
    needs: str
    why_not: str

    @property
    def name(self) -> str:
        """What a mark names: the title without tags."""
        return without_tags(self.title)

    @property
    def reason(self) -> str:
        """Why no test proves it, where none does."""
        if self.why_not:
            return self.why_not
        return CONTAINERS if "ctr" in self.needs.split("; ") else NO_TEST


def without_tags(title: str) -> str:
    return " ".join(_TAG.sub(" ", title).split())


def catalogue() -> Sequence[Row]:
    with CATALOGUE.open(newline="") as file:
        return [Row(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def claims() -> Mapping[str, Sequence[str]]:
    """By the name of the row the tests that claim it: `integration/test_x.py::test_y`, sorted."""
    found: dict[str, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        if f"mark.{MARK}" in text:
            for test, name in claimed(ast.parse(text)):
                found.setdefault(name, []).append(f"{file.relative_to(TESTS)}::{test}")
    return {name: sorted(set(tests)) for name, tests in found.items()}


def claimed(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Test and row of every mark in the decorators, also those of single parameters and of tables of parameters.

    Raises: TypeError for a name that is not written out.
    """
    tables: dict[str, ast.AST] = {}
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            tables[statement.targets[0].id] = statement.value
    for function in module.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in function.decorator_list:
                for node in _reached(decorator, tables):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == MARK:
                        for argument in node.args:
                            if not isinstance(argument, ast.Constant):
                                raise TypeError(f"{function.name}: write the name of the row out in the mark")
                            yield function.name, str(argument.value)


def _reached(decorator: ast.AST, tables: Mapping[str, ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a decorator and of the module's tables it names."""
    for node in ast.walk(decorator):
        yield node
        if isinstance(node, ast.Name) and node.id in tables:
            yield from ast.walk(tables[node.id])


def table(rows: Sequence[Row], proofs: Mapping[str, Sequence[str]]) -> str:
    """The document: what is proved, area by area, and what is not and why."""
    areas = list(dict.fromkeys(row.area for row in rows))
    lines = [
        "# Conformance",
        "",
        "Every row of the official conformance suite of Kubernetes 1.36, and the test of ours that proves it.",
        "Made from the tests' marks by `python tools/conformance.py`; see `tests/support/conformance.py`.",
        'Rows that "need containers" are the node tests\' matter (`tests/node`): few of those name rows yet.',
        "",
        "| area | rows | proved by a test | need containers | not proved for another reason |",
        "|---|---|---|---|---|",
    ]
    for area in areas:
        own = [row for row in rows if row.area == area]
        proved = sum(row.name in proofs for row in own)
        containers = sum(row.name not in proofs and row.reason == CONTAINERS for row in own)
        lines.append(f"| {area} | {len(own)} | {proved} | {containers} | {len(own) - proved - containers} |")
    for area in areas:
        lines += ["", f"## {area}", "", "| row | proof |", "|---|---|"]
        for row in rows:
            if row.area == area:
                tests = "<br>".join(f"`{test}`" for test in proofs.get(row.name, ()))
                lines.append(f"| {_escaped(row.title)} | {tests or row.reason} |")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[")
