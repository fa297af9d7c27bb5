"""Asking a webhook to convert objects between versions.

    ConversionReview   request   uid, desiredAPIVersion, objects
                       response  uid, convertedObjects, result

Only labels and annotations of metadata may change; the rest is put back.

Follows: apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from pybernetes.api.validation import common
from pybernetes.api.validation.metadata import annotations
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.webhooks.client import CallFailed, WebhookClient
from pybernetes.effects import Ids
from pybernetes.machinery import errors
from pybernetes.machinery.field_errors import FieldError, aggregate

Json = dict[str, Any]

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
TIMEOUT_SECONDS: Final = 30.0
_GROUP: Final = "apiextensions.k8s.io"


class Webhook:
    """The conversion webhook of one definition. Implements `lens.Converter`."""

    def __init__(self, definition: Json, webhooks: WebhookClient, ids: Ids) -> None:
        webhook = definition["spec"]["conversion"]["webhook"]
        self._config = webhook["clientConfig"]
        self._versions = [v for v in webhook.get("conversionReviewVersions") or () if v in REVIEW_VERSIONS]
        self._webhooks = webhooks
        self._ids = ids

    async def convert(self, documents: Sequence[Document], api_version: str) -> list[Document]:
        """The documents in `api_version`, in their order; one call for all.

        Raises:
            InternalError.
        """
        if not documents:
            return []
        if not self._versions:
            raise errors.internal_error("no supported conversion review versions")
        uid = self._ids.uid()
        # Integers of any size and shared parts travel as JSON; what comes back belongs to the caller.
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{self._versions[0]}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(documents)},
        }
        try:
            answer = await self._webhooks.call(self._config, review, timeout_seconds=TIMEOUT_SECONDS)
            converted = answered(answer, uid, self._versions[0])
        except CallFailed as error:
            # Admission says what failed; conversion only why. Follows: webhook_converter.go, Convert.
            raise _failed(documents[0], f"failed: {str(error).removeprefix('failed to call webhook: ')}") from None
        except WrongAnswer as error:
            raise _failed(documents[0], f"failed: {error}") from None
        if len(converted) != len(documents):
            raise _failed(documents[0], f"returned {len(converted)} objects, expected {len(documents)}")
        pairs = enumerate(zip(documents, converted, strict=True))
        return [checked(old, new, api_version, index) for index, (old, new) in pairs]


class WrongAnswer(ValueError):
    """The webhook answered, and refused or answered nonsense."""


def _failed(document: Document, what: str) -> errors.InternalError:
    group, _, version = str(document["apiVersion"]).rpartition("/")
    return errors.InternalError(f"conversion webhook for {group}/{version}, Kind={document['kind']} {what}")


def answered(review: Json, uid: str, version: str) -> Sequence[Any]:
    """The converted objects of an answer.

    Raises:
        WrongAnswer.
    """
    response = review.get("response")
    if version == "v1":
        kind, api_version = review.get("kind", ""), review.get("apiVersion", "")
        if (kind, api_version) != ("ConversionReview", f"{_GROUP}/v1"):
            raise WrongAnswer(
                f"expected webhook response of {_GROUP}/v1, Kind=ConversionReview, got {api_version}, Kind={kind}"
            )
    if not isinstance(response, dict):
        raise WrongAnswer("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise WrongAnswer(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise WrongAnswer(
            result.get("message") or f"response.result.status was '{result.get('status', '')}', not 'Success'"
        )
    return response.get("convertedObjects") or ()


def checked(old: Document, new: Any, api_version: str, index: int) -> Document:
    """The converted document with the metadata of the original.

    Raises:
        InternalError: it is no object of the wanted kind and version, or another one.
    """
    if not isinstance(new, dict):
        raise _failed(old, f"returned invalid converted object at index {index}: not an object")
    place = f"returned invalid converted object at index {index}"
    if new.get("apiVersion") != api_version:
        why = f"invalid groupVersion (expected {api_version}, received {new.get('apiVersion', '')})"
        raise _failed(old, f"{place}: {why}")
    if new.get("kind") != old["kind"]:
        raise _failed(old, f"{place}: invalid kind (expected {old['kind']}, received {new.get('kind', '')})")
    given, stored = new.get("metadata"), old["metadata"]
    metadata = given if isinstance(given, dict) else {}
    for field, shown in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if stored.get(field, "") != metadata.get(field, ""):
            why = f"must have the same {shown}: {stored.get(field, '')} != {metadata.get(field, '')}"
            raise _failed(old, f"{place}: {why}")
    wrong = f"returned invalid metadata in object at index {index}"
    if given is None:
        raise _failed(old, f"{wrong}: missing metadata in converted object")
    return {**new, "metadata": _restored(old, metadata, wrong)}


def _restored(old: Document, given: Json, wrong: str) -> Json:
    metadata = dict(old["metadata"])
    for field in ("labels", "annotations"):
        texts = given.get(field)
        if texts is None:
            metadata.pop(field, None)
            continue
        if not isinstance(texts, dict):
            raise _failed(old, f"{wrong}: invalid metadata.{field} in converted object")
        for key, value in texts.items():
            if not isinstance(value, str):
                raise _failed(old, f"{wrong}: metadata.{field}[{key}] must be a string, but is {orjson.dumps(value)!r}")
        if texts != (metadata.get(field) or {}):
            complaints: list[FieldError] = []
            if field == "labels":
                common.labels(complaints, "metadata.labels", texts)
            else:
                annotations(complaints, "metadata.annotation", texts)
            if complaints:
                raise _failed(old, f"{wrong}: {aggregate(complaints)}")
        metadata[field] = texts
    return metadata
