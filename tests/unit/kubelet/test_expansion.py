import pytest

from pybernetes.kubelet import expansion
from pybernetes.kubelet.seam import CreateContainerConfigError

KNOWN = {"A": "1", "B": "two words", "EMPTY": "", "NESTED": "$(A)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="text without a dollar stays"),
        pytest.param("$(A)", "1", id="a known name becomes its value"),
        pytest.param("x$(A)y$(B)z", "x1ytwo wordsz", id="several in one text"),
        pytest.param("$(C)", "$(C)", id="an unknown name stays as written"),
        pytest.param("$$(A)", "$(A)", id="two dollars make the reference literal"),
        pytest.param("$$$(A)", "$1", id="a literal dollar before a reference"),
        pytest.param("$$$$(A)", "$$(A)", id="two literal dollars"),
        pytest.param("$(EMPTY)!", "!", id="an empty value is a value"),
        pytest.param("$(NESTED)", "$(A)", id="values are not expanded again"),
        pytest.param("$A ${A}", "$A ${A}", id="shell syntax is left to the shell"),
        pytest.param("$(A", "$(A", id="an unclosed reference stays"),
        pytest.param("$(A$(B)", "$(A$(B)", id="a name reaches to the next closing bracket"),
        pytest.param("end$", "end$", id="a dollar at the end stays"),
        pytest.param("$)", "$)", id="a lone closing bracket stays"),
        pytest.param("$()", "$()", id="an empty name is an unknown name"),
    ],
)
def test_expands_references_as_upstream(text: str, expected: str) -> None:
    assert expansion.expand(text, expansion.known_or_kept(KNOWN)) == expected


def test_the_first_map_that_knows_a_name_wins() -> None:
    assert expansion.expand("$(A)", expansion.known_or_kept({"A": "own"}, {"A": "of a service"})) == "own"


def test_command_and_arguments_use_the_variables_of_the_container() -> None:
    assert expansion.command_and_args(["sh", "-c"], ["echo $(A) $(C)"], KNOWN) == (["sh", "-c"], ["echo 1 $(C)"])


def test_a_sub_path_needs_every_variable_it_names() -> None:
    assert expansion.sub_path("logs/$(A)", KNOWN) == "logs/1"
    with pytest.raises(CreateContainerConfigError, match='missing value for "C"'):
        expansion.sub_path("logs/$(C)", KNOWN)
