import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.machinery import labels
from pybernetes.machinery.labels import Requirement, Selector, SelectorError

PRESENT = {"app": "web", "tier": "front", "size": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("missing!=x", True),
        ("app in (web,db)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("missing notin (db)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        ("size>4", True),
        ("size<4", False),
        (" app = web , tier in ( front , back ) ", True),
        ("app=", False),
        ("in", False),
    ],
)
def test_selectors_match_as_upstream_reads_them(text: str, matches: bool) -> None:
    assert labels.parse(text).matches(PRESENT) is matches


@pytest.mark.parametrize(
    "text", ["=", "app in", "app in web", "app=web,", ",app", "app=a=b", "-bad-", "a/b/c=1", "x>y"]
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        labels.parse(text)


def test_an_absent_structured_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not labels.from_label_selector(None).matches(PRESENT)
    assert labels.from_label_selector({}).matches({})
    assert labels.from_label_selector({}).everything


def test_a_structured_selector_joins_labels_and_expressions() -> None:
    selector = labels.from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches(PRESENT)
    assert not selector.matches({**PRESENT, "old": ""})
    assert str(selector) == "app=web,!old,tier in (front)"


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        labels.from_label_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


keys = st.sampled_from(["a", "b", "example.com/c"])
values = st.sampled_from(["", "x", "y-1"])
requirements = st.one_of(
    st.builds(lambda k, v: Requirement(k, "=", (v,)), keys, values),
    st.builds(lambda k, v: Requirement(k, "!=", (v,)), keys, values),
    st.builds(lambda k, v: Requirement(k, "in", tuple(sorted(v))), keys, st.sets(values, min_size=1)),
    st.builds(lambda k, v: Requirement(k, "notin", tuple(sorted(v))), keys, st.sets(values, min_size=1)),
    st.builds(lambda k: Requirement(k, "exists"), keys),
    st.builds(lambda k: Requirement(k, "!"), keys),
)


@given(st.lists(requirements, max_size=4), st.dictionaries(keys, values))
def test_the_text_of_a_selector_means_the_same(terms: list[Requirement], present: dict[str, str]) -> None:
    selector = Selector(terms)
    assert labels.parse(str(selector)).matches(present) == selector.matches(present)
    assert selector.matches(present) == all(term.matches(present) for term in terms)
