"""The table of conformance rows tells the truth about the tests."""

import ast

import pytest

from support.conformance import NO_TEST, TABLE, catalogue, claimed, claims, table

FINISHED_AREAS = {row.area for row in catalogue()}


def test_the_table_is_what_the_marks_say() -> None:
    assert TABLE.read_text() == table(catalogue(), claims()), "run: python tools/conformance.py"


def test_every_mark_names_a_row() -> None:
    assert claims().keys() - {row.name for row in catalogue()} == set()


def test_names_without_tags_tell_rows_apart() -> None:
    names = [row.name for row in catalogue()]
    assert len(set(names)) == len(names)


def test_rows_of_finished_areas_have_a_test_or_a_reason() -> None:
    proved = claims()
    rows = [row for row in catalogue() if row.area in FINISHED_AREAS and row.name not in proved]
    assert [row.name for row in rows if row.reason == NO_TEST] == []


def test_nothing_that_is_proved_keeps_a_reason_why_not() -> None:
    proved = claims()
    assert [row.name for row in catalogue() if row.why_not and row.name in proved] == []


def test_marks_of_parameters_count() -> None:
    text = """
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.conformance("A b"))])
@pytest.mark.conformance("C d", "E " "f")
async def test_x(): ...
"""
    assert set(claimed(ast.parse(text))) == {("test_x", "A b"), ("test_x", "C d"), ("test_x", "E f")}


def test_marks_in_tables_of_parameters_count() -> None:
    text = """
ROWS = [pytest.param(1, marks=pytest.mark.conformance("A b"))]
@pytest.mark.parametrize("x", ROWS)
async def test_x(): ...
"""
    assert list(claimed(ast.parse(text))) == [("test_x", "A b")]


def test_a_computed_name_is_refused() -> None:
    with pytest.raises(TypeError, match="write the name of the row out"):
        list(claimed(ast.parse("@pytest.mark.conformance(NAME)\ndef test_x(): ...")))
