"""What an audit event says. Pure.

Follows: apiserver pkg/audit/request.go; pkg/apis/audit/v1/types.go.
"""

from typing import Any

import orjson

from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.request import RequestInfo, User

Json = dict[str, Any]


def user_info(user: User) -> Json:
    found: Json = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def opened(level: str, audit_id: str, request: Request, info: RequestInfo, user: User, received: str) -> Json:
    """An event of a request that has just come, without stage and stage time."""
    query = f"?{request.query_text}" if request.query_text else ""
    event: Json = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": audit_id,
        "stage": "",
        "requestURI": f"{request.raw_path}{query}",
        "verb": info.verb,
        "user": user_info(user),
    }
    addresses = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    if request.connection.peer:
        addresses.append(request.connection.peer)
    if addresses:
        event["sourceIPs"] = addresses
    if request.headers.get("user-agent"):
        event["userAgent"] = request.headers["user-agent"][:1024]
    if info.is_resource:
        reference = {
            "resource": info.resource,
            "namespace": info.namespace,
            "name": info.name,
            "apiGroup": info.group,
            "apiVersion": info.version,
            "subresource": info.subresource,
        }
        event["objectRef"] = {key: value for key, value in reference.items() if value}
    event["requestReceivedTimestamp"] = received
    return event


def document_of(data: bytes, *, managed_fields: bool) -> Any:
    """A body as it is told: JSON only; None for everything else."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not managed_fields and isinstance(found, dict):
        items = found.get("items")
        for row in (found, *(items if isinstance(items, list) else ())):
            metadata = row.get("metadata") if isinstance(row, dict) else None
            if isinstance(metadata, dict):
                metadata.pop("managedFields", None)
    return found


def response_status(code: int, body: bytes) -> Json:
    """`responseStatus`: the code, and what a refusal says."""
    if code >= 400:
        found = document_of(body, managed_fields=True)
        if isinstance(found, dict) and found.get("kind") == "Status":
            kept = {key: found[key] for key in ("status", "message", "reason", "details") if key in found}
            return {"metadata": {}, **kept, "code": code}
    return {"metadata": {}, "code": code}
