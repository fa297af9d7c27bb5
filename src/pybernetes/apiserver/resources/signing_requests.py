"""What the server itself writes into a CertificateSigningRequest: who asks for it, and when its conditions came.

Signers believe `spec.username` and its neighbours, so no client may choose them.

Follows: kubernetes pkg/registry/certificates/certificates/strategy.go.
"""

from datetime import datetime

from pybernetes.api.registry import Resource
from pybernetes.apiserver.request import Document, User
from pybernetes.effects import format_time

KIND = "CertificateSigningRequest"
_GROUP = "certificates.k8s.io"


def is_signing_request(resource: Resource) -> bool:
    return resource.kind == KIND and resource.group == _GROUP


def record_requester(document: Document, user: User) -> None:
    """Put `user` into the spec of a new request, in place, instead of whom the client named."""
    spec = document.setdefault("spec", {})
    asked_by = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    for field, value in asked_by.items():
        if value:
            spec[field] = value
        else:
            spec.pop(field, None)


def stamp_conditions(new: Document, old: Document, now: datetime) -> None:
    """Give conditions without times theirs, in place; a transition is as old as its type and status."""
    written = (new.get("status") or {}).get("conditions")
    if not written:
        return
    before = {
        (row.get("type"), row.get("status")): row["lastTransitionTime"]
        for row in (old.get("status") or {}).get("conditions") or ()
        if row.get("lastTransitionTime")
    }
    text = format_time(now)
    stamped = [
        {
            **row,
            "lastUpdateTime": row.get("lastUpdateTime") or text,
            "lastTransitionTime": row.get("lastTransitionTime")
            or before.get((row.get("type"), row.get("status")), text),
        }
        for row in written
    ]
    new["status"] = {**new["status"], "conditions": stamped}
