from typing import Any

import pytest

from pybernetes.api.validation import networking, services
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]
BOTH: Json = {
    "clusterIP": "10.0.0.1",
    "clusterIPs": ["10.0.0.1", "fd00::1"],
    "ipFamilies": ["IPv4", "IPv6"],
    "ipFamilyPolicy": "PreferDualStack",
}


def service(**spec: Any) -> Json:
    fixed = {"type": "ClusterIP", "sessionAffinity": "None", "selector": {"a": "b"}}
    return {"spec": {**fixed, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], **spec}}


SINGLE = {"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({**SINGLE, "ipFamilyPolicy": "SingleStack"}, []),
        (
            SINGLE,
            [
                'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": '
                "must be set to 'SingleStack' when releasing the secondary clusterIP",
                'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": '
                "must be set to 'SingleStack' when releasing the secondary ipFamily",
            ],
        ),
        (
            {"clusterIPs": ["10.0.0.1", "fd00::2"]},
            ['spec.clusterIPs[1]: Invalid value: ["10.0.0.1","fd00::2"]: may not change once set'],
        ),
        ({"type": "ExternalName", "externalName": "x.com", "clusterIP": "", "clusterIPs": [], "ipFamilies": []}, None),
    ],
    ids=["unchanged", "downgrade", "downgrade without policy", "another second address", "another type"],
)
def test_second_families_come_and_go_only_on_purpose(change: Json, expected: list[str] | None) -> None:
    errors: list[FieldError] = []
    services.service_update(errors, service(**{**BOTH, **change}), service(**BOTH))
    found = [str(error) for error in errors]
    if expected is None:
        assert not any("once set" in text or "unset" in text for text in found)
    else:
        assert found == expected


def test_a_service_may_gain_a_second_family() -> None:
    errors: list[FieldError] = []
    services.service_update(errors, service(**BOTH), service(**{**BOTH, **SINGLE, "ipFamilyPolicy": "SingleStack"}))
    assert errors == []


def test_a_service_cidr_has_at_most_one_range_per_family() -> None:
    errors: list[FieldError] = []
    networking.service_cidr(errors, {"spec": {"cidrs": ["10.8.0.0/24", "10.9.0.0/24"]}})
    assert len(errors) == 1
    errors.clear()
    networking.service_cidr(errors, {"spec": {"cidrs": ["10.8.0.0/24", "fd00::/112"]}})
    assert errors == []
