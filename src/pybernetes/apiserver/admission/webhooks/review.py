"""The AdmissionReview a webhook is sent, and what its answer means. Pure.

Follows: apiserver pkg/admission/plugin/webhook/{request/admissionreview,errors/statuserror}.go.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pybernetes.api.registry import Resource
from pybernetes.apiserver.admission.attributes import Attributes, View, kind_of, options_document
from pybernetes.apiserver.admission.rules import GroupVersionResource
from pybernetes.apiserver.request import Document, User
from pybernetes.machinery.errors import StatusError

V1, V1BETA1 = "admission.k8s.io/v1", "admission.k8s.io/v1beta1"
KIND: Final = "AdmissionReview"
_API_VERSIONS: Final = {"v1": V1, "v1beta1": V1BETA1}
JSON_PATCH: Final = "JSONPatch"


class InvalidAnswer(Exception):
    """The answer is no AdmissionReview we can use; the text says why, in upstream's words."""


class Denied(StatusError):
    """The webhook's own refusal: its Status, with the name of the webhook before the message."""

    def __init__(self, status: Document) -> None:
        super().__init__(status["message"], status.get("details"), code=status["code"])
        self._status = status

    @property
    def status(self) -> Document:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **self._status}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook answered."""

    allowed: bool
    status: Document | None = None
    patch: list[Document] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)


def review_version(accepted: tuple[str, ...]) -> str:
    """The apiVersion of the review to send: the first one accepted that we speak.

    Raises:
        InvalidAnswer.
    """
    for version in accepted:
        if version in _API_VERSIONS:
            return _API_VERSIONS[version]
    raise InvalidAnswer("webhook does not accept known AdmissionReview versions (v1, v1beta1)")


def user_info(user: User) -> Document:
    """Who asks, as `authentication.k8s.io/v1 UserInfo`."""
    found: Document = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def admission_request(attributes: Attributes, resource: Resource, view: View) -> Document:
    """What the request is about, without its uid: what webhooks are sent and policies see as `request`."""
    request = attributes.request
    kind = kind_of(resource, request.subresource)
    found: Document = {
        "kind": kind.document,
        "resource": GroupVersionResource(resource.group, resource.version, resource.plural).document,
        "requestKind": attributes.kind.document,
        "requestResource": attributes.resource.document,
        "operation": request.operation,
        "userInfo": user_info(request.user),
        "object": view.object,
        "oldObject": view.old,
        "dryRun": request.dry_run,
        "options": options_document(request),
    }
    if request.subresource:
        found["subResource"] = found["requestSubResource"] = request.subresource
    if attributes.name:
        found["name"] = attributes.name
    if attributes.namespace:
        found["namespace"] = attributes.namespace
    return found


def review_of(uid: str, api_version: str, attributes: Attributes, resource: Resource, view: View) -> Document:
    """The whole AdmissionReview."""
    return {
        "kind": KIND,
        "apiVersion": api_version,
        "request": {"uid": uid, **admission_request(attributes, resource, view)},
    }


def verdict_of(answer: Any, uid: str, api_version: str, *, mutating: bool) -> Verdict:
    """What the webhook decided.

    Raises:
        InvalidAnswer: it is none of its business, or no decision.
    """
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise InvalidAnswer("webhook response was absent")
    patch_text, patch_type = response.get("patch") or "", response.get("patchType")
    if api_version == V1:
        _check_identity(answer, response, uid)
        _check_patch(patch_text, patch_type, mutating=mutating)
    status = response.get("status")
    return Verdict(
        allowed=response.get("allowed") is True,
        status=status if isinstance(status, dict) else None,
        patch=_operations(patch_text) if mutating and patch_text else [],
        warnings=tuple(text for text in response.get("warnings") or () if isinstance(text, str)),
        annotations={str(key): str(value) for key, value in (response.get("auditAnnotations") or {}).items()},
    )


def _check_identity(answer: Document, response: Document, uid: str) -> None:
    if response.get("uid", "") != uid:
        raise InvalidAnswer(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    if (answer.get("apiVersion"), answer.get("kind")) != (V1, KIND):
        got = f"{answer.get('apiVersion') or '/'}, Kind={answer.get('kind') or ''}"
        raise InvalidAnswer(f"expected webhook response of {V1}, Kind={KIND}, got {got}")


def _check_patch(patch: Any, patch_type: Any, *, mutating: bool) -> None:
    if not mutating:
        if patch:
            raise InvalidAnswer("validating webhook may not return response.patch")
        if patch_type is not None:
            raise InvalidAnswer("validating webhook may not return response.patchType")
        return
    if patch and patch_type is None:
        raise InvalidAnswer("webhook returned response.patch but not response.patchType")
    if not patch and patch_type is not None:
        raise InvalidAnswer("webhook returned response.patchType but not response.patch")
    if patch_type == "":
        raise InvalidAnswer('webhook returned invalid response.patchType of ""')
    if patch and patch_type != JSON_PATCH:
        raise InvalidAnswer(f'unsupported patch type "{patch_type}"')


def _operations(patch: Any) -> list[Document]:
    try:
        found = orjson.loads(base64.b64decode(patch, validate=True))
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidAnswer(f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(found, list):
        raise InvalidAnswer("received undecodable patch in webhook response: it is not a list of operations")
    return found


def denial(name: str, status: Document | None) -> Denied:
    """The refusal a client sees. Follows: statuserror.go, ToStatusErr."""
    found = {key: value for key, value in (status or {}).items() if key not in {"kind", "apiVersion", "metadata"}}
    code = found.get("code")
    found["code"] = code if isinstance(code, int) and code >= 400 else 400
    if found.get("status") in {None, "", "Success"}:
        found["status"] = "Failure"
    denied_by = f'admission webhook "{name}" denied the request'
    why = found.get("message") or found.get("reason")
    found["message"] = f"{denied_by}: {why}" if why else f"{denied_by} without explanation"
    return Denied(found)
