import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet.probes.arithmetic import INITIAL, Kind, Tally, count
from pybernetes.kubelet.probes.probers import ProbeError, Target, http_headers, http_url, port_number

PROBE = core_v1.Probe(failureThreshold=3, successThreshold=2)


def verdicts(kind: Kind, results: str, probe: core_v1.Probe = PROBE) -> list[bool | None]:
    """The verdict after each result: `+` good, `-` bad."""
    tally = Tally(INITIAL[kind])
    seen = []
    for result in results:
        tally = count(tally, kind, result == "+", probe)
        seen.append(tally.verdict)
    return seen


def test_readiness_needs_its_thresholds_in_a_row() -> None:
    assert verdicts(Kind.READINESS, "+-++") == [False, False, False, True]
    assert verdicts(Kind.READINESS, "++--+--") == [False, True, True, True, True, True, True]
    assert verdicts(Kind.READINESS, "++---") == [False, True, True, True, False]


def test_liveness_holds_until_it_has_failed_often_enough() -> None:
    probe = core_v1.Probe(failureThreshold=2, successThreshold=1)
    assert verdicts(Kind.LIVENESS, "-+--", probe) == [True, True, True, False]


def test_a_container_that_failed_is_not_probed_any_more() -> None:
    assert count(Tally(True, False, 2), Kind.LIVENESS, False, PROBE).held
    assert not count(Tally(True, False, 2), Kind.READINESS, False, PROBE).held


TARGET = Target("id", "10.0.0.1", {"web": 8080})


def test_named_ports_are_those_of_the_container() -> None:
    assert port_number("web", TARGET.ports) == 8080
    assert port_number("9", TARGET.ports) == 9
    with pytest.raises(ProbeError, match="couldn't find port: nope"):
        port_number("nope", TARGET.ports)


def test_the_address_of_an_http_probe() -> None:
    assert http_url(core_v1.HTTPGetAction(port="web", path="healthz?a=b"), TARGET) == "http://10.0.0.1:8080/healthz?a=b"
    action = core_v1.HTTPGetAction(port=1, host="::1", scheme="HTTPS")
    assert http_url(action, TARGET) == "https://[::1]:1/"


def test_own_headers_replace_the_usual_ones_and_an_empty_one_removes_them() -> None:
    headers = [core_v1.HTTPHeader(name="user-agent", value="me"), core_v1.HTTPHeader(name="Accept")]
    assert http_headers(core_v1.HTTPGetAction(httpHeaders=headers)) == {"user-agent": "me"}
