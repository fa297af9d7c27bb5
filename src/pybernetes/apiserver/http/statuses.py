"""Status documents as answers: failures, and the successes that have nothing else to show."""

import orjson

from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.request import Document
from pybernetes.machinery import errors
from pybernetes.machinery.errors import StatusError


def failure(error: StatusError) -> Response:
    """The answer a failed request gets."""
    headers = []
    if error.retry_after_seconds:
        headers.append(("Retry-After", str(error.retry_after_seconds)))
    if error.http_code == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    return Response(orjson.dumps(error.status) + b"\n", error.http_code, headers=headers)


def success(details: Document | None = None) -> Response:
    """`Status` Success."""
    status: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    return Response(orjson.dumps(status) + b"\n")


def created() -> Response:
    """`Status` Success for what a POST has done without making an object of its own."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Response(orjson.dumps(status) + b"\n", 201)


def resource_not_served() -> errors.NotFound:
    """Nothing is served at this path."""
    return errors.NotFound("the server could not find the requested resource")


def method_not_allowed() -> errors.MethodNotSupported:
    """The path is served, but not with this method."""
    return errors.MethodNotSupported("the server does not allow this method on the requested resource")
