"""What is missing in a Secret that holds a service account's token.

Pure. Follows: kubernetes 1.36 pkg/controller/serviceaccount/tokens_controller.go, generateTokenIfNeeded;
pkg/serviceaccount/legacy.go, LegacyClaims.
"""

import base64
from typing import Any, Final

import msgspec

from pybernetes.api import core_v1
from pybernetes.machinery.signing import LEGACY_CLAIMS, LEGACY_ISSUER, PrivateKey, sign

TYPE: Final = "kubernetes.io/service-account-token"
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"
ROOT_CA, NAMESPACE, TOKEN = "ca.crt", "namespace", "token"


def account_key(secret: core_v1.Secret) -> str:
    """Which ServiceAccount a token Secret is about, `namespace/name`; empty for other Secrets."""
    name = secret.metadata.annotations.get(ACCOUNT_NAME, "")
    return f"{secret.namespace}/{name}" if secret.type == TYPE and name else ""


def belongs(secret: core_v1.Secret, account: core_v1.ServiceAccount) -> bool:
    """The Secret is about this very account, or about nobody more precise than its name."""
    uid = secret.metadata.annotations.get(ACCOUNT_UID, "")
    return account_key(secret) == account.key and uid in {"", account.metadata.uid}


def claims(account: core_v1.ServiceAccount, secret: str) -> dict[str, Any]:
    """What stands in the token; it does not expire."""
    return {
        "iss": LEGACY_ISSUER,
        f"{LEGACY_CLAIMS}namespace": account.namespace,
        f"{LEGACY_CLAIMS}secret.name": secret,
        f"{LEGACY_CLAIMS}service-account.name": account.name,
        f"{LEGACY_CLAIMS}service-account.uid": account.metadata.uid,
        "sub": f"system:serviceaccount:{account.namespace}:{account.name}",
    }


def encoded(value: bytes) -> str:
    """Bytes as a Secret's data shows them."""
    return base64.b64encode(value).decode()


def completed(
    secret: core_v1.Secret, account: core_v1.ServiceAccount, root_ca: bytes, key: PrivateKey
) -> core_v1.Secret:
    """The Secret with authority, namespace, token and annotations as they should be; the same one if they are."""
    data = dict(secret.data)
    if root_ca:
        data[ROOT_CA] = encoded(root_ca)
    if not data.get(NAMESPACE):
        data[NAMESPACE] = encoded(secret.namespace.encode())
    if not data.get(TOKEN):
        data[TOKEN] = encoded(sign(claims(account, secret.name), key).encode())
    wanted = {ACCOUNT_NAME: account.name, ACCOUNT_UID: account.metadata.uid}
    annotations = {**secret.metadata.annotations, **wanted}
    if data == secret.data and annotations == secret.metadata.annotations:
        return secret
    metadata = msgspec.structs.replace(secret.metadata, annotations=annotations)
    return msgspec.structs.replace(secret, metadata=metadata, data=data)
