"""Defaults of role bindings. Follows: pkg/apis/rbac/v1/defaults.go."""

from typing import Any

Json = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"


def binding(document: Json) -> None:
    reference = document.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in document.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"} and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP
