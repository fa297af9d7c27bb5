"""Webhook configurations as the chain needs them: in order of their names, selectors parsed, conditions compiled.

Rebuilt when a configuration changes, never by a request.

Follows: apiserver pkg/admission/configuration/{mutating,validating}_webhook_manager.go.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pybernetes.apiserver.admission.evaluation import Conditions, conditions_of
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.machinery import labels
from pybernetes.machinery.labels import Selector, SelectorError

log = logging.getLogger("pybernetes.apiserver.admission")

GROUP: Final = "admissionregistration.k8s.io"
MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
DEFAULT_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One webhook of one configuration."""

    uid: str
    """`configuration/webhook/number`, as names may repeat."""
    configuration: str
    name: str
    document: Document
    rules: tuple[Document, ...]
    equivalent: bool
    """matchPolicy: also requests for other versions of what the rules name."""
    namespace_selector: Selector
    object_selector: Selector
    ignores_failures: bool
    timeout_seconds: float
    side_effects: str
    review_versions: tuple[str, ...]
    reinvoked: bool
    conditions: Conditions | None = None

    @property
    def client_config(self) -> Document:
        found: Document = self.document.get("clientConfig") or {}
        return found


def hook_of(configuration: str, number: int, document: Document) -> Hook:
    """The webhook of a stored document, which is defaulted and valid.

    Raises:
        SelectorError.
    """
    name = document.get("name", "")
    return Hook(
        uid=f"{configuration}/{name}/{number}",
        configuration=configuration,
        name=name,
        document=document,
        rules=tuple(document.get("rules") or ()),
        equivalent=document.get("matchPolicy", "Equivalent") == "Equivalent",
        namespace_selector=labels.from_label_selector(document.get("namespaceSelector") or {}),
        object_selector=labels.from_label_selector(document.get("objectSelector") or {}),
        ignores_failures=document.get("failurePolicy") == "Ignore",
        timeout_seconds=float(document.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        side_effects=document.get("sideEffects", ""),
        review_versions=tuple(document.get("admissionReviewVersions") or ()),
        reinvoked=document.get("reinvocationPolicy") == "IfNeeded",
        conditions=conditions_of(
            document.get("matchConditions"), ignores_failures=document.get("failurePolicy") == "Ignore"
        ),
    )


def hooks_of(document: Document) -> list[Hook]:
    """The webhooks of one configuration, in its order."""
    configuration = document["metadata"]["name"]
    numbers: dict[str, int] = {}
    found = []
    for webhook in document.get("webhooks") or ():
        name = webhook.get("name", "")
        number = numbers.get(name, 0)
        numbers[name] = number + 1
        try:
            found.append(hook_of(configuration, number, webhook))
        except SelectorError:
            log.exception("webhook unusable configuration=%s webhook=%s", configuration, name)
    return found


class HookSource:
    """The webhooks of all configurations of one kind, as they stand."""

    def __init__(self, reader: ObjectReader, plural: str) -> None:
        self._reader = reader
        self._plural = plural
        self._by_configuration: dict[str, list[Hook]] = {}
        self._hooks: tuple[Hook, ...] = ()

    def follow(self, changed: Callable[[], None]) -> None:
        """Follow the configurations; `changed` is called after each change."""

        def observe(old: Document | None, new: Document | None) -> None:
            document: dict[str, Any] = new or old or {}
            name = document["metadata"]["name"]
            if new is None:
                self._by_configuration.pop(name, None)
            else:
                self._by_configuration[name] = hooks_of(new)
            self._hooks = tuple(hook for key in sorted(self._by_configuration) for hook in self._by_configuration[key])
            changed()

        self._reader.subscribe(GROUP, self._plural, observe)

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """All webhooks: configurations by name, within one in its order."""
        return self._hooks
