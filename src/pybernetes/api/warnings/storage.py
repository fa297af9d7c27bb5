"""Advice on volumes, claims, classes, Secrets and accounts.

Follows: pkg/api/{persistentvolume,persistentvolumeclaim,storage}/util.go; pkg/registry/core/{secret,serviceaccount}.
"""

import base64
import binascii
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from pybernetes.api.warnings import common, pods
from pybernetes.api.warnings.common import Texts

Json = dict[str, Any]

_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_MOUNT_OPTIONS: Final = "volume.beta.kubernetes.io/mount-options"
_USE_CLASS: Final = 'deprecated since v1.8; use "storageClassName" attribute instead'
_USE_MOUNT_OPTIONS: Final = 'deprecated since v1.31; use "mountOptions" attribute instead'
_RECYCLE: Final = (
    "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
)
_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"
_USE_NAMESPACES: Final = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"


def volume(texts: Texts, document: Json) -> None:
    annotations, spec = (document.get("metadata") or {}).get("annotations") or {}, document.get("spec") or {}
    if _CLASS in annotations:
        texts.append(f"metadata.annotations[{_CLASS}]: {_USE_CLASS}")
    if _MOUNT_OPTIONS in annotations:
        texts.append(f"metadata.annotations[{_MOUNT_OPTIONS}]: {_USE_MOUNT_OPTIONS}")
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        texts.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
    required = (spec.get("nodeAffinity") or {}).get("required") or {}
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        place = f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]"
        common.node_term(texts, place, term, check_values=True)
    for kind in spec:
        if kind in pods.SOURCES:
            shown = "storageOS" if kind == "storageos" else kind
            texts.append(f"spec.{shown}: {pods.SOURCES[kind]}")
    common.whole_bytes(texts, "spec.capacity", spec.get("capacity"), "storage")


def volume_update(texts: Texts, new: Json, _old: Json) -> None:
    volume(texts, new)


def claim(texts: Texts, document: Json) -> None:
    if _CLASS in ((document.get("metadata") or {}).get("annotations") or {}):
        texts.append(f"metadata.annotations[{_CLASS}]: {_USE_CLASS}")
    pods.claim_spec(texts, "spec", document.get("spec") or {})


def claim_update(texts: Texts, new: Json, _old: Json) -> None:
    claim(texts, new)


def storage_class(texts: Texts, document: Json) -> None:
    for index, term in enumerate(document.get("allowedTopologies") or ()):
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key = expression.get("key", "")
            if key in common.NODE_LABELS:
                place = f"allowedTopologies[{index}].matchLabelExpressions[{number}].key"
                texts.append(f"{place}: {key} is {common.NODE_LABELS[key]}")


def storage_class_update(texts: Texts, new: Json, _old: Json) -> None:
    storage_class(texts, new)


def capacity(texts: Texts, document: Json) -> None:
    selector = document.get("nodeTopology") or {}
    common.node_term(texts, "nodeTopology", selector)
    for key in selector.get("matchLabels") or ():
        if key in common.NODE_LABELS:
            texts.append(f"nodeTopology.matchLabels.{key}: {common.NODE_LABELS[key]}")


def capacity_update(texts: Texts, new: Json, _old: Json) -> None:
    capacity(texts, new)


def runtime_class(texts: Texts, document: Json) -> None:
    for key in (document.get("scheduling") or {}).get("nodeSelector") or ():
        if key in common.NODE_LABELS:
            texts.append(f"scheduling.nodeSelector: {common.NODE_LABELS[key]}")


def runtime_class_update(texts: Texts, new: Json, _old: Json) -> None:
    runtime_class(texts, new)


def service_account(texts: Texts, document: Json) -> None:
    if _MOUNTABLE in ((document.get("metadata") or {}).get("annotations") or {}):
        texts.append(f"metadata.annotations[{_MOUNTABLE}]: {_USE_NAMESPACES}")


def service_account_update(texts: Texts, new: Json, old: Json) -> None:
    """Only who sets the annotation anew hears of it."""
    if _MOUNTABLE not in ((old.get("metadata") or {}).get("annotations") or {}):
        service_account(texts, new)


def secret(texts: Texts, document: Json) -> None:
    if document.get("type") == "kubernetes.io/tls":
        data = document.get("data") or {}
        why = _key_pair_complaint(_decoded(data, "tls.crt"), _decoded(data, "tls.key"))
        if why:
            texts.append(why)


def secret_update(texts: Texts, new: Json, _old: Json) -> None:
    secret(texts, new)


def _decoded(data: Json, key: str) -> bytes:
    try:
        return base64.b64decode(data.get(key, ""))
    except binascii.Error:
        return b""


def _key_pair_complaint(certificate: bytes, key: bytes) -> str:
    """Why a certificate and a key are no pair, in the words of Go's crypto/tls; empty when they are one."""
    if b"-----BEGIN " not in certificate:
        return "tls: failed to find any PEM data in certificate input"
    if b"-----BEGIN CERTIFICATE-----" not in certificate:
        return 'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks'
    if b"-----BEGIN " not in key:
        return "tls: failed to find any PEM data in key input"
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls: failed to parse private key"
    return "" if private.public_key() == public else "tls: private key does not match public key"
