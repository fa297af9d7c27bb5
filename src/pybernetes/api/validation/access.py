"""Checks of roles, bindings and certificate requests.

Follows: pkg/apis/rbac/validation/validation.go; pkg/apis/certificates/validation/validation.go.
"""

import base64
from typing import Any, Final

from cryptography import x509

from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

_GROUP: Final = "rbac.authorization.k8s.io"


def _rules(errors: Errors, document: Json, *, namespaced: bool) -> None:
    for index, rule in enumerate(document.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            errors.append(fe.required(f"{path}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                errors.append(fe.invalid_value(f"{path}.nonResourceURLs", urls, text))
            if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(fe.invalid_value(f"{path}.nonResourceURLs", urls, text))
            continue
        if not rule.get("apiGroups"):
            text = "resource rules must supply at least one api group"
            errors.append(fe.required(f"{path}.apiGroups", text))
        if not rule.get("resources"):
            text = "resource rules must supply at least one resource"
            errors.append(fe.required(f"{path}.resources", text))


def role(errors: Errors, document: Json) -> None:
    _rules(errors, document, namespaced=True)


def role_update(errors: Errors, new: Json, _old: Json) -> None:
    role(errors, new)


def cluster_role(errors: Errors, document: Json) -> None:
    _rules(errors, document, namespaced=False)
    aggregation = document.get("aggregationRule")
    if aggregation is not None:
        selectors = aggregation.get("clusterRoleSelectors") or ()
        path = "aggregationRule.clusterRoleSelectors"
        if not selectors:
            text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.append(fe.required(path, text))
        for index, selector in enumerate(selectors):
            common.label_selector(errors, f"{path}[{index}]", selector)


def cluster_role_update(errors: Errors, new: Json, _old: Json) -> None:
    cluster_role(errors, new)


def _binding(errors: Errors, document: Json, kinds: tuple[str, ...], *, namespaced: bool) -> None:
    reference = document.get("roleRef") or {}
    if reference.get("apiGroup") != _GROUP:
        errors.append(fe.not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,)))
    if reference.get("kind") not in kinds:
        errors.append(fe.not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    name = reference.get("name", "")
    if not name:
        errors.append(fe.required("roleRef.name"))
    else:
        add_invalid(errors, "roleRef.name", name, names.path_segment(name))
    for index, subject in enumerate(document.get("subjects") or ()):
        _subject(errors, f"subjects[{index}]", subject, namespaced=namespaced)


def _subject(errors: Errors, path: str, subject: Json, *, namespaced: bool) -> None:
    name, group = subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        errors.append(fe.required(f"{path}.name"))
    match subject.get("kind"):
        case "ServiceAccount":
            if name:
                add_invalid(errors, f"{path}.name", name, names.dns_subdomain(name))
            if group:
                errors.append(fe.not_supported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                errors.append(fe.required(f"{path}.namespace"))
        case "User" | "Group":
            if group != _GROUP:
                errors.append(fe.not_supported(f"{path}.apiGroup", group, (_GROUP,)))
        case kind:
            supported = ("Group", "ServiceAccount", "User")
            errors.append(fe.not_supported(f"{path}.kind", kind or "", supported))


def role_binding(errors: Errors, document: Json) -> None:
    _binding(errors, document, ("ClusterRole", "Role"), namespaced=True)


def cluster_role_binding(errors: Errors, document: Json) -> None:
    _binding(errors, document, ("ClusterRole",), namespaced=False)


def _reference_kept(errors: Errors, new: Json, old: Json) -> None:
    if new.get("roleRef") != old.get("roleRef"):
        errors.append(fe.invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef"))


def role_binding_update(errors: Errors, new: Json, old: Json) -> None:
    role_binding(errors, new)
    _reference_kept(errors, new, old)


def cluster_role_binding_update(errors: Errors, new: Json, old: Json) -> None:
    cluster_role_binding(errors, new)
    _reference_kept(errors, new, old)


_USAGES: Final = frozenset(
    {"signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment"}
    | {"cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth"}
    | {"code signing", "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user"}
    | {"timestamping", "ocsp signing", "microsoft sgc", "netscape sgc"}
)
MIN_EXPIRATION_SECONDS: Final = 600


def signing_request(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    try:
        x509.load_pem_x509_csr(base64.b64decode(spec.get("request", "")))
    except ValueError as error:
        errors.append(fe.invalid_value("spec.request", spec.get("request", ""), str(error)))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(fe.required("spec.usages"))
    seen: set[str] = set()
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            errors.append(fe.not_supported(f"spec.usages[{index}]", usage, _USAGES))
        elif usage in seen:
            errors.append(fe.duplicate(f"spec.usages[{index}]", usage))
        seen.add(usage)
    signer_name(errors, "spec.signerName", spec.get("signerName", ""))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < MIN_EXPIRATION_SECONDS:
        text = f"may not specify a duration less than {MIN_EXPIRATION_SECONDS} seconds (10 minutes)"
        errors.append(fe.invalid_value("spec.expirationSeconds", seconds, text))


def signer_name(errors: Errors, path: str, name: str) -> None:
    """A signer: a domain and a path below it."""
    domain, slash, rest = name.partition("/")
    if not name:
        errors.append(fe.required(path))
    elif not slash:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        errors.append(fe.invalid_value(path, name, text))
    else:
        for complaint in (*names.fully_qualified_domain(domain), *names.dns_subdomain(rest)):
            errors.append(fe.invalid_value(path, name, complaint))


def signing_request_update(errors: Errors, new: Json, old: Json) -> None:
    """All doors: decisions stay, the certificate is written once."""
    status, before = new.get("status") or {}, old.get("status") or {}
    types = [condition.get("type") for condition in status.get("conditions") or ()]
    if "Approved" in types and "Denied" in types:
        text = "Approved and Denied conditions are mutually exclusive"
        errors.append(fe.invalid_value("status.conditions", status.get("conditions"), text))
    for condition in before.get("conditions") or ():
        kind = condition.get("type")
        if kind in {"Approved", "Denied", "Failed"} and kind not in types:
            text = f"updates may not remove a condition of type {fe.quote(kind)}"
            errors.append(fe.forbidden_value("status.conditions", text))
    if before.get("certificate") and status.get("certificate") != before["certificate"]:
        text = "updates may not set certificate content"
        errors.append(fe.forbidden_value("status.certificate", text))
