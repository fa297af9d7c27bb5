"""Which IP families a Service has: what it asks for, what it had, what the cluster offers.

    cluster IPv4, IPv6   PreferDualStack                 → ipFamilies [IPv4, IPv6]
    cluster IPv4         PreferDualStack                 → ipFamilies [IPv4]
    cluster IPv4         headless without selector       → ipFamilies [IPv4, IPv6], RequireDualStack
    [IPv4, IPv6]         changed to SingleStack          → ipFamilies [IPv4], one cluster IP

Pure; changes the document it is given.

Follows: kubernetes pkg/registry/core/service/storage/alloc.go, initIPFamilyFields.
"""

from collections.abc import Sequence
from typing import Any, Final

from pybernetes.api.validation import services
from pybernetes.apiserver.allocators.addresses import IPV4, IPV6, family_of
from pybernetes.machinery import field_errors
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]

NONE: Final = "None"
"""clusterIP of headless Services."""
SINGLE_STACK, PREFER_DUAL_STACK, REQUIRE_DUAL_STACK = "SingleStack", "PreferDualStack", "RequireDualStack"
_POLICY: Final = "spec.ipFamilyPolicy"


def init_families(service: Json, old: Json | None, configured: Sequence[str]) -> list[FieldError]:
    """Fill in ipFamilies and ipFamilyPolicy, and drop what a change to SingleStack gives up; what is wrong with them.

    `configured`: families of the cluster, the primary one first.
    """
    spec: Json = service.setdefault("spec", {})
    if spec.get("type") == "ExternalName":
        return []
    stored: Json | None = None if old is None else old.get("spec") or {}
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if stored is not None and _is_unchanged_preference(spec, stored):
        return []
    if not spec.get("ipFamilyPolicy"):
        if stored is not None and stored.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = stored["ipFamilyPolicy"]
        else:
            spec["ipFamilyPolicy"] = REQUIRE_DUAL_STACK if _is_free_form(spec) else SINGLE_STACK
    complaints: list[FieldError] = []
    services.cluster_ip_fields(complaints, spec)
    if complaints:
        return complaints
    if stored is not None:
        complaints += _reduced(spec, stored)
    complaints += _too_many(spec)
    complaints += _inferred(spec, configured)
    if complaints:
        return complaints
    if _is_free_form(spec):
        families = list(spec.get("ipFamilies") or configured[:1])
        spec["ipFamilies"] = _both(families) if spec["ipFamilyPolicy"] != SINGLE_STACK else families
        return []
    if spec["ipFamilyPolicy"] == REQUIRE_DUAL_STACK and len(configured) < 2:
        why = "this cluster is not configured for dual-stack services"
        complaints.append(field_errors.invalid_value(_POLICY, REQUIRE_DUAL_STACK, why))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in configured:
            why = "not configured on this cluster"
            complaints.append(field_errors.invalid_value(f"spec.ipFamilies[{index}]", family, why))
    if complaints:
        return complaints
    families = list(spec.get("ipFamilies") or configured[:1])
    if spec["ipFamilyPolicy"] != SINGLE_STACK and len(configured) == 2:
        families = _both(families)
    spec["ipFamilies"] = families
    return []


def _is_free_form(spec: Json) -> bool:
    """Headless without selector: whoever writes its endpoints knows of families the cluster may not have."""
    return spec.get("clusterIP") == NONE and not spec.get("selector")


def _both(families: list[str]) -> list[str]:
    if len(families) != 1:
        return families
    return [families[0], IPV6 if families[0] == IPV4 else IPV4]


def _is_unchanged_preference(spec: Json, stored: Json) -> bool:
    """A PreferDualStack Service stays as it is when the cluster has changed meanwhile, until somebody asks."""
    return (
        spec.get("ipFamilyPolicy") == stored.get("ipFamilyPolicy") == PREFER_DUAL_STACK
        and spec.get("clusterIPs") == stored.get("clusterIPs")
        and spec.get("ipFamilies") == stored.get("ipFamilies")
    )


def _reduced(spec: Json, stored: Json) -> list[FieldError]:
    """SingleStack gives up second values that were left as they were; other policies may not lose any."""
    if spec["ipFamilyPolicy"] == SINGLE_STACK:
        for field in ("clusterIPs", "ipFamilies"):
            values = spec.get(field) or []
            if len(values) > 1 and values == stored.get(field):
                spec[field] = values[:1]
        return []
    complaints = []
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        values, before = spec.get(field) or [], stored.get(field) or []
        if len(values) == 1 and len(before) == 2 and values[0] == before[0]:
            why = f"must be 'SingleStack' to release the secondary {what}"
            complaints.append(field_errors.invalid_value(_POLICY, spec["ipFamilyPolicy"], why))
    return complaints


def _too_many(spec: Json) -> list[FieldError]:
    if spec["ipFamilyPolicy"] != SINGLE_STACK:
        return []
    complaints = []
    for field, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")):
        if len(spec.get(field) or ()) == 2:
            why = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            complaints.append(field_errors.invalid_value(_POLICY, SINGLE_STACK, why))
    return complaints


def _inferred(spec: Json, configured: Sequence[str]) -> list[FieldError]:
    """Add the families of cluster IPs that none was named for."""
    complaints = []
    families = list(spec.get("ipFamilies") or ())
    for index, ip in enumerate(spec.get("clusterIPs") or ()):
        if ip == NONE:
            break
        family = family_of(ip)
        if index < len(families):
            continue
        if family not in configured:
            why = f"{family} is not configured on this cluster"
            place = f"spec.clusterIPs[{index}]"
            complaints.append(field_errors.invalid_value(place, spec["clusterIPs"], why))
        else:
            families.append(family)
    if families:
        spec["ipFamilies"] = families
    return complaints
