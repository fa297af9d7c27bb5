"""Checks of what extends the API: webhooks, admission policies, flow schemas, custom resource definitions.

Expressions are compiled by `expressions`, structural schemas by the custom resource machinery; here are names,
references, counts and fixed words.

Follows: pkg/apis/admissionregistration/validation; apiextensions-apiserver pkg/apis/apiextensions/validation;
pkg/apis/flowcontrol/validation; kube-aggregator pkg/apis/apiregistration/validation.
"""

from typing import Any, Final

from pybernetes.api.validation import common, expressions
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

_FAILURE: Final = ("Fail", "Ignore")
_MATCH: Final = ("Equivalent", "Exact")
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES: Final = ("*", "Cluster", "Namespaced")
_REINVOCATION: Final = ("IfNeeded", "Never")
_REVIEW_VERSIONS: Final = ("v1", "v1beta1")
MAX_CONDITIONS: Final = 64


def _webhooks(errors: Errors, document: Json) -> None:
    seen: set[str] = set()
    for index, webhook in enumerate(document.get("webhooks") or ()):
        path, name = f"webhooks[{index}]", webhook.get("name", "")
        _domain_name(errors, f"{path}.name", name)
        if name in seen:
            errors.append(fe.duplicate(f"{path}.name", name))
        seen.add(name)
        _webhook(errors, path, webhook)


def _domain_name(errors: Errors, path: str, name: str) -> None:
    if not name:
        errors.append(fe.required(path))
        return
    complaints = names.dns_subdomain(name)
    add_invalid(errors, path, name, complaints)
    if not complaints and name.count(".") < 2:
        text = "should be a domain with at least three segments separated by dots"
        errors.append(fe.invalid_value(path, name, text))


def _webhook(errors: Errors, path: str, webhook: Json) -> None:
    common.one_of(errors, f"{path}.sideEffects", webhook.get("sideEffects"), _SIDE_EFFECTS)
    for field, words in (("failurePolicy", _FAILURE), ("matchPolicy", _MATCH), ("reinvocationPolicy", _REINVOCATION)):
        if webhook.get(field) is not None:
            common.one_of(errors, f"{path}.{field}", webhook[field], words)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        errors.append(fe.invalid_value(f"{path}.timeoutSeconds", seconds, text))
    versions = webhook.get("admissionReviewVersions") or []
    place = f"{path}.admissionReviewVersions"
    if not versions:
        errors.append(fe.required(place, f"must specify one of {', '.join(_REVIEW_VERSIONS)}"))
    elif not set(versions) & set(_REVIEW_VERSIONS):
        text = f"must include at least one of {', '.join(_REVIEW_VERSIONS)}"
        errors.append(fe.invalid_value(place, versions, text))
    common.label_selector(errors, f"{path}.namespaceSelector", webhook.get("namespaceSelector"))
    common.label_selector(errors, f"{path}.objectSelector", webhook.get("objectSelector"))
    client_config(errors, f"{path}.clientConfig", webhook.get("clientConfig") or {})
    for index, rule in enumerate(webhook.get("rules") or ()):
        _rule(errors, f"{path}.rules[{index}]", rule)
    _conditions(errors, f"{path}.matchConditions", webhook.get("matchConditions") or [])


def client_config(errors: Errors, path: str, config: Json) -> None:
    """Exactly one of a URL and a Service."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        errors.append(fe.required(path, "exactly one of url or service is required"))
    if url is not None:
        if not url.startswith("https://"):
            text = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
            errors.append(fe.invalid_value(f"{path}.url", url, text))
        for character, what in (("#", "fragments"), ("?", "query parameters"), ("@", "user information")):
            if character in url:
                text = f"{what} are not permitted in the URL"
                errors.append(fe.invalid_value(f"{path}.url", url, text))
    if service is not None:
        for field in ("name", "namespace"):
            if not service.get(field):
                errors.append(fe.required(f"{path}.service.{field}"))
        port = service.get("port", 443)
        text = "port is not valid: must be between 1 and 65535, inclusive"
        add_invalid(errors, f"{path}.service.port", port, [text] * bool(names.port_number(port)))


def _rule(errors: Errors, path: str, rule: Json) -> None:
    for field in ("operations", "apiGroups", "apiVersions", "resources"):
        values = rule.get(field) or []
        if not values:
            errors.append(fe.required(f"{path}.{field}"))
        if len(values) > 1 and "*" in values and field != "resources":
            text = (
                "if '*' is present, must not specify other "
                + {
                    "operations": "operations",
                    "apiGroups": "API groups",
                    "apiVersions": "API versions",
                }[field]
            )
            errors.append(fe.invalid_value(f"{path}.{field}", values, text))
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            errors.append(fe.not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS))
    if rule.get("scope") is not None and rule["scope"] not in _SCOPES:
        errors.append(fe.not_supported(f"{path}.scope", rule["scope"], _SCOPES))


def _conditions(errors: Errors, path: str, conditions: list[Json]) -> None:
    if len(conditions) > MAX_CONDITIONS:
        errors.append(fe.too_many(path, len(conditions), MAX_CONDITIONS))
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        name = condition.get("name", "")
        if not name:
            errors.append(fe.required(f"{path}[{index}].name"))
        else:
            add_invalid(errors, f"{path}[{index}].name", name, names.qualified_name(name))
            if name in seen:
                errors.append(fe.duplicate(f"{path}[{index}].name", name))
        seen.add(name)
        if not (condition.get("expression") or "").strip():
            errors.append(fe.required(f"{path}[{index}].expression"))


def webhooks(errors: Errors, document: Json) -> None:
    _webhooks(errors, document)
    for index, webhook in enumerate(document.get("webhooks") or ()):
        conditions = webhook.get("matchConditions")
        if conditions:
            expressions.match_conditions(errors, f"webhooks[{index}].matchConditions", conditions)


def webhooks_update(errors: Errors, new: Json, old: Json) -> None:
    if expressions.changed(new, old):
        webhooks(errors, new)
    else:
        _webhooks(errors, new)


def admission_policy(errors: Errors, document: Json) -> None:
    _admission_policy(errors, document)
    expressions.policy(errors, document)


def _admission_policy(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    common.one_of(errors, "spec.failurePolicy", spec.get("failurePolicy"), _FAILURE)
    constraints = spec.get("matchConstraints")
    if constraints is None:
        errors.append(fe.required("spec.matchConstraints"))
    else:
        rules = constraints.get("resourceRules") or []
        if not rules:
            errors.append(fe.required("spec.matchConstraints.resourceRules"))
        for index, rule in enumerate(rules):
            _rule(errors, f"spec.matchConstraints.resourceRules[{index}]", rule)
    kind = spec.get("paramKind")
    if kind is not None:
        for field in ("apiVersion", "kind"):
            if not kind.get(field):
                errors.append(fe.required(f"spec.paramKind.{field}"))
    if document.get("kind") == "ValidatingAdmissionPolicy":
        if not spec.get("validations") and not spec.get("auditAnnotations"):
            text = "validations or auditAnnotations must contain at least one item"
            errors.append(fe.required("spec.validations", text))
            errors.append(fe.required("spec.auditAnnotations", text))
        for index, rule in enumerate(spec.get("validations") or ()):
            if not (rule.get("expression") or "").strip():
                text = "expression is not specified"
                errors.append(fe.required(f"spec.validations[{index}].expression", text))
    elif not spec.get("mutations"):
        errors.append(fe.required("spec.mutations", "mutations must contain at least one item"))
    _conditions(errors, "spec.matchConditions", spec.get("matchConditions") or [])


def admission_policy_update(errors: Errors, new: Json, old: Json) -> None:
    if expressions.changed(new, old):
        admission_policy(errors, new)
    else:
        _admission_policy(errors, new)


_ACTIONS: Final = ("Audit", "Deny", "Warn")


def policy_binding(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    name = spec.get("policyName", "")
    if not name:
        errors.append(fe.required("spec.policyName"))
    else:
        add_invalid(errors, "spec.policyName", name, names.dns_subdomain(name))
    reference = spec.get("paramRef")
    if reference is not None:
        if bool(reference.get("name")) == ("selector" in reference):
            text = "name and selector are mutually exclusive"
            if reference.get("name"):
                errors.append(fe.forbidden_value("spec.paramRef.name", text))
            else:
                errors.append(fe.required("spec.paramRef", "one of name or selector must be specified"))
        action = reference.get("parameterNotFoundAction")
        common.one_of(errors, "spec.paramRef.parameterNotFoundAction", action, ("Allow", "Deny"))
    if document.get("kind") == "ValidatingAdmissionPolicyBinding":
        actions = spec.get("validationActions") or []
        if not actions:
            text = "at least one validation action is required"
            errors.append(fe.required("spec.validationActions", text))
        for action in actions:
            if action not in _ACTIONS:
                errors.append(fe.not_supported("spec.validationActions", action, _ACTIONS))
        if {"Deny", "Warn"} <= set(actions):
            text = (
                "must not contain both Deny and Warn (repeating the same validation failure information is not useful)"
            )
            errors.append(fe.invalid_value("spec.validationActions", actions, text))


def policy_binding_update(errors: Errors, new: Json, _old: Json) -> None:
    policy_binding(errors, new)


def flow_schema(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    precedence = spec.get("matchingPrecedence", 0)
    if precedence <= 0:
        errors.append(fe.invalid_value("spec.matchingPrecedence", precedence, "must be a positive value"))
    elif precedence > 10000:
        text = "must not be greater than 10000"
        errors.append(fe.invalid_value("spec.matchingPrecedence", precedence, text))
    elif precedence == 1 and (document.get("metadata") or {}).get("name") != "exempt":
        text = "only the schema named 'exempt' may have matchingPrecedence 1"
        errors.append(fe.invalid_value("spec.matchingPrecedence", precedence, text))
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        text = "must reference a priority level"
        errors.append(fe.required("spec.priorityLevelConfiguration.name", text))
    for index, rule in enumerate(spec.get("rules") or ()):
        path = f"spec.rules[{index}]"
        if not rule.get("subjects"):
            errors.append(fe.required(f"{path}.subjects", "subjects must contain at least one value"))
        if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
            text = "at least one of resourceRules and nonResourceRules has to be non-empty"
            errors.append(fe.required(path, text))


def flow_schema_update(errors: Errors, new: Json, _old: Json) -> None:
    flow_schema(errors, new)


def priority_level(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    kind = spec.get("type")
    common.one_of(errors, "spec.type", kind, ("Exempt", "Limited"))
    if kind == "Exempt" and spec.get("limited") is not None:
        errors.append(fe.forbidden_value("spec.limited", "must be nil if the type is not Limited"))
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            errors.append(fe.forbidden_value("spec.exempt", "must be nil if the type is Limited"))
        if spec.get("limited") is None:
            errors.append(fe.required("spec.limited", "must not be empty when type is Limited"))


def priority_level_update(errors: Errors, new: Json, _old: Json) -> None:
    priority_level(errors, new)


def api_service(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    name = (document.get("metadata") or {}).get("name", "")
    wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"
    if name != wanted:
        text = f'must be `spec.version+"."+spec.group`: {fe.quote(wanted)}'
        errors.append(fe.invalid_value("metadata.name", name, text))
    if not spec.get("version"):
        errors.append(fe.required("spec.version"))
    if not 0 < spec.get("groupPriorityMinimum", 0) <= 20000:
        text = "must be positive and less than 20000"
        errors.append(fe.invalid_value("spec.groupPriorityMinimum", spec.get("groupPriorityMinimum", 0), text))
    if not 0 < spec.get("versionPriority", 0) <= 1000:
        text = "must be positive and less than 1000"
        errors.append(fe.invalid_value("spec.versionPriority", spec.get("versionPriority", 0), text))
    service = spec.get("service")
    if service is None:
        if spec.get("caBundle"):
            errors.append(fe.invalid_value("spec.caBundle", "<redacted>", "local APIServices may not have a caBundle"))
        if spec.get("insecureSkipTLSVerify"):
            text = "local APIServices may not have insecureSkipTLSVerify"
            errors.append(fe.invalid_value("spec.insecureSkipTLSVerify", True, text))
        return
    for field in ("namespace", "name"):
        if not service.get(field):
            errors.append(fe.required(f"spec.service.{field}"))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        text = "may not be true if caBundle is present"
        errors.append(fe.invalid_value("spec.insecureSkipTLSVerify", True, text))


def api_service_update(errors: Errors, new: Json, _old: Json) -> None:
    api_service(errors, new)
