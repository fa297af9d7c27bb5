from typing import Any

import pytest

from pybernetes.apiserver.admission.pod_security.checks import BASELINE, PRIVILEGED, RESTRICTED, describe, violations
from pybernetes.apiserver.admission.pod_security.plugin import PodSecurity
from pybernetes.apiserver.request import Document
from pybernetes.machinery.errors import Forbidden, Invalid
from support.security import Objects, meta, request

GOOD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
GOOD_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def spec(container: Document | None = None, context: Document | None = None, **more: Any) -> Document:
    own = {"name": "c", "securityContext": GOOD, **(container or {})}
    return {"containers": [own], "securityContext": {**GOOD_POD, **(context or {})}, **more}


def secured(**changes: Any) -> Document:
    return {"securityContext": {**GOOD, **changes}}


def test_a_careful_pod_is_restricted() -> None:
    assert violations(spec(), {}, RESTRICTED) == []


ROWS: list[tuple[Document, str, str]] = [
    (spec(hostNetwork=True, hostPID=True), BASELINE, "host namespaces (hostNetwork=true, hostPID=true)"),
    (
        spec(secured(privileged=True)),
        BASELINE,
        'privileged (container "c" must not set securityContext.privileged=true)',
    ),
    (
        spec(secured(capabilities={"add": ["NET_ADMIN", "CHOWN"], "drop": ["ALL"]})),
        BASELINE,
        'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ),
    (spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), BASELINE, 'hostPath volumes (volume "v")'),
    (spec({"ports": [{"hostPort": 80}]}), BASELINE, 'hostPort (container "c" uses hostPort 80)'),
    (
        spec(secured(procMount="Unmasked")),
        BASELINE,
        'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        spec(context={"seccompProfile": {"type": "Unconfined"}}),
        BASELINE,
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (spec(context={"sysctls": [{"name": "kernel.msgmax"}]}), BASELINE, "forbidden sysctls (kernel.msgmax)"),
    (
        spec(secured(seLinuxOptions={"type": "x", "user": "u"})),
        BASELINE,
        'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
    ),
    (
        spec({"livenessProbe": {"httpGet": {"host": "1.2.3.4"}}}),
        BASELINE,
        'probe or lifecycle host (container "c" uses probe or lifecycle host "1.2.3.4")',
    ),
    (
        spec(secured(allowPrivilegeEscalation=True)),
        RESTRICTED,
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    (
        spec(secured(capabilities={})),
        RESTRICTED,
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])',
    ),
    (
        spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        RESTRICTED,
        'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ),
    (
        spec(context={"runAsNonRoot": None}),
        RESTRICTED,
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
    ),
    (spec(context={"runAsUser": 0}), RESTRICTED, "runAsUser=0 (pod must not set runAsUser=0)"),
    (
        spec(context={"seccompProfile": None}),
        RESTRICTED,
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")',
    ),
]


@pytest.mark.parametrize(("document", "level", "complaint"), ROWS, ids=[row[2][:40] for row in ROWS])
def test_a_pod_violates(document: Document, level: str, complaint: str) -> None:
    assert describe(violations(document, {}, level)) == complaint
    assert violations(document, {}, PRIVILEGED) == []
    if level == RESTRICTED and "hostPath" not in complaint:
        assert violations(document, {}, BASELINE) == []


def test_an_ordinary_pod_is_told_everything_that_restricted_asks() -> None:
    ordinary = {"containers": [{"name": "c", "image": "i"}]}
    assert [reason for reason, _ in violations(ordinary, {}, RESTRICTED)] == [
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
        "runAsNonRoot != true",
        "seccompProfile",
    ]


def namespace(**labels: str) -> Document:
    named = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": level for mode, level in labels.items()}
    return {"metadata": meta("default", labels=named)}


def plugin(document: Document) -> PodSecurity:
    objects = Objects()
    objects.put("", "namespaces", document)
    objects.put("", "pods", {"metadata": meta("old", "default"), "spec": spec(hostNetwork=True)})
    return PodSecurity(objects)


def test_a_namespace_enforces_by_refusing_and_warns_by_warning() -> None:
    document = {"metadata": meta("web", "default"), "spec": spec(hostNetwork=True)}
    with pytest.raises(Forbidden) as caught:
        plugin(namespace(enforce="baseline")).validate(request("CREATE", "pods", document))
    assert caught.value.message == (
        'pods "web" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    )
    asked = request("CREATE", "pods", document)
    plugin(namespace(warn="baseline", warn_version="v1.30")).validate(asked)
    assert asked.warnings == ['would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)']


def test_a_workload_is_warned_about_and_not_refused() -> None:
    deployment = {"metadata": meta("web", "default"), "spec": {"template": {"spec": spec(hostNetwork=True)}}}
    asked = request("CREATE", "deployments", deployment, group="apps")
    plugin(namespace(enforce="baseline", warn="baseline")).validate(asked)
    assert len(asked.warnings) == 1


def test_an_update_that_touches_nothing_of_concern_is_admitted() -> None:
    old = {"metadata": meta("web", "default"), "spec": spec(hostNetwork=True)}
    new = {**old, "spec": {**old["spec"], "tolerations": [{}]}}
    plugin(namespace(enforce="baseline")).validate(request("UPDATE", "pods", new, old=old))


def test_a_level_nobody_knows_is_refused_and_a_stricter_one_lists_the_pods_there_are() -> None:
    with pytest.raises(Invalid, match="must be one of privileged, baseline, restricted"):
        plugin(namespace()).validate(request("CREATE", "namespaces", namespace(enforce="strict")))
    asked = request("UPDATE", "namespaces", namespace(enforce="baseline"), old=namespace())
    plugin(namespace()).validate(asked)
    assert asked.warnings == [
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "old: host namespaces",
    ]
