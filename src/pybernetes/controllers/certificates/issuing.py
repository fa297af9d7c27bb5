"""Certificates as the authority signs them: the names of the request, the usages of the object.

Pure but for the randomness of signatures.

Follows: kubernetes 1.36 pkg/controller/certificates/authority/{authority,policies}.go;
pkg/controller/certificates/signer/signer.go, duration.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

MIN_LIFE: Final = timedelta(minutes=10)
BACKDATE: Final = timedelta(minutes=5)
"""For machines whose clocks differ …"""
SHORT: Final = timedelta(hours=8)
"""… but certificates that live shorter than this are not dated back."""

_KEY_USAGES: Final = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED: Final = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


class CannotSign(ValueError):
    """There is no certificate to be had; the text says why."""


class Authority:
    """Who signs: a certificate and its key, both PEM.

    Raises:
        ValueError: they cannot be read.
    """

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.certificate = x509.load_pem_x509_certificate(certificate)
        loaded = serialization.load_pem_private_key(key, password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError("the key of a signing authority must be ECDSA or RSA")  # noqa: TRY004 - bad configuration
        self._key = loaded

    def sign(
        self,
        request: x509.CertificateSigningRequest,
        usages: Sequence[str],
        life: timedelta,
        now: datetime,
        serial: bytes,
    ) -> str:
        """The certificate, base64 of PEM as `status.certificate` holds it. `serial`: 16 random bytes.

        Raises:
            CannotSign: the request is not signed by its own key, a usage is unknown, or the authority has expired.
        """
        if not request.is_signature_valid:
            raise CannotSign("unable to verify certificate request signature")
        end = self.certificate.not_valid_after_utc
        if end <= now:
            raise CannotSign(f"refusing to sign a certificate that expired in the past: the signer expired at {end}")
        begin = now - BACKDATE if life >= SHORT else now
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(int.from_bytes(serial, "big") >> 1 or 1)
            .not_valid_before(begin)
            .not_valid_after(min(begin + life, end))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        key_usage, extended = usages_of(usages)
        if key_usage is not None:
            builder = builder.add_extension(key_usage, critical=True)
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
        builder = builder.add_extension(self._authority_identifier(), critical=False)
        try:
            names = request.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
            builder = builder.add_extension(names.value, critical=not list(request.subject))
        except x509.ExtensionNotFound:
            pass  # most clients have no other names
        signed = builder.sign(self._key, hashes.SHA256())
        return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode("ascii")

    def _authority_identifier(self) -> x509.AuthorityKeyIdentifier:
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def life(asked_seconds: int | None, most: timedelta) -> timedelta:
    """How long a certificate lives: what was asked for, between ten minutes and the cluster's own duration."""
    if asked_seconds is None:
        return most
    return max(MIN_LIFE, min(most, timedelta(seconds=asked_seconds)))


def usages_of(usages: Sequence[str]) -> tuple[x509.KeyUsage | None, list[x509.ObjectIdentifier]]:
    """The two extensions the usages of the API become.

    Raises:
        CannotSign: a usage is unknown.
    """
    flags: set[str] = set()
    extended: list[x509.ObjectIdentifier] = []
    unknown = []
    for usage in usages:
        if usage in _KEY_USAGES:
            flags.add(_KEY_USAGES[usage])
        elif usage not in _EXTENDED:
            unknown.append(usage)
        elif _EXTENDED[usage] not in extended:
            extended.append(_EXTENDED[usage])
    if unknown:
        raise CannotSign(f"unrecognized usage values: {', '.join(sorted(unknown))}")
    if {"encipher_only", "decipher_only"} & flags:
        flags.add("key_agreement")  # they say nothing without it
    key_usage = x509.KeyUsage(**{name: name in flags for name in set(_KEY_USAGES.values())}) if flags else None
    return key_usage, sorted(extended, key=lambda identifier: identifier.dotted_string)
