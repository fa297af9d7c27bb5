"""What can go wrong at the API, as exceptions that carry the `Status` a client sees; the same on both sides.

    StatusError
    ├── BadRequest 400          ├── Gone 410
    ├── Unauthorized 401        │   └── Expired 410
    ├── Forbidden 403           ├── RequestEntityTooLarge 413
    ├── NotFound 404            ├── UnsupportedMediaType 415
    ├── MethodNotSupported 405  ├── Invalid 422
    ├── NotAcceptable 406       ├── TooManyRequests 429
    ├── AlreadyExists 409       ├── InternalError 500
    ├── Conflict 409            ├── ServiceUnavailable 503
    └── Timeout 504 (also ServerTimeout)

The constructors below (`not_found`, `conflict`, …) make code, reason, message and details always agree.

Follows: apimachinery pkg/api/errors/errors.go; texts as clients match them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

Json = dict[str, Any]


class StatusError(Exception):
    """A failed request. `status` is the whole `Status` document."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(self, message: str, details: Json | None = None, *, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.http_code = code or self.code
        self.list_metadata: Json = {}
        """Of an expired list: `continue` to go on with, inconsistently."""

    @property
    def status(self) -> Json:
        """The `Status` document a client receives."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.list_metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        status["code"] = self.http_code
        return status

    @property
    def causes(self) -> Sequence[Json]:
        return self.details.get("causes") or ()

    @property
    def retry_after_seconds(self) -> int:
        """How long the server asks to wait before trying again; 0 when it does not say."""
        return int(self.details.get("retryAfterSeconds") or 0)


class BadRequest(StatusError):
    code, reason = 400, "BadRequest"


class Unauthorized(StatusError):
    code, reason = 401, "Unauthorized"


class Forbidden(StatusError):
    code, reason = 403, "Forbidden"


class NotFound(StatusError):
    code, reason = 404, "NotFound"


class MethodNotSupported(StatusError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(StatusError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(StatusError):
    code, reason = 409, "AlreadyExists"


class Conflict(StatusError):
    code, reason = 409, "Conflict"


class Gone(StatusError):
    code, reason = 410, "Gone"


class Expired(Gone):
    code, reason = 410, "Expired"


class RequestEntityTooLarge(StatusError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(StatusError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(StatusError):
    code, reason = 422, "Invalid"


class TooManyRequests(StatusError):
    code, reason = 429, "TooManyRequests"


class InternalError(StatusError):
    code, reason = 500, "InternalError"


class ServerTimeout(StatusError):
    code, reason = 500, "ServerTimeout"


class ServiceUnavailable(StatusError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(StatusError):
    code, reason = 504, "Timeout"


_BY_REASON: dict[str, type[StatusError]] = {
    kind.reason: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotSupported,
        NotAcceptable,
        AlreadyExists,
        Conflict,
        Gone,
        Expired,
        RequestEntityTooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
        InternalError,
        ServerTimeout,
        ServiceUnavailable,
        Timeout,
    )
}
_BY_CODE: dict[int, type[StatusError]] = {
    kind.code: kind for kind in reversed(_BY_REASON.values()) if kind not in (Conflict, ServerTimeout)
}


def from_status(status: Json, http_code: int) -> StatusError:
    """The exception for a `Status` a server answered with; unknown reasons keep code and message."""
    code = int(status.get("code") or http_code)
    kind = _BY_REASON.get(status.get("reason") or "") or _BY_CODE.get(code, StatusError)
    return kind(status.get("message") or f"the server answered {code}", status.get("details"), code=code)


def qualified(plural: str, group: str) -> str:
    """A resource as messages name it: `pods`, `deployments.apps`."""
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str, **more: Any) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    details.update(more)
    return details


def not_found(plural: str, group: str, name: str) -> NotFound:
    return NotFound(f'{qualified(plural, group)} "{name}" not found', _details(plural, group, name))


def already_exists(plural: str, group: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{qualified(plural, group)} "{name}" already exists', _details(plural, group, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, group: str, name: str, why: str = MODIFIED) -> Conflict:
    return Conflict(
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}',
        _details(plural, group, name),
    )


def forbidden(plural: str, group: str, name: str, why: str) -> Forbidden:
    subject = (
        f'{qualified(plural, group)} "{name}" is forbidden' if name else f"{qualified(plural, group)} is forbidden"
    )
    if not plural:
        subject = "forbidden"
    return Forbidden(f"{subject}: {why}", _details(plural, group, name))


def expired(why: str) -> Expired:
    return Expired(why)


def internal_error(why: str) -> InternalError:
    return InternalError(f"Internal error occurred: {why}", {"causes": [{"message": why}]})


def unauthorized() -> Unauthorized:
    return Unauthorized("Unauthorized")
