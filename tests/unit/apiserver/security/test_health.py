import orjson

from pybernetes.apiserver.health import Health, version_document


def health(storage: str = "") -> Health:
    found = Health()
    found.add("etcd", lambda: storage)
    return found


def test_a_healthy_server_says_ok_and_with_verbose_lists_its_checks() -> None:
    plain = health().answer("/livez", {})
    verbose = health().answer("/readyz", {"verbose": ""})
    assert plain is not None
    assert verbose is not None
    assert plain.body == b"ok"
    assert verbose.body == b"[+]ping ok\n[+]etcd ok\nreadyz check passed\n"


def test_a_failing_check_answers_500_without_its_reason() -> None:
    answer = health("disk full at /secret").answer("/readyz", {})
    assert answer is not None
    assert answer.status == 500
    assert answer.body == b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"


def test_an_excluded_check_does_not_count() -> None:
    answer = health("down").answer("/readyz", {"exclude": "etcd"})
    assert answer is not None
    assert answer.body == b"ok"


def test_a_single_check_is_found_by_name_and_an_unknown_one_is_not() -> None:
    answer = health("down").answer("/readyz/etcd", {})
    assert answer is not None
    assert answer.status == 500
    assert health().answer("/readyz/nothing", {}) is None


def test_the_version_is_that_of_upstream() -> None:
    version = orjson.loads(version_document())
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "36", "v1.36.0")
