"""The keys that sign and check service-account tokens, and how others learn of them.

    sign(claims) → JWT        with the private key, ES256 or RS256 by its kind
    verify(JWT) → claims      with any of the public keys, so that a key can be replaced while old tokens live
    jwks(), configuration()   the documents of OpenID discovery

Follows: kubernetes pkg/serviceaccount/{jwt,openidmetadata}.go; RFC 7517, 7518.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.machinery.signing import (
    CURVES,
    PrivateKey,
    PublicKey,
    UnusableKey,
    algorithm_of,
    base64url,
    key_id,
    sign,
)

if TYPE_CHECKING:
    from jwt.types import Options

__all__ = ["InvalidToken", "TokenKeys", "UnusableKey", "algorithm_of", "jwk", "key_id"]

JWKS_PATH = "/openid/v1/jwks"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
JWKS_TYPE = "application/jwk-set+json"


class InvalidToken(Exception):
    """A token this cluster has not signed, or that is not valid now. The text says why and shows no token."""


def _number(value: int, length: int = 0) -> str:
    return base64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def jwk(key: PublicKey) -> dict[str, str]:
    """A public key as a JSON web key."""
    head = {"use": "sig", "kid": key_id(key), "alg": algorithm_of(key)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve, _, length = CURVES[key.curve.name]
        numbers = key.public_numbers()
        return {**head, "kty": "EC", "crv": curve, "x": _number(numbers.x, length), "y": _number(numbers.y, length)}
    modulus = key.public_numbers()
    return {**head, "kty": "RSA", "n": _number(modulus.n), "e": _number(modulus.e)}


class TokenKeys:
    """One signing key, and every key whose tokens are believed (its own public half is always among them)."""

    def __init__(self, signing: PrivateKey | None, verifying: Sequence[PublicKey] = ()) -> None:
        self._signing = signing
        own = [signing.public_key()] if signing is not None else []
        self._public = {key_id(key): key for key in [*own, *verifying]}

    @classmethod
    def load(cls, signing_file: str, verifying_files: Sequence[str] = ()) -> "TokenKeys":
        """Keys from PEM files: a private key to sign with, public or private ones to check with.

        Raises:
            UnusableKey: a file is missing or holds no such key; says which and why.
        """
        private = _read(signing_file) if signing_file else None
        if private is not None and not isinstance(private, PrivateKey):
            raise UnusableKey(f"{signing_file} holds a public key; signing tokens needs the private one")
        publics = []
        for file in verifying_files:
            key = _read(file)
            publics.append(key.public_key() if isinstance(key, PrivateKey) else key)
        return cls(private, publics)

    @property
    def can_sign(self) -> bool:
        return self._signing is not None

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A signed token."""
        if self._signing is None:
            raise UnusableKey("no key to sign tokens with: start with --service-account-signing-key-file")
        return sign(claims, self._signing)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by one of our keys; expiry is checked by whoever reads them.

        Raises:
            InvalidToken.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise InvalidToken("invalid bearer token") from error
        named = self._public.get(str(header.get("kid", "")))
        candidates = [named] if named is not None else list(self._public.values())
        options: Options = {
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            "verify_aud": False,
            "require": ["iss", "sub"],
        }
        for key in candidates:
            try:
                claims: dict[str, Any] = jwt.decode(token, key, [algorithm_of(key)], options=options)
            except jwt.InvalidTokenError:
                continue
            return claims
        raise InvalidToken("invalid bearer token")

    def jwks(self) -> bytes:
        """The body of `/openid/v1/jwks`."""
        return orjson.dumps({"keys": [jwk(key) for key in self._public.values()]})

    def configuration(self, issuer: str, jwks_uri: str) -> bytes:
        """The body of `/.well-known/openid-configuration`."""
        return orjson.dumps(
            {
                "issuer": issuer,
                "jwks_uri": jwks_uri,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": sorted({algorithm_of(k) for k in self._public.values()}),
            }
        )


def _read(file: str) -> PrivateKey | PublicKey:
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise UnusableKey(f"cannot read the key file {file}: {error.strerror}") from error
    try:
        key: Any
        if b"PRIVATE KEY" in data:
            key = serialization.load_pem_private_key(data, password=None)
        else:
            key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError) as error:
        raise UnusableKey(f"{file} holds no PEM key without password") from error
    if not isinstance(key, PrivateKey | PublicKey):
        raise UnusableKey(f"{file} holds a key that is neither ECDSA nor RSA")
    return key
