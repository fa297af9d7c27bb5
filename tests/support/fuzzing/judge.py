"""What every answer of the API server must be, whatever was asked, and what its store must be afterwards."""

from collections.abc import Sequence
from typing import Any

import orjson
import yaml

from pybernetes.api import normalize, protobuf, registry, validation
from pybernetes.api.registry import Resource
from pybernetes.apiserver.scheme import Scheme
from pybernetes.storage.interface import Storage
from support.fuzzing.attempts import Attempt
from support.fuzzing.wire import Reply

Json = dict[str, Any]

SLOW_SECONDS = 5.0
"""Arbitrary, and far above what any answer takes on a machine that is busy with other work."""
UNTYPED_APPLY = "failed to create typed patch object"
"""Upstream answers 500 without a reason when a declaration does not fit the schema, and so do we."""
UPSTREAM_500 = ("requested impersonation without", "unable to find", "failed to allocate a serviceIP: range is full")
NOT_OURS = frozenset({502, 503, 504})
"""Somebody else (a node, a proxied server, the future) did not answer."""


def complaint(attempt: Attempt, reply: Reply, seconds: float) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if reply.status == 0:
        return "the connection was closed without an answer"
    if seconds > SLOW_SECONDS:
        return f"the answer took {seconds:.1f} s"
    if attempt.method == "HEAD" or reply.status == 101:
        return ""
    if reply.status >= 400:
        return _complaint_about_failure(reply)
    if reply.ended and reply.headers.get("content-type", "").startswith("application/json"):
        try:
            orjson.loads(reply.body)
        except orjson.JSONDecodeError as error:
            return f"a success that is no JSON: {error}"
    return ""


def _complaint_about_failure(reply: Reply) -> str:
    status = failure_of(reply)
    if status is None:
        return f"a failure ({reply.status}) without a Status: {reply.body[:300]!r}"
    message = status.get("message") or ""
    if reply.status >= 500 and reply.status not in NOT_OURS:
        if message.startswith(UNTYPED_APPLY) or any(text in message for text in UPSTREAM_500):
            return ""
        return f"{reply.status}: {message[:300]}"
    if status.get("kind") != "Status" or status.get("status") != "Failure":
        return f"a failure that is no Status Failure: {status}"
    if status.get("code") != reply.status:
        return f"the code {status.get('code')} in the body, {reply.status} on the wire"
    if not message:
        return f"a failure without a message: {status}"
    if not status.get("reason"):
        return f"a failure without a reason: {status}"
    return ""


def failure_of(reply: Reply) -> Json | None:
    """The Status document of a failure, in whatever form it came."""
    content_type = reply.headers.get("content-type", "")
    try:
        if content_type.startswith("application/yaml"):
            found = yaml.safe_load(reply.body)
        elif content_type.startswith("application/vnd.kubernetes.protobuf"):
            found = protobuf.decode(reply.body)
        else:
            found = orjson.loads(reply.body)
    except (ValueError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


async def complaints_about_store(storage: Storage, scheme: Scheme) -> Sequence[str]:
    """Stored objects that cannot be read, or that the server itself would refuse to take back unchanged."""
    found: list[str] = []
    page = await storage.range("/registry/")
    for entry in page.entries:
        try:
            document = orjson.loads(entry.value)
            resource = _resource_of(document)
            if resource is None:
                continue  # custom: its definition may be gone
            again = normalize.normalize(document, resource.type_alias)
        except (ValueError, KeyError, normalize.TypeMismatch) as error:
            found.append(f"{entry.key} cannot be read: {error!r}")
            continue
        if again != document:
            found.append(f"{entry.key} is not stored in its normal form: {_difference(document, again)}")
        problems = validation.validate_update(resource, "", again, document)
        if problems:
            texts = "; ".join(str(problem) for problem in problems[:3])
            found.append(f"{entry.key} is stored and not valid: {texts}")
    assert scheme.resources
    return found


def _resource_of(document: Json) -> Resource | None:
    version, kind = document.get("apiVersion"), document.get("kind")
    return next((r for r in registry.built_in() if r.api_version == version and r.kind == kind), None)


def _difference(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key, ...) != other.get(key, ...):
                return _difference(one.get(key, ...), other.get(key, ...), f"{path}.{key}")
    return f"{path}: {str(one)[:80]} / {str(other)[:80]}"
