"""The Roles of kube-system and kube-public, with their bindings.

Follows: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/namespace_policy.go.
"""

from pybernetes.apiserver.bootstrap.notation import Json, binding, role

SYSTEM, PUBLIC = "kube-system", "kube-public"
READER = "extension-apiserver-authentication-reader"
_MANAGER, _SCHEDULER = "kube-controller-manager", "kube-scheduler"


def roles() -> list[Json]:
    found = [
        role(SYSTEM, READER, "read core configmaps [extension-apiserver-authentication]"),
        role(SYSTEM, "system:controller:bootstrap-signer", "read core secrets"),
        role(SYSTEM, "system:controller:cloud-provider", "create,read core configmaps"),
        role(SYSTEM, "system:controller:token-cleaner", "delete,read core secrets\nevents"),
        role(
            PUBLIC,
            "system:controller:bootstrap-signer",
            "read core configmaps\nupdate core configmaps [cluster-info]\nevents",
        ),
    ]
    for name in (_MANAGER, _SCHEDULER):
        text = f"watch core configmaps\nget,update core configmaps [{name}]"
        found.append(role(SYSTEM, f"system::leader-locking-{name}", text))
    return found


def bindings() -> list[Json]:
    def bind(namespace: str, name: str, role_name: str, *subjects: str) -> Json:
        return binding(name, role_name, *subjects, namespace=namespace, role_kind="Role")

    found = [
        bind(SYSTEM, f"system::{READER}", READER, f"User:system:{_MANAGER}", f"User:system:{_SCHEDULER}"),
    ]
    for name in ("bootstrap-signer", "cloud-provider", "token-cleaner"):
        own = f"system:controller:{name}"
        found.append(bind(SYSTEM, own, own, f"ServiceAccount:{SYSTEM}/{name}"))
    signer = "system:controller:bootstrap-signer"
    found.append(bind(PUBLIC, signer, signer, f"ServiceAccount:{SYSTEM}/bootstrap-signer"))
    for name in (_MANAGER, _SCHEDULER):
        own = f"system::leader-locking-{name}"
        found.append(bind(SYSTEM, own, own, f"User:system:{name}", f"ServiceAccount:{SYSTEM}/{name}"))
    return found
