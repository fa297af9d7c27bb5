"""What the resourceVersion parameters of reads mean, and which combinations are refused.

    resourceVersion        unset        "0"      N                              (no continue)
    no match, no limit     most recent  any      not older than N
    no match, limit        most recent  any      exactly N
    NotOlderThan           422          any      not older than N
    Exact                  422          422      exactly N

Follows: apimachinery pkg/apis/meta/internalversion/validation/validation.go; apiserver pkg/storage/cacher/delegator.
"""

from dataclasses import dataclass

from pybernetes.apiserver.context import Core
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import Timeout
from pybernetes.machinery.field_errors import FieldError
from pybernetes.machinery.numbers import NotANumber, parse_uint

NOT_OLDER_THAN = "NotOlderThan"
EXACT = "Exact"
RESOURCE_VERSION_TOO_LARGE = "ResourceVersionTooLarge"
_META_GROUP = "meta.k8s.io"
FUTURE_SECONDS = 3.0
"""Follows: apiserver pkg/storage/cacher/watch_cache.go, blockTimeout."""
FUTURE_POLL_SECONDS = 0.05
"""Waiters look instead of being told: a version that never comes leaves nothing behind. Arbitrary."""


def parse_resource_version(text: str) -> int:
    """The number a resourceVersion stands for; 0 for none.

    Raises:
        BadRequest.
    """
    if not text:
        return 0
    try:
        return parse_uint(text)
    except NotANumber as error:
        raise errors.BadRequest(f"invalid resource version: {error}") from None


def check_not_future(asked: int, current: int) -> None:
    """Refuse a version that has not happened yet.

    Raises:
        Timeout: with the cause clients look for.
    """
    if asked > current:
        raise Timeout(
            f"Timeout: Too large resource version: {asked}, current: {current}",
            {
                "causes": [{"reason": RESOURCE_VERSION_TOO_LARGE, "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
        )


async def wait_until(core: Core, asked: int) -> None:
    """Wait for a version that has not happened yet, but not for ever.

    Raises:
        Timeout: it has still not happened after FUTURE_SECONDS.
    """
    deadline = core.clock.monotonic() + FUTURE_SECONDS
    while core.store.storage.revision < asked and core.clock.monotonic() < deadline:
        await core.clock.sleep(FUTURE_POLL_SECONDS)
    check_not_future(asked, core.store.storage.revision)


@dataclass(frozen=True, slots=True)
class ReadAt:
    """Which state a list shows: exactly `exact` when that is set, else the newest."""

    exact: int | None = None
    at_least: int = 0


def list_version(version_text: str, match: str, limit: int, continue_token: str) -> ReadAt:
    """The state a list must show.

    Raises:
        Invalid, BadRequest.
    """
    complaints: list[FieldError] = []
    if match:
        if not version_text:
            complaints.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if continue_token:
            complaints.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in {EXACT, NOT_OLDER_THAN}:
            complaints.append(field_errors.not_supported("resourceVersionMatch", match, [EXACT, NOT_OLDER_THAN, ""]))
        if match == EXACT and version_text == "0":
            complaints.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if complaints:
        raise field_errors.invalid("ListOptions", _META_GROUP, "", complaints)
    version = parse_resource_version(version_text)
    if continue_token:
        if version_text and version_text != "0":
            raise errors.BadRequest("specifying resource version is not allowed when using continue")
        return ReadAt()
    if version and (match == EXACT or (not match and limit)):
        return ReadAt(exact=version)
    return ReadAt(at_least=version)


def check_watch(match: str, *, send_initial_events: bool | None) -> None:
    """Refuse watch parameters that do not go together.

    Raises:
        Invalid.
    """
    complaints: list[FieldError] = []
    if send_initial_events is not None:
        if not match:
            complaints.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        elif match != NOT_OLDER_THAN:
            complaints.append(field_errors.not_supported("resourceVersionMatch", match, [NOT_OLDER_THAN]))
    elif match:
        complaints.append(
            _forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        )
    if complaints:
        raise field_errors.invalid("ListOptions", _META_GROUP, "", complaints)


def _forbidden(detail: str) -> FieldError:
    return field_errors.forbidden_value("resourceVersionMatch", detail)
