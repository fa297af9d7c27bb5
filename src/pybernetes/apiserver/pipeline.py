"""What happens to a request, as a list of named stages.

    authenticate    who asks                                    401
    impersonate     who they want to be                         403
    limit           whether their priority level has room       429
    authorize       whether they may                            403
    find            which resource it is about                  404, 405
    serve           the handler of the verb or subresource      everything else

A stage returns None to go on, an answer to end, or an awaitable of either. Until a stage has to wait, everything runs
without a task: most reads are answered within the call that received their last byte.

Follows: apiserver pkg/server/config.go, DefaultBuildHandlerChain.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pybernetes.apiserver.context import Context, Core, Seat
from pybernetes.apiserver.flowcontrol.fairness import Flow
from pybernetes.apiserver.flowcontrol.level import EXECUTE, Ticket
from pybernetes.apiserver.handlers import dispatch
from pybernetes.apiserver.handlers.output import status_answer
from pybernetes.apiserver.http.message import Answer, Hijack, Request, Response, Streaming
from pybernetes.apiserver.http.statuses import failure, method_not_allowed, resource_not_served
from pybernetes.apiserver.interfaces import Decision
from pybernetes.apiserver.metrics import request_key, request_kind
from pybernetes.apiserver.request import ANONYMOUS, AUTHENTICATED_GROUP, RequestInfo, User
from pybernetes.apiserver.routing import route
from pybernetes.machinery import errors
from pybernetes.machinery.errors import Forbidden, StatusError

log = logging.getLogger("pybernetes.apiserver.pipeline")

Outcome = Answer | None
Stage = Callable[[Context], Outcome | Awaitable[Outcome]]

CREDENTIALS_SECONDS = 10.0
"""How long the outcome of authentication is believed. Follows: kube-apiserver's token success cache."""
MAX_CREDENTIALS = 16
"""Different credentials remembered per connection; arbitrary."""
TIMEOUT_SWEEP_SECONDS = 1.0
TOO_MANY = b"Too many requests, please try again later.\n"
NO_CACHE = ("Cache-Control", "no-cache, private")
APPLY_TYPE = "application/apply-patch"
"""Patches of this type are counted as APPLY. Follows: metrics.go, cleanVerb."""
_AUTHENTICATION_EXTRA = "impersonate-extra-"


# ── stages ──


def authenticate(context: Context) -> Outcome:
    """Find out who asks: from what the connection already knows, else from the authenticator.

    Raises:
        Unauthorized.
    """
    connection = context.request.connection
    if connection.user is not None:
        context.user = connection.user
        return None
    request_header = context.core.security.request_header
    if request_header is not None and connection.certificate_der is not None:
        if connection.is_proxy is None:
            connection.is_proxy = request_header.is_proxy(connection.certificate_der)
            if connection.is_proxy or not request_header.is_client(connection.certificate_der):
                connection.certificate = None  # it vouches for others, and names no user itself
        if connection.is_proxy:
            named = request_header.user_of(context.request.headers)
            if named is not None:
                context.user = named
                return None
    credentials = context.request.headers.get("authorization", "")
    known = connection.users.get(credentials)
    if known is not None and context.started < known[1]:
        context.user = known[0]
        return None
    authenticator = context.core.authenticator
    if authenticator is None:
        return None
    found = authenticator.identify(credentials, connection.certificate, connection.certificate_der)
    context.user = found or ANONYMOUS
    if len(connection.users) >= MAX_CREDENTIALS:
        connection.users.clear()
    connection.users[credentials] = (context.user, context.started + CREDENTIALS_SECONDS)
    return None


def impersonate(context: Context) -> Outcome | Awaitable[Outcome]:
    """Become whom the Impersonate headers name, if the user may.

    Raises:
        Forbidden, InternalError.
    """
    headers = context.request.headers
    if "impersonate-user" in headers or "impersonate-group" in headers or "impersonate-uid" in headers:
        return _impersonate(context)
    return None


async def _impersonate(context: Context) -> None:
    """Follows: apiserver pkg/endpoints/filters/impersonation.go, WithImpersonation."""
    request = context.request
    name = request.header("impersonate-user")
    if not name:
        raise errors.internal_error("requested impersonation without impersonating a user")
    groups = tuple(request.header_values("impersonate-group"))
    extra = {
        key.removeprefix(_AUTHENTICATION_EXTRA): tuple(request.header_values(key))
        for key in request.headers
        if key.startswith(_AUTHENTICATION_EXTRA)
    }
    uid = request.header("impersonate-uid")
    namespace, account = _service_account(name)
    if account:
        await _require(context, "", "serviceaccounts", account, namespace=namespace)
        groups = groups or ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    else:
        await _require(context, "", "users", name)
    for group in groups:
        await _require(context, "", "groups", group)
    for key, values in extra.items():
        for value in values:
            await _require(context, "authentication.k8s.io", "userextras", value, subresource=key)
    if uid:
        await _require(context, "authentication.k8s.io", "uids", uid)
    if name != ANONYMOUS.name and AUTHENTICATED_GROUP not in groups:
        groups = (*groups, AUTHENTICATED_GROUP)
    elif name == ANONYMOUS.name and not groups:
        groups = ANONYMOUS.groups
    context.user = User(name, uid, groups, extra)


def _service_account(name: str) -> tuple[str, str]:
    parts = name.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return parts[2], parts[3]
    return "", ""


async def _require(
    context: Context, group: str, resource: str, name: str, *, namespace: str = "", subresource: str = ""
) -> None:
    info = RequestInfo(
        verb="impersonate",
        path=context.info.path,
        is_resource=True,
        group=group,
        version="v1",
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
    decision = context.core.authorizer.authorize(context.user, info)
    if not isinstance(decision, Decision):
        decision = await decision
    if not decision.allowed:
        raise forbidden(context.user, info, decision.reason)


def limit(context: Context) -> Outcome | Awaitable[Outcome]:
    """Go on while the priority level has room; else wait for a seat, or be turned away.

    Follows: apiserver pkg/server/filters/priority-and-fairness.go.
    """
    user, info, fairness = context.user, context.info, context.core.fairness
    question = (
        *(user.name, user.groups, info.verb, info.group, info.resource, info.subresource),
        info.namespace if info.is_resource else info.path,
    )
    flow = context.flow = fairness.flows.get(question) or fairness.flow_of(user, info, question)
    if flow.level.open:
        flow.counts.dispatched += 1
        return None
    ticket = fairness.enqueue(flow, user, info)
    if isinstance(ticket, str):
        return _too_many(context, flow)
    context.seat = Seat(ticket=ticket)
    return _wait_for_seat(context, flow, ticket)


async def _wait_for_seat(context: Context, flow: Flow, ticket: Ticket) -> Outcome:
    decision = await context.core.fairness.wait(flow, ticket)
    if decision != EXECUTE:
        return _too_many(context, flow)
    assert context.seat is not None
    context.seat.seats, context.seat.started = ticket.seats, ticket.started
    flow.counts.dispatched += 1
    return None


def _too_many(context: Context, flow: Flow) -> Response:
    """Follows: apiserver pkg/server/filters/maxinflight.go, tooManyRequests."""
    seconds = context.core.fairness.retry_after(flow)
    headers = (("Retry-After", str(seconds)), ("X-Content-Type-Options", "nosniff"))
    return Response(TOO_MANY, 429, "text/plain; charset=utf-8", headers)


def authorize(context: Context) -> Outcome | Awaitable[Outcome]:
    """Go on if the user may.

    Raises:
        Forbidden; Unauthorized is for credentials, not for this.
    """
    decision = context.core.authorizer.authorize(context.user, context.info)
    if isinstance(decision, Decision):
        if not decision.allowed:
            raise forbidden(context.user, context.info, decision.reason)
        return None
    return _authorize_later(context, decision)


async def _authorize_later(context: Context, decision: Awaitable[Decision]) -> None:
    decided = await decision
    if not decided.allowed:
        raise forbidden(context.user, context.info, decided.reason)


def forbidden(user: User, info: RequestInfo, reason: str) -> Forbidden:
    """The 403 of the authorizer. Follows: apiserver responsewriters/errors.go, ForbiddenStatusError."""
    if not info.is_resource:
        why = f'User "{user.name}" cannot {info.verb} path "{info.path}"'
        error = errors.forbidden("", "", "", f"{why}: {reason}" if reason else why)
        error.details = {}
        return error
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    why = f'User "{user.name}" cannot {info.verb} resource "{resource}" in API group "{info.group}"'
    why += f' in the namespace "{info.namespace}"' if info.namespace else " at the cluster scope"
    return errors.forbidden(info.resource, info.group, info.name, f"{why}: {reason}" if reason else why)


def find(context: Context) -> Outcome | Awaitable[Outcome]:
    """Find the resource the request is about; documents that are none are answered here.

    Raises:
        NotFound, MethodNotSupported.
    """
    info = context.info
    remotes = context.core.remotes
    if remotes.rows:
        remote = remotes.claims(info.path)
        if remote is not None:
            return remotes.forward(remote, context.request, context.user)
    if not info.is_resource:
        return _document(context)
    served = context.core.scheme.find(info.group, info.version, info.resource)
    if served is None:
        raise resource_not_served()
    if info.namespace and not served.resource.namespaced and info.resource != "namespaces":
        raise resource_not_served()
    context.served = served
    if info.subresource:
        context.subresource = served.resource.subresources.get(info.subresource)
        if context.subresource is None:
            raise resource_not_served()
    elif info.verb not in served.resource.verbs:
        raise method_not_allowed()
    if served.resource.deprecation:
        context.warnings.append(served.resource.deprecation)
    if served.lens is not None and served.resource.custom is not None and served.resource.custom.warning:
        context.warnings.append(served.resource.custom.warning)
    return None


def _document(context: Context) -> Outcome | Awaitable[Outcome]:
    documents = context.core.documents
    found = documents.answer(context.request, context.info, context.user) if documents is not None else None
    if found is None:
        raise resource_not_served()
    return found


def serve(context: Context) -> Outcome | Awaitable[Outcome]:
    """Hand the request to its handler.

    Raises:
        StatusError.
    """
    return dispatch.handler_of(context)(context)


UNSERVED = RequestInfo(verb="", path="")
"""Under this, requests for what is not served are counted together: strangers do not choose the names of metrics."""

STAGES: tuple[Stage, ...] = (authenticate, impersonate, limit, authorize, find, serve)


# ── running them ──


class Pipeline:
    """The stages over one server's parts. The `Application` of its connections."""

    def __init__(self, core: Core, stages: tuple[Stage, ...] = STAGES) -> None:
        self._core = core
        self._stages = stages
        self._audit_prefix = core.ids.uid()[:24]
        self._audit_number = 0
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        """Requests under way → monotonic second at which they are given up."""
        self._overdue: set[asyncio.Task[Any]] = set()

    def wants_streamed_body(self, method: str, path: str) -> bool:
        """Bodies to proxied servers are passed on as they come."""
        if method == "GET":
            return False
        return "/proxy" in path or (bool(self._core.remotes.rows) and self._core.remotes.claims(path) is not None)

    def failure(self, request: Request, error: StatusError) -> Response:  # noqa: ARG002
        return failure(error)

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """The answer, at once where no stage has to wait. Failures are answers, too."""
        self._audit_number += 1
        context = Context(
            self._core,
            request,
            route(request.method, request.path, request.query_text),
            self._core.clock.monotonic(),
            f"{self._audit_prefix}{self._audit_number & 0xFFFFFFFFFFFF:012x}",
        )
        try:
            for number, stage in enumerate(self._stages):
                outcome = stage(context)
                if outcome is None:
                    continue
                if isinstance(outcome, Response | Streaming | Hijack):
                    return self._finish(context, outcome)
                self._take_seat(context)
                return self._go_on(context, outcome, number + 1)
        except Exception as error:  # noqa: BLE001 - becomes an answer, and a log line if it is our mistake
            return self._finish(context, answer_to(context, error))
        raise AssertionError("the last stage answers")

    async def _go_on(self, context: Context, waiting: Awaitable[Outcome], number: int) -> Answer:
        task = asyncio.current_task()
        assert task is not None
        self._deadlines[task] = context.started + self._seconds_allowed(context)
        in_flight, kind = self._core.metrics.in_flight, request_kind(context.info.verb)
        in_flight[kind] += 1
        try:
            outcome = await waiting
            while outcome is None:
                result = self._stages[number](context)
                number += 1
                if result is None or isinstance(result, Response | Streaming | Hijack):
                    outcome = result
                else:
                    self._take_seat(context)
                    outcome = await result
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            return self._finish(context, failure(request_timeout()))
        except Exception as error:  # noqa: BLE001 - as above
            return self._finish(context, answer_to(context, error))
        finally:
            self._release_seat(context)
            in_flight[kind] -= 1
            self._overdue.discard(task)
            del self._deadlines[task]
        return self._finish(context, outcome)

    def _take_seat(self, context: Context) -> None:
        """Whoever is about to wait for something holds seats meanwhile; those who were queued have them already."""
        if context.seat is None and context.flow is not None:
            context.seat = Seat(self._core.fairness.take(context.flow, context.info), self._core.clock.monotonic())

    def _release_seat(self, context: Context) -> None:
        seat, context.seat = context.seat, None
        if seat is not None and seat.seats and context.flow is not None:
            self._core.fairness.release(context.flow, seat.seats, seat.started, seat.ticket)

    def _seconds_allowed(self, context: Context) -> float:
        """How long an ordinary request may take until its answer begins; bodies and streams do not count."""
        limit = self._core.config.request_timeout_seconds
        text = context.query("timeout")
        if text.endswith("s") and text[:-1].isdigit():
            limit = min(limit, float(text[:-1]))
        return limit

    async def run(self) -> None:
        """End requests that take too long, until cancelled. One task for all: timers per request cost more."""
        while True:
            await self._core.clock.sleep(TIMEOUT_SWEEP_SECONDS)
            now = self._core.clock.monotonic()
            for task, deadline in list(self._deadlines.items()):
                if now >= deadline and task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()
            self._core.fairness.sweep(now)

    def _finish(self, context: Context, answer: Answer) -> Answer:
        core, info = self._core, context.info
        if context.seat is not None:
            self._release_seat(context)
        if isinstance(answer, Response):
            if context.flow is not None:
                answer.header_lines = context.flow.header_lines
            if info.is_resource and (context.served is None or (info.subresource and context.subresource is None)):
                info = UNSERVED
            verb = context.info.verb
            if verb == "patch" and context.request.headers.get("content-type", "").startswith(APPLY_TYPE):
                verb = "apply"
            query = context.request.query_text
            dry_run = "All" if query and "dryRun=All" in query else ""
            core.metrics.finished(info, verb, answer.status, core.clock.monotonic() - context.started, dry_run)
            if not answer.headers and not context.warnings:  # nearly all
                answer.headers = (("Audit-Id", context.audit_id), NO_CACHE)
                return answer
        elif isinstance(answer, Streaming):
            answer = self._counted(context, answer)
            if context.flow is not None:
                answer.header_lines = context.flow.header_lines
        else:
            return answer
        given = {name for name, _ in answer.headers}
        own = [("Audit-Id", context.audit_id), NO_CACHE, *(("Warning", warning(text)) for text in context.warnings)]
        answer.headers = (*(header for header in own if header[0] not in given), *answer.headers)
        return answer

    def _counted(self, context: Context, answer: Streaming) -> Streaming:
        """The same answer, counted for as long as it lasts."""
        key = request_key(context.info, context.info.verb)
        run = answer.run
        metrics = self._core.metrics

        async def counted(stream: Any) -> None:
            metrics.long_running[key] += 1
            try:
                await run(stream)
            finally:
                metrics.long_running[key] -= 1

        answer.run = counted
        return answer


def answer_to(context: Context, error: Exception) -> Response:
    """The answer to a request that failed; what is our own mistake is logged."""
    if isinstance(error, StatusError):
        if error.http_code == 403 and context.user == ANONYMOUS and context.request.headers.get("authorization"):
            return _refusal(context, errors.unauthorized())
        return _refusal(context, error)
    log.error(
        "request failed method=%s path=%s user=%s",
        context.request.method,
        context.request.path,
        context.user.name,
        exc_info=error,
    )
    return failure(errors.internal_error(f"{type(error).__name__}: {error}"))


def _refusal(context: Context, error: StatusError) -> Response:
    """A failure as the client wants to read it; only those who ask for something else than JSON pay for asking."""
    found = failure(error)
    accept = context.request.headers.get("accept", "")
    return status_answer(context, found) if "protobuf" in accept or "yaml" in accept else found


def request_timeout() -> errors.Timeout:
    """The 504 of a request that took too long. Follows: apiserver pkg/server/filters/timeout.go."""
    return errors.Timeout(
        "Timeout: request did not complete within the allotted timeout",
        {"retryAfterSeconds": 0},
    )


def warning(text: str) -> str:
    """A Warning header's value. Follows: RFC 7234, code 299; apiserver pkg/warning."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    if not shown.isprintable():
        shown = "".join(character if character.isprintable() else " " for character in shown)
    return f'299 - "{shown}"'
