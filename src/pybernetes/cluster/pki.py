"""The keys and certificates of a cluster: two authorities, and who gets what signed by which.

The names of the files are kubeadm's, so that whoever knows one cluster finds them here. Keys are ECDSA P-256: TLS
handshakes with them cost a tenth of RSA's. A certificate is written again when it is missing, belongs to another
key or authority, lacks a name it should have, or would expire within `RENEW_BEFORE`; authorities are never
rewritten, because that would lock out every client.

Follows: kubernetes cmd/kubeadm/app/phases/certs/certlist.go.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadState
from pybernetes.cluster.state import write_private

CA_LIFE = timedelta(days=3650)
LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=90)
"""`up` renews earlier than that: a cluster that is started now and then never meets an expired certificate."""
CLOCK_SKEW = timedelta(minutes=5)
"""Certificates are valid a little before they were made, for machines whose clocks differ."""

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate some component presents."""

    file: str
    common_name: str
    organizations: tuple[str, ...] = ()
    authority: str = "ca"
    usages: tuple[x509.ObjectIdentifier, ...] = (CLIENT,)
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = field(default=())


def leaves(config: ClusterConfig, *, machine_name: str) -> list[Leaf]:
    """Every certificate the cluster needs besides its authorities."""
    node = config.node_name or machine_name
    return [
        Leaf(
            "apiserver",
            "kube-apiserver",
            usages=(SERVER,),
            dns_names=(
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                f"kubernetes.default.svc.{config.domain}",
                "localhost",
                node,
            ),
            addresses=("127.0.0.1", "::1", config.api_service_ip, config.machine_ip),
        ),
        Leaf("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("kubeadm:cluster-admins",)),
        Leaf("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        Leaf("admin", "kubernetes-admin", ("system:masters",)),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("proxy", "system:kube-proxy"),
        Leaf("node", f"system:node:{node}", ("system:nodes",)),
        Leaf(
            "kubelet",
            f"system:node:{node}",
            ("system:nodes",),
            usages=(SERVER,),
            dns_names=(node, "localhost"),
            addresses=("127.0.0.1", config.machine_ip),
        ),
    ]


AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca"}


def ensure(directory: Path, config: ClusterConfig, now: datetime, *, machine_name: str) -> list[str]:
    """Make what is missing or about to expire; the names of the certificates that were written.

    Raises:
        BadState: a file that is there cannot be read as what it should be.
    """
    written: list[str] = []
    authorities: dict[str, tuple[x509.Certificate, Key]] = {}
    for file, common_name in AUTHORITIES.items():
        certificate, key, made = _authority(directory, file, common_name, now)
        authorities[file] = certificate, key
        if made:
            written.append(file)
    for leaf in leaves(config, machine_name=machine_name):
        authority, authority_key = authorities[leaf.authority]
        if not _serves(directory, leaf, authority, now):
            _issue(directory, leaf, authority, authority_key, now)
            written.append(leaf.file)
    if not (directory / "sa.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(directory / "sa.pub", _public_pem(key))
        write_private(directory / "sa.key", _private_pem(key))
        written.append("sa")
    return written


def _authority(
    directory: Path, file: str, common_name: str, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, bool]:
    certificate_file, key_file = directory / f"{file}.crt", directory / f"{file}.key"
    if certificate_file.exists() and key_file.exists():
        return _load_certificate(certificate_file), _load_key(key_file), False
    if certificate_file.exists():
        raise BadState(
            f"{key_file} is missing, while its certificate is there",
            "restore the key, or start anew with: pybernetes delete, then pybernetes up",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, ())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _private_pem(key))
    write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key, True


def _issue(directory: Path, leaf: Leaf, authority: x509.Certificate, authority_key: Key, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(leaf.common_name, leaf.organizations))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + LIFE, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(leaf.usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
    )
    names = _alternative_names(leaf)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256())
    # The key first: a certificate without its key is found and made again, see _serves.
    write_private(directory / f"{leaf.file}.key", _private_pem(key))
    write_private(directory / f"{leaf.file}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _serves(directory: Path, leaf: Leaf, authority: x509.Certificate, now: datetime) -> bool:
    """Whether the certificate on disk is what `leaf` asks for, for long enough."""
    certificate_file, key_file = directory / f"{leaf.file}.crt", directory / f"{leaf.file}.key"
    if not certificate_file.exists() or not key_file.exists():
        return False
    certificate, key = _load_certificate(certificate_file), _load_key(key_file)
    if certificate.not_valid_after_utc - now < RENEW_BEFORE or certificate.public_key() != key.public_key():
        return False
    if certificate.subject != _name(leaf.common_name, leaf.organizations):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return set(_alternative_names(leaf)) <= set(_names_of(certificate))


def _names_of(certificate: x509.Certificate) -> Sequence[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()


def _alternative_names(leaf: Leaf) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.dns_names]
    return names + [x509.IPAddress(ipaddress.ip_address(address)) for address in leaf.addresses]


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _public_pem(key: Key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise BadState(f"{path} is no certificate: {error}", f"remove {path} and run: pybernetes up") from error


def _load_key(path: Path) -> Key:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise BadState(f"{path} is no private key: {error}", f"remove {path} and run: pybernetes up") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadState(f"{path} is no ECDSA key", f"remove {path} and run: pybernetes up")
    return key


def is_private(path: Path) -> bool:
    """Whether only the owner can read the file."""
    return path.stat().st_mode & 0o077 == 0 and path.stat().st_uid == os.geteuid()
