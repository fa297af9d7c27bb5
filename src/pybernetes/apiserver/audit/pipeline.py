"""The pipeline with eyes: used where a policy and a log are configured, so that others pay nothing.

    RequestReceived     once it is known who asks
    ResponseStarted     of watches and other answers that grow
    ResponseComplete    always, also of refusals

Follows: apiserver pkg/endpoints/filters/audit.go; authorization.go for the annotations.
"""

from collections.abc import Awaitable
from typing import Any

from pybernetes.apiserver.audit.events import Json, document_of, opened, response_status, user_info
from pybernetes.apiserver.audit.log import AuditLog
from pybernetes.apiserver.audit.policy import (
    COMPLETE,
    NONE,
    RECEIVED,
    REQUEST,
    REQUEST_RESPONSE,
    STARTED,
    Policy,
    Verdict,
)
from pybernetes.apiserver.context import Context, Core
from pybernetes.apiserver.http.message import Answer, Response, Streaming
from pybernetes.apiserver.pipeline import STAGES, Outcome, Pipeline, authenticate
from pybernetes.apiserver.request import User
from pybernetes.effects import format_micro_time

DECISION = "authorization.k8s.io/decision"
REASON = "authorization.k8s.io/reason"
_SENSITIVE = frozenset({("", "serviceaccounts", "token"), ("authentication.k8s.io", "tokenreviews", "")})
"""Their bodies are tokens: told of at level Metadata whatever the policy says."""


class _Watched:
    """What is known of one request between its stages."""

    __slots__ = ("event", "user", "verdict")

    def __init__(self, verdict: Verdict, event: Json, user: User) -> None:
        self.verdict = verdict
        self.event = event
        self.user = user


class AuditedPipeline(Pipeline):
    """See the module."""

    def __init__(self, core: Core, policy: Policy, log: AuditLog) -> None:
        stages = list(STAGES)
        stages.insert(stages.index(authenticate) + 1, self._receive)
        super().__init__(core, tuple(stages))
        self._policy = policy
        self._log = log
        self._watched: dict[str, _Watched] = {}
        """Requests under way, by audit ID."""

    def _now(self) -> str:
        return format_micro_time(self._core.clock.now())

    def _receive(self, context: Context) -> Outcome | Awaitable[Outcome]:
        self._begin(context)
        return None

    def _begin(self, context: Context) -> _Watched | None:
        verdict = self._policy.verdict(context.user, context.info)
        if verdict.level == NONE:
            return None
        event = opened(verdict.level, context.audit_id, context.request, context.info, context.user, self._now())
        found = self._watched[context.audit_id] = _Watched(verdict, event, context.user)
        self._tell(found, RECEIVED)
        return found

    def _tell(self, watched: _Watched, stage: str, **more: Any) -> None:
        if stage in watched.verdict.omit_stages:
            return
        self._log.add({**watched.event, "stage": stage, **more, "stageTimestamp": self._now()})

    def _drop(self, context: Context) -> None:
        watched = self._watched.pop(context.audit_id, None)
        if watched is not None:
            self._tell(watched, COMPLETE)

    async def _go_on(self, context: Context, waiting: Awaitable[Outcome], number: int) -> Answer:
        try:
            return await super()._go_on(context, waiting, number)
        finally:
            self._drop(context)  # only of requests that got no answer: their clients are gone

    def _finish(self, context: Context, answer: Answer) -> Answer:
        watched = self._watched.pop(context.audit_id, None)
        answer = super()._finish(context, answer)
        if watched is None:
            if not (isinstance(answer, Response) and answer.status == 401):
                return answer
            watched = self._begin(context)  # nobody got as far as being told of
            if watched is None:
                return answer
            self._watched.pop(context.audit_id, None)
        self._describe(context, watched)
        if isinstance(answer, Streaming):
            self._follow(watched, answer)
        else:
            self._complete(context, watched, answer)
        return answer

    def _describe(self, context: Context, watched: _Watched) -> None:
        event, info = watched.event, context.info
        if context.user != watched.user:
            event["impersonatedUser"] = user_info(context.user)
        decision = self._core.authorizer.authorize(context.user, info)
        if not isinstance(decision, Awaitable):
            annotations = {DECISION: "allow" if decision.allowed else "forbid", REASON: decision.reason}
            event["annotations"] = annotations
        sensitive = (info.group, info.resource, info.subresource) in _SENSITIVE
        body = context.request.body
        if watched.verdict.level in {REQUEST, REQUEST_RESPONSE} and body and not sensitive:
            found = document_of(body, managed_fields=not watched.verdict.omit_managed_fields)
            if found is not None:
                event["requestObject"] = found

    def _complete(self, context: Context, watched: _Watched, answer: Answer) -> None:
        info = context.info
        data = answer.data if isinstance(answer, Response) else b""
        more: Json = {"responseStatus": response_status(answer.status, data)}
        sensitive = (info.group, info.resource, info.subresource) in _SENSITIVE
        if watched.verdict.level == REQUEST_RESPONSE and info.is_resource and not sensitive:
            found = document_of(data, managed_fields=not watched.verdict.omit_managed_fields)
            if found is not None:
                more["responseObject"] = found
        self._tell(watched, COMPLETE, **more)

    def _follow(self, watched: _Watched, answer: Streaming) -> None:
        status = response_status(answer.status, b"")
        self._tell(watched, STARTED, responseStatus=status)
        run = answer.run

        async def followed(stream: Any) -> None:
            try:
                await run(stream)
            finally:
                self._tell(watched, COMPLETE, responseStatus=status)

        answer.run = followed
