"""Which served versions are on their way out, and what every answer of theirs warns of.

Follows: api */zz_generated.prerelease-lifecycle.go of 1.36; apiserver pkg/endpoints/deprecation, WarningMessage.
"""

from collections.abc import Mapping
from typing import Final

_RESOURCE: Final = "resource.k8s.io"
_DEVICES: Final = ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")
_LEAVING: Final[tuple[tuple[str, str, tuple[str, ...], int, int], ...]] = (
    ("admissionregistration.k8s.io", "v1alpha1", ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"), 35, 38),
    ("certificates.k8s.io", "v1alpha1", ("ClusterTrustBundle",), 34, 37),
    ("coordination.k8s.io", "v1alpha2", ("LeaseCandidate",), 35, 38),
    ("coordination.k8s.io", "v1beta1", ("LeaseCandidate",), 36, 39),
    ("networking.k8s.io", "v1beta1", ("IPAddress", "ServiceCIDR"), 34, 37),
    (_RESOURCE, "v1alpha3", ("DeviceTaintRule",), 36, 39),
    (_RESOURCE, "v1beta1", _DEVICES, 35, 38),
    (_RESOURCE, "v1beta2", _DEVICES, 36, 39),
    ("storage.k8s.io", "v1beta1", ("VolumeAttributesClass",), 34, 37),
)
"""Group, version, kinds, and the minor releases that deprecate and remove them; up to what 1.36 deprecates."""

_REPLACED: Final[Mapping[tuple[str, str], str]] = {
    ("storage.k8s.io/v1beta1", "VolumeAttributesClass"): "storage.k8s.io/v1 VolumeAttributesClass",
}

_FOR_GOOD: Final[Mapping[tuple[str, str], str]] = {
    ("v1", "ComponentStatus"): "v1 ComponentStatus is deprecated in v1.19+",
    ("v1", "Endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
"""Deprecated, and never removed: their version is stable."""


def _warnings() -> dict[tuple[str, str], str]:
    found = dict(_FOR_GOOD)
    for group, version, kinds, deprecated, removed in _LEAVING:
        api_version = f"{group}/{version}"
        for kind in kinds:
            text = f"{api_version} {kind} is deprecated in v1.{deprecated}+, unavailable in v1.{removed}+"
            replacement = _REPLACED.get((api_version, kind))
            found[api_version, kind] = f"{text}; use {replacement}" if replacement else text
    return found


WARNINGS: Final[Mapping[tuple[str, str], str]] = _warnings()
"""(apiVersion, kind) → the text of the Warning header."""
