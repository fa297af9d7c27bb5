import pytest

from pybernetes.machinery import field_errors as fe


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (fe.required("spec.containers"), "spec.containers: Required value"),
        (fe.required("a", "why"), "a: Required value: why"),
        (fe.invalid_value("a", "x\n", "bad"), 'a: Invalid value: "x\\n": bad'),
        (fe.invalid_value("a", -1, "bad"), "a: Invalid value: -1: bad"),
        (fe.invalid_value("a", True, "bad"), "a: Invalid value: true: bad"),
        (fe.invalid_value("a", {"b": [1]}, "bad"), 'a: Invalid value: {"b":[1]}: bad'),
        (fe.invalid_value("a", None, "bad"), 'a: Invalid value: "null": bad'),
        (fe.not_supported("a", "x", ["B", "A"]), 'a: Unsupported value: "x": supported values: "A", "B"'),
        (fe.duplicate("a", "x"), 'a: Duplicate value: "x"'),
        (fe.not_found_value("a", "x"), 'a: Not found: "x"'),
        (fe.forbidden_value("a", "no"), "a: Forbidden: no"),
        (fe.too_long("a", 5), "a: Too long: may not be more than 5 bytes"),
        (fe.too_many("a", 9, 5), "a: Too many: 9: must have at most 5 items"),
    ],
)
def test_texts_are_those_clients_match(error: fe.FieldError, text: str) -> None:
    assert str(error) == text


def test_one_error_is_told_as_it_is_and_several_in_brackets_once_each() -> None:
    one = fe.required("a")
    assert fe.invalid("Pod", "", "x", [one]).message == 'Pod "x" is invalid: a: Required value'
    several = fe.invalid("Deployment", "apps", "x", [one, one, fe.required("b")])
    assert several.message == 'Deployment.apps "x" is invalid: [a: Required value, b: Required value]'
    assert several.http_code == 422
    assert several.details["causes"][0] == {"reason": "FieldValueRequired", "message": "Required value", "field": "a"}
