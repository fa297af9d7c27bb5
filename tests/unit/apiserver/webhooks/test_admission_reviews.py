"""What the answer of a webhook means."""

import base64
from typing import Any

import pytest

from pybernetes.apiserver.admission.webhooks.review import (
    V1,
    V1BETA1,
    InvalidAnswer,
    denial,
    review_version,
    verdict_of,
)

PATCH = base64.b64encode(b'[{"op":"add","path":"/a","value":1}]').decode()


def answer(api_version: str = V1, **response: Any) -> dict[str, Any]:
    return {"kind": "AdmissionReview", "apiVersion": api_version, "response": {"uid": "1", **response}}


def test_a_patch_is_read_with_its_type() -> None:
    verdict = verdict_of(answer(allowed=True, patch=PATCH, patchType="JSONPatch"), "1", V1, mutating=True)
    assert verdict.patch == [{"op": "add", "path": "/a", "value": 1}]


@pytest.mark.parametrize(
    ("given", "mutating", "text"),
    [
        ({"kind": "AdmissionReview", "apiVersion": V1}, True, "webhook response was absent"),
        (answer(uid="2"), True, 'expected response.uid="1", got "2"'),
        (
            {"response": {"uid": "1"}},
            False,
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
        ),
        (answer(patch=PATCH), True, "webhook returned response.patch but not response.patchType"),
        (answer(patchType="JSONPatch"), True, "webhook returned response.patchType but not response.patch"),
        (answer(patch=PATCH, patchType=""), True, 'webhook returned invalid response.patchType of ""'),
        (answer(patch=PATCH, patchType="Merge"), True, 'unsupported patch type "Merge"'),
        (answer(patch=PATCH), False, "validating webhook may not return response.patch"),
        (answer(patchType="JSONPatch"), False, "validating webhook may not return response.patchType"),
        (answer(patch="e30=", patchType="JSONPatch"), True, "received undecodable patch in webhook response"),
    ],
)
def test_an_answer_that_is_none_says_why(given: Any, mutating: bool, text: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        verdict_of(given, "1", V1, mutating=mutating)
    assert str(caught.value).startswith(text)


def test_v1beta1_is_read_more_kindly() -> None:
    verdict = verdict_of({"response": {"allowed": True, "patch": PATCH}}, "1", V1BETA1, mutating=True)
    assert len(verdict.patch) == 1


def test_the_first_known_review_version_is_sent() -> None:
    assert review_version(("v2", "v1beta1", "v1")) == V1BETA1
    with pytest.raises(InvalidAnswer, match="does not accept known AdmissionReview versions"):
        review_version(("v2",))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (None, 400, "without explanation"),
        ({"message": "no"}, 400, ": no"),
        ({"reason": "Forbidden", "code": 403}, 403, ": Forbidden"),
        ({"message": "no", "code": 200, "status": "Success"}, 400, ": no"),
    ],
)
def test_a_denial_is_always_a_failure(status: Any, code: int, message: str) -> None:
    denied = denial("w.example.com", status)
    assert (denied.http_code, denied.status["code"], denied.status["status"]) == (code, code, "Failure")
    separator = " " if message.startswith("without") else ""
    assert denied.message == f'admission webhook "w.example.com" denied the request{separator}{message}'
