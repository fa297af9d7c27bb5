"""MutatingAdmissionWebhook: others change what is about to be stored, one after the other.

Their order is that of the names of their configurations.

    first round     every webhook the request matches; each sees what those before it made
    second round    only webhooks with reinvocationPolicy IfNeeded that came before a change

Follows: apiserver pkg/admission/plugin/webhook/mutating/{dispatcher,reinvocationcontext}.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pybernetes.apiserver.admission import rules
from pybernetes.apiserver.admission.attributes import Attributes, Equivalents, Views, attributes_of
from pybernetes.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from pybernetes.apiserver.admission.webhooks.calls import ADMIT, Caller
from pybernetes.apiserver.admission.webhooks.hooks import MUTATING as CONFIGURATIONS
from pybernetes.apiserver.admission.webhooks.hooks import Hook, HookSource
from pybernetes.apiserver.admission.webhooks.matching import Invocation, could_match, invocation_of
from pybernetes.apiserver.request import AdmissionRequest, ObjectReader, Reinvocation
from pybernetes.machinery import errors
from pybernetes.machinery.patch import json_patch

MUTATION: Final = "mutation.webhook.admission.k8s.io/"
PATCH: Final = "patch.webhook.admission.k8s.io/"
FAILED_OPEN: Final = f"failed-open.{MUTATION}"


@dataclass(slots=True)
class Memory:
    """What the plugin remembers between the two rounds of one request."""

    last_output: bytes = b""
    previous: set[str] = field(default_factory=set)
    """Webhooks asked so far that want to see later changes."""
    again: set[str] = field(default_factory=set)
    """Those of them that have to."""

    def require_previous(self) -> None:
        self.again |= self.previous
        self.previous = set()


def reinvocation_of(request: AdmissionRequest) -> Reinvocation:
    """The request's state between rounds, made when first asked for."""
    if request.reinvocation is None:
        request.reinvocation = Reinvocation()
    return request.reinvocation


class MutatingAdmissionWebhook(Plugin):
    NAME = "MutatingAdmissionWebhook"
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

    async def mutate(self, request: AdmissionRequest) -> None:
        state = reinvocation_of(request)
        memory: Memory = state.memory.setdefault(self.NAME, Memory())
        if state.again and memory.last_output != orjson.dumps(request.object):
            # Something of ours changed it since: every webhook that cares sees it again.
            memory.require_previous()
        attributes = attributes_of(request)
        views = Views(attributes, self._equivalents)
        for number, hook in enumerate(self._source.hooks):
            invocation = invocation_of(hook, attributes, self._equivalents, self._reader)
            if invocation is None or not await self._caller.meets(invocation, attributes, views, ADMIT):
                continue
            if state.again and hook.uid not in memory.again:
                continue
            if await self._ask(invocation, attributes, views, number, round_=int(state.again)):
                memory.require_previous()
                state.wanted = True
            if hook.reinvoked:
                memory.previous.add(hook.uid)
        memory.last_output = orjson.dumps(request.object)

    async def _ask(
        self, invocation: Invocation, attributes: Attributes, views: Views, number: int, round_: int
    ) -> bool:
        """Ask one webhook and do what it says; whether that changed the object.

        Raises:
            StatusError.
        """
        hook, request = invocation.hook, attributes.request
        place = f"round_{round_}_index_{number}"
        changed = False
        try:
            verdict = await self._caller.ask(invocation, attributes, views, ADMIT)
            if verdict is None:
                request.annotate(f"{FAILED_OPEN}{place}", hook.name)
            elif verdict.patch:
                changed = await self._patch(invocation, attributes, views, verdict.patch)
                request.annotate(f"{PATCH}{place}", _shown(hook, patch=verdict.patch, patchType="JSONPatch"))
        finally:
            request.annotate(f"{MUTATION}{place}", _shown(hook, mutated=changed))
        return changed

    async def _patch(
        self, invocation: Invocation, attributes: Attributes, views: Views, operations: list[dict[str, Any]]
    ) -> bool:
        name, request = invocation.hook.name, attributes.request
        view = await views.of(invocation.resource)
        if view.object is None:
            raise errors.internal_error(
                f'admission webhook "{name}" attempted to modify the object, which is not supported for this operation'
            )
        owners = (request.object or {}).get("metadata", {}).get("managedFields")
        try:
            patched = json_patch.apply(view.object, operations)
        except (json_patch.PatchError, json_patch.MalformedPatchError) as error:
            raise errors.internal_error(str(error)) from None
        changed = await views.replace(patched, invocation.resource)
        _keep_owners(request, owners)
        return changed


def _keep_owners(request: AdmissionRequest, owners: list[Any] | None) -> None:
    """Put managedFields back when a webhook broke them: whose fields these are is not its to say.

    Follows: apiserver pkg/endpoints/handlers/fieldmanager/admission.go.
    """
    metadata = (request.object or {}).get("metadata") or {}
    if metadata.get("managedFields") == owners:
        return
    complaint = _complaint(metadata.get("managedFields"))
    if not complaint:
        return
    if owners is None:
        metadata.pop("managedFields", None)
    else:
        metadata["managedFields"] = owners
    request.warnings.append(
        ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
        f"admission controller; please fix your requests: {complaint}"
    )


def _complaint(entries: Any) -> str:
    """What is wrong with managedFields; "" when they can be read. Follows: managedfields.ValidateManagedFields."""
    for entry in entries or ():
        operation, fields_type = entry.get("operation", ""), entry.get("fieldsType", "")
        if operation not in {"Apply", "Update"}:
            return f"error decoding managed fields: unsupported operation type `{operation}`"
        if fields_type != "FieldsV1":
            return f"error decoding managed fields: unsupported fieldsType `{fields_type}`"
        if not isinstance(entry.get("fieldsV1", {}), dict) or not entry.get("apiVersion"):
            return "error decoding managed fields: the entry has no apiVersion or no readable fieldsV1"
    return ""


def _shown(hook: Hook, **more: Any) -> str:
    return orjson.dumps({"configuration": hook.configuration, "webhook": hook.name, **more}).decode()
