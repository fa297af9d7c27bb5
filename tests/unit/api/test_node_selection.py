import pytest

from pybernetes.api.core_v1 import NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration
from pybernetes.api.node_selection import requirement_matches, term_matches, tolerates, untolerated

GPU = Taint(key="gpu", value="a100", effect="NoSchedule")


@pytest.mark.parametrize(
    ("what", "toleration", "expected"),
    [
        ("the same key and value", Toleration(key="gpu", value="a100", effect="NoSchedule"), True),
        ("another value", Toleration(key="gpu", value="h100"), False),
        ("any value", Toleration(key="gpu", operator="Exists"), True),
        ("everything", Toleration(operator="Exists"), True),
        ("another effect", Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
        ("Equal without key", Toleration(operator="Equal", value="a100"), False),
        ("an unknown operator", Toleration(key="gpu", operator="Near"), False),
    ],
)
def test_a_toleration_covers_a_taint(what: str, toleration: Toleration, expected: bool) -> None:
    assert tolerates(toleration, GPU) is expected, what


def test_only_taints_with_the_effects_asked_for_count() -> None:
    assert untolerated([GPU], [], ["NoExecute"]) is None
    assert untolerated([GPU], [], ["NoSchedule", "NoExecute"]) == GPU


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["4", "8"], True),
        ("In", ["8"], False),
        ("NotIn", ["8"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["3"], True),
        ("Lt", ["4"], False),
        ("Gt", ["many"], False),
    ],
)
def test_an_expression_matches_a_label(operator: str, values: list[str], expected: bool) -> None:
    requirement = NodeSelectorRequirement(key="cores", operator=operator, values=values)
    assert requirement_matches(requirement, {"cores": "4"}) is expected


def test_not_in_holds_where_the_label_is_absent_and_an_empty_term_matches_nothing() -> None:
    assert requirement_matches(NodeSelectorRequirement(key="x", operator="NotIn", values=["1"]), {})
    assert not term_matches(NodeSelectorTerm(), "n", {})
