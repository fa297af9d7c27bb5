"""One webhook asked about one request: may it be asked on a dry run, did it answer in time, does its failure count.

Follows: apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, callHook.
"""

import logging
from dataclasses import dataclass
from typing import Final

from pybernetes.apiserver.admission.attributes import Attributes, Views
from pybernetes.apiserver.admission.evaluation import bindings_of
from pybernetes.apiserver.admission.metrics import CALLING_ERROR, NO_ERROR, SERVER_ERROR, AdmissionMetrics
from pybernetes.apiserver.admission.webhooks.hooks import Hook
from pybernetes.apiserver.admission.webhooks.matching import Invocation
from pybernetes.apiserver.admission.webhooks.review import (
    InvalidAnswer,
    Verdict,
    denial,
    review_of,
    review_version,
    verdict_of,
)
from pybernetes.apiserver.interfaces import Authorizer
from pybernetes.apiserver.webhooks.client import CallFailed, WebhookClient
from pybernetes.effects import Clock, Ids
from pybernetes.machinery import errors
from pybernetes.machinery.errors import StatusError

log = logging.getLogger("pybernetes.apiserver.admission")

NO_SIDE_EFFECTS: Final = frozenset({"None", "NoneOnDryRun"})
ADMIT, VALIDATING = "admit", "validating"


class CallingFailed(Exception):
    """The webhook gave no decision: the failure policy has the word."""

    def __init__(self, hook: Hook, why: str, code: int) -> None:
        super().__init__(f'failed calling webhook "{hook.name}": {why}')
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """What calls need."""

    client: WebhookClient
    clock: Clock
    ids: Ids
    metrics: AdmissionMetrics
    authorizer: Authorizer

    async def meets(self, invocation: Invocation, attributes: Attributes, views: Views, step: str) -> bool:
        """Whether the request meets the webhook's match conditions.

        Raises:
            Forbidden: they cannot be evaluated, and that matters.
        """
        hook, operation = invocation.hook, attributes.operation
        if hook.conditions is None:
            return True
        view = await views.of(invocation.resource)
        match = hook.conditions.match(bindings_of(attributes, invocation.resource, view, None, self.authorizer))
        for _ in range(match.failures):
            self.metrics.condition_failed(hook.name, "webhook", step, operation)
        if match.error:
            log.warning("match conditions failed webhook=%s why=%s", hook.name, match.error)
            gvr = attributes.resource
            raise errors.forbidden(gvr.resource, gvr.group, attributes.name, match.error)
        if not match.matches:
            self.metrics.condition_excluded(hook.name, "webhook", step, operation)
        return match.matches

    async def ask(self, invocation: Invocation, attributes: Attributes, views: Views, step: str) -> Verdict | None:
        """The verdict of a webhook that allows the request; None when it failed and that does not matter.

        Raises:
            StatusError: it refuses, or failed and that matters.
        """
        hook, operation = invocation.hook, attributes.operation
        began = self.clock.monotonic()
        code, error_type, rejected = 200, "", True
        try:
            verdict = await self._asked(invocation, attributes, views, mutating=step == ADMIT)
            rejected = False
        except CallingFailed as failure:
            code, rejected = failure.code, not hook.ignores_failures
            error_type = CALLING_ERROR
            if hook.ignores_failures:
                log.warning("webhook failed, going on webhook=%s why=%s", hook.name, failure)
                self.metrics.webhook_failed_open(hook.name, step)
                return None
            log.warning("webhook failed webhook=%s why=%s", hook.name, failure)
            raise errors.internal_error(str(failure)) from None
        except StatusError as error:
            is_refusal = isinstance(error, errors.StatusError) and error.http_code < 500
            code, error_type = (error.http_code, NO_ERROR) if is_refusal else (0, SERVER_ERROR)
            raise
        finally:
            self.metrics.webhook_called(
                hook.name, step, operation, code, self.clock.monotonic() - began, rejected=rejected
            )
            if rejected:
                self.metrics.webhook_rejected(hook.name, step, operation, error_type, code)
        return verdict

    async def _asked(self, invocation: Invocation, attributes: Attributes, views: Views, *, mutating: bool) -> Verdict:
        hook, request = invocation.hook, attributes.request
        if request.dry_run and hook.side_effects not in NO_SIDE_EFFECTS:
            raise errors.BadRequest(f'admission webhook "{hook.name}" does not support dry run')
        view = await views.of(invocation.resource)
        try:
            version = review_version(hook.review_versions)
        except InvalidAnswer as error:
            raise CallingFailed(hook, f"could not create admission objects: {error}", 400) from None
        uid = self.ids.uid()
        review = review_of(uid, version, attributes, invocation.resource, view)
        try:
            answer = await self.client.call(hook.client_config, review, timeout_seconds=hook.timeout_seconds)
        except CallFailed as error:
            raise CallingFailed(hook, str(error), error.code) from None
        try:
            verdict = verdict_of(answer, uid, version, mutating=mutating)
        except InvalidAnswer as error:
            raise CallingFailed(hook, f"received invalid webhook response: {error}", 503) from None
        for key, value in verdict.annotations.items():
            request.annotate(f"{hook.name}/{key}", value)
        request.warnings.extend(verdict.warnings)
        if not verdict.allowed:
            raise denial(hook.name, verdict.status)
        return verdict
