from pybernetes.apiserver.request import Document, User
from pybernetes.apiserver.resources.signing_requests import record_requester, stamp_conditions
from pybernetes.effects import VirtualClock, format_time

NOW = VirtualClock().now()
EARLIER = "2020-01-01T00:00:00Z"


def test_nobody_asks_in_the_name_of_another() -> None:
    document = {"spec": {"username": "system:node:n1", "uid": "7", "groups": ["system:nodes"], "request": "x"}}
    record_requester(document, User("ann", groups=("team",), extra={"example.com/a": ("b",)}))
    assert document["spec"] == {
        "request": "x",
        "username": "ann",
        "groups": ["team"],
        "extra": {"example.com/a": ["b"]},
    }


def statuses(*conditions: Document) -> Document:
    return {"status": {"conditions": list(conditions)}}


def test_a_condition_keeps_its_transition_while_type_and_status_stay() -> None:
    old = statuses({"type": "Approved", "status": "True", "lastTransitionTime": EARLIER})
    new = statuses({"type": "Approved", "status": "True"}, {"type": "Failed", "status": "True"})
    stamp_conditions(new, old, NOW)
    approved, failed = new["status"]["conditions"]
    assert (approved["lastTransitionTime"], approved["lastUpdateTime"]) == (EARLIER, format_time(NOW))
    assert (failed["lastTransitionTime"], failed["lastUpdateTime"]) == (format_time(NOW), format_time(NOW))


def test_times_of_the_client_are_kept() -> None:
    row = {"type": "Approved", "status": "True", "lastUpdateTime": EARLIER, "lastTransitionTime": EARLIER}
    new = statuses(row)
    stamp_conditions(new, statuses(), NOW)
    assert new == statuses(row)
