import pytest

from pybernetes.api import device_expressions


@pytest.mark.parametrize(
    "text",
    [
        "device.driver == 'gpu.example.com'",
        "device.attributes['gpu.example.com'].healthy",
        "device.attributes['x'].family == 'a' && device.capacity['x'].memory.isGreaterThan(quantity('1Gi'))",
        "cel.bind(gpu, device.attributes['gpu.example.com'], gpu.big && gpu.fast)",
        "'model' in device.attributes['x'] && device.attributes['x'].model.startsWith('a')",
        "device.allowMultipleAllocations",
    ],
)
def test_good_selectors_compile(text: str) -> None:
    assert device_expressions.why_not(text) == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "compilation failed: ERROR: <input>:1:1: Syntax error"),
        ("noSuchVar", "undeclared reference to 'noSuchVar'"),
        ("device.attribute", "undefined field 'attribute'"),
        ("device.driver", "must evaluate to bool or the unknown type, not string"),
        (f"{'device.attributes.all(a, ' * 4}a == 'x'{')' * 4}", "too complex"),
    ],
)
def test_others_are_told_why_not(text: str, complaint: str) -> None:
    assert complaint in device_expressions.why_not(text)
