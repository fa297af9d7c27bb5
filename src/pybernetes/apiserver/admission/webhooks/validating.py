"""ValidatingAdmissionWebhook: others may refuse what is about to be stored. All are asked at once.

Follows: apiserver pkg/admission/plugin/webhook/validating/dispatcher.go.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from pybernetes.apiserver.admission import rules
from pybernetes.apiserver.admission.attributes import Attributes, Equivalents, Views, attributes_of
from pybernetes.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from pybernetes.apiserver.admission.webhooks.calls import VALIDATING, Caller
from pybernetes.apiserver.admission.webhooks.hooks import VALIDATING as CONFIGURATIONS
from pybernetes.apiserver.admission.webhooks.hooks import HookSource
from pybernetes.apiserver.admission.webhooks.matching import Invocation, could_match, invocation_of
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader
from pybernetes.machinery.errors import StatusError

FAILED_OPEN: Final = "failed-open.validating.webhook.admission.k8s.io/"


class ValidatingAdmissionWebhook(Plugin):
    NAME = "ValidatingAdmissionWebhook"
    OPERATIONS = frozenset({CREATE, UPDATE, DELETE, CONNECT})
    SUBRESOURCES = None

    def __init__(self, reader: ObjectReader, equivalents: Equivalents, caller: Caller) -> None:
        self._reader = reader
        self._equivalents = equivalents
        self._caller = caller
        self._source = HookSource(reader, CONFIGURATIONS)

    def follow(self, changed: Callable[[], None]) -> None:
        self._source.follow(changed)

    def handles(self, group: str, plural: str, subresource: str, operation: str) -> bool:
        """Whether any webhook could want such writes: without one, nothing is asked and nothing costs."""
        key = (group, plural, subresource, operation)
        return not rules.is_exempt(group, plural) and any(
            could_match(hook.rules, key, self._equivalents, equivalent=hook.equivalent) for hook in self._source.hooks
        )

    async def validate(self, request: AdmissionRequest) -> None:
        attributes = attributes_of(request)
        views = Views(attributes, self._equivalents)
        invocations = []
        for hook in self._source.hooks:
            invocation = invocation_of(hook, attributes, self._equivalents, self._reader)
            if invocation is not None and await self._caller.meets(invocation, attributes, views, VALIDATING):
                invocations.append(invocation)
        if not invocations:
            return
        if len(invocations) == 1:
            await self._ask(invocations[0], attributes, views, 0)
            return
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(
                    self._outcome(invocation, attributes, views, number),
                    name=f"apiserver/webhook-{invocation.hook.name}",
                )
                for number, invocation in enumerate(invocations)
            ]
        for task in asked:
            refusal = task.result()
            if refusal is not None:
                raise refusal

    async def _outcome(
        self, invocation: Invocation, attributes: Attributes, views: Views, number: int
    ) -> StatusError | None:
        """The refusal, if it is one: the others are heard out all the same."""
        try:
            await self._ask(invocation, attributes, views, number)
        except StatusError as error:
            return error
        return None

    async def _ask(self, invocation: Invocation, attributes: Attributes, views: Views, number: int) -> None:
        if await self._caller.ask(invocation, attributes, views, VALIDATING) is None:
            attributes.request.annotate(f"{FAILED_OPEN}round_0_index_{number}", invocation.hook.name)
