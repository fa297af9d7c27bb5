"""Keys that sign service-account tokens, and the tokens they make.

The API server signs tokens that are asked for, a controller those that lie in Secrets: both the same way.

Follows: kubernetes pkg/serviceaccount/jwt.go; RFC 7515, 7518.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
"""Of tokens that lie in Secrets and do not expire."""
LEGACY_CLAIMS: Final = "kubernetes.io/serviceaccount/"
"""Begins the names of their claims."""

CURVES: Final = {
    "secp256r1": ("P-256", "ES256", 32),
    "secp384r1": ("P-384", "ES384", 48),
    "secp521r1": ("P-521", "ES512", 66),
}
"""By the names cryptography gives them: curve and algorithm of the standards, bytes of a coordinate."""


class UnusableKey(Exception):
    """A key file that cannot sign or check tokens."""


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def algorithm_of(key: PublicKey) -> str:
    """The signature algorithm a key is used with.

    Raises:
        UnusableKey.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in CURVES:
            raise UnusableKey(f"tokens cannot be signed with curve {key.curve.name}; use P-256, P-384 or P-521")
        return CURVES[key.curve.name][1]
    return "RS256"


def key_id(key: PublicKey) -> str:
    """The `kid` of a key: the hash of its public half."""
    data = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64url(hashlib.sha256(data).digest())


def private_key(pem: bytes) -> PrivateKey:
    """The key in a PEM text.

    Raises:
        UnusableKey.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise UnusableKey("the service account key is no PEM key without password") from error
    if not isinstance(key, PrivateKey):
        raise UnusableKey("the service account key is neither ECDSA nor RSA")
    return key


def sign(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """A signed token."""
    public = key.public_key()
    return jwt.encode(dict(claims), key, algorithm_of(public), headers={"kid": key_id(public)})
