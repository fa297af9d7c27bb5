"""Defaults of webhook configurations and admission policies. Follows: pkg/apis/admissionregistration/v1/defaults.go."""

from typing import Any

Json = dict[str, Any]


def _webhooks(document: Json) -> None:
    for webhook in document.get("webhooks") or ():
        webhook.setdefault("failurePolicy", "Fail")
        _selection(webhook)
        webhook.setdefault("timeoutSeconds", 10)
        _scopes(webhook.get("rules") or ())
        service = (webhook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)


def _selection(target: Json) -> None:
    target.setdefault("matchPolicy", "Equivalent")
    target.setdefault("namespaceSelector", {})
    target.setdefault("objectSelector", {})


def _scopes(rules: Any) -> None:
    for rule in rules:
        rule.setdefault("scope", "*")


def validating_webhooks(document: Json) -> None:
    _webhooks(document)


def mutating_webhooks(document: Json) -> None:
    _webhooks(document)
    for webhook in document.get("webhooks") or ():
        webhook.setdefault("reinvocationPolicy", "Never")


def _match_resources(target: Json) -> None:
    _selection(target)
    _scopes(target.get("resourceRules") or ())
    _scopes(target.get("excludeResourceRules") or ())


def policy(document: Json) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if "matchConstraints" in spec:
        _match_resources(spec["matchConstraints"])


def policy_binding(document: Json) -> None:
    spec = document.setdefault("spec", {})
    if "matchResources" in spec:
        _match_resources(spec["matchResources"])
