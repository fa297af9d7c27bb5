"""Answers to reviews about permission: documents in, documents out; nothing is stored.

    SubjectAccessReview         may this user do that
    SelfSubjectAccessReview     may I
    LocalSubjectAccessReview    may this user do that here
    SelfSubjectRulesReview      what may I do in this namespace

Follows: kubernetes pkg/registry/authorization; pkg/apis/authorization/validation.
"""

from typing import Any

from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.request import AUTHENTICATED_GROUP, Document, RequestInfo, User
from pybernetes.machinery.errors import BadRequest
from pybernetes.machinery.field_errors import FieldError, invalid, invalid_value

GROUP = "authorization.k8s.io"


def info_of(spec: Document) -> RequestInfo:
    """The question of a review as a request."""
    attributes = spec.get("resourceAttributes")
    if attributes is None:
        plain = spec.get("nonResourceAttributes") or {}
        return RequestInfo(verb=plain.get("verb", ""), path=plain.get("path", ""))
    return RequestInfo(
        verb=attributes.get("verb", ""),
        path="",
        is_resource=True,
        group=attributes.get("group", ""),
        version=attributes.get("version", ""),
        resource=attributes.get("resource", ""),
        subresource=attributes.get("subresource", ""),
        namespace=attributes.get("namespace", ""),
        name=attributes.get("name", ""),
    )


def _check(spec: Document, *, self_review: bool) -> list[FieldError]:
    complaints = []
    resource, plain = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and plain is not None:
        why = "cannot be specified in combination with resourceAttributes"
        complaints.append(invalid_value("spec.nonResourceAttributes", plain, why))
    if resource is None and plain is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        complaints.append(invalid_value("spec.resourceAttributes", None, why))
    if not self_review and not spec.get("user") and not spec.get("groups"):
        complaints.append(invalid_value("spec.user", "", "at least one of user or group must be specified"))
    return complaints


def review_access(review: Document, authorizer: Authorizer, asker: User, kind: str, namespace: str = "") -> Document:
    """An access review of `kind` with its status.

    Raises:
        Invalid, BadRequest.
    """
    spec = review.get("spec") or {}
    complaints = _check(spec, self_review=kind == "SelfSubjectAccessReview")
    if kind == "LocalSubjectAccessReview":
        if spec.get("nonResourceAttributes") is not None:
            why = "disallowed on this kind of request"
            complaints.append(invalid_value("spec.nonResourceAttributes", spec["nonResourceAttributes"], why))
        given = (spec.get("resourceAttributes") or {}).get("namespace", "")
        if given and given != namespace:
            raise BadRequest(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    if complaints:
        raise invalid(kind, GROUP, "", complaints)
    user = asker if kind == "SelfSubjectAccessReview" else _user(spec)
    decision = authorizer.authorize(user, info_of(spec))
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {**review, "status": status}


def _user(spec: Document) -> User:
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def review_rules(review: Document, authorizer: Authorizer, asker: User) -> Document:
    """A SelfSubjectRulesReview with its status.

    Raises:
        BadRequest: it names no namespace.
    """
    namespace = (review.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise BadRequest("no namespace on request")
    rules, missing = authorizer.rules_for(asker, namespace)
    resource_rules = [rule.document() for rule in rules if not rule.urls]
    non_resource_rules = [rule.document() for rule in rules if rule.urls]
    status: dict[str, Any] = {
        "resourceRules": resource_rules,
        "nonResourceRules": non_resource_rules,
        "incomplete": bool(missing),
    }
    if missing:
        status["evaluationError"] = ", ".join(missing)
    return {**review, "status": status}


__all__ = ["AUTHENTICATED_GROUP", "GROUP", "info_of", "review_access", "review_rules"]
