from pybernetes.machinery.content import MAX_BYTES, MAX_KNOWN, Known, key_of


def test_an_answer_is_known_by_equal_content() -> None:
    known = Known[str]()
    known.learn(key_of({"a": [1]}), "answer")
    assert known.get(key_of({"a": [1]})) == "answer"
    assert known.get(key_of({"a": [2]})) is None


def test_what_was_learned_first_is_forgotten_first() -> None:
    known = Known[int]()
    for number in range(MAX_KNOWN + 1):
        known.learn(key_of(number), number)
    assert len(known) == MAX_KNOWN
    assert known.get(key_of(0)) is None
    assert known.get(key_of(MAX_KNOWN)) == MAX_KNOWN


def test_large_content_is_not_remembered() -> None:
    known = Known[bool]()
    known.learn(key_of("x" * MAX_BYTES), True)
    assert len(known) == 0


def test_what_json_cannot_hold_is_never_known() -> None:
    known = Known[bool]()
    assert key_of({"a": 2**70}) is None
    known.learn(None, True)
    assert known.get(None) is None
