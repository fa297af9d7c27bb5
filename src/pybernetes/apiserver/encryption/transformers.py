"""Bytes as they are stored: `k8s:enc:<provider>:v1:<key name>:` and what the provider makes of the value.

The store key is authenticated with the value by aesgcm, so that values cannot be moved to other keys.

Follows: apiserver pkg/storage/value/transformer.go, encrypt/{aes,secretbox,identity}.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from pybernetes.apiserver.encryption import salsa

ENCRYPTED = b"k8s:enc:"
GCM_NONCE_BYTES = 12
BLOCK_BYTES = 16

Randomness = Callable[[int], bytes]


class Undecryptable(Exception):
    """A stored value cannot be read with the keys there are."""


class Provider(Protocol):
    """One key of one provider. `prefix` stands before its values."""

    @property
    def prefix(self) -> bytes: ...

    def encrypt(self, data: bytes, where: bytes) -> bytes: ...

    def decrypt(self, data: bytes, where: bytes) -> bytes:
        """Raises: ValueError, InvalidTag, InvalidSignature."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Values as they are."""

    prefix: bytes = b""

    def encrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - a `Provider`
        return data

    def decrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - a `Provider`
        if data.startswith(ENCRYPTED):
            raise ValueError("identity transformer tried to read encrypted data")
        return data


@dataclass(frozen=True, slots=True)
class AesGcm:
    prefix: bytes
    key: bytes
    random: Randomness = os.urandom

    def encrypt(self, data: bytes, where: bytes) -> bytes:
        nonce = self.random(GCM_NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, data, where)

    def decrypt(self, data: bytes, where: bytes) -> bytes:
        return AESGCM(self.key).decrypt(data[:GCM_NONCE_BYTES], data[GCM_NONCE_BYTES:], where)


@dataclass(frozen=True, slots=True)
class AesCbc:
    prefix: bytes
    key: bytes
    random: Randomness = os.urandom

    def encrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - not authenticated
        start = self.random(BLOCK_BYTES)
        padder = PKCS7(BLOCK_BYTES * 8).padder()
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(start)).encryptor()
        return start + encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - not authenticated
        decryptor = Cipher(algorithms.AES(self.key), modes.CBC(data[:BLOCK_BYTES])).decryptor()
        unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
        padded = decryptor.update(data[BLOCK_BYTES:]) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()


@dataclass(frozen=True, slots=True)
class Secretbox:
    prefix: bytes
    key: bytes
    random: Randomness = os.urandom

    def encrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - the key is not authenticated
        nonce = self.random(salsa.NONCE_BYTES)
        return nonce + salsa.seal(self.key, nonce, data)

    def decrypt(self, data: bytes, where: bytes) -> bytes:  # noqa: ARG002 - the key is not authenticated
        return salsa.open_box(self.key, data[: salsa.NONCE_BYTES], data[salsa.NONCE_BYTES :])


@dataclass(frozen=True, slots=True)
class Transformer:
    """All keys of a resource: the first writes, each reads what it wrote."""

    providers: Sequence[Provider]

    @property
    def prefix(self) -> bytes:
        """Of what is written now."""
        return self.providers[0].prefix

    def to_storage(self, data: bytes, key: str) -> bytes:
        writer = self.providers[0]
        return writer.prefix + writer.encrypt(data, key.encode())

    def from_storage(self, data: bytes, key: str) -> tuple[bytes, bytes]:
        """The plain value, and the prefix it was stored with.

        Raises:
            Undecryptable.
        """
        why = "no key fits"
        for provider in self.providers:
            if data.startswith(provider.prefix):
                try:
                    return provider.decrypt(data[len(provider.prefix) :], key.encode()), provider.prefix
                except (ValueError, InvalidTag, InvalidSignature) as error:
                    why = str(error) or type(error).__name__
        raise Undecryptable(f"{key}: {why}")
