from pybernetes.api import published_texts
from pybernetes.api.registry import load_data


def test_columns_with_texts_are_columns_of_their_kind_and_fields_that_exist() -> None:
    columns = load_data("print_columns.json")["kinds"]
    types = load_data("types.json")["types"]
    for kind, (start, fields) in published_texts._COLUMNS.items():
        for column, rest in fields.items():
            alias, _, field = f"{start}{rest}".rpartition(".")
            assert column in {row[0] for row in columns[kind]}, (kind, column)
            assert field in types[alias]["fields"], (alias, field)


def test_a_column_that_shows_no_field_has_no_text() -> None:
    assert published_texts.column_text("core/Node", "Roles") == ""
