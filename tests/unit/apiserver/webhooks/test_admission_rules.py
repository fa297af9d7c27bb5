"""Which requests rules are about."""

from typing import Any

import pytest

from pybernetes.apiserver.admission import rules
from pybernetes.apiserver.admission.rules import GroupVersionResource

PODS = GroupVersionResource("", "v1", "pods")
RULE = {
    "operations": ["CREATE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
    "scope": "*",
}


@pytest.mark.parametrize(
    ("change", "subresource", "matched"),
    [
        ({}, "", True),
        ({}, "exec", False),
        ({"resources": ["pods/exec"]}, "exec", True),
        ({"resources": ["pods/*"]}, "exec", True),
        ({"resources": ["pods/*"]}, "", True),
        ({"resources": ["*/*"]}, "status", True),
        ({"resources": ["*"]}, "status", False),
        ({"resources": ["*/exec"]}, "exec", True),
        ({"resources": ["*/exec"]}, "", False),
        ({"operations": ["*"]}, "", True),
        ({"operations": ["UPDATE", "DELETE"]}, "", False),
        ({"apiGroups": ["apps"]}, "", False),
        ({"apiVersions": ["v2"]}, "", False),
        ({"apiGroups": ["*"], "apiVersions": ["*"]}, "", True),
        ({"scope": "Cluster"}, "", False),
        ({"scope": "Namespaced"}, "", True),
    ],
)
def test_rules_match_by_operation_group_version_resource_and_scope(
    change: dict[str, Any], subresource: str, matched: bool
) -> None:
    assert rules.matches({**RULE, **change}, PODS, subresource, "CREATE", "default") is matched


def test_a_namespace_is_of_the_cluster_though_it_names_itself() -> None:
    rule = {**RULE, "resources": ["namespaces"], "scope": "Cluster"}
    assert rules.matches(rule, rules.NAMESPACES, "", "CREATE", "default")
    assert not rules.matches({**rule, "scope": "Namespaced"}, rules.NAMESPACES, "", "CREATE", "default")


def test_what_could_match_is_never_less_than_what_does() -> None:
    for change in ({}, {"apiVersions": ["v2"]}, {"scope": "Cluster"}):
        assert rules.could_match({**RULE, **change}, "", "pods", "", "CREATE")
    assert not rules.could_match(RULE, "apps", "pods", "", "CREATE")


def test_resource_names_narrow_a_rule() -> None:
    assert rules.names_match(RULE, "any")
    assert rules.names_match({**RULE, "resourceNames": ["a"]}, "a")
    assert not rules.names_match({**RULE, "resourceNames": ["a"]}, "")


def test_what_configures_admission_is_exempt() -> None:
    assert rules.is_exempt("admissionregistration.k8s.io", "mutatingwebhookconfigurations")
    assert not rules.is_exempt("", "pods")
